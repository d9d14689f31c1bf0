/** What the Redis store promises beyond the shared suite, shown on a real server: one command, no forbidden key, no server needed to start. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import {
  consentKey,
  generationKey,
  identityKey,
  profileKey,
  revokedTokenKey,
  secretKey,
  sessionKey,
  tombstoneKey,
} from '../../src/records/keys.ts';
import type { ReadPlan, Store } from '../../src/records/store.ts';
import type { StoreState } from '../../src/redis/connection.ts';
import { inFlightMax } from '../../src/redis/line.ts';
import { reconnectDelayMaxMs, reconnectDelayMs } from '../../src/redis/node.ts';
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts';
import { keySecret, names } from '../support/key-names.ts';
import { until } from '../support/redis-deployments.ts';
import { freePort, startRedis } from '../support/redis-server.ts';
import { redisOfSuite } from './redis-of-suite.ts';
import { forCases, lookAgainMs, openPatiently, patienceMs, rememberingForCases } from './redis-opening.ts';
import {
  casesPerProperty,
  daySeconds,
  goldProfile,
  noPlan,
  type OpenedStore,
  openPermission,
  openSession,
  type Situation,
  type Staged,
  sessionPlan,
  situations,
  stage,
  storeCases,
} from './store.cases.ts';

const redisHere = redisOfSuite();
const stores: RedisStore[] = [];

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

function opened(url: string, onState?: (state: StoreState, why: string | null) => void): RedisStore {
  return opening({ url, onState });
}

function opening(options: Parameters<typeof openRedisStore>[0]): RedisStore {
  const store = openRedisStore({ keySecret, lookAgainMs, ...options });
  stores.push(store);
  return store;
}

async function connectedStore(url = redisHere.server.url): Promise<RedisStore> {
  const store = opened(url);
  expect(await store.connected(patienceMs)).toBe(true);
  return store;
}

async function patientStore(url = redisHere.server.url): Promise<RedisStore> {
  const store = await openPatiently(url);
  stores.push(store);
  return store;
}

const openForCases = async (url: string): Promise<OpenedStore> => forCases(await patientStore(url), redisHere.observer);

storeCases('the Redis store over TCP', () => openForCases(redisHere.server.url));
storeCases('the Redis store over a Unix socket', () => openForCases(redisHere.server.socketUrl));
storeCases('the Redis store with a near cache that asks for versions', () =>
  rememberingForCases(redisHere.server.url, redisHere.observer, 0),
);
storeCases('the Redis store with a near cache that trusts for a minute', () =>
  rememberingForCases(redisHere.server.url, redisHere.observer, 60_000),
);

interface Seen {
  /** What came over the wire, by name. */
  readonly commands: readonly string[];
  /** Every argument of every command, those that scripts ran included. */
  readonly touched: readonly string[];
}

/** What the server executes while `work` runs, from its own MONITOR. */
async function seenWhile(work: () => Promise<unknown>): Promise<Seen> {
  const connection = redisHere.observer.duplicate();
  const monitor = await connection.monitor();
  const commands: string[] = [];
  const touched: string[] = [];
  const marker = `done-${Math.random()}`;
  const done = new Promise<void>((resolve) => {
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      if (args[1] === marker) return resolve();
      // A line asks now and then whether its server is still there.
      if (source !== 'lua' && args[0] !== 'PING') commands.push((args[0] ?? '').toUpperCase());
      // A script names its keys before it knows which it will touch, so only what it runs counts.
      if (!/^eval/i.test(args[0] ?? '')) touched.push(...args.slice(1));
    });
  });
  await work();
  await redisHere.observer.echo(marker);
  await done;
  monitor.disconnect();
  connection.disconnect();
  return { commands, touched };
}

