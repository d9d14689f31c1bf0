/**
 * How soon the service is back on the user tier after Redis failed, for each shape of Redis, over HTTP and under steady traffic:
 *
 *     node bench/faults/redis-recovery.ts                        # the table, about two minutes
 *     node bench/faults/redis-recovery.ts --only cluster --rounds 5
 *     node bench/faults/redis-recovery.ts --sentinel-trials 100  # does the store ever get stuck behind Sentinels?
 *
 * Every trial has a deployment of its own, of real servers, with the demo's people in it. Recovery is when answers stay on
 * the user tier, 99 of 100 for a second, and not when the first is there. Beside it stands when Redis itself named another master.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { openRedisStore } from '../../src/redis/redis-store.ts';
import { startCluster, startSentinels, until } from '../../test/support/redis-deployments.ts';
import { type RunningRedis, startRedis } from '../../test/support/redis-server.ts';
import { startStepwell } from '../server.ts';
import { findVisitors, load, type Prepared, prepare } from '../visitors.ts';

const requestsPerSecond = 200;
const calmMs = 1_500;
const faultMs = 3_000;
const patienceMs = 15_000;
/** Nothing may have gone wrong for this long before a trial is over. */
const quietMs = 2_000;

interface Deployment {
  readonly url: string;
  /** Does the harm; resolves at the instant from which recovery counts. */
  harm(): Promise<void>;
  /** Whether Redis itself names another master by now: earlier nobody can recover. */
  hasFailedOver?(): Promise<boolean>;
  stop(): Promise<void>;
}

interface Trial {
  readonly shape: 'single' | 'cluster' | 'sentinel';
  readonly fault: string;
  readonly goal: string;
  deploy(): Promise<Deployment>;
}

interface Asked {
  readonly sentAtMs: number;
  readonly durationMs: number;
  readonly status: number;
  readonly isPersonal: boolean;
  /** Why the first zone that stepped down did; empty where none did. */
  readonly reason: string;
}

const afterEnd = '≤ 1 s after the end';
const planned = '≤ 0.5 % stepping down in the next second';

const trials: readonly Trial[] = [
  { shape: 'single', fault: 'frozen for 3 s (SIGSTOP)', goal: afterEnd, deploy: () => single((server) => freeze(server, faultMs)) },
  {
    shape: 'single',
    fault: 'paused for 3 s (CLIENT PAUSE)',
    goal: afterEnd,
    deploy: () => single((server) => paused(server, ['CLIENT', 'PAUSE', faultMs, 'ALL'])),
  },
  {
    shape: 'single',
    fault: 'asleep for 3 s (DEBUG SLEEP)',
    goal: afterEnd,
    deploy: () => single((server) => paused(server, ['DEBUG', 'SLEEP', faultMs / 1000])),
  },
  { shape: 'single', fault: 'killed, back after 3 s', goal: afterEnd, deploy: () => single(killAndRestart) },
  { shape: 'cluster', fault: 'a master killed', goal: '≤ 4.5 s', deploy: () => cluster((nodes) => signal(nodes[0], 'SIGKILL')) },
  { shape: 'cluster', fault: 'a master frozen for good', goal: '≤ 4.5 s', deploy: () => cluster((nodes) => signal(nodes[0], 'SIGSTOP')) },
  {
    shape: 'cluster',
    fault: 'planned failover',
    goal: planned,
    deploy: () => cluster(async (nodes) => void (await command(nodes[3], ['CLUSTER', 'FAILOVER']))),
  },
  { shape: 'sentinel', fault: 'the master killed', goal: '≤ 3.5 s', deploy: () => sentinel(({ nodes }) => signal(nodes[0], 'SIGKILL')) },
  {
    shape: 'sentinel',
    fault: 'the master frozen for good',
    goal: '≤ 3.5 s',
    deploy: () => sentinel(({ nodes }) => signal(nodes[0], 'SIGSTOP')),
  },
  {
    shape: 'sentinel',
    fault: 'planned failover',
    goal: planned,
    deploy: () => sentinel(async ({ sentinels, masterName }) => void (await command(sentinels[0], ['SENTINEL', 'FAILOVER', masterName]))),
  },
];

