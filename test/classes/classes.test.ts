/** Classes: raw signals that a page's zones cannot tell apart become one query, and those that they can become two. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collapse, type VisitorContext } from '../../src/classes/collapse.ts';
import { compileClassesNow } from '../../src/classes/compile-classes.ts';
import { type ClassTable, mergingReasons, type Reason } from '../../src/classes/table.ts';
import { writtenValue } from '../../src/classes/written.ts';
import { readSharedQuery } from '../../src/contract/shared-query.ts';
import type { Artefact } from '../../src/decision/artefact.ts';
import { decide } from '../../src/decision/decide.ts';
import { noEvidence } from '../../src/decision/facts.ts';
import { nobodyOptedIn, withoutSpecialFeatures } from '../../src/decision/special-features.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { policyDocument } from '../generate/document.ts';
import { baseNowMs } from '../generate/vocabulary.ts';
import { toPolicyText } from '../oracle/document.ts';
import { segmentPolicy, signals } from './segment-policy.ts';

const seed = Number(process.env.STEPWELL_TEST_SEED ?? Date.now() % 2 ** 31);
const nows = [baseNowMs, baseNowMs - 1, baseNowMs + 1, baseNowMs + 999, baseNowMs + 1000] as const;

function compiled(text: string, nowMs = baseNowMs): Artefact {
  const { artefact, problems } = compilePolicy(text, { file: 'classes.yaml', nowMs });
  if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
  return artefact;
}

/** The query that says all of it. */
function rawQuery(artefact: Artefact, base: string, given: VisitorContext): string {
  const parts = Object.keys(given)
    .sort()
    .map((name) =>
      writtenValue(name, given[name], name === 'audiences' ? 'strings' : (artefact.attributes.request[name]?.type ?? 'string')),
    );
  return [base, ...parts].join('&');
}

/** The whole answer; only the key of each zone is left out, which names the question. */
function answerTo(artefact: Artefact, query: string, nowMs: number): string {
  const question = withoutSpecialFeatures(artefact, readSharedQuery(query, artefact, nowMs), nobodyOptedIn);
  const { zones } = decide(artefact, question, noEvidence);
  return JSON.stringify(zones.map((zone) => ({ ...zone, cache: { ...zone.cache, key: zone.cache.key === null ? null : 'named' } })));
}

/** Nothing is asked combination by combination. */
const unfolding = { combinations: 0, judgements: 0 };

interface Faults {
  readonly bounds?: typeof unfolding;
  readonly table?: (table: ClassTable) => ClassTable;
}

/** What is wrong with the classes of one page for some visitors, as sentences. */
function faultsOf(
  artefact: Artefact,
  visitors: readonly VisitorContext[],
  nowMs: number,
  { bounds, table: changed }: Faults = {},
): readonly string[] {
  const { table: made, validUntilMs } = compileClassesNow(artefact, { page: 'home', zones: null, nowMs }, bounds);
  const table = JSON.parse(JSON.stringify(changed?.(made) ?? made)) as ClassTable;
  const faults: string[] = [];
  // To the last instant at which it holds.
  const instants = [nowMs, validUntilMs === null ? nowMs + 86_400_000 * 365 : validUntilMs - 1];
  for (const atMs of instants) {
    const answers = new Map<string, string>();
    const queries = new Map<string, string>();
    for (const visitor of visitors) {
      const query = collapse(table, visitor);
      const answer = answerTo(artefact, rawQuery(artefact, 'page=home', visitor), atMs);
      if (answerTo(artefact, query, atMs) !== answer) faults.push(`${query} does not bring the answer of ${JSON.stringify(visitor)}`);
      if ((answers.get(query) ?? answer) !== answer) faults.push(`${query} stands for two answers`);
      answers.set(query, answer);
      if (table.merging === 'answers' && (queries.get(answer) ?? query) !== query) faults.push(`one answer has two queries: ${query}`);
      queries.set(answer, query);
    }
  }
  const own = table.decision?.queries ?? [];
  if (new Set(own.map((query) => answerTo(artefact, query, nowMs))).size !== own.length)
    faults.push('two queries of the table bring one answer');
  return faults;
}

