import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { Artefact } from '../../src/decision/artefact.ts';
import { compilePolicy, formatProblem } from '../../src/policy/compile.ts';

const read = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8');
const contract = read('contract.yaml');
const small = read('small.yaml');
const nowMs = Date.parse('2026-11-21T12:00:00Z');
const options = { file: 'policy.yaml', nowMs };

function artefactOf(text: string): Artefact {
  const { artefact, problems } = compilePolicy(text, options);
  if (artefact === null) throw new Error(problems.map(formatProblem).join('\n'));
  return artefact;
}

/** The small policy with the condition of its user rung replaced, and that rung's rule. */
function ruleWith(when: string) {
  const artefact = artefactOf(small.replace(`'profile.loyalty == "gold"'`, () => JSON.stringify(when)));
  const select = artefact.zones.hero?.ladder[0]?.select;
  if (select?.by !== 'choose' || select.rules[0] === undefined) throw new Error('the fixture changed');
  return select.rules[0];
}

describe('the policy of the contract', () => {
  const { artefact, problems } = compilePolicy(contract, options);

  test('compiles without a word', () => expect(problems).toEqual([]));

  test('keeps what it says and fills in what it leaves out', () => {
    expect(artefact).toMatchObject({
      format: 1,
      policy: 'retail',
      owner: 'digital-experience',
      contextualWithoutSignal: true,
      freshnessMaxMs: 0,
      sensitiveCategories: [],
      consent: { path: 'vendor', vendorId: 1111, maxAgeDays: 180, regimes: { US: 'us_opt_out' } },
      dependencies: {
        identity: { budgetMs: 20, retries: 0, onFailure: 'session' },
        model: { budgetMs: null, retries: 0, onFailure: null, late: null, source: null },
      },
      audiences: { newsletter: { edge: true }, lapsed: { edge: false } },
    });
    expect(artefact?.zones.hero?.ladder.map((rung) => rung.tier)).toEqual(['user', 'session', 'segment', 'anonymous']);
    expect(artefact?.zones.hero?.ladder[3]?.approved).toEqual({
      by: 'Brand lead',
      onMs: Date.UTC(2026, 10, 1),
      untilMs: Date.UTC(2027, 10, 1),
    });
  });

  test('lowers its offer with all that the offer reads', () => {
    expect(artefact?.offers['silver-to-gold']).toMatchObject({
      leversPerMille: 100,
      group: 'loyalty',
      fromMs: Date.UTC(2026, 10, 1),
      untilMs: Date.UTC(2026, 11, 31),
      sensitivity: { class: 'S1', categories: [], uncategorised: false },
      reads: { request: ['device'], session: false, profile: true, audience: false, model: false, audiences: false, now: false },
      lowestTier: 'user',
      context: [{ perMille: 1200 }],
    });
  });
});

describe('a policy whose facts come over HTTP', () => {
  const sources = `
dependencies:
  identity: { budgetMs: 20, onFailure: session, source: http, url: 'https://ids.example/v1/devices/{deviceId}',
              map: { subject: 'response.person', method: 'response.method', confidencePpm: 'response.confidence' } }
  profile:
    source: http
    url: https://cdp.example/v1/people/{subject}
    headers: { Authorization: { env: STEPWELL_SOURCE_CDP }, accept-language: de }
    map: { attributes: { loyalty: 'response.tier', days_since_order: 'response.days' }, audiences: 'response.segments' }
    retries: 1
    late: defer
  audience: { source: http, url: 'https://aud.example/{subject}', map: { audiences: 'response.members.map(m, m.name)' }, maxBytes: 100 }
  model: { source: http, class: S2, method: POST, url: 'https://rec.example/score', send: [device, country], map: { propensityPpm: 'response.scores' } }
`;
  const written = contract.replace(/\ndependencies:\n(?: {2}.*\n)+/, sources);
  const artefact = artefactOf(written.replace('propensityPpm: 120000', 'propensity: model'));

  test('says all that whoever asks them must know', () => {
    expect(artefact.dependencies.profile).toEqual({
      budgetMs: null,
      retries: 1,
      onFailure: null,
      late: 'defer',
      source: {
        url: 'https://cdp.example/v1/people/{subject}',
        method: 'GET',
        headers: { authorization: { env: 'STEPWELL_SOURCE_CDP' }, 'accept-language': { text: 'de' } },
        send: [],
        map: {
          attributes: { loyalty: 'response.tier', days_since_order: 'response.days' },
          audiences: 'response.segments',
          propensityPpm: null,
          subject: null,
          method: null,
          confidencePpm: null,
        },
        maxBytes: 65_536,
        connections: 16,
      },
    });
    expect(artefact.dependencies.identity.source?.map).toMatchObject({ subject: 'response.person', confidencePpm: 'response.confidence' });
    expect(artefact.dependencies.audience.source).toMatchObject({ maxBytes: 100 });
    expect(artefact.dependencies.model.source).toMatchObject({ method: 'POST', send: ['country', 'device'] });
    expect(artefact.dependencies.consent.source).toBeNull();
  });

  test("an offer whose propensity a model says is a user rung's, and at least of the class of the model", () => {
    expect(artefact.offers['silver-to-gold']).toMatchObject({
      fromModel: true,
      propensityPpm: 0,
      sensitivity: { class: 'S2' },
      reads: { model: true, profile: true, audience: false },
      lowestTier: 'user',
    });
    const both = artefactOf(written.replace('propensityPpm: 120000', 'propensity: model\n    propensityPpm: 7'));
    expect(both.offers['silver-to-gold']).toMatchObject({ fromModel: true, propensityPpm: 7 });
  });

  test('audiences of a source are read from there, and no longer with the profile', () => {
    const lapsed = (text: string) => artefactOf(text.replace('profile.loyalty == "gold"', '"lapsed" in audiences')).zones.hero?.ladder[0];
    expect(lapsed(written)?.select).toMatchObject({ rules: [{ reads: { profile: false, audience: true, audiences: true } }] });
    expect(lapsed(contract)?.select).toMatchObject({ rules: [{ reads: { profile: true, audience: false, audiences: true } }] });
    const newsletter = artefactOf(written.replace('profile.loyalty == "gold"', '"newsletter" in audiences')).zones.hero?.ladder[0];
    expect(newsletter?.select).toMatchObject({ rules: [{ reads: { profile: false, audience: false, audiences: true } }] });
  });
});

