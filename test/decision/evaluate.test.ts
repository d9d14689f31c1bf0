/** What a condition is worth, operator by operator: whatever is not certain is unknown, and nothing is an exception. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareStrings, evaluate, holds, type Scope } from '../../src/decision/evaluate.ts';
import { type Expression, listItemsMax, textLengthMax } from '../../src/decision/expression.ts';
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
} from './expression-of.ts';

const computed = (op: '/' | '%' | '*' | '+' | '-', left: number, right: number) =>
  evaluate(binary(literal(left), op, literal(right)), nobody);

/** `undefined` is unknown. */
type Row = readonly [says: string, condition: Expression, worth: Value | undefined, scope?: Partial<Scope>];
function check(rows: readonly Row[]): void {
  const cases = rows.map(([says, condition, worth, scope]) => ({ says, condition, worth, scope: { ...nobody, ...scope } }));
  test.each(cases)('$says', ({ condition, worth, scope }) => {
    expect(evaluate(condition, scope)).toStrictEqual(worth);
  });
}

test('and, or and not follow Kleene: unknown decides nothing and hides nothing', () => {
  const values = { true: literal(true), false: literal(false), unknown } as const;
  const table = Object.entries(values).flatMap(([a, left]) =>
    Object.entries(values).map(([b, right]) => [`${a} ${b}`, evaluate(and(left, right), nobody), evaluate(or(left, right), nobody)]),
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
  expect(evaluate(not(unknown), nobody)).toBe(undefined);
});

describe('and, or, not and a choice', () => {
  check([
    ['not true is false', not(literal(true)), false],
    ['not false is true', not(literal(false)), true],
    ['not of a text is unknown', not(literal('')), undefined],
    ['not of a number is unknown', not(literal(0)), undefined],
    ['what is neither true nor false decides no and', and(literal(1), literal(true)), undefined],
    ['and no or', or(literal('true'), literal(false)), undefined],
    ['of three, the last may decide', and(literal(true), unknown, literal(false)), false],
    ['of nothing, and is true', and(), true],
    ['of nothing, or is false', or(), false],
    ['a choice by true is the first', either(literal(true), literal('yes'), literal('no')), 'yes'],
    ['a choice by false is the second', either(literal(false), literal('yes'), literal('no')), 'no'],
    ['a choice by what is unknown is unknown, though both are the same', either(unknown, literal(1), literal(1)), undefined],
    ['a choice by a text is unknown', either(literal('yes'), literal(1), literal(2)), undefined],
    ['a choice by a number is unknown', either(literal(0), literal(1), literal(2)), undefined],
  ]);

  test('a rule applies to everybody without a condition, and else only where it is true', () => {
    expect([null, literal(true), literal(false), unknown, literal('true'), literal(1)].map((when) => holds(when, nobody))).toEqual([
      'true',
      'true',
      'false',
      'unknown',
      'unknown',
      'unknown',
    ]);
  });
});

test('has() tells a missing attribute from a missing profile', () => {
  const has: Expression = { op: 'has', source: 'profile', name: 'vip' };
  expect(evaluate(has, { ...nobody, profile: { vip: true } })).toBe(true);
  expect(evaluate(has, { ...nobody, profile: {} })).toBe(false);
  expect(evaluate(has, nobody)).toBe(undefined);
  expect(evaluate({ op: 'has', source: 'profile', name: 'constructor' }, { ...nobody, profile: {} })).toBe(false);
});

describe('audiences', () => {
  const isIn = (name: string) => binary(literal(name), 'in', audiences);
  const nine = Array.from({ length: 9 }, (_, index) => `audience-${index}`);
  check([
    ['hold what is listed', isIn('lapsed'), true, { audiences: ['lapsed'] }],
    ['and nothing else', isIn('lapsed'), false, { audiences: ['other'] }],
    ['hold what is listed though there may be more', isIn('lapsed'), true, { audiences: ['lapsed'], audiencesOpen: true }],
    ['prove nothing by their silence then', isIn('lapsed'), undefined, { audiences: ['other'], audiencesOpen: true }],
    ['say nothing while none are known', isIn('lapsed'), undefined],
    ['hold the last of many', isIn('audience-8'), true, { audiences: nine }],
    ['and nothing else, of many', isIn('lapsed'), false, { audiences: nine }],
    ['hold one of many though there may be more', isIn('audience-0'), true, { audiences: nine, audiencesOpen: true }],
    ['prove nothing by the silence of many then', isIn('lapsed'), undefined, { audiences: nine, audiencesOpen: true }],
    ['are counted', size(audiences), 2, { audiences: ['a', 'b'] }],
    ['are not counted while there may be more', size(audiences), undefined, { audiences: [], audiencesOpen: true }],
    ['have a member that fits', exists(audiences, 'x', binary(variable('x'), '==', literal('a'))), true, { audiences: ['b', 'a'] }],
    ['have none that fits', exists(audiences, 'x', binary(variable('x'), '==', literal('c'))), false, { audiences: ['b', 'a'] }],
    [
      'may have one that fits while there may be more',
      exists(audiences, 'x', binary(variable('x'), '==', literal('c'))),
      undefined,
      { audiences: ['b'], audiencesOpen: true },
    ],
    [
      'have one that fits though there may be more',
      exists(audiences, 'x', binary(variable('x'), '==', literal('b'))),
      true,
      { audiences: ['b'], audiencesOpen: true },
    ],
    [
      'all fit only where there are no more',
      all(audiences, 'x', binary(variable('x'), '==', literal('b'))),
      undefined,
      { audiences: ['b'], audiencesOpen: true },
    ],
    [
      'do not all fit where one does not',
      all(audiences, 'x', binary(variable('x'), '==', literal('b'))),
      false,
      { audiences: ['c'], audiencesOpen: true },
    ],
    ['say nothing to a search while none are known', exists(audiences, 'x', literal(true)), undefined],
  ]);
});

describe('equality', () => {
  const of = (left: Literals, right: Literals) => binary(written(left), '==', written(right));
  type Literals = string | number | boolean | undefined | readonly Literals[];
  const written = (value: Literals): Expression =>
    value === undefined ? unknown : Array.isArray(value) ? list(...value.map(written)) : literal(value as string);
  check([
    ['of texts', of('a', 'a'), true],
    ['of other texts', of('a', 'b'), false],
    ['of numbers', of(1, 1), true],
    ['of truths', of(false, false), true],
    ['of a text and a number is unknown', of('1', 1), undefined],
    ['of a number and a truth is unknown', of(1, true), undefined],
    ['of a text and a list of it is unknown', of('a', ['a']), undefined],
    ['of a list and its only text is unknown', of(['a'], 'a'), undefined],
    ['of two unknowns is unknown', of(undefined, undefined), undefined],
    ['of something and an unknown is unknown', of('a', undefined), undefined],
    ['of an unknown and something is unknown', of(undefined, 'a'), undefined],
    ['of lists', of([1, 2], [1, 2]), true],
    ['of lists in another order', of([1, 2], [2, 1]), false],
    ['of a list and a longer one that begins with it', of([1], [1, 2]), false],
    ['of a list and a shorter one', of([1, 2], [1]), false],
    ['of empty lists', of([], []), true],
    ['of lists of lists', of([[1], [2]], [[1], [2]]), true],
    ['of other lists of lists', of([[1], [2]], [[1], [3]]), false],
    ['of lists with items of different types is unknown', of([1, 'a'], [1, 2]), undefined],
    ['but false where another item differs for certain', of(['a', 2], [1, 3]), false],
    ['of a list with an unknown item is unknown', of([1, undefined], [1, 2]), undefined],
    ['of a list and something unknown is unknown', of([1], undefined), undefined],
  ]);

  test('is the opposite of inequality, and neither is known without the other', () => {
    const values: readonly Literals[] = ['a', 'b', 1, true, undefined, ['a'], [1, undefined]];
    for (const left of values) {
      for (const right of values) {
        const same = evaluate(of(left, right), nobody);
        const other = evaluate(binary(written(left), '!=', written(right)), nobody);
        expect(other, `${left} != ${right}`).toBe(typeof same === 'boolean' ? !same : undefined);
      }
    }
    expect(evaluate(binary(literal('a'), '!=', literal('b')), nobody)).toBe(true);
  });
});

describe('order', () => {
  const inOrder: readonly (readonly [string | number | boolean, string | number | boolean])[] = [
    [1, 2],
    [-1, 0],
    [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [false, true],
    ['', 'a'],
    ['a', 'aa'],
    ['B', 'a'],
    ['a', 'ä'],
    ['ab', 'b'],
    // By character, not by half of one: those beyond the first 65,536 come last.
    ['\uffff', '\u{10000}'],
    ['\ue000', '\u{1f600}'],
    ['\u{1f600}', '\u{1f601}'],
    ['\u{fffd}', '\u{10ffff}'],
    ['\ud7ff', '\ud800'],
    ['\ud7ff', '\ue000'],
    ['\ue000', '\ud800'],
    ['\uffff', '\udfff'],
    ['\ud800', '\udfff'],
  ];
  test.each(inOrder)('%j comes before %j', (less, more) => {
    const said = (left: string | number | boolean, right: string | number | boolean) =>
      (['<', '<=', '>', '>='] as const).map((op) => evaluate(binary(literal(left), op, literal(right)), nobody));
    expect(said(less, more)).toEqual([true, true, false, false]);
    expect(said(more, less)).toEqual([false, false, true, true]);
    for (const same of [less, more]) expect(said(same, same)).toEqual([false, true, false, true]);
  });

  const values = [1, '1', true, [1], undefined] as const;
  test('is unknown between values of different types, between lists, and of what is unknown', () => {
    for (const [at, left] of values.entries()) {
      for (const [against, right] of values.entries()) {
        if (at === against && at < 3) continue;
        for (const op of ['<', '<=', '>', '>='] as const) {
          const written = (value: (typeof values)[number]) => (value === undefined ? unknown : literal(value));
          expect(evaluate(binary(written(left), op, written(right)), nobody), `${left} ${op} ${right}`).toBe(undefined);
        }
      }
    }
  });
});

test('strings are ordered by code point, as their UTF-8 bytes are', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (left, right) => {
      expect(Math.sign(compareStrings(left, right))).toBe(Math.sign(Buffer.compare(Buffer.from(left), Buffer.from(right))));
    }),
  );
});