describe('the classes of a generated policy', () => {
  it.each([
    ['of every kind', policyDocument, 150],
    ['for segments alone', segmentPolicy, 300],
  ] as const)('%s are one query for one answer, whatever is known of a visitor', (_, policies, numRuns) => {
    console.log(`seed of the classes: ${seed}`);
    const kinds = { answers: 0, ...(Object.fromEntries(mergingReasons.map((reason) => [reason, 0])) as Record<Reason, number>) };
    let several = 0;
    fc.assert(
      fc.property(policies, fc.array(signals, { minLength: 12, maxLength: 12 }), fc.constantFrom(...nows), (document, visitors, nowMs) => {
        const { artefact } = compilePolicy(toPolicyText(document), { file: 'generated.json', nowMs: baseNowMs });
        // An author would be told: a rule behind another that always holds, a tag that no offer has.
        if (artefact === null) return;
        expect(faultsOf(artefact, [{}, ...visitors], nowMs)).toEqual([]);
        expect(faultsOf(artefact, [{}, ...visitors], nowMs, { bounds: unfolding })).toEqual([]);
        const { table, answers } = compileClassesNow(artefact, { page: 'home', zones: null, nowMs });
        const unfolded = compileClassesNow(artefact, { page: 'home', zones: null, nowMs }, unfolding);
        expect([unfolded.table.because, unfolded.answers]).toEqual([table.because, answers]);
        kinds[table.because ?? 'answers']++;
        if ((answers ?? 0) > 1) several++;
      }),
      { seed, numRuns, endOnFailure: true },
    );
    console.log(`tables: ${JSON.stringify(kinds)}, ${several} with several answers`);
    expect(Math.min(kinds.answers, kinds.reads_raw, several)).toBeGreaterThan(0);
  });
});

const shopText = `
stepwell: 1
policy: shop
owner: tests
contextualWithoutSignal: true
attributes:
  request:
    country: { type: string, class: S0 }
    device: { type: string, values: [mobile, tablet, desktop], class: S0 }
    campaign: { type: string, class: S0 }
    visits: { type: int, class: S0 }
    mobile: { type: bool, class: S0 }
    joined: { type: timestamp, class: S0 }
    topics: { type: strings, class: S0 }
    unread: { type: string, class: S0 }
    place: { type: string, class: S0, specialFeature: 1 }
    word: { type: string, class: S0 }
audiences:
  newsletter: { class: S0, edge: true }
  app: { class: S0, edge: true }
  secret: { class: S1, edge: true }
pages:
  home: { zones: [hero, rail, strip] }
  spelled: { zones: [words] }
  clock: { zones: [clock] }
  raw: { zones: [hero, found] }
zones:
  hero:
    kind: content
    ladder:
      - tier: segment
        choose:
          - { when: 'request.country in ["DE", "AT", "CH"]', variant: a }
          - { when: 'request.visits > 3 && request.visits <= 10', variant: b }
          - { when: '"app" in audiences', variant: c }
          - { when: 'request.place == "here"', variant: d }
      - &plain { tier: anonymous, variant: plain, approved: { by: Lead, on: 2026-01-01, until: 2030-01-01 } }
  rail:
    kind: content
    ladder:
      - { tier: segment, arbitrate: { tag: rail } }
      - *plain
  strip:
    kind: content
    ladder:
      - tier: segment
        choose:
          - { when: '!(request.device == "mobile") && now < timestamp("2026-12-01T00:00:00Z")', variant: a }
      - *plain
  words:
    kind: content
    ladder:
      - tier: segment
        choose:
          - { when: 'request.campaign == "spring-x"', variant: a }
          - { when: 'request.campaign.startsWith("spring")', variant: b }
          - { when: 'request.campaign.endsWith("-sale")', variant: c }
          - { when: '!("a" in request.topics)', variant: d }
          - { when: 'request.joined < timestamp("2026-01-01T00:00:00Z")', variant: e }
          - { when: 'has(request.word)', variant: f }
      - *plain
  clock:
    kind: content
    ladder:
      - tier: segment
        choose:
          - { when: 'request.country == "DE" && now - now < duration("1h")', variant: a }
      - *plain
  found:
    kind: content
    ladder:
      - tier: segment
        choose:
          - { when: 'request.campaign.contains("sale")', variant: a }
      - *plain
variants:
  a: &v { content: 1, class: S0 }
  b: *v
  c: *v
  d: *v
  e: *v
  f: *v
  plain: *v
offers:
  cheap: { tags: [rail], class: S0, variant: a, value: 10, propensityPpm: 1000, when: request.mobile }
  dear: { tags: [rail], class: S0, variant: b, value: 10, propensityPpm: 900, context: [{ when: 'request.country == "FR"', perMille: 2000 }] }
  late: { tags: [rail], class: S0, variant: c, value: 10, propensityPpm: 9000, from: 2026-11-25T00:00:00Z, until: 2026-11-26T00:00:00Z }
`;
const shop = compiled(shopText);

