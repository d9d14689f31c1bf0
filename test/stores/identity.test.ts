/** What identity asks of both stores beyond reading: claims of proofs, ended sessions, and devices that change hands. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import { decodeIdentity, encodeIdentity, stampedIdentity } from '../../src/records/codec.ts';
import { identityKey } from '../../src/records/keys.ts';
import type { Store } from '../../src/records/store.ts';
import { keySecret, names } from '../support/key-names.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { redisOfSuite } from './redis-of-suite.ts';
import { openPatiently } from './redis-opening.ts';
import { noPlan } from './store.cases.ts';

const redisHere = redisOfSuite();

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
      const store = await openPatiently(redisHere.server.url);
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

const dayMs = 86_400_000;
const certain = (subject: string) => ({ subject, method: 'deterministic', confidencePpm: 1_000_000 }) as const;

describe('a device that changes hands', () => {
  it('tells since when, on both stores, and goes on telling while the hands are the same', async () => {
    const beforeMs = Date.now() - 1;
    for (const [name, open] of stores) {
      const store = await open();
      const linkNow = async () => (await store.read({ ...noPlan, deviceId: 'tablet' })).link;
      await store.putIdentity('device', 'tablet', certain('anna'), 600);
      await store.putIdentity('device', 'tablet', certain('anna'), 600);
      expect(await linkNow(), name).toEqual(certain('anna'));
      await store.putIdentity('device', 'tablet', certain('bob'), 600);
      const handedOver = await linkNow();
      expect(handedOver?.sharedSinceMs, name).toBeGreaterThanOrEqual(beforeMs);
      await store.writeBatch([{ kind: 'identity', namespace: 'device', value: 'tablet', link: certain('bob'), ttlSeconds: 600 }]);
      expect(await linkNow(), name).toEqual(handedOver);
      await store.putIdentity('device', 'phone', certain('bob'), 600);
      expect((await store.read({ ...noPlan, deviceId: 'phone' })).link, name).toEqual(certain('bob'));
    }
  });

  it('after thirty days has been taken over', () => {
    const keys = names.identity('device', 'tablet');
    const of = (subject: string) => encodeIdentity(keys, certain(subject), names);
    const anna = stampedIdentity(of('anna'), null, 1_000);
    const sharedSince = (nowMs: number) => decodeIdentity(keys, stampedIdentity(of('bob'), anna, nowMs), names)?.sharedSinceMs;
    expect([sharedSince(1_000 + 30 * dayMs), sharedSince(1_001 + 30 * dayMs)]).toEqual([1_000 + 30 * dayMs, undefined]);
  });

  it('is stamped by Redis as by the pure function, to the day', async () => {
    const store = await openPatiently(redisHere.server.url);
    onTestFinished(() => store.close());
    const tag = names.identity('device', 'tablet');
    for (const [agoMs, isShared] of [
      [30 * dayMs - 60_000, true],
      [30 * dayMs + 60_000, false],
    ] as const) {
      await redisHere.observer.set(
        identityKey(tag),
        stampedIdentity(encodeIdentity(tag, certain('anna'), names), null, Date.now() - agoMs),
      );
      await store.putIdentity('device', 'tablet', certain('bob'), 600);
      const { link } = await store.read({ ...noPlan, deviceId: 'tablet' });
      expect(link?.sharedSinceMs !== undefined, String(agoMs)).toBe(isShared);
    }
  });

  it('keeps nothing of whose it was', async () => {
    const store = await openPatiently(redisHere.server.url);
    onTestFinished(() => store.close());
    await store.putIdentity('device', 'tablet', certain('anna-the-first'), 600);
    await store.putIdentity('device', 'tablet', certain('bob'), 600);
    const [key = ''] = await redisHere.observer.keys('sw:identity:*');
    const text = await redisHere.observer.get(key);
    expect(text).not.toContain('anna');
    expect(text).not.toContain(names.subject('anna-the-first'));
  });
});

it('a claim leaves Redis by itself', async () => {
  const store = await openPatiently(redisHere.server.url);
  onTestFinished(() => store.close());
  await store.claimProof('holder\nproof', 120_000);
  const [key = ''] = await redisHere.observer.keys('sw:proof:*');
  const leftMs = await redisHere.observer.pttl(key);
  expect(leftMs).toBeGreaterThan(0);
  expect(leftMs).toBeLessThanOrEqual(120_000);
  expect(key).not.toContain('holder');
});
