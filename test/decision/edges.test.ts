/** When what a condition says of the time changes: between two of these instants a shared answer may be kept. */
import { describe, expect, test } from 'vitest';
import { edgesOfNow } from '../../src/decision/edges.ts';
import { evaluate } from '../../src/decision/evaluate.ts';
import type { BinaryOperator, Expression } from '../../src/decision/expression.ts';

const now: Expression = { op: 'now' };
const country: Expression = { op: 'attribute', source: 'request', name: 'country' };
const literal = (value: string | number | boolean): Expression => ({ op: 'literal', value });
const binary = (left: Expression, op: BinaryOperator, right: Expression): Expression => ({ op, left, right });
const either = (condition: Expression, yes: Expression, no: Expression): Expression =>
  Object.fromEntries([
    ['op', 'if'],
    ['condition', condition],
    ['then', yes],
    ['otherwise', no],
  ]) as unknown as Expression;
const before = (ms: number) => binary(now, '<', literal(ms));

const some: readonly (readonly [string, Expression, readonly number[]])[] = [
  ['a literal', literal(3), []],
  ['an attribute', country, []],
  ['whether there is an attribute', { op: 'has', source: 'request', name: 'country' }, []],
  ['audiences', { op: 'audiences' }, []],
  ['a variable', { op: 'variable', name: 'x' }, []],
  ['a comparison of an attribute', binary(country, '==', literal('DE')), []],
  ['a search in an attribute', binary(country, 'contains', literal('D')), []],
  ...(['==', '!=', '<', '<=', '>', '>='] as const).map((op) => [`now ${op} 5`, binary(now, op, literal(5)), [5, 6]] as const),
  ['5 < now', binary(literal(5), '<', now), [5, 6]],
  ['now + 10 >= 100', binary(binary(now, '+', literal(10)), '>=', literal(100)), [90, 91]],
  ['10 + now >= 100', binary(binary(literal(10), '+', now), '>=', literal(100)), [90, 91]],
  ['now - 10 >= 100', binary(binary(now, '-', literal(10)), '>=', literal(100)), [110, 111]],
  ['100 - now == 40', binary(binary(literal(100), '-', now), '==', literal(40)), [60, 61]],
  ['-now < -7', binary({ op: 'negate', operand: now }, '<', { op: 'negate', operand: literal(7) }), [7, 8]],
  ['now + now - now < 9', binary(binary(binary(now, '+', now), '-', now), '<', literal(9)), [9, 10]],
  ['a list', { op: 'list', items: [before(1), literal(2), before(3)] }, [1, 2, 3, 4]],
  ['and', { op: 'and', operands: [before(1), country] }, [1, 2]],
  ['or', { op: 'or', operands: [country, before(1)] }, [1, 2]],
  ['not', { op: 'not', operand: before(1) }, [1, 2]],
  ['the size of', { op: 'size', operand: { op: 'list', items: [before(1)] } }, [1, 2]],
  ['if', either(before(10), before(20), before(30)), [10, 11, 20, 21, 30, 31]],
  ['exists', { op: 'exists', list: { op: 'list', items: [before(1)] }, variable: 'x', condition: before(5) }, [1, 2, 5, 6]],
  ['all', { op: 'all', list: { op: 'list', items: [before(1)] }, variable: 'x', condition: before(5) }, [1, 2, 5, 6]],
  ['a comparison of comparisons', binary(before(1), '==', before(5)), [1, 2, 5, 6]],
  ['in', binary(before(1), 'in', { op: 'list', items: [before(5)] }), [1, 2, 5, 6]],
];

const untold: readonly (readonly [string, Expression])[] = [
  ['now itself', now],
  ['what now is in', binary(now, 'in', { op: 'list', items: [literal(1)] })],
  ['now + 1, which is no comparison', binary(now, '+', literal(1))],
  ['now against an attribute', binary(now, '<', country)],
  ['now against a text', binary(now, '<', literal('noon'))],
  ['now against a fraction', binary(now, '<', literal(1.5))],
  ['twice now', binary(binary(now, '+', now), '<', literal(10))],
  ['now × 1', binary(binary(now, '*', literal(1)), '<', literal(10))],
  ['now against itself', binary(now, '<', now)],
  ['now against the last instant there is', before(Number.MAX_SAFE_INTEGER)],
  ['an offset beyond counting', binary(binary(now, '+', literal(Number.MAX_SAFE_INTEGER)), '<', { op: 'negate', operand: literal(9) })],
  ['one that can be told and one that cannot', { op: 'and', operands: [before(1), binary(now, '<', country)] }],
  ['if on what cannot be told', either(literal(true), literal(1), now)],
];

describe('the instants of a condition', () => {
  test.each(some)('are told for %s', (_what, condition, edges) => {
    expect([...(edgesOfNow(condition) ?? [Number.NaN])]).toEqual(edges);
  });

  test.each(untold)('are not told for %s', (_what, condition) => {
    expect(edgesOfNow(condition)).toBe(null);
  });

  test.each(some.filter(([, , edges]) => edges.length > 0))('are all at which %s says another thing', (_what, condition, edges) => {
    const said = (nowMs: number) =>
      evaluate(condition, { request: {}, session: undefined, profile: undefined, audiences: [], audiencesOpen: false, nowMs });
    const last = Math.max(...edges) + 20;
    for (let nowMs = 1; nowMs < last; nowMs += 1) {
      if (!edges.includes(nowMs)) expect(said(nowMs), `at ${nowMs}`).toEqual(said(nowMs - 1));
    }
  });

  const since: Expression = { op: 'attribute', source: 'request', name: 'since' };
  const age = (limit: number) => binary(binary(now, '-', since), '<', literal(limit));
  const ofQuestions: readonly (readonly [string, Expression, Readonly<Record<string, number | string>>, readonly number[] | null])[] = [
    ['an age', age(10), { since: 100 }, [110, 111]],
    ['an age within a condition', { op: 'and', operands: [age(10), { op: 'not', operand: before(3) }] }, { since: 5 }, [15, 16, 3, 4]],
    ['an age of what it lacks', age(10), {}, []],
    ['what it lacks, counted with', binary(now, '<', binary({ op: 'negate', operand: since }, '*', literal(2))), {}, []],
    ['a text where an instant is wanted', age(10), { since: 'x' }, null],
    ['a remainder', binary(binary(now, '%', literal(7)), '<', since), { since: 1 }, null],
  ];

  test.each(ofQuestions)('of a question are told for %s', (_what, condition, request, edges) => {
    expect(edgesOfNow(condition, request)).toEqual(edges);
    const said = (nowMs: number) =>
      evaluate(condition, { request, session: undefined, profile: undefined, audiences: [], audiencesOpen: false, nowMs });
    for (let nowMs = 1; edges !== null && nowMs < 200; nowMs += 1) {
      if (!edges.includes(nowMs)) expect(said(nowMs), `at ${nowMs}`).toEqual(said(nowMs - 1));
    }
  });
});
