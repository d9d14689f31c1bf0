/**
 * Real caches in front of the real service: twenty thousand requests, and nothing of one person in the answer to another, nothing kept
 * that is nobody else's, nothing shared that is not what the service itself says. And the same with caches that override what the
 * service says, where nothing can hold: there the leaks must be seen.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Manner, ProductName } from './cache-products.ts';
import { createClient } from './client.ts';
import { type ComplaintKind, ownShareMax } from './judge.ts';
import { type RunningCache, startCache } from './start-cache.ts';
import { type CacheFindings, driveTraffic } from './traffic.ts';
import { type CacheWorld, createCacheWorld } from './world.ts';

const seed = Number(process.env.STEPWELL_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const requests = 20_000;
const controlRequests = 3_000;
const products: readonly ProductName[] = ['nginx', 'varnish'];

let world: CacheWorld;
const running: RunningCache[] = [];

beforeAll(async () => {
  console.log(`  caches: STEPWELL_TEST_SEED=${seed}`);
  world = await createCacheWorld();
});

afterAll(async () => {
  for (const cache of running) await cache.stop();
  await world?.end();
});

async function startCaches(...manners: readonly Manner[]): Promise<readonly RunningCache[]> {
  const started = [];
  for (const manner of manners) for (const name of products) started.push(await startCache(name, manner, world.service.port));
  running.push(...started);
  return started;
}

const nameOf = ({ cache }: CacheFindings): string => `${cache.name}, ${cache.manner}`;

describe('nginx and Varnish, by our recipes and by somebody who wants hits above all', () => {
  let findings: readonly CacheFindings[];
  beforeAll(async () => {
    findings = await driveTraffic({ world, caches: await startCaches('ordinary', 'hostile'), requests, seed });
  });

  it('give nobody what is somebody else’s, keep nothing that says it must not be kept, and share only what the service says', () => {
    expect(findings.map((one) => [nameOf(one), one.examples])).toEqual(findings.map((one) => [nameOf(one), []]));
  });

  it('were asked for everything, and kept what may be kept', () => {
    expect(findings.reduce((sum, { tally }) => sum + tally.answers, 0)).toBe(requests);
    for (const { cache, tally } of findings) {
      const statuses = [...tally.statuses.keys()];
      for (const tier of ['user', 'session', 'segment', 'anonymous']) expect(tally.tiers.get(tier), tier).toBeGreaterThan(10);
      for (const status of [200, 304, 400, 401, 403, 404, 405, 413, 415, 429, 503])
        expect(
          statuses.some((one) => one.endsWith(`: ${status}`)),
          `${status}`,
        ).toBe(true);
      expect(tally.degraded, 'degraded').toBeGreaterThan(100);
      // Else most of it was asked of nobody.
      expect(tally.own, `${cache.name}, ${cache.manner}: answers of its own`).toBeLessThan(ownShareMax * tally.answers);
      expect(tally.hits, 'hits').toBeGreaterThan(tally.shared / 4);
      // What our recipes never do, and what the others do, else they would not be hostile.
      expect(tally.overlooked > 0).toBe(cache.manner === 'hostile');
    }
  });
});

describe('nginx and Varnish that override what the service says', () => {
  it('leak, and are seen to', async () => {
    const findings = await driveTraffic({ world, caches: await startCaches('overriding'), requests: controlRequests, seed });
    const seen: readonly ComplaintKind[] = ['somebody else’s', 'kept', 'wrong answer', 'wrong status'];
    for (const { cache, complaints } of findings)
      for (const kind of seen) expect(complaints.get(kind) ?? 0, `${cache.name}: ${kind}`).toBeGreaterThan(0);
  });
});

describe('nginx and Varnish that leave the query out of their key', () => {
  it('give one question the answer to another, which is seen, and still nobody what is somebody else’s', async () => {
    const findings = await driveTraffic({ world, caches: await startCaches('queryless'), requests: controlRequests, seed });
    for (const { cache, complaints } of findings) {
      for (const kind of ['kept', 'wrong answer'] as const) expect(complaints.get(kind) ?? 0, `${cache.name}: ${kind}`).toBeGreaterThan(0);
      expect(complaints.get('somebody else’s') ?? 0, cache.name).toBe(0);
    }
  });
});

describe('what would be overlooked', () => {
  it('is not a POST that is kept: where an origin allows it, the hostile ones keep it whatever its body', async () => {
    const { createServer } = await import('node:http');
    const origin = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => response.setHeader('cache-control', 'public, s-maxage=60').end(body));
    });
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
    const { port } = origin.address() as { port: number };
    const client = createClient();
    try {
      for (const name of products) {
        const cache = await startCache(name, 'hostile', port);
        running.push(cache);
        const say = async (body: string) => (await client.ask(cache.port, { method: 'POST', path: '/v1/decide', headers: {}, body })).body;
        expect([await say('Alice'), await say('Bob')], name).toEqual(['Alice', 'Alice']);
      }
    } finally {
      client.close();
      origin.close();
      origin.closeAllConnections();
    }
  });
});