test('the smallest policy gets the safe defaults', () => {
  const artefact = artefactOf('stepwell: 1\npolicy: empty\n');
  expect(artefact).toMatchObject({ owner: null, contextualWithoutSignal: false, deadline: { defaultMs: 60, minMs: 5, maxMs: 500 } });
  expect(artefact.zones).toEqual({});
});

describe('the revision', () => {
  const revision = artefactOf(contract).revision;

  test('is 64 digits in hex', () => expect(revision).toMatch(/^[0-9a-f]{64}$/));

  test('is the same for the same policy in JSON and in another order of its sections', () => {
    const data = parse(contract) as Record<string, unknown>;
    expect(artefactOf(JSON.stringify(data)).revision).toBe(revision);
    expect(artefactOf(stringify(Object.fromEntries(Object.entries(data).reverse()))).revision).toBe(revision);
  });

  test('equal revisions mean the same bytes, whatever the order of a map', () => {
    const swapped = contract.replace('{ content: { items: [a, b, c] } }', '{ content: { z: 1, a: 2 } }');
    const other = contract.replace('{ content: { items: [a, b, c] } }', '{ content: { a: 2, z: 1 } }');
    expect(JSON.stringify(artefactOf(swapped))).toBe(JSON.stringify(artefactOf(other)));
  });

  test('changes with anything that changes an answer', () => {
    for (const [from, to] of [
      ['value: 40', 'value: 41'],
      ['criticality: 10', 'criticality: 11'],
      ['New season', 'Next season'],
    ] as const) {
      expect(artefactOf(contract.replace(from, to)).revision).not.toBe(revision);
    }
  });
});

test('an artefact is plain data, frozen to the last leaf but for lists of content, and no prototype adds a name to its maps', () => {
  const artefact = artefactOf(contract);
  expect(JSON.parse(JSON.stringify(artefact))).toEqual(artefact);
  const contents = new Set(Object.values(artefact.variants).flatMap(({ content }) => listsIn(content)));
  const pending: unknown[] = [artefact];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    expect(Object.isFrozen(value)).toBe(!contents.has(value));
    pending.push(...Object.values(value).filter((member) => member !== undefined));
  }
  for (const map of [artefact.pages, artefact.zones, artefact.variants, artefact.offers, artefact.audiences, artefact.attributes.profile]) {
    expect(map.constructor).toBeUndefined();
    expect('toString' in map).toBe(false);
  }
});

/** The lists below a variant's content; a content that is itself a list is frozen like everything else. */
function listsIn(content: unknown): unknown[] {
  if (typeof content !== 'object' || content === null) return [];
  return Object.values(content).flatMap((member) => [...(Array.isArray(member) ? [member] : []), ...listsIn(member)]);
}

