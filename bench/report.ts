/** The findings as tables, for a terminal and for the README alike. */
import type { CoreReport } from './core.ts';
import type { ArmSummary, HttpReport } from './http.ts';
import { loadNames } from './http.ts';
import type { NearCacheMode, NearCacheReport } from './near-cache.ts';
import type { Spread } from './statistics.ts';

export function coreTable({ cases, repeats }: CoreReport): string {
  const rows = cases.map(({ group, name, answers, nanoseconds: { median, min, max } }) => [
    group,
    name,
    answers,
    microseconds(median),
    `${microseconds(min)} – ${microseconds(max)}`,
  ]);
  return table(['what varies', 'case', 'answers', 'µs per call', `min – max of ${repeats}`], rows);
}

function microseconds(nanoseconds: number): string {
  const micros = nanoseconds / 1000;
  return micros.toFixed(micros < 10 ? 2 : micros < 1000 ? 1 : 0);
}

const armNames = { bare: 'bare route', redis: 'decide, Redis', embedded: 'decide, embedded' } as const;

export function httpTables({ summary }: HttpReport): string {
  return loadNames
    .map((load) => ({ load, rows: summary.filter((each) => each.load === load) }))
    .filter(({ rows }) => rows.length > 0)
    .map(({ load, rows }) => `${load}\n\n${table(httpHeads, rows.map(httpRow))}`)
    .join('\n\n');
}

const httpHeads = ['server', 'requests/s', 'p50 ms', 'p99 ms', 'CPU µs/request', 'server busy', 'throughput ÷ bare', 'CPU ÷ bare'];

function httpRow(each: ArmSummary): readonly string[] {
  return [
    armNames[each.arm],
    Math.round(each.requestsPerSecond.median).toLocaleString('en'),
    each.p50Ms.median.toFixed(3),
    each.p99Ms.median.toFixed(3),
    spreadText(each.cpuMicrosPerRequest, 1),
    `${Math.round(each.serverBusy.median * 100)} %`,
    each.throughputRatio === null ? '' : spreadText(each.throughputRatio, 2),
    each.cpuRatio === null ? '' : spreadText(each.cpuRatio, 2),
  ];
}

/** Of the bare route's throughput, for decide on Redis. */
const goal = 0.65;

export function goalLines({ summary }: HttpReport): readonly string[] {
  return summary.flatMap(({ arm, load, throughputRatio, cpuRatio }) =>
    arm !== 'redis' || load === 'one connection' || throughputRatio === null || cpuRatio === null
      ? []
      : [
          `decide on Redis under ${load}: ${throughputRatio.median.toFixed(2)} of the bare route's throughput (goal ${goal}), ` +
            `${(1 / cpuRatio.median).toFixed(2)} by CPU time`,
        ],
  );
}

const modeNames: Readonly<Record<NearCacheMode, string>> = { off: 'off', versions: 'versions asked for', trust: 'trusted for a second' };

export function nearCacheTable({ visitors, readsPerSecond, rounds, bytesMax, runs }: NearCacheReport): string {
  const percent = (share: Spread): string => `${(100 * share.median).toFixed(1)} %`;
  const rows = runs.map((run) => [
    `${run.profileBytes / 1000} kB`,
    modeNames[run.mode],
    percent(run.heldShare),
    percent(run.trustedShare),
    spreadText(run.clientMicrosPerRead, 1),
    spreadText(run.redisMicrosPerRead, 1),
    Math.round(run.bytesPerRead.median).toLocaleString('en'),
  ]);
  const heads = ['profiles', 'near cache', 'profile held', 'asked nobody', 'CPU µs/read', "Redis' CPU µs/read", 'bytes/read'];
  return [
    `The near cache: ${visitors.toLocaleString('en')} visitors (Zipf, s = 1), ${readsPerSecond.toLocaleString('en')} reads/s,`,
    `${bytesMax / 2 ** 20} MiB; median (min – max) of ${rounds} round(s)\n`,
    table(heads, rows),
    '',
  ].join('\n');
}

function spreadText({ min, median, max }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)} – ${max.toFixed(digits)})`;
}

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(heads), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n');
}
