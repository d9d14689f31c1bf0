/** The container files, as far as they can be held without a container engine: they parse, and whatever they name is there. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config.ts';

interface Service {
  readonly build?: string;
  readonly image?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
}

const compose = parse(readFileSync('docker-compose.yml', 'utf8')) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
};
const services = Object.values(compose.services);
const mounts = services.flatMap((service) => service.volumes ?? []).map((mount) => mount.split(':')[0] ?? '');
const dockerfile = readFileSync('Dockerfile', 'utf8');

describe('docker-compose.yml', () => {
  it('brings the service, Redis that persists, a collector, Jaeger and Prometheus', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['collector', 'jaeger', 'prometheus', 'redis', 'stepwell']);
  });

  it('mounts only files that exist and volumes that it declares', () => {
    const missing = mounts.filter((mount) => (mount.startsWith('./') ? !existsSync(mount) : !(mount in compose.volumes)));
    expect(mounts.length).toBeGreaterThan(0);
    expect(missing).toEqual([]);
  });

  it('publishes every port on loopback only', () => {
    const ports = services.flatMap((service) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('pins every image', () => {
    const images = services.flatMap((service) => service.image ?? []);
    expect(images.filter((image) => !/:\D*\d/.test(image))).toEqual([]);
  });

  it('sets only variables that the service understands', () => {
    const config = readConfig({ STEPWELL_HOST: '0.0.0.0', ...compose.services.stepwell?.environment });
    expect(config.redisUrl).toBe('redis://redis:6379');
  });

  it('points the telemetry at services that it brings', () => {
    const collector = parse(readFileSync('examples/compose/collector.yaml', 'utf8'));
    const prometheus = parse(readFileSync('examples/compose/prometheus.yaml', 'utf8'));
    const addresses: string[] = [
      new URL(compose.services.stepwell?.environment?.OTEL_EXPORTER_OTLP_ENDPOINT ?? '').host,
      collector.exporters.otlp.endpoint,
      ...prometheus.scrape_configs.flatMap((scrape: { static_configs: { targets: string[] }[] }) =>
        scrape.static_configs.flatMap((config) => config.targets),
      ),
    ];
    expect(addresses.map((address) => address.split(':')[0])).toEqual(['collector', 'jaeger', 'stepwell']);
  });
});

describe('the demo key', () => {
  it('is the one that the README tells, says that it is for the demo only, and holds no more than its hash', () => {
    const text = readFileSync('examples/compose/api-keys.demo.json', 'utf8');
    const key = 'stepwell-demo-key-not-for-production';
    const [entry] = JSON.parse(text);
    expect(entry.sha256).toBe(createHash('sha256').update(key).digest('hex'));
    expect(entry.id).toContain('demo-only');
    expect(text).not.toContain(key);
    expect(readFileSync('README.md', 'utf8')).toContain(key);
  });
});

describe('Dockerfile', () => {
  it('copies only what exists and what .dockerignore lets through', () => {
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) => match[1]?.split(' ') ?? []);
    const letThrough = readFileSync('.dockerignore', 'utf8').split('\n');
    expect(sources.length).toBeGreaterThan(0);
    expect(sources.filter((source) => !existsSync(source) || !letThrough.includes(`!${source}`))).toEqual([]);
  });

  it('does not run as root, and looks after its own health', () => {
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(dockerfile).toMatch(/^HEALTHCHECK /m);
  });

  it('starts a file that exists', () => {
    const entry = dockerfile.replaceAll('\\\n', '').match(/^ENTRYPOINT (.+)$/m)?.[1] ?? '[]';
    const [program, ...parameters] = JSON.parse(entry) as string[];
    expect(program).toBe('node');
    expect(existsSync(parameters.at(-1) ?? '')).toBe(true);
  });
});
