/** What a page's classes cost: counted, so that no policy makes a table that takes all the memory or all the time there is. */
import { describe, expect, it } from 'vitest';
import type { Column } from '../../src/classes/columns.ts';
import { compileClasses } from '../../src/classes/compile-classes.ts';
import { createTerms, type Term } from '../../src/classes/terms.ts';
import type { Expression } from '../../src/decision/expression.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { baseNowMs } from '../generate/vocabulary.ts';

const approved = { by: 'Lead', on: '2026-01-01', until: '2030-01-01' };

/** One condition: pairs of many attributes below a chain of `&&` and `||`, so that knowing one attribute more makes every level anew. */
function deepPolicy(pairs: number, depth: number): string {
  const many = Array.from({ length: 200 }, (_, index) => `a${index.toString(36)}`);
  const chain = Array.from({ length: depth }, (_, index) => `y${index}`);
  const drawn = (index: number) => `request.${many[(index * index * 7 + index * 31) % many.length]}`;
  const inside = Array.from({ length: pairs }, (_, index) => `(${drawn(2 * index)}&&${drawn(2 * index + 1)})`).join('||');
  const when = chain.reduce((condition, name, index) => `(${condition})${index % 2 === 0 ? '&&' : '||'}request.${name}`, inside);
  const zone = (condition: string) => ({
    kind: 'content',
    ladder: [
      { tier: 'segment', choose: [{ when: condition, variant: 'v' }] },
      { tier: 'anonymous', variant: 'plain', approved },
    ],
  });
  return JSON.stringify({
    stepwell: 1,
    policy: 'deep',
    owner: 'tests',
    contextualWithoutSignal: true,
    attributes: { request: Object.fromEntries([...many, ...chain].map((name) => [name, { type: 'bool', class: 'S0' }])) },
    pages: { home: { zones: ['z'] } },
    zones: { z: zone(when) },
    variants: { v: { content: 'v', class: 'S0' }, plain: { content: 'p', class: 'S0' } },
  });
}

describe('the making of a table', () => {
  it.each([
    ['long', 280, 2],
    ['deep', 260, 50],
  ] as const)('is given up for too much work within a counted number of pieces where a condition is %s', (_, pairs, depth) => {
    const { artefact, problems } = compilePolicy(deepPolicy(pairs, depth), { file: 'deep.json', nowMs: baseNowMs });
    if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
    const making = compileClasses(artefact, { page: 'home', zones: null, nowMs: baseNowMs });
    let step = making.next();
    for (let pieces = 0; pieces < 6_000 && step.done !== true; pieces++) step = making.next();
    expect(step).toMatchObject({ done: true, value: { answers: null, table: { merging: 'attributes', because: 'too_much_work' } } });
  });

  it('counts all that is kept of conditions, and what it takes to make them', () => {
    const names = Array.from({ length: 40 }, (_, index) => `a${index}`);
    const columns = names.map((name, input) => ({
      name,
      input,
      type: 'bool',
      asks: 'class',
      members: null,
      values: [undefined, true, false],
    }));
    const read = (index: number): Expression => ({ op: 'attribute', source: 'request', name: names[index % names.length] ?? '' });
    const pairs = Array.from(
      { length: 100 },
      (_, index): Expression => ({ op: 'and', operands: [read(index * 7), read(index * index + 3)] }),
    );
    let condition: Expression = { op: 'or', operands: pairs };
    for (let index = 0; index < 20; index++) condition = { op: index % 2 === 0 ? 'and' : 'or', operands: [condition, read(index * 3)] };
    let work = 0;
    let words = 0;
    const terms = createTerms(columns as unknown as readonly Column[], baseNowMs, (more, kept) => {
      work += more;
      words += kept;
    });
    const kept = new Set<Term>();
    const keep = (term: Term): void => {
      if (kept.has(term)) return;
      kept.add(term);
      if (term.op === 'and' || term.op === 'or') term.operands.forEach(keep);
    };
    let left = [terms.termOf(condition)];
    left.forEach(keep);
    for (let column = 0; column < 6; column++) {
      left = left.flatMap((term) => [0, 1, 2].map((value) => terms.settled(term, column, value)));
      left.forEach(keep);
    }
    const held = [...kept].reduce((sum, term) => sum + 1 + term.columns.length + ('operands' in term ? term.operands.length : 0), 0);
    expect(kept.size).toBeGreaterThan(1_000);
    expect(words).toBeGreaterThan(held);
    expect(work).toBeGreaterThan(held / 8);
  });
});