describe('what a rule reads', () => {
  const nothing = { request: [], session: false, profile: false, audience: false, model: false, audiences: false, now: false };
  test.each([
    ['request.device == "mobile" && request.country == "DE"', { request: ['country', 'device'] }],
    ['session.pages > 3', { session: true }],
    ['has(profile.loyalty)', { profile: true }],
    ['"newsletter" in audiences', { audiences: true }],
    ['"lapsed" in audiences', { audiences: true, profile: true }],
    ['audiences.exists(a, a.startsWith("l"))', { audiences: true, profile: true }],
    ['request.country in audiences', { request: ['country'], audiences: true, profile: true }],
    ['now > timestamp("2026-01-01T00:00:00Z")', { now: true }],
    ['now - session.seen_at < duration("1h30m")', { now: true, session: true }],
    ['profile["loyalty"] == "gold"', { profile: true }],
  ])('%s', (when, reads) => expect(ruleWith(when).reads).toEqual({ ...nothing, ...reads }));
});

describe('the class of a rule is the highest of what it reads, what it declares and what its variant declares', () => {
  const plain = { categories: [], uncategorised: false };
  test.each([
    ['request.country == "DE"', { class: 'S0', ...plain }],
    ['request.country == "DE" || session.pages > 1', { class: 'S1', ...plain }],
    ['profile.x_2 > 1', { class: 'S2', ...plain }],
    ['profile.x_1', { class: 'S3', categories: ['health'], uncategorised: false }],
    ['profile.x_1 && profile.note == "x"', { class: 'S3', categories: ['health'], uncategorised: true }],
    ['size(audiences) > 1', { class: 'S1', ...plain }],
    ['"newsletter" in audiences', { class: 'S0', ...plain }],
  ])('%s', (when, sensitivity) => expect(ruleWith(when).sensitivity).toEqual(sensitivity));

  test('its own label and its variant count', () => {
    const rule = `- { when: 'profile.loyalty == "gold"', variant: gold }`;
    const labelled = artefactOf(small.replace(rule, `- { when: 'has(profile.loyalty)', variant: gold, class: S2 }`));
    const ofVariant = artefactOf(small.replace(rule, `- { when: 'has(profile.loyalty)', variant: v-1 }`));
    for (const artefact of [labelled, ofVariant]) {
      expect(artefact.zones.hero?.ladder[0]?.select).toMatchObject({ rules: [{ sensitivity: { class: 'S2' } }] });
    }
  });
});

describe('lowering', () => {
  test.each([
    [
      'profile.loyalty != "none" && (session.pages > 1 && true)',
      { op: 'and', operands: [{ op: '!=' }, { op: '>' }, { op: 'literal', value: true }] },
    ],
    ['session.pages > -3', { right: { op: 'literal', value: -3 } }],
    ['request.country in ["DE", "AT"]', { op: 'in', right: { op: 'literal', value: ['DE', 'AT'] } }],
    ['profile.interests.size() == size("ab")', { left: { op: 'size' }, right: { op: 'size', operand: { op: 'literal', value: 'ab' } } }],
    ['duration("-1h30m") < duration("250ms")', { left: { op: 'literal', value: -5_400_000 }, right: { op: 'literal', value: 250 } }],
    ['now >= timestamp("2026-11-01T00:00:00+01:00")', { left: { op: 'now' }, right: { op: 'literal', value: Date.UTC(2026, 9, 31, 23) } }],
    [
      'profile.interests.exists(i, i == "golf")',
      {
        op: 'exists',
        variable: 'i',
        list: { op: 'attribute', source: 'profile', name: 'interests' },
        condition: { left: { op: 'variable', name: 'i' } },
      },
    ],
    ['session.pages > 1 ? has(profile.note) : !true', { op: 'if', otherwise: { op: 'not' } }],
  ])('%s', (when, expression) => expect(ruleWith(when).when).toMatchObject(expression));
});

test('a tag selects its offers in the order of the policy, whatever their names', () => {
  const offer = (id: string) => `  ${id}: { tags: [rail], class: S0, variant: gold, propensityPpm: 1, value: 1 }\n`;
  const artefact = artefactOf(small + offer('zebra') + offer('apple'));
  expect(artefact.zones.rail?.ladder[0]?.select).toEqual({ by: 'arbitrate', offers: ['ring', 'zebra', 'apple'] });
});

test('an approval is judged at the instant given', () => {
  expect(compilePolicy(contract, { file: 'p', nowMs: Date.UTC(2027, 10, 1) - 1 }).artefact).not.toBeNull();
  expect(compilePolicy(contract, { file: 'p', nowMs: Date.UTC(2027, 10, 1) }).problems.map((problem) => problem.code)).toEqual([
    'approval-expired',
    'approval-expired',
  ]);
});