/** Every combination of a few values, absence among them. */
function everyVisitor(space: Readonly<Record<string, readonly unknown[]>>): readonly VisitorContext[] {
  let visitors: readonly VisitorContext[] = [{}];
  for (const [name, some] of Object.entries(space)) {
    visitors = visitors.flatMap((visitor) => [visitor, ...some.map((value) => ({ ...visitor, [name]: value }))]);
  }
  return visitors;
}

const homeSpace = {
  audiences: [['app'], ['app', 'newsletter'], ['secret']],
  country: ['DE', 'AT', 'FR', 'ZZ'],
  device: ['mobile', 'desktop'],
  mobile: [true, false],
  unread: ['x'],
  visits: [3, 4, 10, 11],
};
const spelledSpace = {
  campaign: ['spring-x', 'spring', 'spring-sale', '-sale', 'x', 'springy'],
  joined: [Date.UTC(2026, 0, 1) - 1, Date.UTC(2026, 0, 1)],
  topics: [['a'], ['a', 'b'], ['b']],
  word: ['w'],
};
const asked = { page: 'home', zones: null, nowMs: baseNowMs };

describe('the classes of a shop', () => {
  it('are as many queries as answers, over every visitor there is', () => {
    const visitors = everyVisitor(homeSpace);
    expect(faultsOf(shop, visitors, baseNowMs)).toEqual([]);
    const { table, attributes: spaces, answers } = compileClassesNow(shop, asked);
    const collapsed = new Set(visitors.map((visitor) => collapse(table, visitor)));
    const distinct = new Set(visitors.map((visitor) => answerTo(shop, rawQuery(shop, 'page=home', visitor), baseNowMs)));
    expect([collapsed.size, table.decision?.queries.length]).toEqual([distinct.size, distinct.size]);
    expect(answers).toBe(distinct.size);
    expect(spaces.map(({ name, classes }) => `${name} ${classes}`)).toEqual([
      'audiences 3',
      'country 4',
      'device 3',
      'mobile 3',
      'visits 3',
    ]);
    expect(table.attributes.map(({ name }) => name)).toEqual(['audiences', 'country', 'device', 'mobile', 'visits']);
  });

  it('hold until an offer opens or a condition on the time changes, and are others then', () => {
    const { table } = compileClassesNow(shop, asked);
    expect(table.validUntil).toBe('2026-11-25T00:00:00.000Z');
    const laterMs = Date.UTC(2026, 11, 24);
    expect(compileClassesNow(shop, { ...asked, nowMs: laterMs }).table).toMatchObject({ validUntil: null, merging: 'answers' });
    expect(faultsOf(shop, everyVisitor(homeSpace), laterMs)).toEqual([]);
    // In December the strip shows everybody the same, so nobody's device matters.
    expect(compileClassesNow(shop, { ...asked, zones: ['strip'], nowMs: laterMs }).answers).toBe(1);
  });

  it('do not end with an offer that no shared answer shows', () => {
    const known = compiled(shopText.replace('late: { tags: [rail], class: S0', 'late: { tags: [rail], class: S1'));
    const { table } = compileClassesNow(known, { ...asked, zones: ['rail'] });
    expect(table).toMatchObject({ merging: 'answers', validUntil: null });
    expect(answerTo(known, 'zones=rail', Date.UTC(2026, 10, 25))).toBe(answerTo(known, 'zones=rail', baseNowMs));
  });

  it('tell texts by their beginnings and ends, lists by their items, and times by their order', () => {
    const { table } = compileClassesNow(shop, { ...asked, page: 'spelled' });
    expect(table.merging).toBe('answers');
    const visitors = everyVisitor(spelledSpace);
    const answerOf = (query: string) => answerTo(shop, query, baseNowMs);
    const answers = new Set(visitors.map((visitor) => answerOf(rawQuery(shop, 'page=spelled', visitor))));
    for (const visitor of visitors) expect(answerOf(collapse(table, visitor))).toBe(answerOf(rawQuery(shop, 'page=spelled', visitor)));
    expect(table.decision?.queries.length).toBe(answers.size);
  });

  it('keep what a condition searches in as it is, and say so', () => {
    const { table, answers } = compileClassesNow(shop, { ...asked, page: 'raw' });
    expect(table).toMatchObject({ merging: 'attributes', because: 'reads_raw', decision: null });
    expect(answers).toBeNull();
    const visitor = { campaign: 'big sale: 50%', country: 'AT', visits: '7' };
    const query = collapse(table, visitor);
    expect(query).toBe('page=raw&campaign=big%20sale%3A%2050%25&country=DE&visits=4');
    expect(answerTo(shop, query, baseNowMs)).toBe(answerTo(shop, 'page=raw&campaign=big%20sale%3A%2050%25&country=AT&visits=7', baseNowMs));
  });

  it('take what headers and cookies hold as text, and nothing that no question may say', () => {
    const { table } = compileClassesNow(shop, asked);
    const same = (a: VisitorContext, b: VisitorContext) => expect(collapse(table, a)).toBe(collapse(table, b));
    same(
      { visits: '4', mobile: 'true', audiences: 'app,newsletter' },
      { visits: 4, mobile: true, audiences: ['newsletter', 'app', 'app'] },
    );
    for (const junk of ['', null, Number.NaN, {}, [], 'x'.repeat(2000), '\ud800', 1.5, -0.1]) {
      same({ country: junk, device: junk, visits: junk, mobile: junk, audiences: junk, toString: 1 }, {});
    }
    const spelled = compileClassesNow(shop, { ...asked, page: 'spelled' }).table;
    const joined = (given: unknown) => collapse(spelled, { joined: given });
    for (const instant of ['2025-02-28T00:00:00Z', '2025-02-28T01:00:00.123456+01:00', Date.UTC(2025, 1, 28)]) {
      expect(joined(instant)).not.toBe(joined(undefined));
    }
    const noInstants = ['2025-02-30T00:00:00Z', '2025-02-28T24:00:00Z', '2025-02-28T00:00:60Z', '2025-02-28T00:00:00+24:00', '2025-02-28'];
    for (const instant of [...noInstants, '0000-02-28T00:00:00Z', '0001-01-01T00:00:00+01:00', '9999-12-31T23:59:59-01:00']) {
      expect(joined(instant)).toBe(joined(undefined));
    }
    same({ device: 'watch' }, {});
    same({ audiences: ['unheard'] }, {});
    expect(collapse(table, Object.create({ country: 'DE' }))).toBe(collapse(table, {}));
  });

  it('are as many queries as answers where there are more combinations than can be asked one by one', () => {
    const many = Array.from({ length: 6 }, (_, index) => `a${index}`);
    const rich = compiled(`
stepwell: 1
policy: rich
owner: tests
contextualWithoutSignal: true
attributes: { request: { ${many.map((name) => `${name}: { type: int, class: S0 }`).join(', ')} } }
pages: { home: { zones: [z] } }
zones:
  z:
    kind: content
    ladder:
      - tier: segment
        choose:
${many.flatMap((name) => [1, 2, 3].map((value) => `          - { when: 'request.${name} == ${value}', variant: v${value} }`)).join('\n')}
      - { tier: anonymous, variant: plain, approved: { by: Lead, on: 2026-01-01, until: 2030-01-01 } }
variants: { v1: { content: 1, class: S0 }, v2: { content: 2, class: S0 }, v3: { content: 3, class: S0 }, plain: { content: 0, class: S0 } }
`);
    const { table, attributes: spaces, answers } = compileClassesNow(rich, asked);
    expect(table).toMatchObject({ merging: 'answers', because: null });
    expect(spaces.map(({ classes }) => classes)).toEqual([5, 5, 5, 5, 5, 5]);
    expect([answers, table.decision?.queries]).toEqual([4, ['page=home', 'page=home&a0=1', 'page=home&a0=2', 'page=home&a0=3']]);
    expect(faultsOf(rich, everyVisitor({ a0: [1, 3, 9], a3: [0, 2], a5: [2, 4] }), baseNowMs)).toEqual([]);
  });

  it.each([
    ['there are more answers than a table names', 'too_many_answers', 14, 1],
    ['it is too much work to find out what they come to together', 'too_much_work', 9, 60],
  ] as const)('are told for each attribute apart where %s, and are right all the same', (_, because, zones, rules) => {
    const names = Array.from({ length: zones }, (_, index) => `a${String(index).padStart(2, '0')}`);
    const rich = compiled(`
stepwell: 1
policy: rich
owner: tests
contextualWithoutSignal: true
attributes: { request: { ${names.map((name) => `${name}: { type: string, class: S0 }`).join(', ')} } }
pages: { home: { zones: [${names.join(', ')}] } }
zones:
${names
  .map(
    (name, place) => `  ${name}:
    kind: content
    ladder:
      - tier: segment
        choose:
${Array.from({ length: rules }, (_, index) => `          - { when: 'request.${name} == "${index}" || request.${names[(place + 1) % zones]} == "x${index}"', variant: v${index % 2} }`).join('\n')}
      - { tier: anonymous, variant: plain, approved: { by: Lead, on: 2026-01-01, until: 2030-01-01 } }`,
  )
  .join('\n')}
variants: { v0: { content: 1, class: S0 }, v1: { content: 2, class: S0 }, plain: { content: 0, class: S0 } }
`);
    const { table, answers } = compileClassesNow(rich, asked);
    expect([table.merging, table.because, answers]).toEqual(['attributes', because, null]);
    expect(faultsOf(rich, everyVisitor({ a00: ['0', 'x0', 'y'], a03: ['1', 'x2'], a05: ['z'] }), baseNowMs)).toEqual([]);
  });

  it('are told for each attribute apart where conditions turn on the time in a way that has no next instant', () => {
    const { table } = compileClassesNow(shop, { ...asked, page: 'clock' });
    expect(table).toMatchObject({ merging: 'attributes', because: 'reads_the_time', validUntil: null });
    expect(['DE', 'FR'].map((country) => collapse(table, { country }))).toEqual(['page=clock&country=DE', 'page=clock&country=~']);
  });

  it('are one query where nothing may be shown to segments without a signal', () => {
    const closed = { ...shop, contextualWithoutSignal: false };
    expect(compileClassesNow(closed, asked).table).toMatchObject({ attributes: [], decision: { start: -1, queries: ['page=home'] } });
  });
});

