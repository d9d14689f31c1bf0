/** Stored consent on both stores, and where a near cache holds it. In a cluster: `redis-cluster.test.ts`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { open } from 'lmdb';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import { consentKey, sessionConsentKey } from '../../src/records/keys.ts';
import { keySecret, names } from '../support/key-names.ts';
import { type RunningRedis, startRedis } from '../support/redis-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { consentCases } from './consent.cases.ts';
import { forCases, openPatiently, rememberingForCases } from './redis-opening.ts';
import { daySeconds, type OpenedStore } from './store.cases.ts';

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

async function embedded(): Promise<OpenedStore> {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-consent-'));
  const clock = new VirtualClock();
  const store = openEmbeddedStore({ directory, clock, keySecret, repeat: () => () => {} });
  const beneath = open<string, string>({ path: join(directory, 'store.mdb'), noSubdir: true, maxDbs: 4, encoding: 'string' });
  const records = beneath.openDB<string, string>('records', { encoding: 'string' });
  return {
    store,
    nowMs: () => clock.nowMs(),
    plant: async (key, text) => {
      await records.put(key, `${clock.nowMs() + daySeconds * 1000}`.padStart(16, '0') + text);
    },
    unplant: async (key) => {
      await records.remove(key);
    },
    async dispose() {
      await beneath.close();
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

consentCases('the embedded store', embedded);
consentCases('the Redis store', async () => forCases(await openPatiently(server.url), observer));
consentCases('the Redis store with a near cache that asks for versions', () => rememberingForCases(server.url, observer, 0));
consentCases('the Redis store with a near cache that trusts for a minute', () => rememberingForCases(server.url, observer, 60_000));

describe('in Redis', () => {
  it('a consent record of a wrong type denies nobody a withdrawal or a put', async () => {
    const store = await openPatiently(server.url);
    onTestFinished(() => store.close());
    const key = consentKey(names.subject('anna'));
    await observer.lpush(key, 'x');
    await expect(store.getConsent('anna')).rejects.toMatchObject({ code: 'unreadable' });
    const withdrawal = { useCases: null, atMs: Date.now(), ttlSeconds: daySeconds };
    expect(await store.withdrawConsent('anna', withdrawal)).toMatchObject({ generation: 1 });
    await observer.del(key);
    await observer.lpush(key, 'x');
    expect(await store.putConsent('anna', { useCases: {}, recordedAtMs: 1 }, daySeconds)).toBe('created');
  });

  it('what was withdrawn in a session lives as long as it was told to, and in the slot of the session', async () => {
    const store = await openPatiently(server.url);
    onTestFinished(() => store.close());
    await store.withdrawSessionConsent('s', { useCases: null, atMs: Date.now(), ttlSeconds: 100 });
    const key = sessionConsentKey(names.session('s'));
    expect(await observer.pttl(key)).toBeGreaterThan(0);
    expect(await observer.pttl(key)).toBeLessThanOrEqual(100_000);
    expect(key).toContain(`{${names.session('s')}}`);
  });
});
