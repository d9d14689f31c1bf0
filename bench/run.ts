/**
 * `npm run bench`: the core alone, then decide over HTTP beside a bare route, in under four minutes. `--quick` does one round of a
 * second to see that everything still runs; `--only core` and `--only http` do one half; `--only near-cache` measures the near
 * cache and belongs to no whole run. Only a whole run on a machine with nothing
 * else to do is kept, in `results/latest.json` and the README; `--keep` keeps a whole run whatever else was going on, and says so.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import type { CoreReport } from './core.ts';
import { benchHttp, type HttpReport } from './http.ts';
import { busyBeforehand, describeMachine } from './machine.ts';
import type { NearCacheReport } from './near-cache.ts';
import { canPin, serverCpu } from './pinned-process.ts';
import { startPrivateRedis } from './private-redis.ts';
import { coreTable, goalLines, httpTables, nearCacheTable, table } from './report.ts';

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string' }, keep: { type: 'boolean', default: false } },
});
const quick = values.quick;
let said = '';
const say = (text: string): void => {
  said += `${text}\n`;
  process.stdout.write(`${text}\n`);
};
const sayProgress = (text: string): void => void process.stderr.write(`  ${text}\n`);

/** In the README: what stands after it is the last run's. */
const resultsMark = '<!-- results -->';

const machine = describeMachine();
const busyBefore = await busyBeforehand();
/** Above this somebody else is working here, and the figures are theirs as well. */
const quietMachineBusyMax = 0.05;
say(`${machine.processor}, ${machine.processors} CPUs; Node ${process.versions.node}`);
say(canPin ? 'server on CPU 0, load and Redis on CPU 1' : 'nothing is pinned: `taskset` or a second CPU is missing');
say(`busy with other work beforehand: ${Math.round(busyBefore * 100)} %`);
say('');

const isAsked = (part: string): boolean => values.only === undefined || values.only === part;
const core = isAsked('core') ? benchCore() : null;
if (core !== null) say(`The core alone\n\n${coreTable(core)}\n`);

const http = isAsked('http') ? await inDirectory(benchHttpIn) : null;
if (http !== null) say(describeHttp(http));

if (values.only === 'near-cache') say(nearCacheTable(await inDirectory(benchNearCacheIn)));

if (quick || values.only !== undefined) process.stdout.write('only a whole run is kept\n');
else if (busyBefore <= quietMachineBusyMax || values.keep) keep();
else process.stdout.write('not kept: the machine was busy, run this alone (or with --keep)\n');

function keep(): void {
  const report = { machine, versions: versions(), pinned: canPin, busyBefore, core, http };
  mkdirSync(new URL('results/', import.meta.url), { recursive: true });
  writeFileSync(new URL('results/latest.json', import.meta.url), `${JSON.stringify(report, rounded, 2)}\n`);
  const readmePath = new URL('README.md', import.meta.url);
  const [method = ''] = readFileSync(readmePath, 'utf8').split(resultsMark);
  writeFileSync(readmePath, `${method}${resultsMark}\n\nThe last whole run of \`npm run bench\`, as it printed it.\n\n${said.trim()}\n`);
}

function benchCore(): CoreReport {
  const { status, stdout } = spawnSync(
    process.execPath,
    [fileURLToPath(new URL('core.ts', import.meta.url)), ...(quick ? ['--quick'] : [])],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  if (status !== 0) throw new Error('the bench of the core did not run');
  return JSON.parse(stdout);
}

function benchHttpIn(directory: string): Promise<HttpReport> {
  return benchHttp({
    directory,
    rounds: quick ? 1 : 5,
    secondsOf: quick
      ? { 'warm-up': 1, autocannon: 1, wrk: 1, 'one connection': 1 }
      : { 'warm-up': 3, autocannon: 4, wrk: 2, 'one connection': 1 },
    say: sayProgress,
  });
}

async function benchNearCacheIn(directory: string): Promise<NearCacheReport> {
  const redis = await startPrivateRedis(directory);
  if (redis === null) throw new Error('the bench of the near cache needs a redis-server, and found none');
  try {
    const script = [process.execPath, fileURLToPath(new URL('near-cache.ts', import.meta.url)), redis.url, ...(quick ? ['--quick'] : [])];
    const [program = '', ...args] = canPin ? ['taskset', '-c', String(serverCpu), ...script] : script;
    const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 2 ** 24 });
    return JSON.parse(stdout);
  } finally {
    await redis.end();
  }
}

async function inDirectory<T>(bench: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-bench-'));
  let isDone = false;
  try {
    const report = await bench(directory);
    isDone = true;
    return report;
  } finally {
    // What the servers wrote is worth reading only when something went wrong.
    if (isDone) rmSync(directory, { recursive: true, force: true });
  }
}

function describeHttp(report: HttpReport): string {
  const { visitors, tierMix, connections, rounds, runs } = report;
  const shares = runs.flatMap(({ userTierShare }) => (userTierShare === null ? [] : [userTierShare]));
  const mix = Object.entries(tierMix).map(([zoneAndTier, count]) => [zoneAndTier, `${((100 * count) / visitors.count).toFixed(0)} %`]);
  return [
    `Over HTTP: ${visitors.count} visitors out of ${visitors.stored.toLocaleString('en')} stored people, ${visitors.requestBytes} bytes asked,`,
    `${visitors.answerBytes} bytes answered; ${rounds} round(s), ${connections} connections\n`,
    table(['served', 'of the visitors'], mix),
    `\nunder load, zones that intend the user tier were served there in ${(100 * Math.min(...shares)).toFixed(2)} % or more of every run\n`,
    httpTables(report),
    '',
    ...goalLines(report),
  ].join('\n');
}

function versions(): Record<string, string> {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const of = (name: string): string => manifest.dependencies[name] ?? manifest.devDependencies[name];
  return { node: process.versions.node, fastify: of('fastify'), ioredis: of('ioredis'), lmdb: of('lmdb'), autocannon: of('autocannon') };
}

function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}