/** The keys of profiles and sessions that were touched although the permission did not hold, by what they are. */
async function forbiddenTouches(
  store: Store,
  cases: readonly Situation[],
): Promise<Readonly<Record<'profiles' | 'sessions', readonly string[]>>> {
  const direct: OpenedStore = {
    store,
    nowMs: () => Date.now(),
    plant: async (key, text) => void (await redisHere.observer.set(key, text, 'EX', daySeconds)),
    unplant: async (key) => void (await redisHere.observer.del(key)),
    dispose: async () => {},
  };
  const staged: Staged[] = [];
  for (const situation of cases) staged.push(await stage(direct, situation));
  const { touched } = await seenWhile(async () => {
    for (const { plan } of staged) await store.read(plan);
  });
  const touchedKeys = new Set(touched);
  const touchedOf = (keys: readonly string[]): readonly string[] => keys.filter((key) => touchedKeys.has(key));
  return {
    profiles: touchedOf(staged.filter(({ expected }) => expected.profile.state === 'refused').map((one) => one.profileKey)),
    sessions: touchedOf(staged.filter(({ expected }) => expected.session.state === 'refused').map((one) => one.sessionKey)),
  };
}

/** But for what the fleet has agreed on, which is of nobody. */
async function everyKey(): Promise<readonly string[]> {
  return (await redisHere.observer.keys('*')).filter((key) => key !== secretKey).sort();
}

async function keysWithoutExpiry(): Promise<readonly string[]> {
  const keys = await redisHere.observer.keys('*');
  const expiries = await Promise.all(keys.map((key) => redisHere.observer.pttl(key)));
  return keys.filter((_, index) => (expiries[index] ?? -1) < 0);
}

const rawIds = ['anna-the-subject', 'her-device', 'her-session', 'issuer\nher-token'] as const;

async function keysThatNameAnId(): Promise<readonly string[]> {
  return (await everyKey()).filter((key) => /anna|subject|her-|issuer/.test(key));
}

async function writeEverything(store: Store): Promise<void> {
  const [subject, device, session, token] = rawIds;
  await store.putProfile(subject, goldProfile, daySeconds);
  await store.putConsent(subject, { useCases: { offers: 'granted' }, recordedAtMs: 1 }, daySeconds);
  await store.putIdentity('device', device, { subject, method: 'deterministic', confidencePpm: 1 }, daySeconds);
  await store.putSession(session, { attributes: { a: 1 } }, daySeconds);
  await store.patchSession(session, { attributes: { b: 1 } });
  await store.raiseGeneration(subject);
  await store.revokeToken(token, Date.now() + 60_000);
  await store.writeBatch([
    { kind: 'profile', subject: `${subject}-2`, profile: goldProfile, ttlSeconds: daySeconds },
    { kind: 'session', sessionId: `${session}-2`, session: { attributes: {} }, ttlSeconds: daySeconds },
  ]);
}

const fullPlan: ReadPlan = {
  subject: rawIds[0],
  tokenId: rawIds[3],
  tokenGeneration: 9,
  deviceId: rawIds[1],
  resolvedLink: null,
  sessionId: rawIds[2],
  consent: true,
  profile: openPermission,
  session: openSession,
  freshnessMaxMs: 0,
};

