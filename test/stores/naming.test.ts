/** Under which names records are kept in Redis: a fleet agrees on a secret without being told one, and a configured one counts alone. */
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keyNames, profileKey, secretKey } from '../../src/records/keys.ts';
import { keySecretTtlMs } from '../../src/records/limits.ts';
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts';
import { keySecret, names } from '../support/key-names.ts';
import { until } from '../support/redis-deployments.ts';
import { type RunningRedis, startRedis } from '../support/redis-server.ts';
import { patienceMs } from './redis-opening.ts';
import { daySeconds, goldProfile, noPlan } from './store.cases.ts';

let server: RunningRedis;
let observer: Redis;
const stores: RedisStore[] = [];

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

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

function opened(configured?: string): RedisStore {
  const store = openRedisStore({ url: server.url, keySecret: configured, commandTimeoutMs: patienceMs, silenceMaxMs: patienceMs });
  stores.push(store);
  return store;
}

async function connected(configured?: string): Promise<RedisStore> {
  const store = opened(configured);
  expect(await store.connected(patienceMs)).toBe(true);
  return store;
}

describe('without a configured secret', () => {
  it('all who come at once agree on one, which is not forgotten for years', async () => {
    const fleet = await Promise.all(Array.from({ length: 6 }, () => connected()));
    await fleet[0]?.putProfile('anna', goldProfile, daySeconds);
    for (const store of fleet) expect(await store.getProfile('anna')).toMatchObject(goldProfile);
    const secret = String(await observer.get(secretKey));
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(await observer.exists(profileKey(keyNames(secret).subject('anna')))).toBe(1);
    expect(await observer.pttl(secretKey)).toBeGreaterThan(keySecretTtlMs - patienceMs * 10);
  });

  it('one who comes later finds what the others wrote', async () => {
    await (await connected()).putProfile('anna', goldProfile, daySeconds);
    expect(await (await connected()).getProfile('anna')).toMatchObject(goldProfile);
  });

  it('a Redis that lost it gets the same one back when the connection is made again', async () => {
    await connected();
    const secret = await observer.get(secretKey);
    await observer.del(secretKey);
    await observer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until('it is back', async () => (await observer.get(secretKey)) === secret);
  });

  it('a read before it is known is refused as without a connection, and the next is answered', async () => {
    const store = opened();
    await expect(store.read({ ...noPlan, subject: 'anna', consent: true })).rejects.toMatchObject({ code: 'disconnected' });
    expect(await store.connected(patienceMs)).toBe(true);
    expect(await store.read({ ...noPlan, subject: 'anna', consent: true })).toMatchObject({ generation: 0 });
  });

  it('nothing is read or written under a name made of what is no secret of ours', async () => {
    await observer.set(secretKey, 'short', 'EX', daySeconds);
    const store = opened();
    expect(await store.connected(300)).toBe(false);
    await expect(store.putProfile('anna', goldProfile, daySeconds)).rejects.toMatchObject({ code: 'disconnected' });
    expect(await observer.get(secretKey)).toBe('short');
    expect(await observer.dbsize()).toBe(1);
  });
});

describe('with a configured secret', () => {
  it('Redis holds none, and whoever has another secret finds nothing', async () => {
    await (await connected(keySecret)).putProfile('anna', goldProfile, daySeconds);
    expect(await observer.keys('*')).toEqual([profileKey(names.subject('anna'))]);
    expect(await (await connected(`${keySecret}.`)).getProfile('anna')).toBeNull();
    expect(await (await connected(keySecret)).getProfile('anna')).toMatchObject(goldProfile);
  });
});