describe('the guard of the classes', () => {
  const visitors = everyVisitor(homeSpace);
  const planted: readonly (readonly [string, (table: ClassTable) => ClassTable])[] = [
    ['two queries changed places', (table) => withQueries(table, ([a = '', b = '', ...others]) => [b, a, ...others])],
    ['two answers made one', (table) => withQueries(table, ([a = '', , ...others]) => [a, a, ...others])],
    [
      'an attribute taken as absent',
      (table) => ({ ...table, attributes: table.attributes.map((one) => ('values' in one ? { ...one, values: {} } : one)) }),
    ],
    [
      'a bound that is off by one',
      (table) => ({
        ...table,
        attributes: table.attributes.map((one) => ('bounds' in one ? { ...one, bounds: one.bounds.map((bound) => bound + 1) } : one)),
      }),
    ],
    ['one answer under two queries', (table) => twiceTold(table)],
    [
      'a table that is kept too long',
      (table) => ({ ...table, decision: compileClassesNow(shop, { ...asked, nowMs: Date.UTC(2026, 10, 25) }).table.decision }),
    ],
  ];

  it.each(planted)('sees %s', (_, change) => {
    expect(faultsOf(shop, visitors, baseNowMs, { table: change }).length).toBeGreaterThan(0);
  });

  function withQueries(table: ClassTable, change: (queries: readonly string[]) => readonly string[]): ClassTable {
    return table.decision === null ? table : { ...table, decision: { ...table.decision, queries: change(table.decision.queries) } };
  }

  /** The first class of the first attribute gets a query of its own, which brings the same answer. */
  function twiceTold(table: ClassTable): ClassTable {
    if (table.decision === null) return table;
    const { nodes, queries, start } = table.decision;
    const changed = nodes.map((node) =>
      node.map((target, place) => (place === node.length - 1 && target === -1 ? -1 - queries.length : target)),
    );
    return { ...table, decision: { start, nodes: changed, queries: [...queries, `${queries[0]}&unread=x`] } };
  }
});