describe('a read', () => {
  it('is one command, whatever the plan names', async () => {
    const store = await patientStore();
    await writeEverything(store);
    await store.read(fullPlan);
    const plans: readonly ReadPlan[] = [
      fullPlan,
      { ...fullPlan, subject: null },
      { ...fullPlan, deviceId: 'linked to nobody', profile: null },
      { ...noPlan, tokenId: 'x' },
      sessionPlan('s'),
      { ...noPlan, sessionId: 's' },
    ];
    for (const plan of plans) expect((await seenWhile(() => store.read(plan))).commands).toEqual(['EVALSHA_RO']);
    expect((await seenWhile(() => store.read(noPlan))).commands).toEqual([]);
  });

  it('touches no profile and no session that the permission does not allow', async () => {
    const store = await patientStore();
    const cases = fc.sample(situations, casesPerProperty);
    expect(await forbiddenTouches(store, cases)).toEqual({ profiles: [], sessions: [] });
  });

  it('of a store that touches the profile first and judges afterwards is noticed', async () => {
    const store = await patientStore();
    const eager: Store = {
      ...store,
      async read(plan) {
        if (plan.subject !== null) await store.getProfile(plan.subject);
        return store.read(plan);
      },
    };
    expect((await forbiddenTouches(eager, fc.sample(situations, { seed: 7, numRuns: 100 }))).profiles).not.toEqual([]);
  });

  it('of a store that touches the session first and judges afterwards is noticed', async () => {
    const store = await patientStore();
    const eager: Store = {
      ...store,
      async read(plan) {
        if (plan.sessionId !== null) await store.read(sessionPlan(plan.sessionId));
        return store.read(plan);
      },
    };
    expect((await forbiddenTouches(eager, fc.sample(situations, { seed: 7, numRuns: 100 }))).sessions).not.toEqual([]);
  });

  it('is answered while a write waits for Redis to allow writes again', async () => {
    const store = await patientStore();
    await writeEverything(store);
    const ended: string[] = [];
    await redisHere.observer.call('CLIENT', 'PAUSE', '1500', 'WRITE');
    const writing = store.putConsent(rawIds[0], { useCases: {}, recordedAtMs: 2 }, daySeconds).then(() => ended.push('write'));
    await store.read(fullPlan).then(() => ended.push('read'));
    await writing;
    expect(ended).toEqual(['read', 'write']);
  });

  it('works after the server forgot the scripts', async () => {
    const store = await patientStore();
    await writeEverything(store);
    const before = await store.read(fullPlan);
    await redisHere.observer.script('FLUSH');
    expect(await store.read(fullPlan)).toEqual(before);
    await redisHere.observer.script('FLUSH');
    const outcomes = await store.writeBatch([
      { kind: 'profile', subject: 'b', profile: goldProfile, ttlSeconds: 9 },
      { kind: 'profile', subject: 'b', profile: goldProfile, ttlSeconds: 9 },
    ]);
    expect(outcomes).toEqual(['created', 'replaced']);
  });

  it('takes a value of another type for what was not written by us', async () => {
    const store = await patientStore();
    await writeEverything(store);
    const [subject, device, session, token] = rawIds;
    const tag = names.subject(subject);
    const plan: ReadPlan = { ...fullPlan, tokenId: 'another token' };
    expect(await store.read(plan)).toMatchObject({ profile: { state: 'known' }, session: { state: 'known' } });
    const answers: readonly (readonly [key: string, plan: ReadPlan, answer: object])[] = [
      [profileKey(tag), plan, { profile: { state: 'failed' } }],
      [sessionKey(names.session(session)), plan, { session: { state: 'absent' } }],
      [sessionKey(names.session(session)), sessionPlan(session), { session: { state: 'absent' } }],
      [revokedTokenKey(names.token(token)), fullPlan, { tokenRevoked: true, profile: { state: 'refused' } }],
      [consentKey(tag), plan, { code: 'unreadable' }],
      [generationKey(tag), plan, { code: 'unreadable' }],
      [identityKey(names.identity('device', device)), plan, { code: 'unreadable' }],
      [tombstoneKey(tag), plan, { profile: { state: 'absent' }, consent: null, link: null }],
    ];
    for (const [key, asked, answer] of answers) {
      const kept = await redisHere.observer.dumpBuffer(key);
      await redisHere.observer.del(key);
      await redisHere.observer.hset(key, 'a', 'b');
      const answered: unknown = await store.read(asked).catch((error: unknown) => error);
      expect({ key, answered }).toMatchObject({ key, answered: answer });
      await redisHere.observer.del(key);
      if (kept !== null) await redisHere.observer.restore(key, daySeconds * 1000, kept);
    }
    await redisHere.observer.del(sessionKey(names.session(session)));
    await redisHere.observer.hset(sessionKey(names.session(session)), 'a', 'b');
    expect(await store.patchSession(session, { attributes: { c: 1 } })).toBe(false);
  });
});

