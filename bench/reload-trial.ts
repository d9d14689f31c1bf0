/**
 * Policies that are replaced while a service answers over HTTP at a steady rate: published through Redis, as replicas hear of them, in
 * some windows of time and not in others.
 */
import { once } from 'node:events';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { monotonicMs } from './faults/exchange.ts';
import { loadCpu, startPinned } from './pinned-process.ts';
import { type Edition, editionsOf } from './reload-editions.ts';
import type { ReloadTraffic, ReloadTrafficOrder, ReloadTrafficReport } from './reload-traffic-process.ts';
import { startStepwell } from './server.ts';

export interface ReloadTrialOptions {
  readonly directory: string;
  readonly redisUrl: string;
  /** Beside the store and the policy. */
  readonly env?: Readonly<Record<string, string>>;
  readonly bodies: readonly string[];
  readonly requestsPerSecond: number;
  /** At most; the next is published when the last one has been seen. */
  readonly reloadsPerSecond: number;
  readonly windows: readonly WindowWanted[];
  /** A window with reloads ends when there were so many in all. Absent: as many as there is time for. */
  readonly reloadsMax?: number;
  readonly say?: (text: string) => void;
}

export interface ReloadTrial {
  readonly traffic: ReloadTraffic;
  readonly windows: readonly Window[];
  readonly published: number;
  /** From each publishing to the first answer of that edition; what was not seen in time is not in it. */
  readonly effectiveMs: readonly number[];
}

export interface WindowWanted {
  readonly isReloading: boolean;
  readonly seconds: number;
}

export interface Window {
  readonly isReloading: boolean;
  readonly fromMs: number;
  readonly toMs: number;
}

const policyChannel = 'sw:policy:published';
const editionsKept = 20;
const effectiveWithinMs = 5_000;
/** A window begins when what the one before it left behind is done. */
const settleMs = 500;
const policyPath = fileURLToPath(new URL('../examples/retail.yaml', import.meta.url));

export async function runReloadTrial(options: ReloadTrialOptions): Promise<ReloadTrial> {
  const { directory, redisUrl, say = () => {} } = options;
  const reloadsMax = options.reloadsMax ?? Number.POSITIVE_INFINITY;
  const path = join(directory, 'policy.yaml');
  const dataDir = join(directory, 'data');
  mkdirSync(dataDir, { recursive: true });
  const editions = await editionsOf(await readFile(policyPath, 'utf8'), editionsKept, path);
  putPolicy(path, editions[0]);
  const env = { ...options.env, STEPWELL_POLICY: path, STEPWELL_DATA_DIR: dataDir, STEPWELL_REDIS_URL: redisUrl };
  const server = await startStepwell({ directory, env });
  const publisher = new Redis(redisUrl.replace(/^unix:\/\//, ''));
  const traffic = startTraffic();
  try {
    const { hostname: host, port } = new URL(server.url);
    const { bodies, requestsPerSecond } = options;
    const editionOf = Object.fromEntries(editions.map(({ revision, number }) => [revision, number]));
    traffic.start({ target: { host, port: Number(port) }, bodies, requestsPerSecond, editionOf });
    await traffic.seen(0, effectiveWithinMs);
    await pause(settleMs);
    const windows: Window[] = [];
    const effectiveMs: number[] = [];
    let published = 0;

    async function replaceOnce(): Promise<void> {
      published += 1;
      const edition = editions[published % editions.length];
      putPolicy(path, edition);
      const publishedAtMs = monotonicMs();
      const seen = traffic.seen(edition?.number ?? 0, effectiveWithinMs);
      await publisher.publish(policyChannel, '');
      const seenAtMs = await seen;
      if (seenAtMs !== null) effectiveMs.push(seenAtMs - publishedAtMs);
    }

    for (const { isReloading, seconds } of options.windows) {
      const fromMs = monotonicMs();
      const endsAtMs = fromMs + seconds * 1000;
      while (isReloading && monotonicMs() < endsAtMs && published < reloadsMax) {
        const nextAtMs = monotonicMs() + 1000 / options.reloadsPerSecond;
        await replaceOnce();
        await pause(Math.min(nextAtMs, endsAtMs) - monotonicMs());
      }
      if (!isReloading) await pause(endsAtMs - monotonicMs());
      windows.push({ isReloading, fromMs, toMs: monotonicMs() });
      say(`${windows.length} of ${options.windows.length} windows, ${published} reloads`);
      await pause(settleMs);
    }
    return { traffic: await traffic.stop(), windows, published, effectiveMs };
  } finally {
    await traffic.end();
    publisher.disconnect();
    await server.end();
  }
}

/** Whole or not at all, as a deployment does it. */
function putPolicy(path: string, edition: Edition | undefined): void {
  writeFileSync(`${path}.next`, edition?.bytes ?? '');
  renameSync(`${path}.next`, path);
}

function startTraffic() {
  const { child, end } = startPinned({
    cpu: loadCpu,
    command: [process.execPath, fileURLToPath(new URL('reload-traffic-process.ts', import.meta.url))],
    channel: true,
  });
  let onSeen: (edition: number, atMs: number) => void = () => {};
  const ended = Promise.withResolvers<ReloadTraffic>();
  // Nobody may be waiting for it.
  ended.promise.catch(() => {});
  child.on('message', (report: ReloadTrafficReport) => {
    if (report.kind === 'seen') onSeen(report.edition, report.atMs);
    else ended.resolve(report);
  });
  child.once('exit', (code) => ended.reject(new Error(`the traffic ended with ${code}`)));
  return {
    start: (order: ReloadTrafficOrder) => void child.send(order),
    /** When it was first answered; null where that took too long. */
    seen: (wanted: number, withinMs: number) =>
      new Promise<number | null>((resolve) => {
        const giveUp = setTimeout(() => resolve(null), withinMs);
        onSeen = (edition, atMs) => {
          if (edition !== wanted) return;
          clearTimeout(giveUp);
          resolve(atMs);
        };
      }),
    async stop(): Promise<ReloadTraffic> {
      child.send('stop');
      return ended.promise;
    },
    async end(): Promise<void> {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      await end();
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
