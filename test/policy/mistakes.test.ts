/** Every mistake in the table brings exactly its problems: code, place, severity and sentence. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
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

describe('what an author wrote is quoted in part', () => {
  const long = 'x'.repeat(5_000);
  const gold = '\'profile.loyalty == "gold"\'';

  test.each<Readonly<Record<string, string>>>([
    { [gold]: `'profile.${long} == 1'` },
    { [gold]: `'profile["${long}"] == 1'` },
    { [gold]: `'profile.loyalty == "${long}"'` },
    { [gold]: `'${long} == 1'` },
    { [gold]: `'${long}.y == 1'` },
    { [gold]: `'now.${long} == 1'` },
    { [gold]: `'${long}(1) == 1'` },
    { [gold]: `'profile.loyalty.${long}(1)'` },
    { [gold]: `'"${long}" in audiences'` },
    { [gold]: `'audiences.exists(${long}, other == "x")'` },
    { [gold]: `'#${long}'` },
    { [gold]: `'"${long}'` },
    { 'values: [none, gold]': `values: [${long}]` },
    { 'kind: content': `kind: ${long}` },
    { 'kind: content': `${long}: content` },
    { 'tag: rail': `tag: ${long}` },
    { 'tags: [rail]': `tags: [${long}]` },
    { 'zones: [hero, rail]': `zones: [${long}]` },
    { 'category: health': `category: ${long}` },
    { 'stepwell: 1\n': `%${long}\n---\nstepwell: 1\n` },
    { 'stepwell: 1\n': `%YAML ${long}\n---\nstepwell: 1\n` },
    { 'kind: content': `kind: *${long}` },
    { 'kind: content': `kind: !${long} content` },
    { 'kind: content': `kind: "content" ${long}` },
  ])('in %#', (change) => {
    const { problems } = compilePolicy(changed(change), { file: 'p.yaml', nowMs });
    expect(problems).not.toEqual([]);
    for (const { message } of problems) expect(message).not.toMatch(/x{81}/);
  });

  test('also where nothing of it is a policy', () => {
    const marks = fc.array(fc.constantFrom(...'&*\'`%-?"@#]{}[|!b \n:,>'), { minLength: 5_000, maxLength: 5_000, size: 'max' });
    const [noise = ''] = fc.sample(marks, { seed: 5, numRuns: 1 }).map((letters) => letters.join(''));
    const { problems } = compilePolicy(noise, { file: 'p.yaml', nowMs });
    expect(problems).not.toEqual([]);
    for (const { message } of problems) expect(message.length).toBeLessThan(400);
  });
});
