/** Works out what each page and zone costs a shared cache, under an assumption about traffic or a log of it, and says so. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { collapse, type VisitorContext } from '../classes/collapse.ts';
import { type CompiledClasses, compileClassesNow } from '../classes/compile-classes.ts';
import { valuesMax } from '../classes/domain.ts';
import { hitRatio, replayedHitRatio, zipfShares } from '../classes/expected-hits.ts';
import type { AttributeSpace } from '../classes/inputs.ts';
import type { Reason } from '../classes/table.ts';
import { answersMax } from '../classes/unfold.ts';
import { ProblemError } from '../contract/problem.ts';
import { readSharedQuery } from '../contract/shared-query.ts';
import type { Artefact } from '../decision/artefact.ts';
import { decide } from '../decision/decide.ts';
import { expressionStepsMax } from '../decision/expression.ts';
import { noEvidence } from '../decision/facts.ts';
import { formatProblem } from '../policy/problems.ts';
import { CannotRun, systemSentence } from '../start/cannot-run.ts';
import { createPolicyHolder } from '../start/held-policy.ts';
import { systemClock } from '../time/clock.ts';
import { type CacheReportOptions, defaultZipf } from './cache-report.ts';
import { foundProblems, printJson } from './outcome.ts';

export async function reportCaching(path: string, options: CacheReportOptions): Promise<void> {
  const { log, zipf, requests, json } = options;
  if (log !== undefined && zipf !== undefined) throw new CannotRun('--log and --zipf are two ways of saying one thing: give one of them');
  const artefact = await loadPolicy(path);
  if (artefact === null) return foundProblems();
  const nowMs = systemClock.nowMs();
  const traffic = log === undefined ? null : await readLog(log, artefact, requests, nowMs);
  const assumed = {
    requestsPerHour: requests,
    zipf: log === undefined ? (zipf ?? defaultZipf) : null,
    log: traffic && logSummary(traffic),
  };
  const report = { artefact, nowMs, requestsPerSecond: requests / 3600, skew: zipf ?? defaultZipf, traffic: traffic?.questions ?? null };
  const pages = Object.keys(artefact.pages).map((page) => pageReport(report, page));
  const costly = pages.flatMap(({ page, zones }) => zones.filter(({ isCostly }) => isCostly).map(({ zone }) => ({ page, zone })));
  if (traffic !== null && traffic.refused > 0) foundProblems();
  const problems = traffic === null ? {} : { problems: traffic.problems };
  if (json) return printJson({ policy: artefact.policy, revision: artefact.revision, assumed, pages, costly, ...problems });
  if (log !== undefined && traffic !== null) tellRefused(log, traffic);
  process.stdout.write(reportText(artefact, assumed, pages));
}

async function loadPolicy(path: string): Promise<Artefact | null> {
  const holder = createPolicyHolder(systemClock);
  const { inForce, problems } = await holder.load(path).catch((error) => {
    throw new CannotRun(`\`${path}\` cannot be read: ${systemSentence(error)}`);
  });
  if (!inForce) for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
  return holder.current()?.artefact ?? null;
}

/** One request of the log. */
interface LoggedQuestion {
  readonly atMs: number;
  readonly query: string;
  readonly page: string | null;
  readonly context: VisitorContext;
}

interface LineProblem {
  readonly line: number;
  readonly message: string;
}

interface Traffic {
  readonly questions: readonly LoggedQuestion[];
  /** Lines that hold no query that the service would answer. */
  readonly refused: number;
  /** The first of them. */
  readonly problems: readonly LineProblem[];
  /** Those about zones without a page, which no row is about. */
  readonly withoutPage: number;
}

const linesMax = 2_000_000;
/** A log of another service is wrong in every line. */
const problemsShownMax = 10;

