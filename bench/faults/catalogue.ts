/**
 * The sixty faults that the service must survive, as data: what is done, for how long, and what must hold meanwhile and afterwards.
 * Of every fault it must hold that no decision is lost and none is more than evidence and consent allow; that is not repeated here.
 * What this version has not got, and so cannot break, is listed with the reason.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { clusterFaults, sentinelFaults } from './catalogue-shapes.ts';
import { policyText, settlePeople, strangers } from './people.ts';
import type { ServiceSetting } from './processes.ts';
import { type Behaviour, healthy } from './proxy.ts';
import type { Scene } from './world.ts';

export type Undo = () => Promise<void> | void;

export interface Expectation {
  /**
   * What the fault does to the store, seen from the service. `gone`: nothing can be proved, so nobody is served above segment.
   * `unproved`: nobody is served above session. `troubled`: some decisions step down. `untouched`: those who may have the user tier go on having it.
   */
  readonly store: 'gone' | 'unproved' | 'troubled' | 'untouched';
  /** From the fault's end to the first answer at the user tier. */
  readonly recoverWithinMs: number;
  /** Where Redis helps itself: from the fault's beginning until all have again what they may have. */
  readonly recoveryFrom?: 'beginning';
  /** The service's own, where another bound than the usual one can be kept. */
  readonly overshootMaxMs?: number;
  /** 503 with `Retry-After` is an answer too. */
  readonly mayShed?: true;
  /** How many editions of the policy may be seen. Absent: one. */
  readonly editionsMax?: number;
}

export interface Fault {
  readonly id: string;
  readonly group: Group;
  readonly name: string;
  readonly does: string;
  /** What it lays hands on: two faults that differ in this can be had at once. */
  readonly touches: 'network' | 'redis' | 'data' | 'policy' | 'process' | 'callers' | 'telemetry';
  /** How long it holds. Absent: the usual time. */
  readonly seconds?: number;
  /** How long it takes until all is as before. Absent: the usual time. */
  readonly afterSeconds?: number;
  readonly setting?: Setting;
  readonly holds: Expectation;
  /** Why it is not survived yet, where that is known. */
  readonly known?: string;
  /** Resolves when the fault is in force, with what ends it. */
  start(scene: Scene): Promise<Undo>;
}

export interface NotHere {
  readonly id: string;
  readonly group: Group;
  readonly name: string;
  readonly notHere: string;
}

export interface Setting extends Partial<Pick<ServiceSetting, 'isDrained' | 'nodeArguments' | 'env'>> {
  /** What Redis it is. Absent: one node, behind the network that misbehaves. */
  readonly shape?: 'cluster' | 'sentinel';
  /** How many processes serve, behind callers that know them all. */
  readonly replicas?: number;
  /** The fault is there before the service starts. */
  readonly isFirst?: true;
}

export type Group =
  | 'Redis, one node'
  | 'Redis Cluster'
  | 'Redis Sentinel'
  | 'identity and consent'
  | 'policy'
  | 'process and host'
  | 'telemetry'
  | 'callers'
  | 'beyond the catalogue';

/** The issue's figure for a single Redis. */
const redisRecoveryMs = 1_000;
const gone: Expectation = { store: 'gone', recoverWithinMs: redisRecoveryMs };
const troubled: Expectation = { store: 'troubled', recoverWithinMs: redisRecoveryMs };
const untouched: Expectation = { store: 'untouched', recoverWithinMs: redisRecoveryMs };

function network(id: string, name: string, does: string, behaviour: Behaviour, holds: Expectation = gone): Fault {
  return {
    id,
    group: 'Redis, one node',
    name,
    does,
    touches: 'network',
    holds,
    async start({ proxy }) {
      await proxy.behave(behaviour);
      return () => proxy.behave(healthy);
    },
  };
}

function redis(given: Pick<Fault, 'id' | 'name' | 'does' | 'holds' | 'start'> & Partial<Fault>): Fault {
  return { group: 'Redis, one node', touches: 'redis', ...given };
}

function policy(given: Pick<Fault, 'id' | 'name' | 'does' | 'start'> & Partial<Fault>): Fault {
  return { group: 'policy', touches: 'policy', holds: untouched, seconds: 2, ...given };
}

