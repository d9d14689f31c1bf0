/**
 * A condition takes no more than so many steps, and a step no more than so much work: one that would is unknown. What each
 * part of it takes is held exactly, because a policy that is within bounds here must be within bounds everywhere.
 */
import { describe, expect, test } from 'vitest';
import { evaluate, type Scope } from '../../src/decision/evaluate.ts';
import { type Expression, expressionStepsMax } from '../../src/decision/expression.ts';
import type { Value } from '../../src/decision/value.ts';
import {
  all,
  and,
  attribute,
  audiences,
  binary,
  either,
  exists,
  list,
  literal,
  negate,
  nobody,
  not,
  or,
  size,
  unknown,
  variable,
  worthWithin,
} from './expression-of.ts';

const texts = (length: number) => Array.from({ length }, (_, index) => `item-${index}`);
const numbers = (length: number) => Array.from({ length }, (_, index) => index);
const a = (length: number) => 'a'.repeat(length);
const text = (length: number) => literal(a(length));
const within = (items: readonly Value[]): Partial<Scope> => ({ profile: { items: items as never } });
const items = attribute('items', 'profile');

const exact: readonly (readonly [says: string, expression: Expression, steps: number, scope?: Partial<Scope>])[] = [
  ['a literal', literal(1), 1],
  ['an attribute', attribute('x'), 1, { request: { x: 1 } }],
  ['whether there is an attribute', { op: 'has', source: 'request', name: 'x' }, 1],
  ['audiences', audiences, 1, { audiences: texts(100) }],
  ['the time', { op: 'now' }, 1],
  ['a list', list(literal(1), literal(2)), 3],
  ['and', and(literal(true), literal(true)), 3],
  ['and, as far as the first that decides', and(literal(true), literal(false), literal(true)), 3],
  ['or, as far as the first that decides', or(literal(true), literal(false)), 2],
  ['not', not(literal(true)), 2],
  ['a negation', negate(literal(1)), 2],
  ['a choice, with what is chosen', either(literal(true), literal(1), list(literal(2))), 3],
  ['a choice, with what else is chosen', either(literal(false), list(literal(2)), literal(1)), 3],
  ['a sum', binary(literal(1), '+', literal(1)), 3],
  ['the size of a list', size(literal(numbers(100))), 2],
  ['the size of a text of two characters', size(text(2)), 2],
  ['the size of a text of three', size(text(3)), 3],
  ['the size of a text of 299', size(text(299)), 2 + 99],
  ['the size of a text of 300', size(text(300)), 2 + 100],
  ['equality of numbers', binary(literal(1), '==', literal(1)), 3],
  ['equality of texts of 199', binary(text(199), '==', text(199)), 3],
  ['equality of texts of 200', binary(text(200), '==', text(200)), 4],
  ['equality of a long text and a short one', binary(text(1000), '==', text(1)), 3 + 5],
  ['equality of a short text and a long one', binary(text(1), '==', text(1000)), 3],
  ['inequality of texts of 199', binary(text(199), '!=', text(199)), 3],
  ['inequality of texts of 400', binary(text(400), '!=', text(400)), 3 + 2],
  ['equality of lists', binary(literal(numbers(7)), '==', literal(numbers(7))), 3 + 7],
  ['equality of lists, by the shorter', binary(literal(numbers(7)), '==', literal(numbers(2))), 3 + 2],
  ['equality of lists, by the shorter the other way round', binary(literal(numbers(2)), '==', literal(numbers(7))), 3 + 2],
  ['order of numbers', binary(literal(1), '<', literal(1)), 3],
  ['order of texts of five', binary(text(5), '<', text(5)), 3],
  ['order of texts of six', binary(text(6), '<', text(6)), 4],
  ['order of texts, by the shorter', binary(text(600), '<=', text(60)), 3 + 10],
  ['order of texts, by the shorter the other way round', binary(text(60), '>', text(600)), 3 + 10],
  ['how a text starts', binary(text(1000), 'startsWith', text(1000)), 3],
  ['how a text ends', binary(text(1000), 'endsWith', text(1000)), 3],
  ['what a text contains, below one step', binary(text(179), 'contains', text(1)), 3],
  ['what a text contains', binary(text(100), 'contains', text(18)), 3 + 10],
  ['what a text contains that is longer than it', binary(text(18), 'contains', text(100)), 3 + 10],
  ['a written list, as far as the item', binary(literal(1), 'in', list(literal(0), literal(1), literal(2))), 4],
  ['a written list to its end', binary(literal(9), 'in', list(literal(0), literal(1), literal(2))), 5],
  ['an empty list', binary(literal(1), 'in', list()), 2],
  ['a few texts of a visitor, by fours', binary(literal('x'), 'in', items), 3, within(texts(3))],
  ['four texts of a visitor', binary(literal('x'), 'in', items), 3 + 1, within(texts(4))],
  ['eight texts of a visitor', binary(literal('x'), 'in', items), 3 + 2, within(texts(8))],
  ['nine texts of a visitor, which are looked up', binary(literal('x'), 'in', items), 3 + 8, within(texts(9))],
  ['as many texts as a visitor may have', binary(literal('x'), 'in', items), 3 + 8, within(texts(256))],
  ['numbers of a visitor', binary(literal(1), 'in', items), 3 + 10, within(numbers(40))],
  ['a number among texts and numbers', binary(literal(1), 'in', items), 3 + 3, within([...texts(10), 1, 2])],
  ['a text among texts and numbers', binary(literal('item-0'), 'in', items), 3 + 3, within([...texts(10), 1, 2])],
  ['audiences, which are looked up', binary(literal('x'), 'in', audiences), 2 + 8, { audiences: texts(100) }],
  ['few audiences', binary(literal('x'), 'in', audiences), 2 + 2, { audiences: texts(8) }],
  [
    'a list that a name stands for, which is not',
    exists(list(literal(texts(40))), 'x', binary(literal('item-0'), 'in', variable('x'))),
    2 + 3 + 10,
  ],
  ['exists, with its condition for each item', exists(literal([1, 2, 3]), 'x', binary(variable('x'), '==', literal(0))), 2 + 3 * 3],
  ['exists, as far as the first that fits', exists(literal([1, 2, 3]), 'x', binary(variable('x'), '==', literal(2))), 2 + 3 * 2],
  ['all, with its condition for each item', all(literal([1, 2, 3]), 'x', binary(variable('x'), '<', literal(9))), 2 + 3 * 3],
  ['exists in a written list, all of whose items are worked out', exists(list(literal(1), literal(2)), 'x', literal(true)), 1 + 2 + 1],
  ['exists in audiences', exists(audiences, 'x', literal(false)), 1 + 5, { audiences: texts(5) }],
];

