/**
 * The official CEL conformance cases through our lowering and the core's evaluator. A case that needs a feature this language
 * leaves out is skipped in a named category; every other case must pass, except those listed here with the reason.
 */
import { expect, test } from 'vitest';
import { evaluate } from '../../src/decision/evaluate.ts';
import { lowerExpression } from '../../src/policy/cel/lower.ts';
import type { Environment } from '../../src/policy/cel/lowering.ts';
import { type Case, conformanceCases } from './cel-suite.ts';

const nothingDeclared: Environment = {
  attributes: { request: new Map(), session: new Map(), profile: new Map(), device: new Map() },
  audiences: new Map(),
  untyped: new Set(),
};
const nothingKnown = { request: undefined, session: undefined, profile: undefined, audiences: undefined, audiencesOpen: true, nowMs: 0 };

/**
 * Features left out, each recognised in the case's own text, never by our refusal: a supported feature that broke cannot hide
 * here. Order matters: the first that fits names the category.
 */
const leftOut: readonly (readonly [category: string, fits: RegExp])[] = [
  ['messages', /[A-Za-z]\w*\s*\{|TestAllTypes|NestedEnum|GlobalEnum|google\.protobuf|cel\.expr\.conformance/],
  ['optional values', /optional\.|\.\?|\[\?|optMap|orValue|hasValue/],
  [
    'extension libraries (strings, math, encoders, block, bindings)',
    /\b(math|base64|strings|cel)\.|\.(format|quote|charAt|indexOf|join|lastIndexOf|lowerAscii|replace|split|substring|trim|upperAscii|reverse)\(/,
  ],
  [
    'dynamic types and conversions',
    /\b(dyn|type|int|uint|double|string|bool|bytes)\s*\(|\b(list|map|bool|int|string|double|uint|bytes|type|null_type|net|google)\b(?!\s*[(:'"\w])/,
  ],
  ['two-variable macros', /\.(exists|all|existsOne|transformList|transformMap|exists_one)\(\s*\w+\s*,\s*\w+\s*,/],
  ['macros other than exists and all', /\.(exists_one|existsOne|map|filter|transformList|transformMap)\(/],
  ['regular expressions', /\bmatches\(/],
  ['parts of dates', /\.get[A-Z]\w+\(/],
  ['bytes', /\b[bB][rR]?['"]|\b[rR][bB]['"]/],
  ['maps', /\{/],
  ['null', /\bnull\b/],
  ['unsigned integers', /\b(0x[0-9a-fA-F]+|\d+)[uU]\b/],
  ['numbers with a fraction', /\d\.\d|\d[eE][+-]?\d|(^|[^\w)\]])\.\d/],
  ['integers beyond ±(2^53 − 1)', /\d{16,}|0x[0-9a-fA-F]{14,}/],
  ['indexing of lists', /[\])\w]\[/],
  ['names with dots or quotes, and names that nothing declares', /`|^\.|\bf_unknown\b|^x \|\| true$|\b[a-z]\.[a-z]/],
];

/** The same, recognised inside texts. */
const leftOutInTexts: readonly (readonly [category: string, fits: RegExp])[] = [
  ['times finer than a millisecond', /\.\d{4,9}Z|\d(ns|us)\b/],
  ['dynamic types and conversions', /timestamp\((timestamp|\d)|duration\(duration/],
];

/** Found by our own refusal, because the types of the operands decide it. */
const leftOutByType: readonly (readonly [category: string, fits: RegExp])[] = [
  ['joining texts and lists', /^texts and lists are not joined/],
  ['values of different types in one list, comparison or choice', /of one type/],
  ['operands of `&&` and `||` that are not true or false', /^`(&&|\|\|)` needs true or false/],
];

/** Applicable, and answered differently on purpose. */
const timesAreIntegers =
  'times and durations are integers of milliseconds within ±(2^53 − 1): the range of years 1 to 9999, and of durations, is checked for literals and not for sums';
const differences: ReadonlyMap<string, string> = new Map(
  [
    'timestamps/timestamp_range/add_duration_under',
    'timestamps/timestamp_range/add_duration_over',
    'timestamps/timestamp_range/sub_time_duration_over',
    'timestamps/timestamp_range/sub_time_duration_under',
    'timestamps/duration_range/add_under',
    'timestamps/duration_range/add_over',
    'timestamps/duration_range/sub_under',
    'timestamps/duration_range/sub_over',
  ].map((name) => [name, timesAreIntegers]),
);

type Outcome = { readonly category: string } | { readonly passed: boolean; readonly got: string };

function run(one: Case, evaluator: typeof evaluate): Outcome {
  if (one.outside !== null) return { category: one.outside };
  const found = leftOut.find(([, fits]) => fits.test(withoutTexts(one.source))) ?? leftOutInTexts.find(([, fits]) => fits.test(one.source));
  const category = found?.[0];
  if (category !== undefined) return { category };
  const { typed, problems } = lowerExpression(one.source, nothingDeclared, one.variables);
  if (typed === null) {
    const message = problems[0]?.message ?? '';
    const byType = leftOutByType.find(([, fits]) => fits.test(message))?.[0];
    if (byType !== undefined && one.expected.kind === 'value') return { category: byType };
    // What CEL finds while evaluating is found here while loading: both are errors.
    return { passed: one.expected.kind === 'error', got: `refused: ${message}` };
  }
  const value = evaluator(typed.expression, nothingKnown);
  const passed = one.expected.kind === 'error' ? value === undefined : JSON.stringify(value) === JSON.stringify(one.expected.value);
  return { passed, got: JSON.stringify(value) ?? 'unknown' };
}

/** Texts may hold anything; only their quotes and prefixes are kept for recognising features. */
function withoutTexts(source: string): string {
  return source.replace(/(?<![\w])([bBrR]{0,2})('''[\s\S]*?'''|"""[\s\S]*?"""|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")/g, "$1''");
}

interface Tally {
  readonly applicable: number;
  readonly passed: number;
  readonly failed: readonly string[];
  readonly differing: readonly string[];
  readonly skipped: ReadonlyMap<string, number>;
}

function tally(cases: readonly Case[], evaluator: typeof evaluate): Tally {
  const skipped = new Map<string, number>();
  const failed: string[] = [];
  const differing: string[] = [];
  let passed = 0;
  for (const one of cases) {
    const outcome = run(one, evaluator);
    if ('category' in outcome) skipped.set(outcome.category, (skipped.get(outcome.category) ?? 0) + 1);
    else if (outcome.passed) passed++;
    else if (differences.has(one.name)) differing.push(one.name);
    else failed.push(`${one.name}: ${one.source} → ${outcome.got}, wanted ${JSON.stringify(one.expected)}`);
  }
  return { applicable: passed + failed.length + differing.length, passed, failed, differing, skipped };
}

test('every applicable case of the official CEL conformance suite passes, but for those listed with a reason', () => {
  const cases = conformanceCases();
  const { applicable, passed, failed, differing, skipped } = tally(cases, evaluate);
  const lines = [...skipped].sort(([, a], [, b]) => b - a).map(([category, count]) => `  not applicable, ${category}: ${count}`);
  const summary = `CEL conformance: ${applicable} applicable of ${cases.length}, ${passed} pass, ${differing.length} differ on purpose`;
  console.log([summary, ...lines].join('\n'));
  expect(failed).toEqual([]);
  expect([...differing].sort()).toEqual([...differences.keys()].sort());
  // A lowering that refuses more must not pass by having less to answer for.
  expect(applicable).toBe(356);
});

test('an evaluator that takes unknown for false is found out', () => {
  const { failed } = tally(conformanceCases(), (expression, scope) => evaluate(expression, scope) ?? false);
  expect(failed.length).toBeGreaterThan(0);
});
