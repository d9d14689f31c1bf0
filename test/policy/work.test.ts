/** The bound of what one decision may cost, in steps: no test of it looks at a clock. */
import { describe, expect, test } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { decide } from '../../src/decision/decide.ts';
import { noEvidence } from '../../src/decision/facts.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { workMax, workOfCondition, workWarned } from '../../src/policy/work.ts';

const nowMs = Date.UTC(2026, 10, 21);
const approved = { by: 'Somebody', on: '2026-01-01', until: '2099-01-01' };
const attributes = {
  number: { type: 'int', class: 'S0' },
  text: { type: 'string', class: 'S0' },
  other: { type: 'string', class: 'S0' },
  list: { type: 'strings', class: 'S0' },
};

interface Shape {
  readonly when: string;
  readonly offers?: number;
  readonly rules?: number;
  readonly zones?: number;
}

/** Zones that each arbitrate over all offers, or each have as many rules; nothing in them ever applies. */
function compileOf({ when, offers = 0, rules = 0, zones = 1 }: Shape) {
  const rung = rules > 0 ? { choose: Array(rules).fill({ when, variant: 'v' }) } : { arbitrate: { tag: 't' } };
  const ids = Array.from({ length: zones }, (_, index) => `zone-${index}`);
  const ladder = [
    { tier: 'segment', ...rung },
    { tier: 'anonymous', variant: 'v', approved },
  ];
  const offer = { tags: ['t'], class: 'S0', variant: 'v', when, propensityPpm: 1, value: 1 };
  const policy = {
    stepwell: 1,
    policy: 'work',
    contextualWithoutSignal: true,
    attributes: { request: attributes },
    deadline: { defaultMs: 60, minMs: 5, maxMs: 500 },
    zones: Object.fromEntries(ids.map((id) => [id, { kind: 'offer', ladder }])),
    pages: { home: { zones: ids.slice(0, 32) } },
    variants: { v: { content: {} } },
    offers: Object.fromEntries(Array.from({ length: offers }, (_, index) => [`offer-${index}`, offer])),
  };
  const text = JSON.stringify(policy, null, 1);
  const { artefact, problems } = compilePolicy(text, { file: 'work.json', nowMs });
  return { artefact, text, problems: problems.filter(({ code }) => code === 'too-much-work') };
}

const monsters: readonly (readonly [string, Shape])[] = [
  ['ten thousand offers of long conditions', { offers: 10_000, when: Array(12).fill('request.number == 1').join(' && ') }],
  ['a hundred offers that search one text in another', { offers: 100, when: 'request.text.contains(request.other)' }],
  ['thirty-two zones that share a thousand offers', { offers: 1_000, zones: 32, when: 'request.number == 1' }],
  [
    'a thousand rules with lists of a hundred',
    { rules: 1_000, zones: 32, when: `request.number in [${Array.from({ length: 100 }, (_, at) => at)}]` },
  ],
  ['lists looked through within lists', { offers: 200, when: 'request.list.exists(a, request.list.exists(b, a == b))' }],
  ['long texts that are put in order', { offers: 3_000, when: 'request.text < request.other' }],
  ['long texts that are counted', { offers: 2_000, when: 'size(request.text) > 5' }],
];

describe('a policy', () => {
  test.each(monsters)('of %s does not load, and the place and what to do are told', (_, shape) => {
    const { artefact, problems, text } = compileOf(shape);
    expect(artefact).toBeNull();
    expect(problems).toHaveLength(1);
    const [problem] = problems;
    expect(problem).toMatchObject({ severity: 'error', file: 'work.json' });
    expect(text.split('\n')[(problem?.line ?? 0) - 1]).toContain('"zone-');
    expect(problem?.message).toMatch(
      /^zone `zone-\d+`: a decision may take \d+ steps here.*, and 500000 are allowed: give its rungs fewer offers/,
    );
  });

  test('that costs more than half of what is allowed loads with a warning, and one that costs less without', () => {
    const heavy = compileOf({ offers: 9_000, when: 'request.number == 1 && request.number == 2 && request.number == 3' });
    expect(heavy.artefact).not.toBeNull();
    expect(heavy.problems).toMatchObject([{ severity: 'warning' }]);
    expect(compileOf({ offers: 4_000, when: 'request.number == 1' }).problems).toEqual([]);
  });

  test('of any number of zones is judged by the dearest thirty-two, which is all that a request may ask for', () => {
    const each = { rules: 100, when: 'request.number == 1 && request.number == 2 && request.number == 3' };
    expect(compileOf({ ...each, zones: 32 }).problems).toEqual(compileOf({ ...each, zones: 200 }).problems);
  });
});

describe('the largest policies that load', () => {
  const conditions = [
    'request.number == 1 && request.number == 2',
    'request.text == "a" || request.number in [1, 2, 3]',
    '"a" in request.list',
    'request.list.exists(item, item == "a" || item == "b")',
    '!(request.text.startsWith("a")) && (request.number == 0 ? request.text == "b" : request.text == "c")',
  ];

  test.each(conditions)('decide in no more steps than were counted: %s', (when) => {
    let offers = 1;
    while (compileOf({ offers: offers * 2, when }).artefact !== null) offers *= 2;
    const { artefact } = compileOf({ offers, when });
    if (artefact === null) throw new Error('one of this size has just loaded');
    const counted = countingConditions(artefact);
    const list = Array.from({ length: 256 }, (_, at) => `item-${at}`);
    const asked = {
      nowMs,
      audience: 'personal',
      page: 'home',
      zones: ['zone-0'],
      shownOffers: [],
      request: { number: 7, text: 'x'.repeat(1024), other: 'x'.repeat(1024), list },
      audiences: null,
      explain: false,
    } as const;
    // What is worked out once for a policy is no decision's work.
    decide(counted.artefact, asked, noEvidence);
    counted.startAgain();
    const [zone] = decide(counted.artefact, asked, noEvidence).zones;
    expect(zone?.tier).toBe('anonymous');
    expect(counted.reads()).toBeGreaterThanOrEqual(offers);
    const each = workOfCondition(artefact.offers['offer-0']?.when ?? { op: 'now' }, artefact.attributes);
    expect(counted.reads()).toBeLessThanOrEqual(offers * each);
    expect(offers * each).toBeLessThanOrEqual(workMax);
  });

  test('are not so small that nobody could use them', () => {
    expect(workWarned).toBeGreaterThan(compiledWork('request.number == 1') * 5_000);
  });
});

function compiledWork(when: string): number {
  const { artefact } = compileOf({ offers: 1, when });
  return workOfCondition(
    artefact?.offers['offer-0']?.when ?? { op: 'now' },
    artefact?.attributes ?? { request: {}, session: {}, profile: {} },
  );
}

/** The same artefact, whose conditions count how often a literal, an attribute or a variable is read. */
function countingConditions(artefact: Artefact): { readonly artefact: Artefact; reads(): number; startAgain(): void } {
  let reads = 0;
  const counting = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(counting);
    const copy = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, counting(member)]));
    const read = copy.op === 'literal' ? 'value' : 'name';
    const { [read]: worth } = copy;
    if (worth === undefined) return copy;
    return Object.defineProperty(copy, read, {
      get: () => {
        reads += 1;
        return worth;
      },
    });
  };
  const offers = Object.entries(artefact.offers).map(([id, offer]) => [id, { ...offer, when: counting(offer.when) }]);
  return {
    artefact: { ...artefact, offers: Object.fromEntries(offers) },
    reads: () => reads,
    startAgain() {
      reads = 0;
    },
  };
}