describe('what is kept', () => {
  it('all has an expiry', async () => {
    const store = await patientStore();
    await writeEverything(store);
    expect(await everyKey()).toHaveLength(9);
    expect(await keysWithoutExpiry()).toEqual([]);
    await redisHere.observer.set('sw:planted', 'x');
    expect(await keysWithoutExpiry()).toEqual(['sw:planted']);
  });

  it('names no id in its keys', async () => {
    const store = await patientStore();
    await writeEverything(store);
    expect(await keysThatNameAnId()).toEqual([]);
    await redisHere.observer.set(profileKey(rawIds[0]), 'x');
    expect(await keysThatNameAnId()).toEqual([profileKey(rawIds[0])]);
  });

  it('shares one cluster slot for a subject', async () => {
    const store = await patientStore();
    await store.putProfile('anna', goldProfile, 9);
    await store.putConsent('anna', { useCases: {}, recordedAtMs: 1 }, 9);
    await store.raiseGeneration('anna');
    const tags = (await everyKey()).map((key) => /\{(.+)\}/.exec(key)?.[1]);
    expect(tags).toEqual([names.subject('anna'), names.subject('anna'), names.subject('anna')]);
  });

  it('keeps its expiry when a session is patched', async () => {
    const store = await patientStore();
    await store.putSession('s', { attributes: { a: 1 } }, 100);
    await redisHere.observer.pexpire(sessionKey(names.session('s')), 50_000);
    await store.patchSession('s', { attributes: { b: 1 } });
    expect(await redisHere.observer.pttl(sessionKey(names.session('s')))).toBeLessThanOrEqual(50_000);
    expect(await redisHere.observer.pttl(sessionKey(names.session('s')))).toBeGreaterThan(0);
  });
});

describe('a server that fails', () => {
  it('may be dead when the store opens: reads are rejected until it is there', async () => {
    const port = await freePort();
    const states: string[] = [];
    const store = opened(`redis://127.0.0.1:${port}`, (state, why) => states.push(`${state} ${why}`));
    await expect(store.read(fullPlan)).rejects.toMatchObject({ code: 'disconnected' });
    await expect(store.ping()).rejects.toMatchObject({ code: 'disconnected' });
    expect(await store.connected(100)).toBe(false);
    const late = await startRedis({ port });
    try {
      expect(await store.connected(patienceMs)).toBe(true);
      await store.ping();
      expect(await store.read(fullPlan)).toMatchObject({ profile: { state: 'absent' } });
      expect(states).toEqual(['disconnected ECONNREFUSED', 'connected null']);
    } finally {
      await late.stop();
    }
  });

  it('may die and come back: what was under way is rejected and the store recovers by itself', async () => {
    const port = await freePort();
    const first = await startRedis({ port });
    const store = await connectedStore(first.url);
    const underWay = Promise.allSettled(Array.from({ length: 20 }, () => store.read(fullPlan)));
    await first.stop();
    for (const read of await underWay) if (read.status === 'rejected') expect(read.reason).toMatchObject({ name: 'StoreError' });
    await expect(store.read(fullPlan)).rejects.toMatchObject({ code: 'disconnected' });
    const second = await startRedis({ port });
    try {
      expect(await store.connected(patienceMs)).toBe(true);
      expect(await store.read(fullPlan)).toMatchObject({ profile: { state: 'absent' } });
    } finally {
      await second.stop();
    }
  });

  it('may hang without closing its connection: nothing waits for ever, and it is used again when it answers', async () => {
    const hanging = await startRedis();
    try {
      const store = await connectedStore(hanging.url);
      process.kill(hanging.pid, 'SIGSTOP');
      const reads = await Promise.allSettled(Array.from({ length: 10 }, () => store.read(fullPlan)));
      expect(reads.map((read) => (read.status === 'rejected' ? read.reason.code : 'answered'))).toEqual(reads.map(() => 'timed_out'));
      process.kill(hanging.pid, 'SIGCONT');
      await untilAnswered(store);
    } finally {
      await hanging.stop();
    }
  });

  it('is not asked more at once than it may be: the rest is rejected before it is sent', async () => {
    const store = await patientStore();
    const { commands } = await seenWhile(async () => {
      const reads = await Promise.allSettled(Array.from({ length: inFlightMax + 9 }, () => store.read(sessionPlan('s'))));
      expect(reads.slice(0, inFlightMax).filter(({ status }) => status === 'rejected')).toEqual([]);
      const rest = reads.slice(inFlightMax).map((read) => (read.status === 'rejected' ? read.reason.code : 'answered'));
      expect(rest).toEqual(Array(9).fill('overloaded'));
    });
    // A connection may still be introducing itself.
    expect(commands.filter((name) => name === 'EVALSHA_RO')).toHaveLength(inFlightMax);
    await store.read(fullPlan);
  });

  it('does not keep the store from closing, in whatever state the connection is', async () => {
    const port = await freePort();
    for (const url of [redisHere.server.url, redisHere.server.socketUrl, `redis://127.0.0.1:${port}`]) {
      await opened(url).close();
      const tried = opened(url);
      await tried.connected(60);
      await tried.close();
      await expect(tried.read(fullPlan)).rejects.toMatchObject({ code: 'closed' });
      expect(await tried.connected(1)).toBe(false);
    }
  });

  it('may refuse: the error carries no key, no id and no value', async () => {
    const poor = await startRedis();
    const admin = new Redis(poor.url);
    try {
      const store = await patientStore(poor.url);
      await admin.config('SET', 'maxmemory', '1');
      const error: unknown = await store
        .putProfile('anna-the-subject', { attributes: { secret: 'gold' }, audiences: [] }, 9)
        .catch((reason) => reason);
      expect(error).toMatchObject({ code: 'refused', message: 'Redis answered with OOM' });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/anna|secret|sw:|EVALSHA/);
    } finally {
      admin.disconnect();
      await poor.stop();
    }
  });

  it('may mix up its answers: one that belongs to another question is never used', async () => {
    const liar = await lyingServer();
    try {
      const store = await patientStore(`redis://127.0.0.1:${liar.port}`);
      const before = liar.connections();
      await expect(store.read(fullPlan)).rejects.toMatchObject({ code: 'misrouted' });
      expect(await store.connected(patienceMs)).toBe(true);
      expect(liar.connections()).toBe(before + 1);
    } finally {
      liar.stop();
    }
  });
});

