/** The Kubernetes manifests, as far as they can be held without a cluster: they parse, fit together, and hold no secret. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { auditWords, readConfig } from '../../src/config.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { metricNames } from '../../src/telemetry/names.ts';

const folder = 'deploy/kubernetes';
const textOf = (name: string): string => readFileSync(join(folder, name), 'utf8');
const kustomization = parse(textOf('kustomization.yaml'));
const documents = Object.fromEntries((kustomization.resources as string[]).map((name) => [name, parse(textOf(name))]));
const deployment = documents['deployment.yaml'];
const service = documents['service.yaml'];
const budget = documents['disruption-budget.yaml'];
const autoscaler = documents['autoscaler.yaml'];
const pod = deployment.spec.template.spec;
const [container] = pod.containers;
const labels = deployment.spec.template.metadata.labels;

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } };
}
const variables = container.env as readonly Variable[];

describe('deploy/kubernetes', () => {
  it('names every file that is there', () => {
    const generated = kustomization.configMapGenerator.flatMap(({ files }: { files: string[] }) => files);
    expect([...kustomization.resources, ...generated, 'kustomization.yaml'].sort()).toEqual(readdirSync(folder).sort());
    expect(Object.values(documents).map(({ kind }) => kind)).toEqual([
      'Deployment',
      'Service',
      'PodDisruptionBudget',
      'HorizontalPodAutoscaler',
    ]);
  });

  it('holds no secret, and refers to Secrets for what is one', () => {
    const secretVariables = ['STEPWELL_REDIS_URL', 'STEPWELL_SESSION_SECRET'];
    for (const name of secretVariables) {
      const variable = variables.find((one) => one.name === name);
      expect(variable?.value).toBeUndefined();
      expect(variable?.valueFrom?.secretKeyRef).toMatchObject({ name: expect.any(String), key: expect.any(String) });
    }
    expect(pod.volumes).toContainEqual({ name: 'api-keys', secret: { secretName: 'stepwell-api-keys' } });
    for (const name of readdirSync(folder)) expect(parse(textOf(name)).kind).not.toBe('Secret');
  });

  it('sets only variables that the service understands, from files that are mounted', () => {
    const secret = { STEPWELL_REDIS_URL: 'rediss://u:p@redis.example', STEPWELL_SESSION_SECRET: 'as long as it has to be' };
    const given = Object.fromEntries(variables.map(({ name, value }) => [name, value]));
    const config = readConfig({ STEPWELL_HOST: '0.0.0.0', STEPWELL_DATA_DIR: '/data', ...given, ...secret });
    const directories = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
    for (const path of [config.policyPath, config.jwksPath, config.apiKeysPath]) {
      expect(directories).toContain(path?.slice(0, path.lastIndexOf('/')));
    }
    const mounted = container.volumeMounts.map(({ name }: { name: string }) => name);
    expect(mounted.sort()).toEqual(pod.volumes.map(({ name }: { name: string }) => name).sort());
    expect(container.volumeMounts.some((mount: object) => 'subPath' in mount)).toBe(false);
    expect(container.ports.map(({ containerPort }: { containerPort: number }) => containerPort)).toEqual([
      config.port,
      config.managementPort,
    ]);
  });

  it('lets nothing grow in the volume: the record of writes goes where the cluster collects lines', () => {
    const given = Object.fromEntries(variables.map(({ name, value }) => [name, value]));
    expect(given.STEPWELL_AUDIT_LOG).toBe(auditWords.toStandardOutput);
    expect(pod.volumes).toContainEqual({ name: 'data', emptyDir: { sizeLimit: expect.any(String) } });
  });

  it('keeps Kubernetes from setting variables of that name itself, as it does for a Service called stepwell', () => {
    expect(service.metadata.name).toBe('stepwell');
    expect(pod.enableServiceLinks).toBe(false);
  });

  it('probes the management port, which no Service shows', () => {
    const probes = [container.startupProbe, container.readinessProbe, container.livenessProbe];
    expect(probes.map(({ httpGet }) => [httpGet.port, httpGet.path])).toEqual([
      ['management', '/readyz'],
      ['management', '/readyz'],
      ['management', '/livez'],
    ]);
    expect(service.spec.ports).toEqual([{ name: 'http', port: 80, targetPort: 'http' }]);
  });

  it('runs as nobody special, on a file system that is read only, with room to end in', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(container.resources).toMatchObject({ requests: { cpu: expect.any(String) }, limits: { memory: expect.any(String) } });
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(10 + container.lifecycle.preStop.sleep.seconds);
  });

  it('selects its own pods everywhere, and lets the autoscaler alone say how many there are', () => {
    expect(deployment.spec.selector.matchLabels).toEqual(labels);
    expect(service.spec.selector).toEqual(labels);
    expect(budget.spec.selector.matchLabels).toEqual(labels);
    expect(autoscaler.spec.scaleTargetRef).toEqual({ apiVersion: 'apps/v1', kind: 'Deployment', name: deployment.metadata.name });
    expect(deployment.spec.replicas).toBeUndefined();
    expect(autoscaler.spec.minReplicas).toBeGreaterThan(budget.spec.maxUnavailable);
    expect(kustomization.images).toEqual([expect.objectContaining({ name: container.image, newTag: expect.stringMatching(/^\d/) })]);
  });

  it('scales on a metric that the service has', () => {
    const [concurrency] = autoscaler.spec.metrics;
    expect(concurrency.pods.metric.name).toBe(metricNames.decisionsInFlight);
    expect(textOf('autoscaler.yaml')).toContain(`seriesQuery: '${metricNames.decisionsInFlight}{`);
  });

  it('brings a policy that loads', () => {
    const nowMs = Date.UTC(2026, 10, 21);
    const { artefact, problems } = compilePolicy(textOf('policy.yaml'), { file: 'policy.yaml', nowMs });
    expect(problems).toEqual([]);
    expect(artefact?.policy).toBe('first-steps');
  });
});