const { values } = parseArgs({ options: { only: { type: 'string' }, rounds: { type: 'string' }, 'sentinel-trials': { type: 'string' } } });
if (values['sentinel-trials'] === undefined) await table(trials.filter(({ shape }) => values.only === undefined || shape === values.only));
else await sentinelTrials(Number(values['sentinel-trials']));

async function table(chosen: readonly Trial[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-recovery-'));
  const prepared = await prepare(directory);
  console.log('| Redis | fault | decisions | lost | stepped down | recovery | new master named | slowest answer | reasons | goal |');
  console.log('| ----- | ----- | --------- | ---- | ------------ | -------- | ---------------- | -------------- | ------- | ---- |');
  try {
    for (let round = 0; round < Number(values.rounds ?? 1); round += 1) {
      for (const trial of chosen) console.log(await row(trial, prepared, directory));
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function row(trial: Trial, prepared: Prepared, directory: string): Promise<string> {
  const deployment = await trial.deploy();
  const env = { ...prepared.env, STEPWELL_REDIS_URL: deployment.url, STEPWELL_DATA_DIR: join(directory, 'data') };
  load(prepared.recordsPath, env);
  const service = await startStepwell({ directory, env });
  try {
    const { bodies } = await findVisitors(service, prepared);
    const traffic = ask(service.url, bodies);
    await pause(calmMs);
    const beganMs = performance.now();
    await deployment.harm();
    const countedFromMs = performance.now();
    const namedAfter = failedOver(deployment, countedFromMs);
    await recovered(traffic.asked, countedFromMs);
    const named = await namedAfter;
    const asked = await traffic.end();
    const isPlanned = trial.goal === planned;
    const after = asked.filter(({ sentAtMs }) => sentAtMs >= beganMs);
    const lower = after.filter(({ isPersonal }) => !isPersonal);
    const nextSecond = asked.filter(({ sentAtMs }) => sentAtMs >= beganMs && sentAtMs < countedFromMs + 1_000);
    const share = nextSecond.filter(({ isPersonal }) => !isPersonal).length / nextSecond.length;
    const recoveryMs = recoveryOf(asked, countedFromMs);
    return `| ${[
      trial.shape,
      trial.fault,
      asked.length,
      asked.filter(({ status }) => status !== 200).length,
      isPlanned ? `${lower.length} (${(share * 100).toFixed(2)} % of the next second)` : lower.length,
      recoveryMs === null ? 'never' : `${Math.round(recoveryMs)} ms`,
      named === null ? '–' : `${Math.round(named)} ms`,
      `${Math.round(Math.max(...asked.map(({ durationMs }) => durationMs)))} ms`,
      reasonsOf(lower),
      trial.goal,
    ].join(' | ')} |`;
  } finally {
    await service.end();
    await deployment.stop();
  }
}

/** From when on, for a second, 99 of 100 answers were on the user tier. */
function recoveryOf(asked: readonly Asked[], fromMs: number): number | null {
  const lastMs = (asked.at(-1)?.sentAtMs ?? 0) - 1_000;
  const starts = [
    fromMs,
    ...asked.filter(({ isPersonal, sentAtMs }) => !isPersonal && sentAtMs >= fromMs).map(({ sentAtMs }) => sentAtMs + 1),
  ];
  const start = starts.find((startMs) => {
    const second = asked.filter(({ sentAtMs }) => sentAtMs >= startMs && sentAtMs < startMs + 1_000);
    return startMs <= lastMs && second.filter(({ isPersonal }) => !isPersonal).length < second.length / 100;
  });
  return start === undefined ? null : start - fromMs;
}

async function failedOver({ hasFailedOver }: Deployment, fromMs: number): Promise<number | null> {
  if (hasFailedOver === undefined) return null;
  while (!(await hasFailedOver().catch(() => false))) {
    if (performance.now() - fromMs > patienceMs) return null;
    await pause(20);
  }
  return performance.now() - fromMs;
}

/** Until nothing has stepped down for a while, or patience ends. */
async function recovered(asked: readonly Asked[], fromMs: number): Promise<void> {
  for (;;) {
    await pause(100);
    const nowMs = performance.now();
    if (nowMs - fromMs > patienceMs) return;
    const lastLowMs = asked.findLast(({ isPersonal }) => !isPersonal)?.sentAtMs ?? 0;
    if (nowMs - fromMs > quietMs && nowMs - lastLowMs > quietMs) return;
  }
}

function ask(url: string, bodies: readonly string[]): { asked: readonly Asked[]; end(): Promise<readonly Asked[]> } {
  const asked: Asked[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const underWay = new Set<Promise<void>>();
  const beganMs = performance.now();
  let sent = 0;
  /** By the clock and not by the timer, which drifts. */
  const sender = setInterval(() => {
    const due = ((performance.now() - beganMs) * requestsPerSecond) / 1000;
    for (; sent < due; sent += 1) {
      const one: Promise<void> = once(url, bodies[sent % bodies.length] ?? '', agent).then((answer) => {
        asked.push(answer);
        underWay.delete(one);
      });
      underWay.add(one);
    }
  }, 1);
  return {
    asked,
    async end() {
      clearInterval(sender);
      await Promise.all(underWay);
      agent.destroy();
      return asked.toSorted((a, b) => a.sentAtMs - b.sentAtMs);
    },
  };
}

function once(url: string, body: string, agent: Agent): Promise<Asked> {
  const sentAtMs = performance.now();
  return new Promise((resolve) => {
    const done = (status: number, text: string): void => {
      const reason = status === 200 ? reasonIn(text) : 'lost';
      resolve({ sentAtMs, durationMs: performance.now() - sentAtMs, status, isPersonal: reason === '', reason });
    };
    const asking = request(url, { method: 'POST', agent, headers: { 'content-type': 'application/json' } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => done(response.statusCode ?? 0, text));
      response.on('error', () => done(0, ''));
    });
    asking.on('error', () => done(0, ''));
    asking.end(body);
  });
}

function reasonIn(text: string): string {
  const { zones } = JSON.parse(text) as { zones: readonly Answered[] };
  const lower = zones.find(({ tier, intendedTier }) => intendedTier === 'user' && tier !== 'user');
  return lower === undefined ? '' : (lower.downgrade?.reason ?? 'unsaid');
}

interface Answered {
  readonly tier: string;
  readonly intendedTier: string;
  readonly downgrade: { readonly reason: string } | null;
}

/** The most frequent first. */
function reasonsOf(lower: readonly Asked[]): string {
  const counts = new Map<string, number>();
  for (const { reason } of lower) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.length === 0 ? '–' : sorted.map(([reason, count]) => `${reason} ${count}`).join(', ');
}

async function single(harm: (server: RunningRedis, restarted: (server: RunningRedis) => void) => Promise<void>): Promise<Deployment> {
  let server = await startRedis({ more: () => ['--enable-debug-command', 'local', '--enable-protected-configs', 'local'] });
  return {
    url: server.url,
    harm: () =>
      harm(server, (next) => {
        server = next;
      }),
    stop: () => server.stop(),
  };
}

async function cluster(harm: (nodes: readonly RunningRedis[]) => Promise<void>): Promise<Deployment> {
  const running = await startCluster({ nodeTimeoutMs: 2_000 });
  const [, second, , replica] = running.nodes;
  return {
    url: running.url,
    harm: () => harm(running.nodes),
    async hasFailedOver() {
      const slots = (await command(second, ['CLUSTER', 'SLOTS'])) as [number, number, [string, number]][];
      return slots.some(([first, , [, port]]) => first === 0 && port === replica?.port);
    },
    stop: running.stop,
  };
}

async function sentinel(harm: (running: Awaited<ReturnType<typeof startSentinels>>) => Promise<void>): Promise<Deployment> {
  const running = await startSentinels({ downAfterMs: 1_000 });
  const { masterName, nodes, sentinels } = running;
  return {
    url: running.url,
    harm: () => harm(running),
    async hasFailedOver() {
      const [, port] = (await command(sentinels[0], ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName])) as [string, string];
      return Number(port) === nodes[1]?.port;
    },
    stop: running.stop,
  };
}

async function freeze(server: RunningRedis, ms: number): Promise<void> {
  process.kill(server.pid, 'SIGSTOP');
  await pause(ms);
  process.kill(server.pid, 'SIGCONT');
}

async function paused(server: RunningRedis, words: readonly (string | number)[]): Promise<void> {
  const asking = command(server, words);
  await pause(faultMs);
  await asking;
}

/** With what it held: it is saved first, and loaded again. */
async function killAndRestart(server: RunningRedis, restarted: (server: RunningRedis) => void): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-saved-'));
  try {
    await command(server, ['CONFIG', 'SET', 'dir', directory]);
    await command(server, ['SAVE']);
    await server.stop();
    await pause(faultMs);
    restarted(await startRedis({ port: server.port, more: () => ['--dir', directory] }));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function signal(server: RunningRedis | undefined, name: 'SIGKILL' | 'SIGSTOP'): Promise<void> {
  if (server !== undefined) process.kill(server.pid, name);
}

async function command(server: RunningRedis | undefined, [name = '', ...args]: readonly (string | number)[]): Promise<unknown> {
  const client = new Redis({ host: '127.0.0.1', port: server?.port ?? 0 });
  client.on('error', () => {});
  try {
    return await client.call(String(name), ...args);
  } finally {
    client.disconnect();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The store alone: the master is killed and frozen in turns, and the store must come back every time. */
async function sentinelTrials(count: number): Promise<void> {
  const recoveries: number[] = [];
  const lags: number[] = [];
  let stuck = 0;
  for (let trial = 0; trial < count; trial += 1) {
    const running = await startSentinels({ downAfterMs: 1_000 });
    const { masterName, nodes, sentinels } = running;
    const store = openRedisStore({ url: running.url });
    try {
      await store.connected(patienceMs);
      await store.putProfile('anna', { attributes: {}, audiences: [] }, 3_600);
      await signal(nodes[0], trial % 2 === 0 ? 'SIGKILL' : 'SIGSTOP');
      const beganMs = performance.now();
      const named = Promise.all(sentinels.map((one) => untilNamed(one, masterName, nodes[1]?.port ?? 0))).then(() => performance.now());
      const isBack = async (): Promise<boolean> => (await store.getProfile('anna').catch(() => undefined)) !== undefined;
      // Once it has failed, that it answers again is the next master's doing.
      await until('the fault is felt', async () => !(await isBack()));
      await until('the store answers again', isBack).catch(() => {
        stuck += 1;
      });
      recoveries.push(performance.now() - beganMs);
      lags.push(performance.now() - (await named));
    } finally {
      await store.close();
      await running.stop();
    }
    if ((trial + 1) % 10 === 0) console.log(`${trial + 1} trials, ${stuck} stuck, slowest ${Math.round(Math.max(...recoveries))} ms`);
  }
  console.log(
    `${count} trials, ${stuck} stuck; recovery ${spread(recoveries)}; of which after all Sentinels named the new master ${spread(lags)}`,
  );
}

/** A Sentinel tells nobody: it is asked until it names the port. */
async function untilNamed(sentinel: RunningRedis, masterName: string, port: number): Promise<void> {
  const client = new Redis({ host: '127.0.0.1', port: sentinel.port });
  client.on('error', () => {});
  await until('the new master is named', async () => {
    const [, named] = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName)) as [string, string];
    return Number(named) === port;
  }).finally(() => client.disconnect());
}

function spread(figures: readonly number[]): string {
  const sorted = figures.toSorted((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return `p50 ${at(0.5)}, p95 ${at(0.95)}, max ${at(1)} ms`;
}