function host(given: Pick<Fault, 'id' | 'name' | 'does' | 'start'> & Partial<Fault>): Fault {
  return { group: 'process and host', touches: 'process', holds: untouched, ...given };
}

function callers(given: Pick<Fault, 'id' | 'name' | 'does' | 'start'> & Partial<Fault>): Fault {
  return { group: 'callers', touches: 'callers', holds: untouched, ...given };
}

const notInThisVersion = (id: string, group: Group, name: string, notHere: string): NotHere => ({ id, group, name, notHere });

const stalled = { stalled: true } as const;
const fixed40 = { delay: { kind: 'fixed', ms: 40 } } as const;
const heavyTail = { delay: { kind: 'heavy tail', atLeastMs: 1, atMostMs: 2_000, shape: 0.8 } } as const;
/** Longer than a reply to a ping, shorter than any reading. */
const truncatedAfterBytes = 24;
/** Longer than the fault lasts for who judges it. */
const pauseMs = 3_500;
const badThings = ['not a record of ours', 'p9an older or newer schema', '{"json":true}', '\u0000\u0001\u0002'] as const;
const hugeBytes = 10_000_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const inRedis: readonly Fault[] = [
  redis({
    id: 'F01',
    name: 'down at boot',
    does: 'the service starts while Redis refuses connections; Redis comes later',
    holds: gone,
    touches: 'network',
    setting: { isFirst: true },
    async start({ proxy }) {
      await proxy.behave({ refused: true });
      return () => proxy.behave(healthy);
    },
  }),
  redis({
    id: 'F02',
    name: 'kill -9',
    does: 'SIGKILL; started again with its data at the end',
    holds: gone,
    async start(scene) {
      await scene.redis.kill();
      return async () => {
        await scene.redis.start();
        await scene.redis.answers();
      };
    },
  }),
  redis({
    id: 'F03',
    name: 'frozen',
    does: 'SIGSTOP, then SIGCONT',
    holds: gone,
    async start({ redis: { signal } }) {
      signal('SIGSTOP');
      return () => signal('SIGCONT');
    },
  }),
  redis({
    id: 'F04',
    name: 'paused',
    does: `CLIENT PAUSE ${pauseMs} ALL`,
    holds: gone,
    async start({ redis: { command, answers } }) {
      await command('CLIENT', 'PAUSE', pauseMs, 'ALL');
      return answers;
    },
  }),
  redis({
    id: 'F05',
    name: 'writes paused',
    does: `CLIENT PAUSE ${pauseMs} WRITE`,
    holds: untouched,
    known: 'Redis holds back a connection with the write on it, and our reads share that connection; without writes all are served',
    async start({ redis: { command, answers } }) {
      await command('CLIENT', 'PAUSE', pauseMs, 'WRITE');
      return answers;
    },
  }),
  redis({
    id: 'F06',
    name: 'busy with one command',
    does: `DEBUG SLEEP ${pauseMs / 1000}`,
    holds: gone,
    async start({ redis: { command, answers } }) {
      void command('DEBUG', 'SLEEP', pauseMs / 1000).catch(() => {});
      await pause(100);
      return answers;
    },
  }),
  network('F07', 'packets dropped', 'nothing passes in either direction; it does at the end, as TCP sends again', {
    toServer: stalled,
    toClient: stalled,
  }),
  network('F08', 'connections reset', 'every connection is reset, new ones at once', { reset: true }),
  network('F09', 'half-open', 'replies vanish; those connections stay dead for good', { toClient: { lost: true } }),
  network('F10', '8 kbit/s', '1,000 bytes a second in each direction', {
    toServer: { bytesPerSecond: 1_000 },
    toClient: { bytesPerSecond: 1_000 },
  }),
  network('F11', '40 ms each way', 'later than every budget', { toServer: fixed40, toClient: fixed40 }),
  network(
    'F12',
    'heavy-tailed jitter',
    'Pareto from 1 ms, shape 0.8, in each direction',
    { toServer: heavyTail, toClient: heavyTail },
    troubled,
  ),
  network('F13', 'dribbling', 'replies come a byte each 10 ms', { toClient: { dribbleMs: 10 } }),
  network('F14', 'truncated replies', `replies end after ${truncatedAfterBytes} bytes, and with them the connection`, {
    toClient: { truncateAfter: truncatedAfterBytes },
  }),
  network('F15', 'garbage', 'random bytes in place of replies', { toClient: { garbage: true } }),
  redis({
    id: 'F16',
    name: 'loading',
    does: 'killed and started again, answering LOADING for about 3 s',
    holds: gone,
    seconds: 1,
    async start({ redis: { kill, start, answers, command } }) {
      const keys = Number(await command('DBSIZE'));
      // From a log that was just written anew, the time to load follows from the number of keys.
      await command('BGREWRITEAOF');
      while (/aof_rewrite_(?:in_progress|scheduled):1/.test(String(await command('INFO', 'persistence')))) await pause(20);
      await kill();
      await start(['--key-load-delay', `${Math.round(3e6 / keys)}`, '--loading-process-events-interval-bytes', '1024']);
      return answers;
    },
  }),
  redis({
    id: 'F17',
    name: 'out of memory',
    does: 'maxmemory below what is used, noeviction: writes are refused',
    holds: untouched,
    async start({ redis: { command } }) {
      await command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      await command('CONFIG', 'SET', 'maxmemory', 1);
      return async () => void (await command('CONFIG', 'SET', 'maxmemory', 0));
    },
  }),
  redis({
    id: 'F18',
    name: 'read-only',
    does: 'becomes a replica of nobody who is there: writes are refused',
    holds: untouched,
    async start({ redis: { command } }) {
      await command('REPLICAOF', '127.0.0.1', 1);
      return async () => void (await command('REPLICAOF', 'NO', 'ONE'));
    },
  }),
  redis({
    id: 'F19',
    name: 'access withdrawn',
    does: 'the user may do nothing any more, then gets another password and is signed out; both are taken back',
    holds: gone,
    async start({ redis: { command, user, password } }) {
      await command('ACL', 'SETUSER', user, '-@all');
      const later = setTimeout(async () => {
        await command('ACL', 'SETUSER', user, 'resetpass', '>another');
        await command('CLIENT', 'KILL', 'USER', user);
      }, 1_500);
      return async () => {
        clearTimeout(later);
        await command('ACL', 'SETUSER', user, 'resetpass', `>${password}`, '+@all');
      };
    },
  }),
  redis({
    id: 'F20',
    name: 'no more connections',
    does: 'maxclients 1, and ours are closed',
    holds: gone,
    async start({ redis: { command } }) {
      await command('CONFIG', 'SET', 'maxclients', 1);
      await command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      return async () => void (await command('CONFIG', 'SET', 'maxclients', 10_000));
    },
  }),
  redis({
    id: 'F21',
    name: 'emptied',
    does: 'FLUSHALL and SCRIPT FLUSH; everything is written again at the end',
    touches: 'data',
    holds: gone,
    async start({ redis: { command, backUp } }) {
      const bringBack = await backUp();
      await command('FLUSHALL');
      await command('SCRIPT', 'FLUSH');
      return bringBack;
    },
  }),
  redis({
    id: 'F22',
    name: 'corrupt values',
    does: 'every other record is of another type, of another schema or junk',
    touches: 'data',
    holds: troubled,
    async start({ redis: { command, backUp } }) {
      const bringBack = await backUp();
      const keys = ((await command('KEYS', 'sw:*')) as string[]).sort();
      for (const [index, key] of keys.entries()) {
        if (index % 4 === 0) await command('SET', key, badThings[(index / 4) % badThings.length] ?? '');
        else if (index % 4 === 1) {
          await command('DEL', key);
          await command('RPUSH', key, 'a', 'list');
        }
      }
      return bringBack;
    },
  }),
  redis({
    id: 'F23',
    name: 'huge values',
    does: 'every third profile and consent record has 10 MB',
    touches: 'data',
    holds: troubled,
    async start({ redis: { command, backUp } }) {
      const bringBack = await backUp();
      const keys = ((await command('KEYS', 'sw:{*')) as string[]).sort();
      for (const key of keys.filter((_, index) => index % 3 === 0)) await command('SETRANGE', key, hugeBytes, 'x');
      return bringBack;
    },
  }),
];

