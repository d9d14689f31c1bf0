/** What identity asks of both stores beyond reading: claims of proofs, ended sessions, and devices that change hands. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import type { Store } from '../../src/records/store.ts';
import { keySecret } from '../support/key-names.ts';
import { type RunningRedis, startRedis } from '../support/redis-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { openPatiently } from './redis-opening.ts';
import { noPlan } from './store.cases.ts';

let server: RunningRedis;
let observer: Redis;
beforeAll(async () => {
  server = await startRedis();
  observer = new Redis(server.url);
});
afterAll(async () => {
  observer?.disconnect();
  await server?.stop();
});
beforeEach(async () => {
  await observer.flushall();
});

const stores: readonly (readonly [string, () => Promise<Store>])[] = [
  [
    'the embedded store',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'stepwell-identity-'));
      const store = openEmbeddedStore({ directory, clock: new VirtualClock(Date.now()), keySecret, repeat: () => () => {} });
      onTestFinished(async () => {
        await store.close();
        rmSync(directory, { recursive: true, force: true });
      });
      return store;
    },
  ],
  [
    'Redis',
    async () => {
      const store = await openPatiently(server.url);
      onTestFinished(() => store.close());
      return store;
    },
  ],
];

describe.each(stores)('%s', (_, open) => {
  it('gives a proof to the first who claims it and to nobody else', async () => {
    const store = await open();
    const claims = await Promise.all(Array.from({ length: 20 }, () => store.claimProof('holder\nproof', 60_000)));
    expect(claims.filter(Boolean)).toHaveLength(1);
    expect(await store.claimProof('holder\nproof', 60_000)).toBe(false);
    expect(await store.claimProof('holder\nother', 60_000)).toBe(true);
    expect(await store.claimProof('other\nproof', 60_000)).toBe(true);
  });

  it('refuses a claim without an end', async () => {
    const store = await open();
    for (const lifeMs of [0, -1, 1.5, Number.NaN, 3_600_001]) {
      await expect(store.claimProof('holder\nproof', lifeMs)).rejects.toMatchObject({ code: 'invalid' });
    }
  });

  it('tells that a session has ended, whatever is withdrawn in it before or after', async () => {
    const store = await open();
    const plan = { ...noPlan, sessionId: 's', consent: true };
    const atMs = Date.now();
    await store.putSession('s', { attributes: { a: 1 } }, 600);
    await store.withdrawSessionConsent('s', { useCases: ['offers'], atMs, ttlSeconds: 600 });
    expect((await store.read(plan)).sessionConsent).toEqual({ useCases: { offers: 'denied' }, recordedAtMs: atMs });
    await store.withdrawSessionConsent('s', { useCases: [], ends: true, atMs, ttlSeconds: 600 });
    const ended = { useCases: { offers: 'denied' }, recordedAtMs: atMs, ended: true };
    expect((await store.read(plan)).sessionConsent).toEqual(ended);
    await store.withdrawSessionConsent('s', { useCases: ['offers'], atMs, ttlSeconds: 600 });
    expect((await store.read(plan)).sessionConsent).toEqual(ended);
    expect(await store.patchSession('s', { attributes: { a: 2 } })).toBe(false);
    expect((await store.read({ ...plan, sessionId: 't' })).sessionConsent).toBeNull();
  });
});

it('a claim leaves Redis by itself', async () => {
  const store = await openPatiently(server.url);
  onTestFinished(() => store.close());
  await store.claimProof('holder\nproof', 120_000);
  const [key = ''] = await observer.keys('sw:proof:*');
  const leftMs = await observer.pttl(key);
  expect(leftMs).toBeGreaterThan(0);
  expect(leftMs).toBeLessThanOrEqual(120_000);
  expect(key).not.toContain('holder');
});
