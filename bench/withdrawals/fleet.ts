/** Several processes of the real service on one real Redis, each with a near cache of its own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIssuerKeys, mintToken } from '../../src/identity/mint.ts';
import { type RunningRedis, startRedis } from '../../test/support/redis-server.ts';
import { startFaultService } from '../faults/processes.ts';
import { policyText, sessionContender, subjectContender } from './contenders.ts';
import type { Contender } from './race.ts';

const parties = { issuer: 'https://issuer.example', audience: 'stepwell' } as const;

export interface Fleet {
  readonly urls: readonly string[];
  readonly redis: RunningRedis;
  /** How many reads of all processes were answered from memory, without asking Redis. */
  readsTrusted(): Promise<number>;
  contenders(count: { readonly subjects: number; readonly sessions: number }): Promise<readonly Contender[]>;
  end(): Promise<void>;
}

export async function startFleet(options: { readonly processes: number; readonly freshnessMaxMs: number }): Promise<Fleet> {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-fleet-'));
  const keys = await generateIssuerKeys();
  writeFileSync(join(directory, 'policy.yaml'), policyText(options.freshnessMaxMs));
  writeFileSync(join(directory, 'jwks.json'), JSON.stringify(keys.jwks));
  const redis = await startRedis();
  const env = {
    STEPWELL_REDIS_URL: redis.url,
    STEPWELL_POLICY: join(directory, 'policy.yaml'),
    STEPWELL_JWKS: join(directory, 'jwks.json'),
    STEPWELL_TOKEN_ISSUER: parties.issuer,
    STEPWELL_TOKEN_AUDIENCE: parties.audience,
    STEPWELL_SESSION_SECRET: 'one secret for the whole fleet',
  };
  const services = await Promise.all(
    Array.from({ length: options.processes }, async (_, index) => {
      const own = join(directory, `${index}`);
      mkdirSync(own);
      const service = await startFaultService({ env, directory: own });
      await service.connected();
      return service;
    }),
  );
  const end = async (): Promise<void> => {
    await Promise.all(services.map((service) => service.end()));
    await redis.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  const subjectOf = async (index: number): Promise<Contender> => {
    const subject = `person-${index}`;
    return subjectContender(subject, await mintToken({ ...keys, ...parties, subject, nowMs: Date.now(), lifetimeSeconds: 3600 }));
  };
  return {
    urls: services.map(({ url }) => url.replace(/\/$/, '')),
    redis,
    async readsTrusted() {
      let trusted = 0;
      for (const { managementUrl } of services) {
        const metrics = await (await fetch(`${managementUrl}/metrics`)).text();
        const line = metrics
          .split('\n')
          .find((one) => /^stepwell_near_cache_reads_total\{/.test(one) && /"all"/.test(one) && /"trusted"/.test(one));
        trusted += Number(line?.split(' ').at(-1) ?? 0);
      }
      return trusted;
    },
    async contenders({ subjects, sessions }) {
      const people = await Promise.all(Array.from({ length: subjects }, (_, index) => subjectOf(index)));
      return [...people, ...Array.from({ length: sessions }, sessionContender)];
    },
    end,
  };
}