const keysInBackground = 'no decision asks that address; what its lies come to is held by `test/start/remote-key-set.test.ts`';

const inIdentity: readonly (Fault | NotHere)[] = [
  notInThisVersion('F34', 'identity and consent', 'key set address down', keysInBackground),
  notInThisVersion('F35', 'identity and consent', 'key set address hangs', keysInBackground),
  notInThisVersion('F36', 'identity and consent', 'key set of 50 MB, HTML or a redirect', keysInBackground),
  {
    id: 'F37',
    group: 'identity and consent',
    name: 'flood of unknown keys',
    does: '400 requests a second with tokens of a key that nobody knows',
    touches: 'callers',
    holds: untouched,
    async start(scene) {
      const service = scene.services[0];
      if (service === undefined) throw new Error('nobody serves');
      const people = await settlePeople(service.url, scene.issuer.mint, strangers);
      await scene.moreTraffic({ people, requestsPerSecond: 400 });
      return () => {};
    },
  },
  {
    id: 'F38',
    group: 'identity and consent',
    name: 'consent malformed',
    does: 'every stored consent record is junk, and 100 requests a second bring TC strings that are none',
    touches: 'data',
    holds: troubled,
    async start(scene) {
      const { redis: store, people } = scene;
      const bringBack = await store.backUp();
      const keys = (await store.command('KEYS', 'sw:*:consent')) as string[];
      for (const key of keys) await store.command('SET', key, 'c1junk');
      const malformed = people.map((person) => ({
        ...person,
        body: { ...person.body, consent: { tcf: 'CPnot-a-TC-string', gdprApplies: true } },
        isFickle: false,
        highest: { greeting: 'segment', rail: 'segment', footer: 'segment' } as const,
      }));
      await scene.moreTraffic({ people: malformed, requestsPerSecond: 100 });
      return bringBack;
    },
  },
];