describe('texts', () => {
  const of = (left: Expression, op: 'startsWith' | 'endsWith' | 'contains', right: Expression) => binary(left, op, right);
  const text = literal('abcabd');
  check([
    ['start with what they start with', of(text, 'startsWith', literal('abc')), true],
    ['and with nothing else', of(text, 'startsWith', literal('abd')), false],
    ['end with what they end with', of(text, 'endsWith', literal('abd')), true],
    ['and with nothing else at all', of(text, 'endsWith', literal('abc')), false],
    ['contain what stands in the middle', of(text, 'contains', literal('cab')), true],
    ['and nothing that stands nowhere', of(text, 'contains', literal('cba')), false],
    ['contain the empty text', of(text, 'contains', literal('')), true],
    ...(['startsWith', 'endsWith', 'contains'] as const).flatMap((op): readonly Row[] => [
      [`${op} with a number is unknown`, of(text, op, literal(1)), undefined],
      [`${op} of a number is unknown`, of(literal(1), op, text), undefined],
      [`${op} of a list is unknown, though it has the item`, of(list(text), op, text), undefined],
      [`${op} of numbers is unknown`, of(literal(1), op, literal(1)), undefined],
      [`${op} with what is unknown is unknown`, of(text, op, unknown), undefined],
      [`${op} of what is unknown is unknown`, of(unknown, op, text), undefined],
    ]),
    ['are as long as they have characters', size(literal('aä😀')), 3],
    ['that are empty have none', size(literal('')), 0],
  ]);
});

