import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareStrings, evaluate, type Scope } from '../../src/decision/evaluate.ts';
import type { Expression } from '../../src/decision/expression.ts';
import type { Value } from '../../src/decision/value.ts';

const nobody: Scope = { request: {}, session: undefined, profile: undefined, audiences: undefined, audiencesOpen: false, nowMs: 0 };
const literal = (value: Value): Expression => ({ op: 'literal', value }) as Expression;
const unknown: Expression = { op: 'attribute', source: 'profile', name: 'x' };
const binary = (op: '/' | '%' | '*' | '+' | '-', left: number, right: number) =>
  evaluate({ op, left: literal(left), right: literal(right) }, nobody);

test('and, or and not follow Kleene: unknown decides nothing and hides nothing', () => {
  const values = { true: literal(true), false: literal(false), unknown } as const;
  const table = Object.entries(values).flatMap(([a, left]) =>
    Object.entries(values).map(([b, right]) => [
      `${a} ${b}`,
      evaluate({ op: 'and', operands: [left, right] }, nobody),
      evaluate({ op: 'or', operands: [left, right] }, nobody),
    ]),
  );
  expect(table).toEqual([
    ['true true', true, true],
    ['true false', false, true],
    ['true unknown', undefined, true],
    ['false true', false, true],
    ['false false', false, false],
    ['false unknown', false, undefined],
    ['unknown true', undefined, true],
    ['unknown false', false, undefined],
    ['unknown unknown', undefined, undefined],
  ]);
  expect(evaluate({ op: 'not', operand: unknown }, nobody)).toBe(undefined);
});

test('has() tells a missing attribute from a missing profile', () => {
  const has: Expression = { op: 'has', source: 'profile', name: 'vip' };
  expect(evaluate(has, { ...nobody, profile: { vip: true } })).toBe(true);
  expect(evaluate(has, { ...nobody, profile: {} })).toBe(false);
  expect(evaluate(has, nobody)).toBe(undefined);
  expect(evaluate({ op: 'has', source: 'profile', name: 'constructor' }, { ...nobody, profile: {} })).toBe(false);
});

test('absence from a list that may be longer proves nothing', () => {
  const isIn: Expression = { op: 'in', left: literal('lapsed'), right: { op: 'audiences' } };
  expect(evaluate(isIn, { ...nobody, audiences: ['lapsed'], audiencesOpen: true })).toBe(true);
  expect(evaluate(isIn, { ...nobody, audiences: ['other'], audiencesOpen: true })).toBe(undefined);
  expect(evaluate(isIn, { ...nobody, audiences: ['other'] })).toBe(false);
  expect(evaluate({ op: 'size', operand: { op: 'audiences' } }, { ...nobody, audiences: [], audiencesOpen: true })).toBe(undefined);
});

test('integers beyond 2^53 and division by zero are unknown, and no answer is minus zero', () => {
  expect(binary('/', 7, 0)).toBe(undefined);
  expect(binary('%', 7, 0)).toBe(undefined);
  expect(binary('+', Number.MAX_SAFE_INTEGER, 1)).toBe(undefined);
  expect(Object.is(binary('*', 0, -1), 0)).toBe(true);
  expect(Object.is(binary('/', -1, 2), 0)).toBe(true);
  expect(Object.is(binary('%', -2, 2), 0)).toBe(true);
});

test('integer arithmetic equals BigInt wherever the answer is safe', () => {
  const safe = fc.maxSafeInteger();
  fc.assert(
    fc.property(safe, safe, fc.constantFrom('+', '-', '*', '/', '%'), (left, right, op) => {
      const [a, b] = [BigInt(left), BigInt(right)];
      if (b === 0n && (op === '/' || op === '%')) return;
      const exact = { '+': () => a + b, '-': () => a - b, '*': () => a * b, '/': () => a / b, '%': () => a % b }[op]();
      const isSafe = exact >= BigInt(Number.MIN_SAFE_INTEGER) && exact <= BigInt(Number.MAX_SAFE_INTEGER);
      expect(binary(op, left, right)).toBe(isSafe ? Number(exact) : undefined);
    }),
  );
});

test('strings are ordered by code point, as their UTF-8 bytes are', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (left, right) => {
      expect(Math.sign(compareStrings(left, right))).toBe(Math.sign(Buffer.compare(Buffer.from(left), Buffer.from(right))));
    }),
  );
});

test('data that is not what was declared is unknown, never an exception', () => {
  const condition: Expression = { op: '>', left: unknown, right: literal(3) };
  for (const x of [null, {}, [null], 1.5, Number.NaN, 'four', true, undefined, 10n]) {
    expect(evaluate(condition, { ...nobody, profile: { x } as never })).toBe(undefined);
  }
});

test('a condition that would take too long is unknown', () => {
  const long = literal(Array.from({ length: 200 }, (_, index) => index));
  const slow: Expression = {
    op: 'all',
    list: long,
    variable: 'a',
    condition: { op: 'all', list: long, variable: 'b', condition: { op: '>=', left: { op: 'variable', name: 'b' }, right: literal(0) } },
  };
  expect(evaluate(slow, nobody)).toBe(undefined);
});
