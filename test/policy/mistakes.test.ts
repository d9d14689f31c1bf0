/** Every mistake in the table brings exactly its problems: code, place, severity and sentence. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compilePolicy, type PolicyProblem, problemCodes } from '../../src/policy/compile.ts';
import { mistakes } from './mistakes.ts';

const small = readFileSync(new URL('fixtures/small.yaml', import.meta.url), 'utf8');
const nowMs = Date.parse('2026-11-21T12:00:00Z');

function changed(change: Readonly<Record<string, string>>): string {
  let text = small;
  for (const [from, to] of Object.entries(change)) {
    if (!text.includes(from)) throw new Error(`the fixture has no ${from}`);
    text = text.replace(from, () => to);
  }
  return text;
}

const line = (problem: PolicyProblem) => `${problem.code} ${problem.line}:${problem.column} ${problem.severity}: ${problem.message}`;

test.each(mistakes)('$name', ({ change, problems }) => {
  const compilation = compilePolicy(changed(change), { file: 'p.yaml', nowMs });
  expect(compilation.problems.map(line)).toEqual(problems);
  expect(compilation.artefact === null).toBe(problems.some((problem) => problem.includes(' error: ')));
});

test('mistakes in different places are all reported at once', () => {
  const together = mistakes.filter(({ name }) =>
    ['a misspelt attribute', 'numbers of an offer out of bounds', 'an approval that has expired'].includes(name),
  );
  const text: Record<string, string> = Object.assign({}, ...together.map((mistake) => mistake.change));
  const { problems } = compilePolicy(changed(text), { file: 'p.yaml', nowMs });
  expect(problems).toHaveLength(together.flatMap((mistake) => mistake.problems).length);
});

test('every code of the table is shown by some mistake, but for those that only a huge document can bring', () => {
  const shown = new Set(mistakes.flatMap(({ problems }) => problems.map((problem) => problem.split(' ', 1)[0])));
  expect(problemCodes.filter((code) => !shown.has(code))).toEqual(['document-too-large', 'alias-too-large', 'too-many', 'too-much-work']);
});