async function readLog(file: string, artefact: Artefact, requestsPerHour: number, nowMs: number): Promise<Traffic> {
  const questions: LoggedQuestion[] = [];
  const problems: LineProblem[] = [];
  let number = 0;
  let lines = 0;
  let refused = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      if (line.trim() === '') continue;
      if (++lines > linesMax) throw new CannotRun(`\`${file}\` has more than ${linesMax} lines: give a part of it`);
      const question = loggedQuestion(line, artefact, (lines * 3_600_000) / requestsPerHour, nowMs);
      if (typeof question !== 'string') questions.push(question);
      else if (++refused <= problemsShownMax) problems.push({ line: number, message: question });
    }
  } catch (error) {
    throw error instanceof CannotRun ? error : new CannotRun(`\`${file}\` cannot be read: ${systemSentence(error)}`);
  }
  questions.sort((a, b) => a.atMs - b.atMs);
  const withPage = questions.filter(({ page }) => page !== null);
  return { questions: withPage, refused, problems, withoutPage: questions.length - withPage.length };
}

/** A text says why there is none, and nothing that stood in the line. `evenMs`: when it was, were all of them spread evenly. */
function loggedQuestion(line: string, artefact: Artefact, evenMs: number, nowMs: number): LoggedQuestion | string {
  const { query, at } = recordOf(line) ?? {};
  if (typeof query !== 'string') return 'this is not { "query": "page=home&country=DE", "at": "2026-11-21T12:00:00Z" }';
  const atMs = at === undefined ? evenMs : typeof at === 'number' ? at : Date.parse(String(at));
  if (!Number.isFinite(atMs)) return '`at` is no instant: write an RFC 3339 text, or milliseconds';
  try {
    const { page, request, audiences } = readSharedQuery(query, artefact, nowMs);
    return { atMs, query, page, context: { ...request, ...(audiences === null ? {} : { audiences }) } };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const places = error.errors.map(({ pointer, detail }) => (pointer === '' ? detail : `\`${pointer.slice(1)}\`: ${detail}`));
    return `the service would not answer it: ${places.join('; ') || error.message}`;
  }
}

