/** A policy named `.json` is JSON: what `JSON.parse` takes, and nothing else, with the place of what is wrong and what to write. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { compilePolicy } from '../../src/policy/compile.ts';
import { lineCounter, type Node, sourceText } from '../../src/policy/document.ts';
import { readJsonDocument } from '../../src/policy/json-document.ts';
import { problemReport } from '../../src/policy/problems.ts';
import { readJson } from '../../src/policy/read.ts';

const contract = readFileSync(new URL('fixtures/contract.yaml', import.meta.url), 'utf8');
const nowMs = Date.parse('2026-11-21T12:00:00Z');

function readText(text: string) {
  const lines = lineCounter();
  const report = problemReport('p.json', sourceText(text, lines).placeOf);
  const root = readJsonDocument(text, lines, report);
  return { root, problems: report.problems().map(({ code, line, column, message }) => `${code} ${line}:${column} ${message}`) };
}

const prefix = 'this is not JSON: ';
const mistakes: readonly (readonly [string, string, string, string])[] = [
  ['a comma behind the last member', '{\n  "a": 1,\n}', '2:9', 'remove the comma before `}`'],
  ['a comma behind the last item', '["a", ]', '1:5', 'remove the comma before `]`'],
  ['a missing comma', '{\n  "a": 1\n  "b": 2 }', '3:3', 'write `,` between the members of a map, or `}` at its end'],
  ['a missing colon', '{ "a" 1 }', '1:7', 'write `:` and a value after the key `a`'],
  ['a key without quotes', '{ stepwell: 1 }', '1:3', 'write the key as `"stepwell"`, in double quotes'],
  ['a key in single quotes', "{ 'a': 1 }", '1:3', 'write a key in double quotes, not single ones'],
  ['text in single quotes', `{ "a": 'x' }`, '1:8', 'write text in double quotes, not single ones'],
  [
    'text without quotes',
    '{ "a": home }',
    '1:8',
    '`home` is no value: write text in double quotes, a number, true, false, null, a list or a map',
  ],
  ['no value', '{ "a": }', '1:8', 'write text in double quotes, a number, true, false, null, a list or a map'],
  ['a comment', '{\n  // why\n  "a": 1 }', '2:3', 'JSON has no comments, so remove this one, or write the policy as `.yaml`'],
  ['a comment of YAML', '# why\n{}', '1:1', 'JSON has no comments, so remove this one, or write the policy as `.yaml`'],
  ['capitals', '[True]', '1:2', 'write `true` in lower case'],
  [
    'a leading zero',
    '[01]',
    '1:2',
    '`01` is no number of JSON: write digits without `+` or leading zeros, with digits on both sides of a point',
  ],
  [
    'text that is not closed',
    '{ "a": "x\n}',
    '1:8',
    'this text is not closed on its line: write `"` at its end, and a line break as `\\n`',
  ],
  ['a tab within text', '["a\tb"]', '1:4', 'write a tab within text as `\\t`'],
  ['an unknown escape', '["C:\\dir"]', '1:5', 'write a backslash as `\\\\`, or one of `\\" \\/ \\b \\f \\n \\r \\t \\u0000`'],
  ['a map that is not closed', '{ "a": [1, 2]', '1:1', 'this map is not closed: write `}` at its end'],
  ['two values', '{} {}', '1:4', 'a policy is one value, so remove what follows its end'],
  ['YAML', 'stepwell: 1\n', '1:1', '`stepwell` is no value: write text in double quotes, a number, true, false, null, a list or a map'],
];

describe('a mistake in the syntax of a .json policy', () => {
  test.each(mistakes)('%s', (_, text, place, advice) => {
    const { artefact, problems } = compilePolicy(text, { file: 'p.JSON', nowMs });
    expect(artefact).toBeNull();
    expect(problems.map(({ code, line, column, message }) => [code, `${line}:${column}`, message])).toEqual([
      ['syntax', place, prefix + advice],
    ]);
  });

  test('the same text named .yaml is read as YAML', () => {
    const text = contract;
    expect(compilePolicy(text, { file: 'p.yaml', nowMs }).artefact).not.toBeNull();
    expect(compilePolicy(text, { file: 'p.json', nowMs }).problems.map(({ code }) => code)).toEqual(['syntax']);
  });
});

test('a key that is written twice is an error at the second, however it is spelled', () => {
  const text = '{ "stepwell": 1,\n  "policy": "a", "p\\u006flicy": "b" }';
  const { problems } = compilePolicy(text, { file: 'p.json', nowMs });
  expect(problems.map(({ code, line, column }) => `${code} ${line}:${column}`)).toEqual(['duplicate-key 2:18']);
});

test('the other problems of a .json policy stand where they do, to the character within a condition', () => {
  const policy = parse(contract) as { zones: { hero: { ladder: { choose: { when: string }[] }[] } } };
  const rule = policy.zones.hero.ladder[0]?.choose[0];
  if (rule === undefined) throw new Error('the fixture changed');
  rule.when = '"\u{1f600}" == "x" || profile.loyalti == "gold"';
  const text = JSON.stringify(policy, null, '\t').replace('\u{1f600}', '\\ud83d\\ude00');
  const [problem, ...others] = compilePolicy(text, { file: 'p.json', nowMs }).problems;
  const lines = text.split('\n');
  const line = lines.findIndex((written) => written.includes('loyalti')) + 1;
  expect(others).toEqual([]);
  expect(problem).toMatchObject({ code: 'unknown-attribute', line });
  expect(lines[line - 1]?.slice((problem?.column ?? 0) - 1)).toMatch(/^(profile\.)?loyalti/);
});

test('a policy means the same in JSON as in YAML, with a byte order mark or without', () => {
  const text = JSON.stringify(parse(contract), null, 2);
  const { revision } = compilePolicy(contract, { file: 'p.yaml', nowMs }).artefact ?? {};
  expect(revision).toBeDefined();
  for (const written of [text, `\ufeff${text}`, text.replaceAll('\n', '\r\n')]) {
    expect(compilePolicy(written, { file: 'p.json', nowMs })).toMatchObject({ problems: [], artefact: { revision } });
  }
});

test('nesting without end is refused, and harms nothing', () => {
  expect(readText('['.repeat(1_000_000)).problems).toEqual(['document-too-deep 1:65 this is nested too deep: stay within 64 levels']);
});

describe('against JSON.parse', () => {
  const dataOf = (root: Node | null) => root && readJson(root);
  const sorted = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(sorted);
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, member]) => [name, sorted(member)]),
    );
  };
  const isOwnName = (value: unknown): boolean => !JSON.stringify(value).includes('__proto__');

  test('any JSON is read as it reads it', () => {
    const space = fc.constantFrom(undefined, 2, '\t');
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }).filter(isOwnName), space, (value, indentation) => {
        const text = JSON.stringify(value, null, indentation);
        const { root, problems } = readText(text);
        expect(problems).toEqual([]);
        expect(JSON.stringify(dataOf(root))).toBe(JSON.stringify(sorted(JSON.parse(text))));
      }),
      { numRuns: 500 },
    );
  });

  test('whatever it refuses is refused, and nothing else, wherever a text was damaged', () => {
    const whole = JSON.stringify(parse(contract), null, 1);
    const piece = fc.oneof(
      fc.constantFrom(
        '',
        ',',
        '{',
        '}',
        '[',
        ']',
        '"',
        ':',
        '\\',
        '\\u12',
        '0',
        '-',
        '.',
        'e',
        '1e400',
        'nul',
        ' ',
        '\n',
        '\t',
        '\u00a0',
        '//',
        '\0',
      ),
      fc.string({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(6), piece, (at, length, inserted) => {
        const text = whole.slice(0, at) + inserted + whole.slice(at + length);
        const taken = isTaken(text);
        const { problems } = readText(text);
        expect(!problems.some((problem) => problem.startsWith('syntax ')), `${taken} ${problems} ${at}`).toBe(taken);
      }),
      { numRuns: 2_000 },
    );
  });
});

function isTaken(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