/** Puts a file in the policy's place, asks for a reload, and at the end the good one. */
async function withPolicy({ policyPath, services }: Scene, damage: () => void): Promise<Undo> {
  const good = readFileSync(policyPath);
  const reload = (): void => {
    for (const { signal } of services) signal('SIGHUP');
  };
  damage();
  reload();
  return async () => {
    writeFileSync(policyPath, good);
    reload();
    await pause(200);
  };
}

const inPolicy: readonly Fault[] = [
  policy({
    id: 'F39',
    name: 'truncated',
    does: 'the file ends in the middle, as while it is written; SIGHUP',
    start: (scene) => withPolicy(scene, () => writeFileSync(scene.policyPath, policyText({ edition: 2 }).slice(0, 5_000))),
  }),
  policy({
    id: 'F40',
    name: 'removed',
    does: 'the file is gone; SIGHUP',
    start: (scene) => withPolicy(scene, () => rmSync(scene.policyPath)),
  }),
  policy({
    id: 'F41',
    name: 'invalid',
    does: 'a rule asks for an attribute that nobody declared; SIGHUP',
    start: (scene) =>
      withPolicy(scene, () => writeFileSync(scene.policyPath, policyText({ edition: 2 }).replace('profile.marker', 'profile.wrong'))),
  }),
  policy({
    id: 'F42',
    name: 'rolled back',
    does: 'an older edition; SIGHUP',
    holds: { ...untouched, editionsMax: 2 },
    start: (scene) => withPolicy(scene, () => writeFileSync(scene.policyPath, policyText({ edition: 0 }))),
  }),
  policy({
    id: 'F43',
    name: 'huge',
    does: '50,000 offers, about 10 MB; SIGHUP',
    seconds: 5,
    holds: { ...untouched, editionsMax: 2 },
    start: (scene) => withPolicy(scene, () => writeFileSync(scene.policyPath, policyText({ edition: 3, moreRules: 50_000 }))),
  }),
];

const blockMs = 200;