describe('lists', () => {
  const one = binary(variable('x'), '==', literal(1));
  check([
    ['are as long as they have items', size(list(literal('a'), literal('b'), literal('c'))), 3],
    ['with an unknown item are unknown as a whole', size(list(literal('a'), unknown)), undefined],
    ['are worth their items in order', list(literal('b'), literal('a')), ['b', 'a']],
    ['hold what is written', binary(literal(2), 'in', list(literal(1), literal(2))), true],
    ['and nothing else', binary(literal(3), 'in', list(literal(1), literal(2))), false],
    ['hold what is written beside an unknown', binary(literal(2), 'in', list(unknown, literal(2))), true],
    ['may hold anything beside an unknown', binary(literal(3), 'in', list(literal(1), unknown, literal(2))), undefined],
    ['that are empty hold nothing', binary(literal(3), 'in', list()), false],
    ['that are empty do not tell of what is unknown', binary(unknown, 'in', list()), undefined],
    ['do not tell of what is unknown', binary(unknown, 'in', list(unknown)), undefined],
    ['of texts do not tell of a number', binary(literal(3), 'in', list(literal('3'))), undefined],
    ['may hold lists', binary(literal([1]), 'in', list(literal([2]), literal([1]))), true],
    ['have an item that fits', exists(list(literal(2), literal(1)), 'x', one), true],
    ['have none that fits', exists(list(literal(2), literal(3)), 'x', one), false],
    ['have one that fits beside an unknown', exists(list(unknown, literal(1)), 'x', one), true],
    ['may have one that fits beside an unknown', exists(list(literal(2), unknown, literal(3)), 'x', one), undefined],
    ['all fit', all(list(literal(1), literal(1)), 'x', one), true],
    ['do not all fit', all(list(literal(1), literal(2)), 'x', one), false],
    ['do not all fit beside an unknown', all(list(unknown, literal(2)), 'x', one), false],
    ['may all fit beside an unknown', all(list(literal(1), unknown, literal(1)), 'x', one), undefined],
    ['that are empty have none that fits', exists(list(), 'x', literal(true)), false],
    ['that are empty all fit', all(list(), 'x', literal(false)), true],
    ['are not looked through by what is neither true nor false', exists(list(literal(1)), 'x', variable('x')), undefined],
    ['nor does all of it fit', all(list(literal(1)), 'x', variable('x')), undefined],
    ['a text is none', exists(literal('abc'), 'x', literal(true)), undefined],
    ['nor is a text one to look in', binary(literal('a'), 'in', literal('abc')), undefined],
    ['nor is what is unknown', exists(unknown, 'x', literal(true)), undefined],
    ['nor does anything stand in what is unknown', binary(literal(1), 'in', unknown), undefined],
  ]);

  const profile = { few: ['a', 1, true], many: Array.from({ length: 9 }, (_, index) => `item-${index}`) };
  const mixed = [...profile.many.slice(1), 7];
  const of = (name: string) => attribute(name, 'profile');
  check([
    ['of a visitor hold a text', binary(literal('a'), 'in', of('few')), true, { profile: { few: ['b', 'a'] } }],
    ['and no other', binary(literal('c'), 'in', of('few')), false, { profile: { few: ['b', 'a'] } }],
    ['of all types do not tell of what they do not hold', binary(literal('c'), 'in', of('few')), undefined, { profile }],
    ['that are long hold a text', binary(literal('item-8'), 'in', of('many')), true, { profile }],
    ['that are long hold no other', binary(literal('item-9'), 'in', of('many')), false, { profile }],
    ['that are long do not tell of a number', binary(literal(8), 'in', of('many')), undefined, { profile }],
    ['that are long do not tell of what is unknown', binary(unknown, 'in', of('many')), undefined, { profile }],
    ['that are long and of all types hold a text', binary(literal('item-8'), 'in', of('many')), true, { profile: { many: mixed } }],
    ['and a number', binary(literal(7), 'in', of('many')), true, { profile: { many: mixed } }],
    ['and do not tell of the rest', binary(literal('item-0'), 'in', of('many')), undefined, { profile: { many: mixed } }],
    ['that are empty hold nothing', binary(literal('a'), 'in', of('few')), false, { profile: { few: [] } }],
    ['that are empty do not tell of what is unknown', binary(unknown, 'in', of('few')), undefined, { profile: { few: [] } }],
  ]);

  const grid = list(literal([1, 2]), literal([3]));
  const inner = (condition: Expression) => exists(grid, 'row', exists(variable('row'), 'cell', condition));
  check([
    ['within lists are looked through too', inner(binary(variable('cell'), '==', literal(3))), true],
    ['and the outer name keeps its worth', inner(binary(binary(size(variable('row')), '+', variable('cell')), '==', literal(5))), false],
    ['in each row', inner(binary(binary(size(variable('row')), '+', variable('cell')), '==', literal(4))), true],
    [
      'a name is that of the nearest',
      exists(list(literal(1)), 'x', exists(list(literal(2)), 'x', binary(variable('x'), '==', literal(2)))),
      true,
    ],
    [
      'and not that of the next',
      exists(list(literal(1)), 'x', exists(list(literal(2)), 'x', binary(variable('x'), '==', literal(1)))),
      false,
    ],
    ['a name that nobody gave is unknown', exists(list(literal(1)), 'x', binary(variable('y'), '==', literal(1))), undefined],
    ['a name outside of what gave it is unknown', and(exists(list(literal(1)), 'x', one), one), undefined],
    ['an item may be looked for in another list', exists(list(literal('a')), 'x', binary(variable('x'), 'in', list(literal('a')))), true],
    ['and another list be an item', exists(list(literal([1, 2])), 'x', binary(literal(2), 'in', variable('x'))), true],
  ]);
});