test('a problem reads as a compiler writes it', () => {
  const [problem] = compilePolicy(small.replace('policy: small', 'policy: 7'), options).problems;
  expect(problem && formatProblem(problem)).toBe('policy.yaml:2:9: error: `policy` must be text, not a number: write "7" in quotes');
});

describe('hostile documents are refused without harm', () => {
  const bomb = [
    'a: &a [1,2,3,4,5,6,7,8,9]',
    ...'bcdefgh'.split('').map((name, index) => `${name}: &${name} [${`*${'abcdefg'[index]},`.repeat(9)}]`),
  ].join('\n');
  test.each([
    ['aliases that stand for millions of values', bomb, 'alias-too-large'],
    ['an alias of itself', 'a: &a [*a]', 'document-too-deep'],
    ['a hundred thousand brackets', '['.repeat(100_000), 'document-too-deep'],
    ['a hundred thousand list marks', '- '.repeat(100_000), 'document-too-deep'],
    ['too many zones', `zones:\n${Array.from({ length: 1_001 }, (_, index) => `  z${index}: {}\n`).join('')}`, 'too-many'],
    [
      'an expression of thousands of marks',
      small.replace(`'profile.loyalty == "gold"'`, () => `'${'!'.repeat(8_000)}true'`),
      'expression-too-large',
    ],
    [
      'an expression longer than a page',
      small.replace(`'profile.loyalty == "gold"'`, () => `'${'true && '.repeat(2_000)}true'`),
      'expression-too-large',
    ],
  ])('%s', (_, text, code) => {
    const { artefact, problems } = compilePolicy(text, options);
    expect(artefact).toBeNull();
    expect(problems.map((problem) => problem.code)).toContain(code);
  });

  test('ids that would reach a prototype', () => {
    for (const id of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'prototype']) {
      const { artefact, problems } = compilePolicy(
        `${small}  ${id}: { tags: [rail], class: S0, variant: gold, propensityPpm: 1, value: 1 }\n`,
        options,
      );
      expect(artefact).toBeNull();
      expect(problems.map((problem) => problem.code)).toEqual(['invalid-name']);
    }
  });
});

describe('whatever the text, it answers', () => {
  const total = (text: string) => {
    const { artefact, problems } = compilePolicy(text, options);
    expect(artefact === null).toBe(problems.some((problem) => problem.severity === 'error'));
    for (const problem of problems) {
      expect(problem.line).toBeGreaterThan(0);
      expect(problem.column).toBeGreaterThan(0);
      expect(problem.message).not.toMatch(/undefined|\[object|NaN/);
    }
  };

  test('arbitrary text', () => fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), total), { numRuns: 500 }));
  test('arbitrary JSON', () => fc.assert(fc.property(fc.json(), total), { numRuns: 500 }));

  test('the policy of the contract with a piece cut out or another put in', () => {
    const piece = fc.oneof(
      fc.constantFrom('', '&a ', '*a', '{', ']', '"', ': ', '- ', '\n', 'null', '1.5', '!!str', '|\n', '<<: '),
      fc.string({ maxLength: 5 }),
    );
    const cut = fc.tuple(fc.nat(contract.length - 1), fc.nat(40), piece);
    fc.assert(
      fc.property(cut, ([at, length, inserted]) => total(contract.slice(0, at) + inserted + contract.slice(at + length))),
      { numRuns: 700 },
    );
  });

  test('a section of any JSON', () => {
    const section = fc.constantFrom(
      'attributes',
      'audiences',
      'consent',
      'dependencies',
      'pages',
      'zones',
      'variants',
      'offers',
      'sensitive',
      'freshness',
    );
    const data = parse(contract) as Record<string, unknown>;
    fc.assert(
      fc.property(section, fc.jsonValue(), (name, value) => total(JSON.stringify({ ...data, [name]: value }))),
      { numRuns: 500 },
    );
  });

  test('any condition made of the words of the language', () => {
    const word = fc.constantFrom(
      'profile.loyalty',
      'session.pages',
      'audiences',
      'now',
      'request',
      'x',
      '"gold"',
      '1',
      '0',
      'true',
      'null',
      '1.5',
      '[',
      ']',
      '(',
      ')',
      '{',
      '}',
      '&&',
      '||',
      '!',
      '-',
      '+',
      '/',
      '%',
      '==',
      '<',
      'in',
      '?',
      ':',
      '.',
      ',',
      'has',
      'size',
      'exists',
      'all',
      'matches',
      'timestamp',
      'duration',
      '"1h"',
      '`',
      "'",
      '\\',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 14 }), (words) =>
        total(small.replace(`'profile.loyalty == "gold"'`, () => JSON.stringify(words.join(' ')))),
      ),
      { numRuns: 1_000 },
    );
  });
});
