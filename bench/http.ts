/**
 * Decide over HTTP beside the bare route. Every measurement is a fresh server process; the arms take turns within a round and
 * change their order from round to round, so that each ratio is of two runs that lie next to each other in time.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { bareKey } from './bare-key.ts';
import { applyLoad, type Generator, hasWrk } from './load.ts';
import { startPrivateRedis } from './private-redis.ts';
import { type Server, startBare, startStepwell } from './server.ts';
import { type Spread, spreadOf } from './statistics.ts';
import { findVisitors, load, peopleStored, prepare, type Visitors } from './visitors.ts';

export const arms = ['bare', 'redis', 'embedded'] as const;
export type Arm = (typeof arms)[number];

export interface HttpReport {
  readonly rounds: number;
  readonly connections: number;
  readonly visitors: { readonly count: number; readonly stored: number; readonly requestBytes: number; readonly answerBytes: number };
  readonly tierMix: Readonly<Record<string, number>>;
  readonly runs: readonly Run[];
  readonly summary: readonly ArmSummary[];
}

/** One generator against one server process. */
export interface Run {
  readonly round: number;
  readonly arm: Arm;
  readonly load: LoadName;
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicrosPerRequest: number;
  /** CPU time of the server over the time of the load: near 1 where the server was the bottleneck. */
  readonly serverBusy: number;
  /** Of the zones that intend the user tier, how many were served there, by the service's own count; null for the bare route. */
  readonly userTierShare: number | null;
}

export const loadNames = ['autocannon', 'wrk', 'one connection'] as const;
export type LoadName = (typeof loadNames)[number];

export interface ArmSummary {
  readonly arm: Arm;
  readonly load: LoadName;
  readonly requestsPerSecond: Spread;
  readonly p50Ms: Spread;
  readonly p99Ms: Spread;
  readonly cpuMicrosPerRequest: Spread;
  readonly serverBusy: Spread;
  /** Against the bare route of the same round; null where there was none. */
  readonly throughputRatio: Spread | null;
  readonly cpuRatio: Spread | null;
}

export interface HttpOptions {
  readonly directory: string;
  readonly rounds: number;
  readonly secondsOf: Readonly<Record<LoadName | 'warm-up', number>>;
  readonly say: (line: string) => void;
}

const connections = 32;

export async function benchHttp(options: HttpOptions): Promise<HttpReport> {
  const { directory, rounds, say } = options;
  const redis = await startPrivateRedis(directory);
  if (redis === null)
    say('redis-server is not here (Debian: apt-get install redis-server): the bare route and decide on Redis are left out');
  try {
    const prepared = await prepare(directory);
    const dataDir = join(directory, 'data');
    mkdirSync(dataDir);
    const envOf = {
      embedded: { ...prepared.env, STEPWELL_DATA_DIR: dataDir },
      redis: { ...prepared.env, STEPWELL_DATA_DIR: dataDir, STEPWELL_REDIS_URL: redis?.url ?? '' },
    };
    load(prepared.recordsPath, envOf.embedded);
    if (redis !== null) load(prepared.recordsPath, envOf.redis);
    const visitors = await withServer(startStepwell({ directory, env: redis === null ? envOf.embedded : envOf.redis }), (server) =>
      findVisitors(server, prepared),
    );
    if (redis !== null) await storeBareRecord(redis.socketPath);
    const start = (arm: Arm): Promise<Server> =>
      arm === 'bare'
        ? startBare({ directory, socketPath: redis?.socketPath ?? '', bytes: visitors.answerBytes })
        : startStepwell({ directory, env: envOf[arm] });

    const present = arms.filter((arm) => redis !== null || arm === 'embedded');
    const runs: Run[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      for (const arm of round % 2 === 1 ? present : present.toReversed()) {
        say(`round ${round} of ${rounds}: ${arm}`);
        runs.push(...(await withServer(start(arm), (server) => measure(server, { arm, round, visitors, ...options }))));
      }
    }
    const { bodies, requestBytes, answerBytes, tierMix } = visitors;
    return {
      rounds,
      connections,
      visitors: { count: bodies.length, stored: peopleStored, requestBytes, answerBytes },
      tierMix,
      runs,
      summary: summaryOf(runs),
    };
  } finally {
    await redis?.end();
  }
}

