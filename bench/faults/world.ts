/** What a trial happens in: a Redis with people in it, the network between, services, callers. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RunningCluster, type RunningSentinels, startCluster, startSentinels } from '../../test/support/redis-deployments.ts';
import type { Target } from './exchange.ts';
import type { FloodOrder, FloodReport } from './flood-process.ts';
import { createIssuer, type Issuer, type Person, policyText, settlePeople, type Tier } from './people.ts';
import { type FaultRedis, type FaultService, keepTrackOf, type ServiceSetting, startFaultRedis, startFaultService } from './processes.ts';
import { type FaultProxy, startFaultProxy } from './proxy.ts';
import type { Asked, TrafficOptions } from './traffic.ts';
import type { TrafficOrder } from './traffic-process.ts';

export interface World {
  readonly directory: string;
  readonly redis: FaultRedis;
  /** Between the service and Redis. */
  readonly proxy: FaultProxy;
  readonly issuer: Issuer;
  readonly people: readonly Person[];
  readonly policyPath: string;
  /** Where Redis is more than one node; `redis` and `proxy` then stand aside. */
  readonly deployment: RunningCluster | RunningSentinels | null;
  /** A service on this Redis, through the proxy. */
  startService(setting?: Partial<ServiceSetting>): Promise<FaultService>;
  end(): Promise<void>;
}

export async function createWorld(): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-faults-'));
  const redis = await startFaultRedis(directory);
  const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: redis.port }, seed: 1 });
  const issuer = await createIssuer(directory);
  const policyPath = join(directory, 'policy.json');
  writeFileSync(policyPath, policyText());
  const { address } = proxy;
  if ('path' in address) throw new Error('the proxy listens on TCP');
  const env = {
    ...issuer.env,
    STEPWELL_REDIS_URL: `redis://${redis.user}:${redis.password}@${address.host}:${address.port}`,
    STEPWELL_POLICY: policyPath,
    STEPWELL_SESSION_SECRET: 'of the faults, and of nobody else',
    STEPWELL_LOG_LEVEL: 'info',
  };
  const startService: World['startService'] = (setting = {}) =>
    startFaultService({ directory, ...setting, env: { ...env, ...setting.env } });
  const first = await startService();
  const people = await settlePeople(first.url, issuer.mint);
  await first.end();
  return {
    directory,
    redis,
    proxy,
    issuer,
    people,
    policyPath,
    deployment: null,
    startService,
    async end() {
      await proxy.close();
      await redis.end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The same people and policy on a Redis of another shape, which is this world's own. */
export async function reshaped(world: World, shape: 'cluster' | 'sentinel'): Promise<World> {
  const deployment = await (shape === 'cluster' ? startCluster() : startSentinels());
  const startService: World['startService'] = (setting = {}) =>
    world.startService({ ...setting, env: { ...setting.env, STEPWELL_REDIS_URL: deployment.url } });
  try {
    const first = await startService();
    await first.connected();
    const people = await settlePeople(first.url, world.issuer.mint);
    await first.end();
    return { ...world, deployment, people, startService, end: () => deployment.stop() };
  } catch (error) {
    await deployment.stop();
    throw error;
  }
}

/** One trial's own: what a fault is done to, and by what it is seen. */
export interface Scene extends World {
  /** Those that callers are sent to. */
  readonly services: FaultService[];
  readonly traffic: TrafficProcess;
  /** Sends callers to `services` as they are now. */
  aim(): Promise<void>;
  /** More callers beside the usual ones; what they were answered is judged and counted with the rest. */
  moreTraffic(options: Pick<TrafficOptions, 'people' | 'requestsPerSecond'>): Promise<void>;
  flood(order: Omit<FloodOrder, 'host' | 'port'>): Flood;
  /** For the table. */
  note(text: string): void;
}

export interface Flood {
  stop(): Promise<FloodReport>;
}

export interface TrafficFindings {
  readonly records: readonly Asked[];
  readonly ownLatenessMaxMs: number;
}

export interface TrafficProcess {
  aim(targets: readonly Target[]): Promise<void>;
  cap(at: Tier | null): Promise<void>;
  /** When the user tier was first answered to somebody who asked after this instant; null: not yet. */
  userTierSince(atMs: number): Promise<number | null>;
  stop(): Promise<TrafficFindings>;
}

export async function startTrafficProcess(options: TrafficOptions): Promise<TrafficProcess> {
  const child = forkOf('traffic-process.ts');
  const order = (given: TrafficOrder): Promise<unknown> => askChild(child, given);
  await order({ order: 'start', options });
  return {
    aim: async (targets) => void (await order({ order: 'aim', targets })),
    cap: async (at) => void (await order({ order: 'cap', at })),
    userTierSince: async (atMs) => ((await order({ order: 'user tier', sinceMs: atMs })) as { atMs: number | null }).atMs,
    stop: async () => {
      const findings = await order({ order: 'stop' });
      child.disconnect();
      return findings as TrafficFindings;
    },
  };
}

export function startFlood(order: FloodOrder): Flood {
  const child = forkOf('flood-process.ts');
  child.send(order);
  return {
    async stop() {
      const report = await askChild(child, 'stop');
      child.disconnect();
      return report as FloodReport;
    },
  };
}

function forkOf(file: string): ChildProcess {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), { serialization: 'advanced', execArgv: [] });
  void keepTrackOf(child);
  return child;
}

function askChild(child: ChildProcess, order: object | string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`a process of the trial ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message);
    });
    child.send(order as object);
  });
}
