/**
 * `node bench/reload.ts`: what a caller feels of a policy that is replaced, in under four minutes. Reports latencies with reloads and
 * without, taken in turns; answers that were not wholly of one policy; and how long a published policy takes to be in force.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { busyBeforehand, describeMachine } from './machine.ts';
import { canPin } from './pinned-process.ts';
import { startPrivateRedis } from './private-redis.ts';
import { type ReloadTrial, runReloadTrial, type Window } from './reload-trial.ts';
import { table } from './report.ts';
import { startStepwell } from './server.ts';
import { quantile } from './statistics.ts';
import { findVisitors, load, prepare } from './visitors.ts';

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '2000' },
    reloads: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '180' },
    quick: { type: 'boolean', default: false },
  },
});
const windowSeconds = values.quick ? 2 : 5;
const pairs = values.quick ? 1 : Math.max(1, Math.round(Number(values.seconds) / (2 * windowSeconds)));

const directory = mkdtempSync(join(tmpdir(), 'stepwell-reload-'));
const redis = await startPrivateRedis(directory);
if (redis === null) {
  process.stderr.write('redis-server is not here (Debian: apt-get install redis-server): a policy is published through it\n');
  process.exit(2);
}
try {
  const { processor, processors } = describeMachine();
  const busy = await busyBeforehand();
  const trial = await runTrial(redis);
  say(`${processor}, ${processors} CPUs; Node ${process.versions.node}`);
  say(canPin ? 'server and its compiling thread on CPU 0, load and Redis on CPU 1' : 'nothing is pinned');
  say(`busy with other work beforehand: ${Math.round(busy * 100)} %`);
  say(
    `${values.rate} requests/s, at most ${values.reloads} reloads/s, ${pairs} windows of ${windowSeconds} s with reloads and as many without\n`,
  );
  tell(trial);
  process.exitCode = trial.traffic.tornCount > 0 || trial.effectiveMs.length < trial.published ? 1 : 0;
} finally {
  await redis.end();
  rmSync(directory, { recursive: true, force: true });
}

async function runTrial({ url }: { readonly url: string }): Promise<ReloadTrial> {
  const prepared = await prepare(directory);
  const dataDir = join(directory, 'prepared');
  mkdirSync(dataDir);
  const env = { ...prepared.env, STEPWELL_DATA_DIR: dataDir, STEPWELL_REDIS_URL: url };
  load(prepared.recordsPath, env);
  const server = await startStepwell({ directory, env });
  const { bodies } = await findVisitors(server, prepared).finally(server.end);
  return runReloadTrial({
    directory,
    redisUrl: url,
    env: prepared.env,
    bodies,
    requestsPerSecond: Number(values.rate),
    reloadsPerSecond: Number(values.reloads),
    // In turns, so that whatever else the machine does falls on both.
    windows: Array.from({ length: 2 * pairs }, (_, turn) => ({ isReloading: turn % 2 === 1, seconds: windowSeconds })),
    say: (text) => process.stderr.write(`  ${text}\n`),
  });
}

function tell({ traffic, windows, published, effectiveMs }: ReloadTrial): void {
  const [without, during] = [false, true].map((isReloading) => latenciesIn(traffic, windows, isReloading));
  const shares = [0.5, 0.99, 0.999, 1];
  const row = (what: string, latencies: Float64Array = new Float64Array()) => [
    what,
    latencies.length.toLocaleString('en'),
    ...shares.map((share) => quantile(latencies, share).toFixed(2)),
  ];
  say(table(['', 'answers', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms'], [row('without reloads', without), row('with reloads', during)]));
  const shift = quantile(during ?? [], 0.999) - quantile(without ?? [], 0.999);
  say(`\nshift of p99.9: ${shift.toFixed(2)} ms (goal: 5)`);
  const sorted = Float64Array.from(effectiveMs).sort();
  const effective = [0.5, 0.99, 1].map((share) => quantile(sorted, share).toFixed(0));
  say(`${published} reloads, ${published - effectiveMs.length} not in force within 5 s`);
  say(`from publishing to the first answer of it: p50 ${effective[0]} ms, p99 ${effective[1]} ms, max ${effective[2]} ms`);
  const lost = Object.entries(traffic.lost).map(([why, count]) => `${count} × ${why}`);
  say(`torn answers: ${traffic.tornCount}; lost: ${lost.length === 0 ? 0 : lost.join(', ')}`);
  for (const fault of traffic.torn) say(`  ${fault}`);
}

/** In ascending order. */
function latenciesIn({ sentAtMs, latencyMs }: ReloadTrial['traffic'], windows: readonly Window[], isReloading: boolean): Float64Array {
  const wanted = windows.filter((window) => window.isReloading === isReloading);
  return Float64Array.from(
    latencyMs.filter((_, index) => {
      const at = sentAtMs[index] ?? 0;
      return wanted.some(({ fromMs, toMs }) => at >= fromMs && at < toMs);
    }),
  ).sort();
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
