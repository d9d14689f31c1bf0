/**
 * How soon a withdrawal is obeyed by every process of a fleet, and that none is overlooked: real processes with near caches on one real
 * Redis, people and sessions that withdraw and consent again and again while every process decides about them. A minute or two;
 * `--quick` takes some seconds, to see that it runs. Only a whole run is kept, in `docs/withdrawals.md`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { busyBeforehand, describeMachine } from '../machine.ts';
import { table } from '../report.ts';
import { quantile } from '../statistics.ts';
import { startFleet } from './fleet.ts';
import { type RaceReport, race } from './race.ts';

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const decisionsMin = values.quick ? 3_000 : 100_000;
const processes = 3;
const mark = { begin: '<!-- withdrawals -->', end: '<!-- end of withdrawals -->' } as const;
const pagePath = fileURLToPath(new URL('../../docs/withdrawals.md', import.meta.url));
const modes = [
  { freshnessMaxMs: 0, name: 'proves everything each time' },
  { freshnessMaxMs: 1_000, name: 'trusts for a second' },
] as const;

const busyBefore = await busyBeforehand();
const rows: string[][] = [];
let overlooked = 0;
for (const { freshnessMaxMs, name } of modes) {
  process.stderr.write(`  ${name}: ${decisionsMin.toLocaleString('en')} decisions\n`);
  const report = await raced(freshnessMaxMs);
  overlooked += report.stale.length;
  rows.push(rowOf(name, report));
}
const text = [
  table(
    ['policy', 'decisions', 'withdrawals', 'of them begun after one', 'stale', 'within the bound', 'obeyed after, ms', 'not known for, ms'],
    rows,
  ),
  '',
  `${processes} processes, 8 people and 8 sessions, 9 decisions at once; ${machineText()}.`,
].join('\n');
process.stdout.write(`${text}\n`);
if (values.quick) process.stdout.write('only a whole run is kept\n');
else keep();
process.exitCode = overlooked > 0 ? 1 : 0;

async function raced(freshnessMaxMs: number): Promise<RaceReport> {
  const fleet = await startFleet({ processes, freshnessMaxMs });
  try {
    const contenders = await fleet.contenders({ subjects: 8, sessions: 8 });
    return await race({ ...fleet, contenders, decisionsMin, freshnessMaxMs });
  } finally {
    await fleet.end();
  }
}

function rowOf(name: string, report: RaceReport): string[] {
  const count = (value: number): string => value.toLocaleString('en');
  return [
    name,
    count(report.decisions),
    count(report.withdrawals),
    count(report.afterWithdrawal),
    count(report.stale.length),
    count(report.withinBound),
    spreadText(report.obeyedAfterMs),
    spreadText(report.knownAfterMs),
  ];
}

function spreadText(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [p50, p99, max] = [quantile(sorted, 0.5), quantile(sorted, 0.99), sorted.at(-1) ?? Number.NaN];
  return [p50, p99, max].map((ms) => ms.toFixed(1)).join(' / ');
}

function machineText(): string {
  const { processor, processors, memoryGib } = describeMachine();
  const busy = Math.round(busyBefore * 100);
  return `${processor}, ${processors} CPUs, ${memoryGib} GiB, Node ${process.versions.node}; ${busy} % busy with other things beforehand`;
}

function keep(): void {
  const page = readFileSync(pagePath, 'utf8');
  const [before = '', rest = ''] = page.split(mark.begin);
  const after = rest.split(mark.end)[1] ?? '';
  writeFileSync(pagePath, `${before}${mark.begin}\n\n${text}\n\n${mark.end}${after}`);
}