async function untilAnswered(store: RedisStore): Promise<void> {
  for (;;) {
    const answered = await store.read(fullPlan).then(
      () => true,
      () => false,
    );
    if (answered) return;
    await store.connected(patienceMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Speaks just enough of the protocol to answer every script with the reply to somebody else's read. */
async function lyingServer(): Promise<{ port: number; connections(): number; stop(): void }> {
  const sockets = new Set<{ destroy(): void }>();
  let connections = 0;
  const liar: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      for (const name of chunk.toString().match(/\b(hello|ping|client|get|pexpire|evalsha_ro)\b/gi) ?? [])
        socket.write(answerOf(name.toLowerCase()));
    });
  });
  const answerOf = (name: string): string => {
    if (name === 'hello') return "-ERR unknown command 'HELLO'\r\n";
    if (name === 'ping') return '+PONG\r\n';
    if (name === 'client') return '+OK\r\n';
    if (name === 'get') return `+f1${names.fingerprint}\r\n`;
    if (name === 'pexpire') return ':1\r\n';
    return `*10\r\n$5\r\nother\r\n${'$-1\r\n'.repeat(5)}$1\r\n1\r\n${'$-1\r\n'.repeat(3)}`;
  };
  liar.listen(0, '127.0.0.1');
  await once(liar, 'listening');
  const address = liar.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    connections: () => connections,
    stop() {
      for (const socket of sockets) socket.destroy();
      liar.close();
    },
  };
}

describe('a shape that is not what the address says', () => {
  it('is named: one node is no cluster', async () => {
    const whys: (string | null)[] = [];
    const store = opened(redisHere.server.url.replace('redis:', 'redis+cluster:'), (_, why) => whys.push(why));
    await until('it says why', async () => whys.length > 0);
    expect(whys).toEqual(['no_cluster']);
    await expect(store.read(fullPlan)).rejects.toMatchObject({ code: 'disconnected' });
  });
});

describe('reconnecting', () => {
  it('never stops, and waits a spread time that stays under its maximum', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, chance) => {
          const delayMs = reconnectDelayMs(attempt, () => chance);
          expect(delayMs).toBeGreaterThan(0);
          expect(delayMs).toBeLessThanOrEqual(reconnectDelayMaxMs);
        },
      ),
    );
    expect(reconnectDelayMs(9, () => 0)).not.toBe(reconnectDelayMs(9, () => 0.9));
  });
});
