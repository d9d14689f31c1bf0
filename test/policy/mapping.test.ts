/** CEL over the answer of an HTTP source: what may be written, what it yields, and what an answer can make it cost. */
import { expect, test } from 'vitest';
import { compileMapping, createMappedAnswer } from '../../src/policy/mapping.ts';
import { checkMapping } from '../../src/policy/mapping-check.ts';
import { MappingError } from '../../src/policy/mapping-values.ts';

const yields = (source: string, response: unknown) => {
  expect(checkMapping(source)).toEqual([]);
  return compileMapping(source)(createMappedAnswer(response));
};

test('an expression reads the answer, and whole numbers come out as numbers', () => {
  const response = { tier: 'gold', days: 12, share: 0.25, members: [{ name: 'a', on: true }, { name: 'b' }], at: '2026-11-01T00:00:00Z' };
  expect(yields('response.tier', response)).toBe('gold');
  expect(yields('response.days + 1', response)).toBe(13);
  expect(yields('(response.days + 1) * 2 == 26 ? "even" : "odd"', response)).toBe('even');
  expect(yields('int(double(response.share) * 1000000.0)', response)).toBe(250_000);
  expect(yields('response.members.map(m, m.name)', response)).toEqual(['a', 'b']);
  expect(yields('response.members.filter(m, has(m.on) && m.on).map(m, m.name)', response)).toEqual(['a']);
  expect(yields('{"silver-to-gold": response.days}', response)).toEqual({ 'silver-to-gold': 12 });
  expect(yields('timestamp(response.at)', response)).toBe(Date.UTC(2026, 10, 1));
  expect(yields('"gold" in [response.tier, "silver"]', response)).toBe(true);
});

test('what the answer lacks is undefined, and what is null is null', () => {
  expect(yields('response.tier', {})).toBeUndefined();
  expect(yields('response.a.b.c', { a: 3 })).toBeUndefined();
  expect(yields('response.list[1]', { list: ['a'] })).toBeUndefined();
  expect(yields('response.tier', { tier: null })).toBeNull();
  expect(yields('has(response.tier) ? response.tier : "none"', {})).toBe('none');
});

test('names of JavaScript are names like any other', () => {
  const response = JSON.parse('{"scores":{"__proto__":1,"constructor":2,"toString":3}}');
  const scores = yields('response.scores', response) as Record<string, unknown>;
  expect(Object.entries(scores)).toEqual([
    ['__proto__', 1],
    ['constructor', 2],
    ['toString', 3],
  ]);
  expect(yields('response.constructor', {})).toBeUndefined();
});

test('an expression that cannot be evaluated for an answer says nothing of the answer', () => {
  for (const [source, response] of [
    ['response.days + 1', { days: 'secret' }],
    ['response.a == response.b', { a: ['secret'], b: ['secret'] }],
    ['int(response.days)', { days: 'secret' }],
    ['response.n + 9007199254740991', { n: 5 }],
  ] as const) {
    expect(() => yields(source, response)).toThrow(new MappingError());
  }
});

/** Each of these would go through hundreds of millions of items or characters. */
test('a large answer cannot make an expression run on', () => {
  const numbers = Array.from({ length: 16_000 }, (_, index) => 2 * index);
  const response = { list: numbers, texts: numbers.map(() => 'aaab'), text: 'a'.repeat(30_000) };
  for (const source of [
    'response.list.map(a, response.list.map(b, 1))',
    'response.list.map(a, a + 1 in response.list)',
    'response.list.exists(a, response.list.exists(b, a == b + 1))',
    'response.list.filter(a, response.list.all(b, a != b + 1))',
    'response.texts.map(a, response.text.contains(a))',
    'response.texts.map(a, response.text + a)',
    'response.list.exists(a, a.name == "x")',
    'response.texts.map(a, response.text < response.text + a)',
    `response.list.map(a, ${new Array(40).fill('a').join(' - ')})`,
  ]) {
    expect(() => yields(source, response), source).toThrow(MappingError);
  }
  expect(yields('response.list.filter(a, a > 2)', { list: numbers.slice(0, 6_000) })).toHaveLength(5_998);
});

test('the mappings of one answer share what reading it may cost, and each answer has its own', () => {
  const body = { list: Array.from({ length: 160 }, (_, index) => index), other: [1] };
  const quadratic = compileMapping('response.list.map(a, response.list.map(b, 1)).size()');
  const yieldsAll = compileMapping('response.list');
  const answer = createMappedAnswer(body);
  expect(quadratic(answer)).toBe(160);
  expect(() => quadratic(answer)).toThrow(MappingError);
  // What is spent stays spent, for whatever else reads the answer.
  expect(() => compileMapping('response.other')(answer)).toThrow(MappingError);
  expect(() => compileMapping('response.absent')(answer)).toThrow(MappingError);
  expect(quadratic(createMappedAnswer(body))).toBe(160);
  // Yielding a list is paid for as well.
  const another = createMappedAnswer(body);
  expect(() => {
    for (let time = 0; time < 1_000; time++) yieldsAll(another);
  }).toThrow(MappingError);
});

test('mistakes are found at load, each with its place', () => {
  const found = (source: string) => checkMapping(source).map(({ code, offset, message }) => `${code} ${offset}: ${message}`);
  expect(found('respons.tier')).toEqual(['unknown-attribute 0: there is no name `respons`; did you mean `response`?']);
  expect(found('response.tier >')).toEqual(['expression-syntax 15: this is not a CEL expression: it ends too soon']);
  expect(found('response.a.matches("(a+)+b")')).toEqual([
    expect.stringMatching(/^expression-unsupported 11: a mapping cannot call `matches`/),
  ]);
  expect(found('weighed(response)')).toEqual([expect.stringMatching(/^expression-unsupported 0: a mapping cannot call `weighed`/)]);
  expect(found('response.list.map(item)')).toEqual([
    'expression-type 14: `map` takes a name and what to do with it: write `.map(item, …)`',
  ]);
  expect(found(`response.${'a'.repeat(9_000)}`)).toEqual([
    'expression-too-large 0: a mapping may have 8192 characters and this has 9009: let the source answer something simpler',
  ]);
  expect(found(`${'!'.repeat(5_000)}response`)).toEqual([expect.stringMatching(/^expression-too-large/)]);
});