describe('numbers', () => {
  check([
    ['may be negated', negate(literal(3)), -3],
    ['and back', negate(negate(literal(3))), 3],
    ['that are negated are never minus zero', negate(literal(0)), 0],
    ['a text is none to negate', negate(literal('3')), undefined],
    ['nor is a truth', negate(literal(true)), undefined],
    ['nor is what is unknown', negate(unknown), undefined],
    ['the time is one', { op: 'now' }, 1_000, { nowMs: 1_000 }],
    ['a time beyond counting is unknown', { op: 'now' }, undefined, { nowMs: 2 ** 53 }],
    ['texts are not joined', binary(literal('1'), '+', literal('2')), undefined],
    ['nor is a text and a number', binary(literal('1'), '+', literal(2)), undefined],
    ['nor is a number taken from a text', binary(literal('2'), '-', literal(1)), undefined],
    ['nor a number and a text', binary(literal(2), '-', literal('1')), undefined],
    ['truths are not counted', binary(literal(true), '+', literal(true)), undefined],
    ['texts are not multiplied', binary(literal('2'), '*', literal('2')), undefined],
    ['lists are not joined', binary(list(), '+', list()), undefined],
    ['what is unknown is not computed with', binary(unknown, '*', literal(0)), undefined],
    ['nor computed from', binary(literal(0), '*', unknown), undefined],
  ]);
});

