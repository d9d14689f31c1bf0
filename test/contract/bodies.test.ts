/** What a body may be: strict JSON, strict fields, and problems that name places and never repeat a value. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDecideRequest } from '../../src/contract/convert.ts';
import { parseJsonBody } from '../../src/contract/json-text.ts';
import { ProblemError } from '../../src/contract/problem.ts';

function problemOf(run: () => unknown): ProblemError {
  try {
    run();
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

describe('strict JSON', () => {
  it.each([
    ['a repeated key', '{"offers":"denied","offers":"granted"}'],
    ['a repeated key in another spelling', '{"a":1,"\\u0061":2}'],
    ['a repeated key further down', '{"a":[{"b":{"c":1,"d":"}","c":2}}]}'],
    ['seventeen levels', nested(17)],
    ['ten thousand levels', nested(10_000)],
    ['nothing', ''],
    ['half an object', '{"a":'],
    ['a byte order mark', '\ufeff{}'],
    ['a comment', '{} // x'],
    ['NaN', '{"a":NaN}'],
  ])('refuses %s', (_, text) => {
    expect(problemOf(() => parseJsonBody(Buffer.from(text))).code).toBe('malformed_json');
  });

  it('refuses what is not UTF-8', () => {
    expect(problemOf(() => parseJsonBody(Buffer.from([0x22, 0xff, 0x22]))).code).toBe('malformed_json');
  });

  it('takes sixteen levels, equal keys in different objects, and strings that look like structure', () => {
    const tricky = JSON.stringify({ a: { a: '{"a":1,"a\\' }, b: 'a\\\\"', c: '"c":' });
    for (const text of [nested(16), '[{"a":1},{"a":2}]', tricky, '{"a":["b","b"],"b":"a"}']) {
      expect(parseJsonBody(Buffer.from(text))).toEqual(JSON.parse(text));
    }
  });

  it('reads what any writer of JSON wrote', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseJsonBody(Buffer.from(text))).toEqual(JSON.parse(text));
      }),
    );
  });
});

describe('the fields of a decide request', () => {
  it.each<[string, unknown, string]>([
    ['an unknown field', { page: 'home', secretish: 1 }, '/secretish'],
    ['an unknown field further down', { page: 'home', identity: { token: 't', sub: 'x' } }, '/identity/sub'],
    ['an unknown use case', { page: 'home', consent: { useCases: { everything: 'granted' } } }, '/consent/useCases/everything'],
    ['an unknown field of a zone', { zones: [{ id: 'hero', colour: 'red' }] }, '/zones/0/colour'],
    ['a prototype', JSON.parse('{"page":"home","__proto__":{"explain":true}}'), '/__proto__'],
    ['a constructor', JSON.parse('{"page":"home","constructor":1}'), '/constructor'],
    ['null for a field', { page: 'home', deadlineMs: null }, '/deadlineMs'],
    ['null for a context attribute', { page: 'home', context: { country: null } }, '/context/country'],
    ['text for a number', { page: 'home', deadlineMs: '60' }, '/deadlineMs'],
    ['a fraction', { page: 'home', deadlineMs: 1.5 }, '/deadlineMs'],
    ['a negative deadline', { page: 'home', deadlineMs: -1 }, '/deadlineMs'],
    ['a number too large to be exact', { page: 'home', deadlineMs: 2 ** 53 }, '/deadlineMs'],
    ['text for a boolean', { page: 'home', explain: 'false' }, '/explain'],
    ['a consent state that does not exist', { page: 'home', consent: { useCases: { offers: 'yes' } } }, '/consent/useCases/offers'],
    ['too many zones', { zones: Array.from({ length: 33 }, (_, index) => `z${index}`) }, '/zones'],
    ['no zones', { zones: [] }, '/zones'],
    ['a zone that is a number', { zones: ['hero', 7] }, '/zones/1'],
    ['a list for an object', [], ''],
    ['nothing', undefined, ''],
  ])('refuses %s and names the place', (_, body, pointer) => {
    const { code, errors } = problemOf(() => readDecideRequest(body));
    expect(code).toBe('invalid_request');
    expect(errors.map((error) => error.pointer)).toEqual([pointer]);
  });

  it('names an unknown field, and what is allowed instead', () => {
    const [place] = problemOf(() => readDecideRequest({ pgae: 'home' })).errors;
    expect(place?.detail).toMatch(/^remove `pgae`: known members are page, zones, deadlineMs.*; did you mean `page`\?$/);
  });

  it('never repeats a value, nor a name that may be one', () => {
    const marker = 'ada@example.org';
    const bodies = [
      { page: [marker] },
      { [marker]: 1 },
      { zones: [{ id: 'hero', budgetMs: marker }] },
      { context: { country: { [marker]: marker } } },
    ];
    for (const body of bodies) expect(JSON.stringify(problemOf(() => readDecideRequest(body)).errors)).not.toContain(marker);
  });

  // A search that compares every mistake with every other would not end within the time of a test.
  it.each([
    ['numbers for zones', { zones: Array.from({ length: 10_000 }, () => 1) }],
    ['objects for zones', { zones: Array.from({ length: 10_000 }, () => ({})) }],
    ['unknown fields', Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, 1]))],
    ['attributes that are objects', { context: Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, {}])) }],
  ])('says little, and soon, however much is wrong: %s', (_, body) => {
    expect(problemOf(() => readDecideRequest(body)).errors).toHaveLength(16);
  });

  it('takes or refuses any JSON, and does nothing else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          readDecideRequest(value);
        } catch (error) {
          expect(error).toBeInstanceOf(ProblemError);
        }
      }),
    );
  });
});

it.each([
  ['{"a":1,"a":2}', '/a'],
  ['{"zones":["x"],"context":{"country":"DE","country":"FR"}}', '/context/country'],
  ['{"zones":[{"id":"x"},{"id":"y","budgetMs":1,"id":"z"}]}', '/zones/1/id'],
  ['{"a":[1,[2,{"b":{}}],{"c":"x,y","\\u0063":0}]}', '/a/2/c'],
])('a repeated key is told by its place: %s', (text, pointer) => {
  expect(() => parseJsonBody(Buffer.from(text))).toThrow(expect.objectContaining({ errors: [expect.objectContaining({ pointer })] }));
});
