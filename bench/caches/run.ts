/**
 * Real caches in front of the real service for longer than the tests have time for: a million requests over all five, by our recipes and by
 * somebody who wants hits above all, each answer judged; then the same with caches that override what the service says, which must leak;
 * then what each cache makes of headers that the service never sends. Stops by itself. Only a whole run is kept, in `docs/caches.md`.
 *
 *     npm run caches -- --requests 20000 --caches nginx,varnish --seed 7 --minutes 5
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cacheProducts, type Manner, type ProductName, productNames } from '../../test/caches/cache-products.ts';
import { complaintKinds, ownShareMax } from '../../test/caches/judge.ts';
import { type RunningCache, startCache } from '../../test/caches/start-cache.ts';
import { type CacheFindings, driveTraffic } from '../../test/caches/traffic.ts';
import { leaks, startTrapOrigin, traps } from '../../test/caches/traps.ts';
import { type CacheWorld, createCacheWorld } from '../../test/caches/world.ts';
import { findProgram, missingSentence } from '../../test/support/programs.ts';
import { busyBeforehand, describeMachine } from '../machine.ts';
import { table } from '../report.ts';

const whole = { requests: 1_000_000, caches: productNames.join(','), minutes: 60 } as const;
const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: `${whole.requests}` },
    caches: { type: 'string', default: whole.caches },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: `${whole.minutes}` },
  },
});
const requests = Number(values.requests);
const seed = Number(values.seed);
const endAtMs = performance.now() + Number(values.minutes) * 60_000;
const controlRequestsPerCache = 3_000;
const pagePath = fileURLToPath(new URL('../../docs/caches.md', import.meta.url));

const products = productNames.filter((name) => values.caches.split(',').includes(name));
const missing = products.filter((name) => findProgram(cacheProducts[name].program) === null);
for (const name of missing) process.stderr.write(`  ${missingSentence(cacheProducts[name].program)}\n`);
if (products.length === 0 || missing.length > 0) process.exit(2);

const interruptedCode = 130;
const startedAtMs = performance.now();
// What was started is ended first, and takes its folders with it; whoever says it twice does not want to wait.
let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // What measures the machine would end us at once.
  process.removeAllListeners(signal);
  process.on(signal, () => {
    if (isInterrupted) process.exit(interruptedCode);
    isInterrupted = true;
  });
}
const isOver = (): boolean => isInterrupted || performance.now() > endAtMs;
const busyBefore = await busyBeforehand();
const world = await createCacheWorld();
const findings: CacheFindings[] = [];
const controls: CacheFindings[] = [];
try {
  for (const name of products) {
    if (isInterrupted) break;
    findings.push(...(await driven(world, name, ['ordinary', 'hostile'], Math.floor(requests / products.length))));
    controls.push(...(await driven(world, name, ['overriding'], controlRequestsPerCache)));
  }
} finally {
  await world.end();
}
const matrix = await trapMatrix();
if (isInterrupted) process.exit(interruptedCode);
const wrongs = findings.filter(({ complaints }) => complaints.size > 0);
const blind = controls.filter(({ complaints }) => complaints.size === 0);
const silent = findings.filter(({ tally }) => tally.own > ownShareMax * tally.answers);
const asked = findings.reduce((sum, { tally }) => sum + tally.answers, 0);
const text = report();
process.stdout.write(`${text}\n`);
for (const { cache, examples } of wrongs)
  for (const { kind, detail } of examples) process.stdout.write(`NOT ${cache.name}, ${cache.manner}: ${kind}: ${detail}\n`);
for (const { cache } of blind) process.stdout.write(`NOT ${cache.name}, ${cache.manner}: nothing was seen to leak\n`);
if (asked >= whole.requests && products.length === productNames.length) keep();
else process.stdout.write('only a whole run is kept\n');
for (const { cache } of silent) process.stdout.write(`NOT ${cache.name}, ${cache.manner}: too many answers are the cache's own\n`);
// Not left to end by itself: this Node may then wait for good, and busily, for a handle that is closed already. What was written is out first.
process.stdout.write('', () => process.exit(wrongs.length + blind.length + silent.length > 0 ? 1 : 0));

async function driven(behind: CacheWorld, name: ProductName, how: readonly Manner[], share: number): Promise<readonly CacheFindings[]> {
  const caches: RunningCache[] = [];
  try {
    for (const manner of how) caches.push(await startCache(name, manner, behind.service.port));
    const step = Math.max(1, Math.floor(share / 10));
    const onProgress = (answers: number): void => {
      if (answers % step === 0) process.stderr.write(`  ${name}, ${how.join(' and ')}: ${count(answers)} of ${count(share)}\n`);
    };
    return await driveTraffic({ world: behind, caches, requests: share, seed, onProgress, isOver });
  } finally {
    for (const cache of caches) await cache.stop();
  }
}

async function trapMatrix(): Promise<readonly string[][]> {
  const origin = await startTrapOrigin();
  const rows = traps.map(({ says }) => [says]);
  try {
    for (const name of products) {
      for (const manner of ['plain', 'hostile', 'ordinary'] as const) {
        if (isInterrupted) return rows;
        const cache = await startCache(name, manner, origin.port);
        for (const [index, row] of rows.entries()) row.push((await leaks(index, cache.port)) ? '**leak**' : 'ok');
        await cache.stop();
      }
    }
  } finally {
    origin.end();
  }
  return rows;
}

function report(): string {
  const { processor, processors, memoryGib } = describeMachine();
  const machine = `${processor}, ${processors} CPUs, ${memoryGib} GiB, Node ${process.versions.node}; ${Math.round(busyBefore * 100)} % busy with other things beforehand`;
  const initials = products.flatMap((name) => [`${name}: plain`, 'hostile', 'recipe']);
  return [
    `\`npm run caches\`${seed === 1 ? '' : ` with seed ${seed}`}: **${count(asked)} requests, ${count(findings.reduce((sum, one) => sum + wrongsOf(one), 0))} answers that were wrong**, in ${Math.ceil((performance.now() - startedAtMs) / 60_000)} minutes; ${machine}.`,
    '',
    table(
      [
        'cache',
        'manner',
        'answers',
        'shared',
        'from the cache',
        'decisions by tier: user / session / segment / anonymous',
        'degraded',
        'of its own',
        'wrong',
        'mistaken for shared',
        'wrong 304',
        'older than promised, s',
      ],
      findings.map(rowOf),
    ),
    '',
    `The negative controls, ${count(controlRequestsPerCache)} requests each, with caches that override what the service says:`,
    '',
    table(
      ['cache', ...complaintKinds],
      controls.map(({ cache, complaints }) => [cache.name, ...complaintKinds.map((kind) => count(complaints.get(kind) ?? 0))]),
    ),
    '',
    'What an origin says of somebody’s own answer, and what becomes of it:',
    '',
    table(['origin says', ...initials], matrix),
  ].join('\n');
}

function rowOf(one: CacheFindings): string[] {
  const { cache, tally } = one;
  const tiers = ['user', 'session', 'segment', 'anonymous'].map((tier) => count(tally.tiers.get(tier) ?? 0)).join(' / ');
  return [
    cache.name,
    cache.manner,
    count(tally.answers),
    count(tally.shared),
    `${Math.round((100 * tally.hits) / tally.shared)} %`,
    tiers,
    count(tally.degraded),
    count(tally.own),
    count(wrongsOf(one)),
    count(tally.overlooked),
    count(tally.wrongly304),
    tally.oldestBeyondMs > 0 ? `${Math.ceil(tally.oldestBeyondMs / 1000)}` : '0',
  ];
}

function wrongsOf({ complaints }: CacheFindings): number {
  return [...complaints.values()].reduce((sum, one) => sum + one, 0);
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function keep(): void {
  const mark = { begin: '<!-- caches -->', end: '<!-- end of caches -->' } as const;
  const page = readFileSync(pagePath, 'utf8');
  const [before = '', rest = ''] = page.split(mark.begin);
  const after = rest.split(mark.end)[1] ?? '';
  writeFileSync(pagePath, `${before}${mark.begin}\n\n${text}\n\n${mark.end}${after}`);
}