describe('takes exactly so many steps:', () => {
  const cases = exact.map(([says, expression, steps, scope]) => ({ says, expression, steps, scope: { ...nobody, ...scope } }));
  test.each(cases)('$says', ({ expression, steps, scope }) => {
    const worth = evaluate(expression, scope);
    expect(worth).not.toBe(undefined);
    expect(worthWithin(steps, expression, scope)).toEqual(worth);
    expect(worthWithin(steps - 1, expression, scope)).toBe(undefined);
  });
});

const ofUnknown: readonly (readonly [says: string, expression: Expression, steps: number])[] = [
  ['a comparison of a long text with what is unknown', binary(text(1000), '==', unknown), 3],
  ['an order of what is unknown', binary(unknown, '<', text(1000)), 3],
  ['a search for what is unknown', binary(text(1000), 'contains', unknown), 3],
  ['a search in what is unknown', binary(unknown, 'contains', text(1000)), 3],
  ['a search for a number', binary(text(1000), 'contains', literal(1)), 3],
  ['a search in a number', binary(literal(1), 'contains', text(1000)), 3],
  ['an order of texts and numbers', binary(text(1000), '<', literal(1)), 3],
  ['an order of numbers and texts', binary(literal(1), '<', text(1000)), 3],
  ['an equality of a list and a number', binary(literal(numbers(100)), '==', literal(1)), 3],
  ['an equality of a number and a list', binary(literal(1), '==', literal(numbers(100))), 3],
  ['an equality of a number and a text', binary(literal(1), '==', text(1000)), 3],
  ['a choice by what is unknown', either(unknown, list(literal(1)), list(literal(2))), 2],
  ['a list, as far as what is unknown', list(unknown, literal(1)), 2],
  ['a look for what is unknown in a written list', binary(unknown, 'in', list(literal(1))), 2],
  ['exists in what is no list', exists(literal(1), 'x', literal(true)), 2],
  ['a name that nobody gave', variable('x'), 1],
];

test.each(ofUnknown)('takes exactly so many steps and stays unknown: %s', (_says, expression, steps) => {
  expect(evaluate(expression, nobody)).toBe(undefined);
  // Itself, the negation that keeps it from deciding, and what decides after it.
  const decided = or(negate(expression), literal(true));
  expect(worthWithin(steps + 3, decided, nobody)).toBe(true);
  expect(worthWithin(steps + 2, decided, nobody)).toBe(undefined);
});

describe('a condition that has taken its steps', () => {
  const flags = (length: number, value: boolean) => Array.from({ length }, () => literal(value));

  test('is answered where they just suffice, and unknown where they do not', () => {
    expect(evaluate(and(...flags(expressionStepsMax - 1, true)), nobody)).toBe(true);
    expect(evaluate(and(...flags(expressionStepsMax, true)), nobody)).toBe(undefined);
  });

  test('is what has been decided by then', () => {
    expect(evaluate(or(literal(true), ...flags(expressionStepsMax, false)), nobody)).toBe(true);
    expect(evaluate(or(...flags(expressionStepsMax, false), literal(true)), nobody)).toBe(undefined);
  });

  test('has none again for what comes after', () => {
    const dear = binary(text(1024), 'contains', text(1024));
    expect(evaluate(dear, nobody)).toBe(undefined);
    expect(evaluate(or(dear, literal(true)), nobody)).toBe(undefined);
    expect(evaluate(or(size(text(20_000)), literal(true)), nobody)).toBe(undefined);
    expect(evaluate(exists(literal([1, 0]), 'x', or(binary(variable('x'), '==', literal(0)), dear)), nobody)).toBe(undefined);
  });

  test('does not decide by what it did not look at, of lists within lists', () => {
    const long = literal(numbers(200));
    const nested = (last: Expression) => all(long, 'a', all(long, 'b', last));
    expect(evaluate(nested(binary(variable('b'), '>=', literal(0))), nobody)).toBe(undefined);
    expect(evaluate(nested(binary(binary(variable('a'), '+', variable('b')), '<', literal(398))), nobody)).toBe(undefined);
  });

  test('leaves every other condition its own', () => {
    const most = and(...flags(expressionStepsMax - 1, true));
    expect([most, most, most].map((each) => evaluate(each, nobody))).toEqual([true, true, true]);
  });
});
