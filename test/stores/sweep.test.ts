/** Nothing about anybody is kept without an end: after every write there is, each key of either store has an expiry. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import { generationTtlMs } from '../../src/records/limits.ts';
import type { Store } from '../../src/records/store.ts';
import { openRateBoard, rateBoardKey } from '../../src/redis/rate-board.ts';
import { openRedisStore } from '../../src/redis/redis-store.ts';
import { until } from '../support/redis-deployments.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { redisOfSuite } from './redis-of-suite.ts';
import { patienceMs } from './redis-opening.ts';
import { daySeconds, goldProfile } from './store.cases.ts';

const redisHere = redisOfSuite();

type Reader =
  | 'kind'
  | 'read'
  | 'getProfile'
  | 'getConsent'
  | 'consentGeneration'
  | 'getErasure'
  | 'linksOf'
  | 'ping'
  | 'close'
  | 'deleteProfile'
  | 'liftErasure'
  // In Redis nothing is kept of it; in the embedded store what is stands for a minute, and its own suite says so.
  | 'announce'
  | 'listen';

const consent = { useCases: { offers: 'granted' }, recordedAtMs: 1 } as const;
const link = (subject: string) => ({ subject, method: 'deterministic', confidencePpm: 1 }) as const;
const withdrawal = (atMs: number) => ({ useCases: null, atMs, ttlSeconds: daySeconds });

/** Twice each, since making and changing are two things. INVARIANT: a store that learns to write something else does not compile here. */
const writes: { readonly [Write in Exclude<keyof Store, Reader>]: (store: Store, nowMs: number) => Promise<unknown> } = {
  putProfile: (store) => store.putProfile('anna', goldProfile, daySeconds),
  putIdentity: (store) => store.putIdentity('device', 'd', link('anna'), daySeconds),
  putConsent: (store) => store.putConsent('anna', consent, daySeconds),
  withdrawConsent: (store, nowMs) => store.withdrawConsent('bob', withdrawal(nowMs)),
  withdrawSessionConsent: (store, nowMs) => store.withdrawSessionConsent('s', withdrawal(nowMs)),
  putSession: (store) => store.putSession('t', { attributes: {} }, daySeconds),
  patchSession: (store) => store.patchSession('t', { attributes: { seen: true } }),
  raiseGeneration: (store) => store.raiseGeneration('anna'),
  revokeToken: (store, nowMs) => store.revokeToken('token', nowMs + 60_000),
  claimProof: (store) => store.claimProof('proof', 60_000),
  erase: (store, nowMs) => store.erase('carl', { atMs: nowMs, requestId: 'r' }),
  writeBatch: (store) =>
    store.writeBatch([
      { kind: 'profile', subject: 'dora', profile: goldProfile, ttlSeconds: daySeconds },
      { kind: 'consent', subject: 'dora', consent, ttlSeconds: daySeconds },
      { kind: 'identity', namespace: 'crm', value: 'x', link: link('dora'), ttlSeconds: daySeconds },
      { kind: 'session', sessionId: 'u', session: { attributes: {} }, ttlSeconds: daySeconds },
    ]),
};

async function writeEverything(store: Store, nowMs: number): Promise<void> {
  for (const write of Object.values(writes)) {
    await write(store, nowMs);
    await write(store, nowMs);
  }
}

describe('every key has an expiry', () => {
  it('in Redis, also the secret of the names and what processes tell each other', async () => {
    const store = openRedisStore({ url: redisHere.server.url, commandTimeoutMs: patienceMs, silenceMaxMs: patienceMs });
    onTestFinished(() => store.close());
    expect(await store.connected(patienceMs)).toBe(true);
    await writeEverything(store, Date.now());
    const board = openRateBoard({ url: redisHere.server.url, heardForMs: 60_000 });
    onTestFinished(() => board.close());
    await until('the board is written', async () => {
      await board.post('process', 'words').catch(() => {});
      return (await redisHere.observer.exists(rateBoardKey)) === 1;
    });
    const withoutEnd = async (): Promise<string[]> => {
      const keys = await redisHere.observer.keys('*');
      const lives = await Promise.all(keys.map((key) => redisHere.observer.pttl(key)));
      return keys.filter((_, index) => (lives[index] ?? -1) < 0);
    };
    expect(await redisHere.observer.dbsize()).toBeGreaterThan(15);
    expect(await withoutEnd()).toEqual([]);
    await redisHere.observer.set('sw:planted', 'x');
    expect(await withoutEnd()).toEqual(['sw:planted']);
  });

  it('in the embedded store, and what has reached it is gone from the disk', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'stepwell-sweep-'));
    const clock = new VirtualClock();
    const store = openEmbeddedStore({ directory, clock, repeat: () => () => {} });
    const beneath = open<string, string>({ path: join(directory, 'store.mdb'), noSubdir: true, maxDbs: 4, encoding: 'string' });
    const records = beneath.openDB<string, string>('records', { encoding: 'string' });
    const expiries = beneath.openDB<string, string>('expiries', { encoding: 'string' });
    onTestFinished(async () => {
      await beneath.close();
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    });
    await writeEverything(store, clock.nowMs());
    const stored = [...records.getRange()];
    expect(stored.length).toBeGreaterThan(15);
    for (const { key, value } of stored) {
      expect(value).toMatch(/^\d{16}/);
      const endsAtMs = Number(value.slice(0, 16));
      expect(endsAtMs, key).toBeGreaterThan(clock.nowMs());
      expect(endsAtMs, key).toBeLessThanOrEqual(clock.nowMs() + generationTtlMs);
      expect(expiries.doesExist(value.slice(0, 16) + key), key).toBe(true);
    }
    clock.advance(generationTtlMs + 1);
    await store.sweepExpired();
    records.resetReadTxn();
    expect([...records.getKeys()]).toEqual([]);
  });
});
