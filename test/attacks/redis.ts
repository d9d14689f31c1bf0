/** Ids made to be something else on their way to Redis: a command, a pattern, another record, one slot for all. On a real Redis. */
import { Redis } from 'ioredis';
import { expect, onTestFinished } from 'vitest';
import { openRedisStore } from '../../src/redis/redis-store.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { keySecret } from '../support/key-names.ts';
import { until } from '../support/redis-deployments.ts';
import { asDocumentedUser, documentedRights } from '../support/redis-rights.ts';
import { startRedis } from '../support/redis-server.ts';
import { type Area, agreed, expectCleanPrototypes, type Scene, scene } from './attack.ts';

/** Somebody else's, in the same Redis. */
const othersKey = 'other';

interface RedisScene extends Scene {
  readonly observer: Redis;
  readonly url: string;
  keys(): Promise<readonly string[]>;
}

async function redisScene(): Promise<RedisScene> {
  const redis = await startRedis();
  const observer = new Redis(redis.url);
  const store = openRedisStore({ url: redis.url, keySecret });
  onTestFinished(async () => {
    await store.close();
    observer.disconnect();
    await redis.stop();
  });
  await until('the store is connected', () => store.connected(1000));
  return { ...(await scene({ store })), observer, url: redis.url, keys: () => observer.keys('*') };
}

const profileUrl = (subject: string): string => `/v1/profiles/${encodeURIComponent(subject)}`;

/** Each its own record, found again by its own name and by no other. */
async function expectApart(at: RedisScene, subjects: readonly string[]): Promise<void> {
  for (const [index, subject] of subjects.entries()) {
    expect((await at.send('PUT', profileUrl(subject), { attributes: { days_since_order: index } })).statusCode, subject).toBe(201);
  }
  for (const [index, subject] of subjects.entries()) {
    expect((await at.send('GET', profileUrl(subject))).json().attributes, subject).toEqual({ days_since_order: index });
  }
  // Names of our own making: nothing of an id is in them.
  for (const key of await at.keys()) if (key !== othersKey) expect(key).toMatch(/^sw:[\w:{}-]{1,64}$/);
}

