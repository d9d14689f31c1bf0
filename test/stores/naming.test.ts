/** Under which names records are kept in Redis: a fleet agrees on a secret without being told one, and a configured one counts alone. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyNames, profileKey, secretKey } from '../../src/records/keys.ts';
import { keySecretTtlMs } from '../../src/records/limits.ts';
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts';
import { keySecret, names } from '../support/key-names.ts';
import { until } from '../support/redis-deployments.ts';
import { redisOfSuite } from './redis-of-suite.ts';
import { patienceMs } from './redis-opening.ts';
import { daySeconds, goldProfile, noPlan } from './store.cases.ts';

const redisHere = redisOfSuite();
const stores: RedisStore[] = [];

beforeEach(async () => {
  await redisHere.observer.config('RESETSTAT');
  told.length = 0;
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

/** What the stores said of a secret that they cannot go by. */
const told: string[] = [];

function opened(configured?: string): RedisStore {
  const store = openRedisStore({
    url: redisHere.server.url,
    keySecret: configured,
    commandTimeoutMs: patienceMs,
    silenceMaxMs: patienceMs,
    lookAgainMs: 40,
    onDisagreement: (why) => told.push(why),
  });
  stores.push(store);
  return store;
}

async function connected(configured?: string): Promise<RedisStore> {
  const store = opened(configured);
  expect(await store.connected(patienceMs)).toBe(true);
  return store;
}

/** How often somebody asked for it: nobody asks Redis for anything else by this command here. */
async function looksAtSecret(): Promise<number> {
  return Number(/cmdstat_get:calls=(\d+)/.exec(await redisHere.observer.info('commandstats'))?.[1] ?? 0);
}

describe('without a configured secret', () => {
  it('all who come at once agree on one, which is not forgotten for years', async () => {
    const fleet = await Promise.all(Array.from({ length: 6 }, () => connected()));
    await fleet[0]?.putProfile('anna', goldProfile, daySeconds);
    for (const store of fleet) expect(await store.getProfile('anna')).toMatchObject(goldProfile);
    const secret = String(await redisHere.observer.get(secretKey));
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(await redisHere.observer.exists(profileKey(keyNames(secret).subject('anna')))).toBe(1);
    expect(await redisHere.observer.pttl(secretKey)).toBeGreaterThan(keySecretTtlMs - patienceMs * 10);
  });

  it('one who comes later finds what the others wrote', async () => {
    await (await connected()).putProfile('anna', goldProfile, daySeconds);
    expect(await (await connected()).getProfile('anna')).toMatchObject(goldProfile);
  });

  it('a Redis that lost it gets the same one back when the connection is made again', async () => {
    await connected();
    const secret = await redisHere.observer.get(secretKey);
    await redisHere.observer.del(secretKey);
    await redisHere.observer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until('it is back', async () => (await redisHere.observer.get(secretKey)) === secret);
  });

  it('a read before it is known is refused as without a connection, and the next is answered', async () => {
    const store = opened();
    await expect(store.read({ ...noPlan, subject: 'anna', consent: true })).rejects.toMatchObject({ code: 'disconnected' });
    expect(await store.connected(patienceMs)).toBe(true);
    expect(await store.read({ ...noPlan, subject: 'anna', consent: true })).toMatchObject({ generation: 0 });
  });

  it('nothing is read or written under a name made of what is no secret of ours: that is told once, and asked again ever less often', async () => {
    await redisHere.observer.set(secretKey, 'short', 'EX', daySeconds);
    const store = opened();
    expect(await store.connected(patienceMs)).toBe(false);
    await expect(store.putProfile('anna', goldProfile, daySeconds)).rejects.toMatchObject({ code: 'other_names' });
    expect(await redisHere.observer.get(secretKey)).toBe('short');
    expect(await redisHere.observer.dbsize()).toBe(1);
    await until('it was looked at again', async () => (await looksAtSecret()) > 3);
    expect(told).toEqual(['unusable_names']);
    await redisHere.observer.del(secretKey);
    await until('a secret is agreed on', () => store.connected(100));
    expect(await store.putProfile('anna', goldProfile, daySeconds)).toBe('created');
  });

  it('a secret that is of another type is told as well', async () => {
    await redisHere.observer.rpush(secretKey, 'short');
    expect(await opened().connected(patienceMs)).toBe(false);
    expect(told).toEqual(['unusable_names']);
  });

  it('what somebody scribbles over it later is told, and changes no name', async () => {
    const store = await connected();
    await store.putProfile('anna', goldProfile, daySeconds);
    await redisHere.observer.set(secretKey, 'short', 'EX', daySeconds);
    await until('it is told', async () => told.length > 0);
    expect(await store.getProfile('anna')).toMatchObject(goldProfile);
    expect(told).toEqual(['unusable_names']);
  });
});