function recordOf(line: string): { readonly query?: unknown; readonly at?: unknown } | null {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function tellRefused(file: string, { problems, refused }: Traffic): void {
  for (const { line, message } of problems) process.stderr.write(`${file}:${line}: ${message}\n`);
  if (refused > problems.length) process.stderr.write(`${file}: and ${refused - problems.length} more lines\n`);
}

function logSummary({ questions, refused, withoutPage }: Traffic) {
  return { requests: questions.length, refused, withoutPage };
}

interface Reporting {
  readonly artefact: Artefact;
  readonly nowMs: number;
  readonly requestsPerSecond: number;
  readonly skew: number;
  /** Null: as Zipf says. */
  readonly traffic: readonly LoggedQuestion[] | null;
}

/** A page, or a zone of one as if it were asked for alone. Null is: any number, or nothing to tell. */
interface Row {
  readonly reads: readonly AttributeSpace[];
  readonly rawKeys: number | null;
  readonly classes: number | null;
  readonly answers: number | null;
  /** Why there may be more keys than answers. */
  readonly because: Reason | null;
  /** Attributes that stand in the key as they are, or lists cut to what is read. */
  readonly raw: readonly string[];
  readonly maxAgeSeconds: number;
  readonly hitRatio: { readonly raw: number | null; readonly classes: number | null };
}

interface PageRow extends Row {
  readonly page: string;
  readonly zones: readonly ZoneRow[];
}

interface ZoneRow extends Row {
  readonly zone: string;
  /** Of the page's requests, how many are hits only without this zone on it. */
  readonly costs: number | null;
  /** Of the page's fetches, how many there would not be without it. */
  readonly fetches: number | null;
  /** Of the page's visitors, how many are shown something else here than most are. */
  readonly changes: number | null;
  readonly isCostly: boolean;
}

/** Of fewer hits than these nobody would notice the loss, whatever they were for. */
const costsMin = 0.01;

function pageReport(report: Reporting, page: string): PageRow {
  const { artefact } = report;
  const ids = artefact.pages[page]?.zones ?? [];
  const questions = report.traffic?.filter((question) => question.page === page) ?? null;
  const whole = rowOf(report, { page, zones: null }, ids, questions);
  const zones = ids.map((zone) => {
    const alone = rowOf(report, { page, zones: [zone] }, [zone], questions);
    const others = ids.filter((id) => id !== zone);
    const without =
      others.length === 0 ? whole.ofOneKey : rowOf(report, { page, zones: others.toSorted() }, others, questions).row.hitRatio.classes;
    const costs = difference(without, whole.row.hitRatio.classes);
    const changes = alone.changes;
    const fetches = costs === null || whole.row.hitRatio.classes === null ? null : costs / (1 - whole.row.hitRatio.classes || 1);
    const isCostly = costs !== null && costs >= costsMin && fetches !== null && changes !== null && fetches > changes;
    return { zone, ...alone.row, costs, fetches, changes, isCostly };
  });
  return { page, ...whole.row, zones };
}

function difference(more: number | null, less: number | null): number | null {
  return more === null || less === null ? null : Math.max(0, more - less);
}

function rowOf(
  report: Reporting,
  asked: { readonly page: string; readonly zones: readonly string[] | null },
  ids: readonly string[],
  questions: readonly LoggedQuestion[] | null,
): { readonly row: Row; readonly changes: number | null; readonly ofOneKey: number | null } {
  const { artefact, nowMs } = report;
  const compiled = compileClassesNow(artefact, { ...asked, nowMs });
  const rawKeys = product(compiled.attributes.map(({ values }) => values));
  const classes = product(compiled.attributes.map((attribute) => attribute.classes));
  const { answers, table } = compiled;
  const raw = table.attributes.filter((attribute) => 'raw' in attribute).map(({ name }) => name);
  const maxAgeSeconds = maxAgeOf(artefact, asked.page, ids, nowMs);
  const counted = { rawKeys, keys: answers ?? classes, maxAgeSeconds };
  const told = questions === null ? assumedTraffic(report, counted) : loggedTraffic(compiled, questions, maxAgeSeconds);
  return {
    row: { reads: compiled.attributes, rawKeys, classes, answers, because: table.because, raw, maxAgeSeconds, hitRatio: told.hitRatio },
    changes: answers === 1 ? 0 : told.changes,
    ofOneKey: told.ofOneKey,
  };
}

interface Told {
  readonly hitRatio: Row['hitRatio'];
  /** Were there one answer for all. */
  readonly ofOneKey: number | null;
  readonly changes: number | null;
}

function loggedTraffic({ table }: CompiledClasses, questions: readonly LoggedQuestion[], ttlSeconds: number): Told {
  const raw = questions.map(({ query, atMs }) => ({ key: query, atMs }));
  const collapsed = questions.map(({ context, atMs }) => ({ key: collapse(table, context), atMs }));
  const counts = new Map<string, number>();
  let most = 0;
  for (const { key } of collapsed) {
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    most = Math.max(most, count);
  }
  return {
    hitRatio: { raw: replayedHitRatio(raw, ttlSeconds), classes: replayedHitRatio(collapsed, ttlSeconds) },
    ofOneKey: replayedHitRatio(
      questions.map(({ atMs }) => ({ key: '', atMs })),
      ttlSeconds,
    ),
    changes: questions.length === 0 ? null : (questions.length - most) / questions.length,
  };
}

/** More keys than these make no difference that anybody could see. */
const keysMax = 1_000_000;

function assumedTraffic(
  { requestsPerSecond, skew }: Reporting,
  { rawKeys, keys, maxAgeSeconds }: { rawKeys: number | null; keys: number | null; maxAgeSeconds: number },
): Told {
  const ratio = (count: number | null): number | null =>
    count === null ? null : hitRatio(zipfShares(Math.min(count, keysMax), skew), requestsPerSecond, maxAgeSeconds);
  const [first = 1] = keys === null ? [] : zipfShares(Math.min(keys, keysMax), skew);
  return { hitRatio: { raw: ratio(rawKeys), classes: ratio(keys) }, ofOneKey: ratio(1), changes: keys === null ? null : 1 - first };
}

function product(counts: readonly (number | null)[]): number | null {
  return counts.reduce<number | null>((all, count) => (all === null || count === null ? null : all * count), 1);
}

/** The least of its zones, whoever asks. */
function maxAgeOf(artefact: Artefact, page: string, zones: readonly string[], nowMs: number): number {
  const question = { nowMs, audience: 'shared', page, zones, shownOffers: [], request: {}, audiences: null, explain: false } as const;
  return Math.min(...decide(artefact, question, noEvidence).zones.map(({ cache }) => cache.maxAgeSeconds));
}

type Assumed = { readonly requestsPerHour: number; readonly zipf: number | null; readonly log: ReturnType<typeof logSummary> | null };

function reportText({ policy, revision }: Artefact, { requestsPerHour, zipf, log }: Assumed, pages: readonly PageRow[]): string {
  const traffic =
    log === null
      ? `${requestsPerHour} requests an hour for each page, Zipf ${zipf}`
      : `${log.requests} requests of the log (${log.refused} lines refused, ${log.withoutPage} without a page)`;
  const rows = pages.flatMap((page) => [
    cellsOf(page.page, page, []),
    ...page.zones.map((zone) => cellsOf(`  ${zone.zone}`, zone, [zone.costs, zone.fetches, zone.changes])),
  ]);
  const heads = ['page/zone', 'reads', 'raw keys', 'classes', 'answers', 'hits raw', 'hits', 'costs', 'fetches', 'changes'];
  const sentences = pages.flatMap(({ page, zones }) => zones.filter(({ isCostly }) => isCostly).map((zone) => costlySentence(page, zone)));
  const reasons = pages.flatMap((page) => reasonSentence(page));
  return `${policy}, revision ${revision.slice(0, 12)}: ${traffic}\n\n${aligned([heads, ...rows])}\n${[...reasons, ...sentences].join('')}`;
}

const reasonWords: Readonly<Record<Reason, string>> = {
  reads_raw: 'a condition needs an attribute itself, not which of some values it has',
  too_long: `a condition may take more than ${expressionStepsMax} steps`,
  too_many_values: `an attribute is held against so much that more than ${valuesMax} values, or too many for the time, would have to be told apart`,
  reads_the_time: 'a condition turns on the time and has no next instant',
  too_many_answers: `there are more than ${answersMax} answers`,
  too_much_work: 'to work out what the attributes come to together takes too long',
};

/** Which bound it was, and what of the key it leaves as it is. */
function reasonSentence({ page, because, raw }: PageRow): readonly string[] {
  if (because === null) return [];
  const left = raw.length === 0 ? '' : `; told as it is: ${raw.map((name) => `\`${name}\``).join(', ')}`;
  return [`${page}: there may be more keys than answers, because ${reasonWords[because]} (${because})${left}\n`];
}

function cellsOf(name: string, row: Row, ofZone: readonly (number | null)[]): readonly string[] {
  const reads = row.reads.map((attribute) => attribute.name).join(', ');
  const { raw, classes } = row.hitRatio;
  return [name, reads || '–', many(row.rawKeys), many(row.classes), many(row.answers), ...[raw, classes, ...ofZone].map(percent)];
}

function costlySentence(page: string, { zone, fetches, changes, reads }: ZoneRow): string {
  const names = reads.map(({ name }) => `\`${name}\``).join(', ');
  return `${page}: \`${zone}\` causes ${percent(fetches)} of fetches and changes ${percent(changes)} of answers: ask for it apart, or tell fewer values of ${names} apart\n`;
}

/** Null: of an attribute with any number of values, or merged no further than attribute by attribute. */
function many(count: number | null): string {
  return count === null ? 'any' : String(count);
}

function percent(ratio: number | null): string {
  return ratio === null ? '–' : `${(ratio * 100).toFixed(1)}%`;
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return `${rows.map(line).join('\n')}\n`;
}