const onHost: readonly Fault[] = [
  host({
    id: 'F44',
    name: 'event loop blocked',
    does: `${blockMs} ms without a turn, every second`,
    // While it is held up nobody can answer; what waited is then answered at once.
    holds: { ...troubled, overshootMaxMs: blockMs + 25, mayShed: true },
    async start({ services }) {
      const block = (): void => services[0]?.tell({ blockMs });
      block();
      const blocking = setInterval(block, 1_000);
      return () => clearInterval(blocking);
    },
  }),
  host({
    id: 'F45',
    name: 'little memory',
    does: 'a heap of 64 MB, and bodies of 30 KiB over 32 connections',
    setting: { nodeArguments: ['--max-old-space-size=64'] },
    holds: { ...troubled, mayShed: true },
    async start(scene) {
      const flood = scene.flood({ kind: 'closed loop', connections: 32, bodies: [largeBody()] });
      return async () => void (await flood.stop());
    },
  }),
  host({
    id: 'F46',
    name: 'no more file descriptors',
    does: 'the soft limit is below what is open, and the connection to Redis is reset',
    holds: gone,
    async start({ services, proxy }) {
      const pid = services[0]?.pid ?? 0;
      const before = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1] ?? '1024';
      execFileSync('prlimit', ['--pid', `${pid}`, '--nofile=3:']);
      proxy.resetAll();
      return () => void execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${before}:`]);
    },
  }),
  host({
    id: 'F47',
    name: 'disk full',
    does: 'the data directory has not a byte left while a new edition of the policy is loaded',
    holds: { ...untouched, editionsMax: 2 },
    seconds: 2,
    async start(scene) {
      const data = join(scene.directory, 'data');
      mkdirSync(data, { recursive: true });
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', data]);
      try {
        writeFileSync(join(data, 'filler'), Buffer.alloc(1 << 20));
      } catch {
        // That is the point.
      }
      const undo = await withPolicy(scene, () => writeFileSync(scene.policyPath, policyText({ edition: 4 })));
      return async () => {
        await undo();
        execFileSync('umount', ['--lazy', data]);
      };
    },
  }),
  host({
    id: 'F48',
    name: 'wall clock steps',
    does: 'two hours ahead, then two hours behind: every token has expired, or is from the future',
    holds: { store: 'unproved', recoverWithinMs: redisRecoveryMs },
    async start({ services }) {
      const step = (hours: number): void => services[0]?.tell({ wallClockStepMs: hours * 3_600_000 });
      step(2);
      const later = setTimeout(() => step(-2), 1_500);
      return () => {
        clearTimeout(later);
        step(0);
      };
    },
  }),
  host({
    id: 'F49',
    name: 'SIGTERM under load',
    does: 'one of two processes is asked to end; another takes its place at the end',
    setting: { replicas: 2 },
    start: (scene) => replaceOne(scene, 'SIGTERM'),
  }),
  host({
    id: 'F50',
    name: 'kill -9 under load',
    does: 'one of two processes is killed; another takes its place at the end',
    setting: { replicas: 2 },
    start: (scene) => replaceOne(scene, 'SIGKILL'),
  }),
];

async function replaceOne(scene: Scene, signal: NodeJS.Signals): Promise<Undo> {
  const [going] = scene.services;
  if (going === undefined) throw new Error('nobody serves');
  const signalledAtMs = performance.now();
  going.signal(signal);
  void going.ended.then(() => scene.note(`ended after ${Math.round(performance.now() - signalledAtMs)} ms`));
  return async () => {
    await going.ended;
    scene.services.splice(0, 1, await scene.startService());
    await scene.aim();
  };
}

const inTelemetry: readonly Fault[] = [
  {
    id: 'F51',
    group: 'telemetry',
    name: 'collector is a black hole',
    does: 'every request traced and sent to an address that accepts and never answers',
    touches: 'telemetry',
    // A port of the discard protocol's kind, opened below: the address must be known before the service starts.
    setting: {
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:43189',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
        OTEL_TRACES_SAMPLER: 'always_on',
        OTEL_BSP_SCHEDULE_DELAY: '200',
      },
    },
    holds: untouched,
    async start() {
      const server = createServer((socket) => socket.on('error', () => {}).resume());
      await new Promise<void>((resolve) => server.listen(43_189, '127.0.0.1', resolve));
      return () => void server.close();
    },
  },
  {
    id: 'F52',
    group: 'telemetry',
    name: 'nobody reads the logs',
    does: 'a line for each request into a pipe that nobody empties',
    touches: 'telemetry',
    setting: { isDrained: false, env: { STEPWELL_LOG_LEVEL: 'debug' } },
    holds: untouched,
    start: async () => () => {},
  },
];

function largeBody(): string {
  // Well-formed and as large as may be, and no question of ours.
  return JSON.stringify({ page: 'home', context: { country: 'x'.repeat(30_000) } });
}

const smallBody = JSON.stringify({ page: 'home', context: { country: 'DE' } });

function flood(id: string, name: string, does: string, order: Parameters<Scene['flood']>[0], more: Partial<Fault> = {}): Fault {
  return callers({
    id,
    name,
    does,
    async start(scene) {
      const flooding = scene.flood(order);
      return async () => {
        const { answers, closedByServer } = await flooding.stop();
        const told = Object.entries(answers).map(([status, count]) => `${count} × ${status}`);
        scene.note(`of theirs: ${[...told, `${closedByServer} closed`].join(', ')}`);
      };
    },
    ...more,
  });
}

const underLoad: Expectation = { store: 'troubled', recoverWithinMs: 5_000, mayShed: true };

const byCallers: readonly (Fault | NotHere)[] = [
  flood('F53', 'slow headers', '500 sockets send a byte of their headers each 200 ms', {
    kind: 'slow headers',
    connections: 500,
    bodies: [smallBody],
  }),
  flood('F54', 'slow bodies', '500 sockets send a byte of their body each 200 ms', {
    kind: 'slow body',
    connections: 500,
    bodies: [smallBody],
  }),
  flood('F55', 'slow readers', '20 sockets ask 20 times a second each and read nothing', {
    kind: 'slow reader',
    connections: 20,
    bodies: [smallBody],
  }),
  flood('F56', 'mass aborts', '100 connections ask and reset within 12 ms, again and again', {
    kind: 'aborts',
    connections: 100,
    bodies: [smallBody],
  }),
  flood(
    'F57',
    'connections used again as they are closed',
    '200 connections ask again after 4.9 to 5.1 s, when idle ones are closed',
    { kind: 'late reuse', connections: 200, bodies: [smallBody], idleMs: 4_900 },
    { seconds: 6 },
  ),
  notInThisVersion('F58', 'callers', '10,000 idle event streams', 'nothing streams for longer than a decision takes'),
  flood(
    'F59',
    'overload',
    '256 connections ask without pause, many times what the service can do',
    { kind: 'closed loop', connections: 256, bodies: [smallBody] },
    { holds: underLoad },
  ),
  flood(
    'F60',
    'large bodies',
    '64 connections send bodies of 30 KiB without pause',
    { kind: 'closed loop', connections: 64, bodies: [largeBody()] },
    { holds: underLoad },
  ),
];

/** Not among the sixty, and worth having: what a network can do to a protocol that answers in order. */
const beyond: readonly Fault[] = [
  {
    ...network(
      'X01',
      'replies twice',
      'every reply comes twice, so each answers the question before',
      { toClient: { repeated: true } },
      troubled,
    ),
    group: 'beyond the catalogue',
  },
  {
    ...network('X02', 'flapping', 'refused and healthy, 300 ms each', healthy, troubled),
    group: 'beyond the catalogue',
    async start({ proxy }) {
      let isRefused = true;
      await proxy.behave({ refused: true });
      const flapping = setInterval(() => {
        isRefused = !isRefused;
        void proxy.behave(isRefused ? { refused: true } : healthy);
      }, 300);
      return async () => {
        clearInterval(flapping);
        await proxy.behave(healthy);
      };
    },
  },
  {
    ...network('X03', 'slow, then dead', 'replies 100 ms late for a second, then none', healthy),
    group: 'beyond the catalogue',
    async start({ proxy }) {
      await proxy.behave({ toClient: { delay: { kind: 'fixed', ms: 100 } } });
      const dying = setTimeout(() => void proxy.behave({ toClient: stalled, toServer: stalled }), 1_000);
      return async () => {
        clearTimeout(dying);
        await proxy.behave(healthy);
      };
    },
  },
];

export const catalogue: readonly (Fault | NotHere)[] = [
  ...inRedis,
  ...clusterFaults,
  ...sentinelFaults,
  ...inIdentity,
  ...inPolicy,
  ...onHost,
  ...inTelemetry,
  ...byCallers,
  ...beyond,
];

export function isHere(entry: Fault | NotHere): entry is Fault {
  return !('notHere' in entry);
}

export function faultNamed(id: string): Fault {
  const found = catalogue.find((entry) => entry.id === id);
  if (found === undefined || !isHere(found)) throw new Error(`there is no fault \`${id}\` to be tried`);
  return found;
}