const other = `${keySecret}.`;
const withdrawal = { useCases: null, atMs: 5, ttlSeconds: daySeconds };

async function expectRefusal(store: RedisStore): Promise<void> {
  const refusal = { code: 'other_names', message: expect.not.stringContaining(keySecret) };
  await expect(store.read({ ...noPlan, subject: 'anna', consent: true })).rejects.toMatchObject(refusal);
  await expect(store.putProfile('anna', goldProfile, daySeconds)).rejects.toMatchObject(refusal);
  await expect(store.erase('anna', { atMs: 5, requestId: null })).rejects.toMatchObject(refusal);
}

describe('with a configured secret', () => {
  it('Redis holds its fingerprint, and not the secret', async () => {
    await (await connected(keySecret)).putProfile('anna', goldProfile, daySeconds);
    expect((await redisHere.observer.keys('*')).sort()).toEqual([secretKey, profileKey(names.subject('anna'))].sort());
    expect(await redisHere.observer.get(secretKey)).toBe(`f1${names.fingerprint}`);
    expect(names.fingerprint).not.toBe(keyNames(other).fingerprint);
    expect(await (await connected(keySecret)).getProfile('anna')).toMatchObject(goldProfile);
  });

  it.each<[string, string | undefined, string | undefined]>([
    ['another one', keySecret, other],
    ['none', keySecret, undefined],
    ['one, in a fleet that made its own,', undefined, keySecret],
  ])('who has %s reads and writes nothing, instead of missing a denial, and says so once', async (_, theirs, mine) => {
    await (await connected(theirs)).withdrawConsent('anna', withdrawal);
    const keys = await redisHere.observer.keys('*');
    const store = opened(mine);
    expect(await store.connected(patienceMs)).toBe(false);
    await expectRefusal(store);
    await until('it was looked at again', async () => (await looksAtSecret()) > 5);
    expect(told).toEqual(['other_key_secret']);
    expect((await redisHere.observer.keys('*')).sort()).toEqual(keys.sort());
  });

  it('who is in the middle of it when the fleet’s turns out to be another one stops, and begins again when it is gone', async () => {
    const store = await connected(keySecret);
    await redisHere.observer.set(secretKey, `f1${keyNames(other).fingerprint}`, 'EX', daySeconds);
    await until('it is told', async () => told.length > 0);
    await expectRefusal(store);
    await redisHere.observer.del(secretKey);
    await until('it is its own again', () => store.connected(100));
    expect(await redisHere.observer.get(secretKey)).toBe(`f1${names.fingerprint}`);
    expect(told).toEqual(['other_key_secret']);
  });

  it('the secret that a fleet made may be configured as it is, node by node', async () => {
    const made = await connected();
    await made.putProfile('anna', goldProfile, daySeconds);
    const configured = await connected(String(await redisHere.observer.get(secretKey)));
    expect(await configured.getProfile('anna')).toMatchObject(goldProfile);
    expect(await made.getProfile('anna')).toMatchObject(goldProfile);
    expect(told).toEqual([]);
  });

  it('the fingerprint comes back to a Redis that lost it, and lives on with every node that connects', async () => {
    await connected(keySecret);
    await redisHere.observer.del(secretKey);
    await until('it is back', async () => (await redisHere.observer.exists(secretKey)) === 1);
    await redisHere.observer.expire(secretKey, daySeconds);
    await connected(keySecret);
    await until('it lives on', async () => (await redisHere.observer.pttl(secretKey)) > keySecretTtlMs - patienceMs * 10);
  });
});