export const redis: Area = {
  area: 'Redis',
  attacks: [
    {
      name: 'ids with colons, braces, stars, NUL and line ends',
      holds: 'each is one person, and none is a pattern',
      async try() {
        const at = await redisScene();
        const subjects = [
          'a:b',
          'a:{b}',
          '{a}:b',
          '{}',
          '*',
          '?',
          '[a-z]',
          'a\u0000b',
          'a\u0000',
          'a\nb',
          'a\r\nb',
          ' a',
          'a ',
          '../a',
          'a/b',
          '%2e',
          'sw:*',
          '\\*',
          '"',
          "'; FLUSHALL",
        ];
        await expectApart(at, subjects);
        expect((await at.send('DELETE', profileUrl('*'))).statusCode).toBe(204);
        expect((await at.send('GET', profileUrl('a:b'))).statusCode).toBe(200);
        expect((await at.send('GET', profileUrl('*'))).statusCode).toBe(404);
      },
    },
    {
      name: 'ids with one hash tag, to bring them all into one slot',
      holds: 'they lie in as many slots as chance gives',
      async try() {
        const at = await redisScene();
        const subjects = Array.from({ length: 200 }, (_, index) => `{slot}${index}`);
        await expectApart(at, subjects);
        expect(new Set((await at.keys()).map(slotOf)).size).toBeGreaterThan(150);
      },
    },
    {
      name: 'an id of 64 KB',
      holds: 'it is refused, and no key is long',
      async try() {
        const at = await redisScene();
        const long = 'x'.repeat(64 * 1024);
        const before = (await at.keys()).length;
        expect(
          (await at.wire(`PUT /v1/profiles/${long} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)).answers[0]?.status,
        ).toBe(431);
        expect((await at.send('PUT', profileUrl('x'.repeat(257)), {})).statusCode).toBe(400);
        expect(
          (await at.send('PUT', '/v1/identities/device/d', { subject: long.slice(0, 30_000), method: 'deterministic' })).statusCode,
        ).toBe(400);
        expect((await at.send('POST', '/v1/revocations', { jti: long.slice(0, 30_000), until: '2027-01-01T00:00:00Z' })).statusCode).toBe(
          400,
        );
        expect((await at.decide({ identity: { deviceId: long.slice(0, 30_000) } })).state).toBe('anonymous');
        expect(await at.keys()).toHaveLength(before);
      },
    },
    {
      name: 'an id that is spelled like another kind of record',
      holds: 'a person, a device, a session and a token of one name are four',
      async try() {
        const at = await redisScene();
        const [id, subject] = ['dev-7f3a9c', 'person-42'];
        await expectApart(at, [`device:${id}`, `identity:6:device:${id}`, id, `${id}:profile`, `{${id}}:consent`]);
        for (const [namespace, value] of [
          ['device', id],
          ['device', `${id}:more`],
          [`device${id.slice(0, 3)}`, id.slice(3)],
          ['device', `:${id}`],
        ]) {
          const body = { subject, method: 'deterministic' };
          expect((await at.send('PUT', `/v1/identities/${namespace}/${value}`, body)).statusCode, value).toBe(201);
        }
        const decided = await Promise.all(
          [`device:${id}`, subject, id].map((deviceId) => at.decide({ identity: { deviceId }, consent: agreed })),
        );
        expect(decided.map(({ state }) => state)).toEqual(['anonymous', 'anonymous', 'partial']);
        expect((await at.send('POST', '/v1/revocations', { jti: id, until: '2027-01-01T00:00:00Z' })).statusCode).toBe(204);
        expect((await at.send('GET', profileUrl(id))).statusCode).toBe(200);
      },
    },
    {
      name: 'commands by way of the service’s own rights',
      holds: 'the documented user may do what the service does, and nothing to anybody else’s keys',
      async try() {
        const at = await redisScene();
        await at.observer.call('ACL', 'SETUSER', ...documentedRights());
        await at.observer.set(othersKey, 'secret');
        const user = new Redis(asDocumentedUser(at.url), { lazyConnect: true, enableReadyCheck: false, disableClientInfo: true });
        onTestFinished(() => user.disconnect());
        await user.connect();
        for (const words of [
          ['EVAL', 'return redis.call("get", "other")', '0'],
          ['EVAL', 'return redis.call("get", KEYS[1])', '1', othersKey],
          ['EVAL', 'return redis.call("config", "get", "*")', '0'],
          ['GET', othersKey],
          ['KEYS', '*'],
          ['SCAN', '0'],
          ['FLUSHALL'],
          ['FLUSHDB'],
          ['CONFIG', 'SET', 'dir', '/tmp'],
          ['MODULE', 'LIST'],
          ['SLAVEOF', '127.0.0.1', '1'],
          ['ACL', 'LIST'],
          ['SHUTDOWN'],
        ]) {
          const [name = '', ...rest] = words;
          await expect(user.call(name, ...rest), words.join(' ')).rejects.toThrow(
            /NOPERM|ACL failure|can't (?:run|access)|not allowed from script|unknown command/i,
          );
        }
        expect(await at.observer.get(othersKey)).toBe('secret');
      },
    },
    {
      name: 'a command of the protocol inside an id, and a record that somebody else wrote',
      holds: 'an id is an argument, and what is not ours to read is no record',
      async try() {
        const at = await redisScene();
        await at.observer.set(othersKey, 'kept');
        const inside = '\r\n*1\r\n$8\r\nFLUSHALL\r\n';
        await expectApart(at, [inside, `${inside}2`]);
        for (const identity of [{ deviceId: inside }, { sessionId: `s1.${inside}.x` }, { token: inside }]) {
          expect((await at.decide({ identity })).status).toBe(200);
        }
        expect(await at.observer.get(othersKey)).toBe('kept');
        for (const key of (await at.keys()).filter((name) => name.endsWith(':profile'))) {
          const text = String(await at.observer.get(key));
          await at.observer.set(key, text.replace('days_since_order', '__proto__'), 'KEEPTTL');
        }
        for (const subject of [inside, `${inside}2`]) expect((await at.send('GET', profileUrl(subject))).statusCode).toBeLessThan(500);
        expectCleanPrototypes();
      },
    },
  ],
};
