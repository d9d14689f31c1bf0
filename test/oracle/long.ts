/**
 * The long run: ten million cases against the oracle and a tenth of that against each other claim, on two cores at most. Says every
 * half minute how far it is. `node test/oracle/long.ts [<cases against the oracle>]`; `FC_SEED` repeats a run.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { claims, decidesAsOracle } from './claims.ts';
import type { LongNews, LongPart } from './long-worker.ts';
import { saySeed, seed } from './runs.ts';

const casesAgainstOracle = Number(process.argv[2] ?? 10_000_000);
const otherClaimsShare = 0.1;
const workersMax = 2;
const progressEveryMs = 30_000;

const cases = claims.map((claim) => Math.ceil(casesAgainstOracle * (claim === decidesAsOracle ? 1 : otherClaimsShare)));
const casesTotal = cases.reduce((sum, count) => sum + count, 0);
const done = claims.map(() => 0);
const reports = new Map<number, string>();
const startedAtMs = performance.now();

saySeed();
console.log(`${inWords(casesTotal)} cases to come, ${inWords(casesAgainstOracle)} of them against the oracle`);
const progress = setInterval(() => console.log(`… ${summary()}`), progressEveryMs);
const workers = Math.min(workersMax, availableParallelism());
try {
  await Promise.all(Array.from({ length: workers }, (_, worker) => run({ seed, cases, worker, workers })));
} finally {
  clearInterval(progress);
}
for (const [number, claim] of claims.entries())
  console.log(`  ${reports.has(number) ? 'BROKEN' : 'holds'} on ${inWords(done[number] ?? 0)} cases: ${claim.says}`);
for (const report of reports.values()) console.log(`\n${report}`);
console.log(`\n${summary()}, seed ${seed}: ${reports.size === 0 ? 'every claim holds' : `${reports.size} claims broken`}`);
process.exitCode = reports.size === 0 ? 0 : 1;

/** Rejects when the worker itself fails, which is no statement about a claim. */
function run(part: LongPart): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const worker = new Worker(new URL('./long-worker.ts', import.meta.url), { workerData: part });
  worker.on('message', (news: LongNews) => {
    if (news.is === 'tried') done[news.claim] = (done[news.claim] ?? 0) + news.cases;
    else if (!reports.has(news.claim)) reports.set(news.claim, news.report);
  });
  worker.on('error', reject);
  worker.on('exit', resolve);
  return promise;
}

function summary(): string {
  const total = done.reduce((sum, count) => sum + count, 0);
  const seconds = (performance.now() - startedAtMs) / 1000;
  return `${inWords(total)} of ${inWords(casesTotal)} cases in ${(seconds / 60).toFixed(1)} min, ${inWords(Math.round(total / seconds))} a second`;
}

function inWords(count: number): string {
  return count.toLocaleString('en');
}