async function withServer<T>(starting: Promise<Server>, use: (server: Server) => Promise<T>): Promise<T> {
  const server = await starting;
  try {
    return await use(server);
  } finally {
    await server.end();
  }
}

/** What the bare route reads: about as many bytes as a stored profile of the demo. */
async function storeBareRecord(socketPath: string): Promise<void> {
  const client = new Redis({ path: socketPath });
  await client.set(bareKey, JSON.stringify({ attributes: 'x'.repeat(300) }));
  client.disconnect();
}

interface Measurement extends HttpOptions {
  readonly arm: Arm;
  readonly round: number;
  readonly visitors: Visitors;
}

async function measure(server: Server, measurement: Measurement): Promise<readonly Run[]> {
  const { secondsOf, directory, visitors } = measurement;
  const { bodies } = visitors;
  await applyLoad(hasWrk ? 'wrk' : 'autocannon', { url: server.url, connections, seconds: secondsOf['warm-up'], bodies }, directory);
  const runs = [await run(server, measurement, 'autocannon', 'autocannon', connections)];
  if (hasWrk) runs.push(await run(server, measurement, 'wrk', 'wrk', connections));
  runs.push(await run(server, measurement, 'one connection', hasWrk ? 'wrk' : 'autocannon', 1));
  return runs;
}

async function run(server: Server, measurement: Measurement, name: LoadName, generator: Generator, connectionCount: number): Promise<Run> {
  const { arm, round, visitors, secondsOf, directory } = measurement;
  const servedBefore = await server.servedTiers();
  const cpuBefore = await server.cpuMicros();
  const { requests, requestsPerSecond, p50Ms, p99Ms, failures } = await applyLoad(
    generator,
    { url: server.url, connections: connectionCount, seconds: secondsOf[name], bodies: visitors.bodies },
    directory,
  );
  const cpuMicros = (await server.cpuMicros()) - cpuBefore;
  const servedAfter = await server.servedTiers();
  if (failures > 0) throw new Error(`${arm}, ${name}: ${failures} requests failed`);
  return {
    round,
    arm,
    load: name,
    requests,
    requestsPerSecond,
    p50Ms,
    p99Ms,
    cpuMicrosPerRequest: cpuMicros / requests,
    serverBusy: (cpuMicros / requests) * (requestsPerSecond / 1e6),
    userTierShare: servedBefore === null || servedAfter === null ? null : userTierShare(servedBefore, servedAfter),
  };
}

function userTierShare(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>): number {
  const served = (tier: string): number => (after[tier] ?? 0) - (before[tier] ?? 0);
  const intended = Object.keys(after).reduce((sum, tier) => sum + served(tier), 0);
  return intended === 0 ? 0 : served('user') / intended;
}

function summaryOf(runs: readonly Run[]): readonly ArmSummary[] {
  return arms.flatMap((arm) =>
    loadNames.flatMap((load) => {
      const ours = runs.filter((each) => each.arm === arm && each.load === load);
      const pairs = ours.flatMap((run) => {
        const bare = runs.find((each) => each.arm === 'bare' && each.load === load && each.round === run.round);
        return bare === undefined ? [] : [{ run, bare }];
      });
      if (ours.length === 0) return [];
      const spread = (value: (run: Run) => number): Spread => spreadOf(ours.map(value));
      const ratio = (value: (run: Run) => number): Spread | null =>
        pairs.length === 0 ? null : spreadOf(pairs.map(({ run, bare }) => value(run) / value(bare)));
      return [
        {
          arm,
          load,
          requestsPerSecond: spread((each) => each.requestsPerSecond),
          p50Ms: spread((each) => each.p50Ms),
          p99Ms: spread((each) => each.p99Ms),
          cpuMicrosPerRequest: spread((each) => each.cpuMicrosPerRequest),
          serverBusy: spread((each) => each.serverBusy),
          throughputRatio: ratio((each) => each.requestsPerSecond),
          cpuRatio: ratio((each) => each.cpuMicrosPerRequest),
        },
      ];
    }),
  );
}