test('integers beyond 2^53 and division by zero are unknown, and no answer is minus zero', () => {
  expect(computed('/', 7, 0)).toBe(undefined);
  expect(computed('/', 0, 0)).toBe(undefined);
  expect(computed('%', 7, 0)).toBe(undefined);
  expect(computed('+', Number.MAX_SAFE_INTEGER, 1)).toBe(undefined);
  expect(Object.is(computed('*', 0, -1), 0)).toBe(true);
  expect(Object.is(computed('/', -1, 2), 0)).toBe(true);
  expect(Object.is(computed('%', -2, 2), 0)).toBe(true);
});

test('integer arithmetic equals BigInt wherever the answer is safe', () => {
  const safe = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -20, max: 20 }));
  fc.assert(
    fc.property(safe, safe, fc.constantFrom('+', '-', '*', '/', '%'), (left, right, op) => {
      const [a, b] = [BigInt(left), BigInt(right)];
      if (b === 0n && (op === '/' || op === '%')) return;
      const exact = { '+': () => a + b, '-': () => a - b, '*': () => a * b, '/': () => a / b, '%': () => a % b }[op]();
      const isSafe = exact >= BigInt(Number.MIN_SAFE_INTEGER) && exact <= BigInt(Number.MAX_SAFE_INTEGER);
      expect(computed(op, left, right)).toBe(isSafe ? Number(exact) : undefined);
    }),
  );
});

