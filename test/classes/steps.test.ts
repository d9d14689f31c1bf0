/** The most steps that a condition can take: never fewer than evaluating it takes, and not so many more that a plain condition is too long. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stepsMaxOf } from '../../src/classes/steps.ts';
import { evaluate, type Scope } from '../../src/decision/evaluate.ts';
import {
  binaryOperators,
  type Expression,
  expressionStepsMax,
  type Literal,
  listItemsMax,
  textLengthMax,
} from '../../src/decision/expression.ts';
import type { Value } from '../../src/decision/value.ts';

const seed = Number(process.env.STEPWELL_TEST_SEED ?? Date.now() % 2 ** 31);

/** Whether evaluating it takes no more steps than these, of those that one condition is given: the rest is spent on purpose before the end. */
function takesAtMost(steps: number, expression: Expression, scope: Scope): boolean {
  const no: Expression = { op: 'literal', value: false };
  const yes: Expression = { op: 'literal', value: true };
  const taken: Expression = { op: 'and', operands: [expression, no] };
  const spent = Array.from({ length: expressionStepsMax - steps - 4 }, () => no);
  return evaluate({ op: 'or', operands: [taken, ...spent, yes] }, scope) === true;
}

const text = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'ab'),
  fc.integer({ min: 0, max: textLengthMax }).map((length) => 'a'.repeat(length)),
  fc.constantFrom('a'.repeat(textLengthMax), 'b'.repeat(textLengthMax), `${'a'.repeat(textLengthMax - 1)}b`),
);
const scalar = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 1, arbitrary: fc.integer({ min: -2, max: 2 }) },
  { weight: 1, arbitrary: fc.boolean() },
);
const listOf = <T>(item: fc.Arbitrary<T>, longest: number) =>
  fc.oneof(
    fc.array(item, { maxLength: 12 }),
    fc.tuple(item, fc.constantFrom(1, 9, longest)).map(([one, count]) => Array.from({ length: count }, () => one)),
  );
const written: fc.Arbitrary<Literal> = fc.oneof(
  { weight: 3, arbitrary: fc.oneof(scalar, fc.constantFrom('a'.repeat(3_000))) },
  // A policy's own list may be longer than a visitor's.
  { weight: 1, arbitrary: listOf(scalar, 1_000) },
);
const told: fc.Arbitrary<Value | undefined> = fc.oneof(scalar, listOf(text, listItemsMax), fc.constant(undefined));

const { expression } = fc.letrec<{ expression: Expression }>((tie) => {
  const part = tie('expression');
  const leaf: fc.Arbitrary<Expression> = fc.oneof(
    written.map((value) => ({ op: 'literal', value }) as const),
    fc.constantFrom('x', 'y', 'z').map((name) => ({ op: 'attribute', source: 'request', name }) as const),
    fc.constantFrom('v', 'w').map((name) => ({ op: 'variable', name }) as const),
    fc.constantFrom<Expression>({ op: 'audiences' }, { op: 'now' }, { op: 'has', source: 'request', name: 'x' }),
  );
  return {
    expression: fc.oneof(
      { maxDepth: 4 },
      { weight: 3, arbitrary: leaf },
      { weight: 6, arbitrary: fc.record({ op: fc.constantFrom(...binaryOperators), left: part, right: part }) },
      { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('and', 'or'), operands: fc.array(part, { minLength: 2, maxLength: 4 }) }) },
      { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('not', 'negate', 'size'), operand: part }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('list' as const), items: fc.array(part, { maxLength: 4 }) }) },
      {
        weight: 1,
        arbitrary: fc.tuple(part, part, part).map(([condition, first, otherwise]) => ifElse(condition, first, otherwise)),
      },
      {
        weight: 3,
        arbitrary: fc.record({ op: fc.constantFrom('exists', 'all'), list: part, variable: fc.constantFrom('v', 'w'), condition: part }),
      },
    ) as fc.Arbitrary<Expression>,
  };
});

describe('the most steps of a condition', () => {
  it('are never fewer than evaluating it takes, whatever is known', () => {
    console.log(`seed of the steps: ${seed}`);
    let held = 0;
    fc.assert(
      fc.property(
        expression,
        fc.record({ x: told, y: told, z: told }),
        fc.option(listOf(text, listItemsMax), { nil: undefined }),
        (one, drawn, audiences) => {
          const steps = stepsMaxOf(one);
          if (steps > expressionStepsMax - 4) return;
          const request = Object.fromEntries(Object.entries(drawn).filter(([, value]) => value !== undefined)) as Scope['request'];
          const scope = { request, session: undefined, profile: undefined, audiences, audiencesOpen: false, nowMs: 0 };
          expect(takesAtMost(steps, one, scope), JSON.stringify(one).slice(0, 500)).toBe(true);
          held++;
        },
      ),
      { seed, numRuns: 4_000, endOnFailure: true },
    );
    expect(held).toBeGreaterThan(1_000);
  });

  it.each<readonly [string, Expression, number]>([
    ['a text that is compared', { op: '==', left: attribute('x'), right: literal('DE') }, 8],
    ['a beginning', { op: 'startsWith', left: attribute('x'), right: literal('D') }, 3],
    ['a number that is added to', { op: '+', left: attribute('x'), right: literal(1) }, 3],
    ['a text put in order', { op: '<', left: attribute('x'), right: literal('abcdef') }, 4],
    ['the characters of a text', { op: 'size', operand: attribute('x') }, 343],
    ['a text that is looked for in a list', { op: 'in', left: literal('a'), right: { op: 'audiences' } }, 11],
    ['a list of the policy', { op: 'exists', list: literal(Array(1_000).fill('a')), variable: 'v', condition: literal(true) }, 1_002],
  ])('are little more than it takes: %s', (_, one, steps) => {
    expect(stepsMaxOf(one)).toBe(steps);
  });
});

function ifElse(condition: Expression, first: Expression, otherwise: Expression): Expression {
  // biome-ignore lint/suspicious/noThenProperty: expressions are made so, and nobody awaits them
  return { op: 'if', condition, then: first, otherwise };
}

function attribute(name: string): Expression {
  return { op: 'attribute', source: 'request', name };
}

function literal(value: Literal): Expression {
  return { op: 'literal', value };
}