describe('stored data', () => {
  const of = (x: unknown) => evaluate(attribute('x', 'profile'), { ...nobody, profile: { x } as never });

  test('is worth what it says where it is a text, a number, a truth or a list of those', () => {
    const values = ['', 'four', 0, -7, true, false, [], ['a', 'b'], [1, 2], [true, false], ['a', 1, true]] as const;
    for (const value of values) expect(of(value)).toEqual(value);
    expect(Object.is(of(-0), 0)).toBe(true);
  });

  test('that is not what was declared is unknown, never an exception', () => {
    const condition: Expression = { op: '>', left: attribute('x', 'profile'), right: literal(3) };
    for (const x of [null, {}, [null], 1.5, Number.NaN, 'four', true, undefined, 10n]) {
      expect(evaluate(condition, { ...nobody, profile: { x } as never })).toBe(undefined);
    }
    for (const x of [null, {}, undefined, 1.5, 2 ** 53, Number.POSITIVE_INFINITY, 10n, () => true, Symbol('x'), { length: 1, 0: 'a' }]) {
      expect(of(x), String(x)).toBe(undefined);
      expect(of(['a', x]), `a list with ${String(x)}`).toBe(undefined);
      expect(of([x, 'a']), `a list that begins with ${String(x)}`).toBe(undefined);
    }
    expect(of([['a']])).toBe(undefined);
  });

  test('that was once looked in is judged all the same', () => {
    const many = [...Array.from({ length: 9 }, (_, index) => `item-${index}`)];
    expect(evaluate(binary(literal('item-0'), 'in', attribute('x', 'profile')), { ...nobody, profile: { x: many } })).toBe(true);
    expect(of(many)).toEqual(many);
    expect(of([...many, null])).toBe(undefined);
  });

  test('that is too long is as good as not there', () => {
    const text = 'a'.repeat(textLengthMax);
    const items = Array.from({ length: listItemsMax }, () => 1);
    expect(of(text)).toBe(text);
    expect(of(`${text}a`)).toBe(undefined);
    expect(of(items)).toEqual(items);
    expect(of([...items, 1])).toBe(undefined);
  });

  test('is read from the source that is named, and by its own names', () => {
    const scope: Scope = { ...nobody, request: { x: 1 }, session: { x: 2 }, profile: { x: 3 } };
    expect((['request', 'session', 'profile'] as const).map((source) => evaluate(attribute('x', source), scope))).toEqual([1, 2, 3]);
    expect(evaluate(attribute('constructor', 'request'), scope)).toBe(undefined);
    expect(evaluate(attribute('toString', 'profile'), { ...scope, profile: Object.create({ toString: 'x' }) })).toBe(undefined);
  });
});
