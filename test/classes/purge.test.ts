/** What is purged when one policy takes the place of another: every shared answer that is another now, and of the rest as little as can be. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileClassesNow } from '../../src/classes/compile-classes.ts';
import { purging } from '../../src/classes/purge.ts';
import { ProblemError } from '../../src/contract/problem.ts';
import { readClassesQuery, readSharedQuery } from '../../src/contract/shared-query.ts';
import { type Artefact, deviceDefaults } from '../../src/decision/artefact.ts';
import { atOnce } from '../../src/decision/at-once.ts';
import { artefactTag, policyTag, serviceTag, zoneTag } from '../../src/decision/cache-tags.ts';
import { decide } from '../../src/decision/decide.ts';
import { noEvidence } from '../../src/decision/facts.ts';
import { sharedUntilMs } from '../../src/decision/shared-until.ts';
import { nobodyOptedIn, withoutSpecialFeatures } from '../../src/decision/special-features.ts';
import { trim } from '../../src/device/trim.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { policyDocument } from '../generate/document.ts';
import { baseNowMs } from '../generate/vocabulary.ts';
import { oneChangeOf } from './one-change.ts';
import { segmentPolicy } from './segment-policy.ts';

const seed = Number(process.env.STEPWELL_TEST_SEED ?? Date.now() % 2 ** 31);

function purgeTags(before: Artefact, after: Artefact): readonly string[] {
  return atOnce(purging(before, after));
}

/** What a cache may hold: how it is asked for, what it says (but for the revision), and by which tags it is purged. */
interface Held {
  readonly what: string;
  readonly says: string;
  readonly tags: readonly string[];
}

/** Null: it is refused, and then no cache holds it. */
function answerTo(artefact: Artefact, query: string): Held | null {
  try {
    const question = withoutSpecialFeatures(artefact, readSharedQuery(query, artefact, baseNowMs), nobodyOptedIn);
    const { zones } = decide(artefact, question, noEvidence);
    const unnamed = zones.map((zone) => ({ ...zone, cache: { ...zone.cache, key: null } }));
    const says = JSON.stringify([unnamed, sharedUntilMs(artefact, question)]);
    return { what: query, says, tags: zones.flatMap(({ cache }) => cache.tags) };
  } catch (error) {
    if (error instanceof ProblemError) return null;
    throw error;
  }
}

function tableOf(artefact: Artefact, query: string): Held | null {
  try {
    const place = readClassesQuery(query, artefact);
    const zones = place.zones ?? artefact.pages[place.page ?? '']?.zones ?? [];
    const { table } = compileClassesNow(artefact, { ...place, nowMs: baseNowMs });
    const says = JSON.stringify({ ...table, policy: { ...table.policy, revision: null } });
    return { what: `the table of ${query}`, says, tags: [policyTag(artefact.policy), serviceTag, ...zones.map(zoneTag)] };
  } catch (error) {
    if (error instanceof ProblemError) return null;
    throw error;
  }
}

function artefactOf(artefact: Artefact): Held | null {
  const device = artefact.device ?? deviceDefaults;
  const says = JSON.stringify([device, { ...trim(artefact, baseNowMs).artefact, revision: null }]);
  return device.enabled ? { what: 'the artefact', says, tags: [policyTag(artefact.policy), serviceTag, artefactTag] } : null;
}

/** The same of both policies, place for place. */
function everythingShared(artefact: Artefact, queries: readonly string[], tables: readonly string[]): readonly (Held | null)[] {
  return [...queries.map((query) => answerTo(artefact, query)), ...tables.map((query) => tableOf(artefact, query)), artefactOf(artefact)];
}

/** Of what caches hold, what they would go on serving although it is not right any more. */
function leftBehind(before: readonly (Held | null)[], after: readonly (Held | null)[], purged: readonly string[]): readonly string[] {
  return before.flatMap((old, place) => {
    if (old === null || old.says === after[place]?.says || old.tags.some((tag) => purged.includes(tag))) return [];
    return [old.what];
  });
}

/** But for the revision. */
function forDevices(artefact: Artefact): string {
  return JSON.stringify([artefact.device, { ...trim(artefact, baseNowMs).artefact, revision: null }]);
}

function compiled(text: string): Artefact | null {
  return compilePolicy(text, { file: 'generated.json', nowMs: baseNowMs }).artefact;
}

/** Pages, zones, and zones of a page and others: what may be asked about. */
function placesIn({ pages, zones }: Artefact): readonly string[] {
  const ids = Object.keys(zones).sort();
  const some = [...ids.map((id) => [id]), ids.slice(0, 2), ids.slice(-2), ids].filter((list) => list.length > 0);
  const lists = [...new Set(some.map((list) => `zones=${list.join()}`))];
  const named = Object.keys(pages).map((page) => `page=${page}`);
  return [...named, ...lists, ...named.flatMap((page) => lists.map((list) => `${page}&${list}`))];
}

const known = [
  '',
  'country=DE',
  'country=AT&unread=x',
  'country=US&mobile=true',
  'audiences=app&mobile=false',
  'audiences=app,newsletter&visits=0',
  'campaign=a&visits=3',
  'arrived=2026-11-20T12%3A00%3A00Z&campaign=DE&topics=a,shoes',
];

describe('what is purged', () => {
  it.each([
    ['of every kind', policyDocument, 350],
    ['for segments alone', segmentPolicy, 650],
  ] as const)('%s is on all that caches hold and that is another now, wherever the policy was changed', (_, policies, numRuns) => {
    console.log(`seed of the purges: ${seed}`);
    const met = { compiled: 0, purged: 0, needed: 0 };
    const needing = new Set<string>();
    fc.assert(
      fc.property(oneChangeOf(policies), ({ name, ...texts }) => {
        const [before, after] = [compiled(texts.before), compiled(texts.after)];
        if (before === null || after === null || before.revision === after.revision) return;
        const places = placesIn(before);
        const queries = places.flatMap((place) => known.map((said) => (said === '' ? place : `${place}&${said}`)));
        const tables = places.filter((place) => !place.startsWith('zones='));
        const [held, now] = [everythingShared(before, queries, tables), everythingShared(after, queries, tables)];
        const purged = purgeTags(before, after);
        expect(leftBehind(held, now, purged), name).toEqual([]);
        met.compiled++;
        if (purged.length > 0) met.purged++;
        if (leftBehind(held, now, []).length > 0) {
          met.needed++;
          needing.add(name);
        }
      }),
      { seed, numRuns, endOnFailure: true },
    );
    console.log(`policies changed: ${JSON.stringify(met)}, needed after changes of ${[...needing].sort().join('; ')}`);
    // The guard: without what was purged, a cache would serve what is no longer so.
    expect(met.needed).toBeGreaterThan(0);
  });

  const text = (change: (text: string) => string) => {
    const { artefact, problems } = compilePolicy(change(shop), { file: 'shop.yaml', nowMs: baseNowMs });
    if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
    return artefact;
  };
  const before = text((same) => same);

  it.each<readonly [string, (text: string) => string, readonly string[]]>([
    ['a variant of one zone', (text) => text.replace('New season', 'Newer season'), ['stepwell-artefact', 'zone-hero']],
    ['what only people who are known are shown', (text) => text.replace('In gold', 'All in gold'), []],
    ['for how long', (text) => text.replace('maxAgeSeconds: 20', 'maxAgeSeconds: 10'), ['zone-strip']],
    ['who approved it', (text) => text.replace('by: Lead', 'by: Another'), []],
    ['an offer, and so whatever arbitrates beside it', (text) => text.replace('value: 10', 'value: 99'), ['zone-rail', 'zone-rail-too']],
    ['the order of a page', (text) => text.replace('[hero, strip]', '[strip, hero]'), ['stepwell-artefact', 'zone-hero', 'zone-strip']],
    [
      'a zone that is no more',
      (text) => text.replace('other: { zones: [lone] }', 'other: { zones: [hero] }').replace(/ {2}lone:\n(?: {4}.*\n)+/, ''),
      ['stepwell-artefact', 'zone-lone'],
    ],
    [
      'whether segments are told apart at all',
      (text) => text.replace('WithoutSignal: true', 'WithoutSignal: false'),
      ['stepwell-artefact', 'zone-hero', 'zone-rail', 'zone-rail-too', 'zone-strip'],
    ],
    ['what may be said of what zones read', (text) => text.replace('FR, AT]', 'FR, AT, IT]'), ['zone-hero', 'zone-strip']],
    ['what may be said of what no zone reads', (text) => text.replace('unread: {', 'fresh: { type: bool, class: S0 }\n    unread: {'), []],
    [
      'the audiences that callers may name',
      (text) => text.replace('{ app: {', '{ news: { class: S0, edge: true }, app: {'),
      ['zone-strip'],
    ],
    [
      'the zones of a page, by one that has to be chosen first now',
      (text) => text.replace('zones: [lone]', 'zones: [lone, rail]'),
      ['stepwell-artefact', 'zone-lone', 'zone-rail'],
    ],
    [
      'the zones of a page, by one that no order matters to',
      (text) => text.replace('zones: [lone]', 'zones: [lone, hero]'),
      ['stepwell-artefact', 'zone-lone'],
    ],
    ['what only devices are shown', (text) => text.replace('value: 7', 'value: 8'), ['stepwell-artefact']],
    ['whether what devices are shown is for them', (text) => text.replace('S1, device: true', 'S1'), ['stepwell-artefact']],
    ['how long devices use what they have', (text) => text.replace('maxAgeHours: 12', 'maxAgeHours: 6'), ['stepwell-artefact']],
    ['whether devices are given anything', (text) => text.replace('enabled: true', 'enabled: false'), ['stepwell-artefact']],
    ['the name of the policy', (text) => text.replace('policy: shop', 'policy: other'), ['policy-shop']],
  ])('is as little as can be after a change of %s', (_, change, tags) => {
    const after = text(change);
    expect(after.revision).not.toBe(before.revision);
    expect(purgeTags(before, after)).toEqual(tags);
    const isAnother = forDevices(before) !== forDevices(after);
    expect(tags.some((tag) => tag === 'stepwell-artefact' || tag.startsWith('policy-'))).toBe(isAnother);
  });

  it.each<readonly [string, (text: string) => string]>([
    ['a value', (text) => text.replace('FR, AT]', 'FR]')],
    ['any value but some', (text) => text.replace('unread: { type: string', 'unread: { type: string, values: [x]')],
    ['an attribute, read or not', (text) => text.replace('    unread: { type: string, class: S0 }\n', '')],
    ['an audience', (text) => text.replace('edge: true', 'edge: false').replace(/, \{ when: '"app".*?\}/, '')],
    ['a page', (text) => text.replace('  rails: { zones: [rail, rail-too] }\n', '')],
  ])('is everything after a change by which %s is a mistake in a question now', (_, change) => {
    expect(purgeTags(before, text(change))).toEqual(['policy-shop']);
  });

  it('is nothing of what devices were never given', () => {
    const off = (text: string) => text.replace('enabled: true', 'enabled: false');
    expect(
      purgeTags(
        text(off),
        text((same) => off(same).replace('value: 7', 'value: 8')),
      ),
    ).toEqual([]);
  });

  it('is nothing where nothing changed', () => {
    expect(
      purgeTags(
        before,
        text((same) => same),
      ),
    ).toEqual([]);
  });
});

const shop = `
stepwell: 1
policy: shop
owner: tests
contextualWithoutSignal: true
device: { enabled: true, maxAgeHours: 12 }
attributes:
  request:
    country: { type: string, values: [DE, FR, AT], class: S0 }
    unread: { type: string, class: S0 }
  profile: { loyalty: { type: string, class: S1 } }
audiences: { app: { class: S0, edge: true } }
pages:
  home: { zones: [hero, strip] }
  rails: { zones: [rail, rail-too] }
  other: { zones: [lone] }
zones:
  hero:
    kind: content
    ladder:
      - { tier: user, choose: [{ when: 'profile.loyalty == "gold"', variant: gold }] }
      - { tier: segment, choose: [{ when: 'request.country == "DE"', variant: german }] }
      - { tier: anonymous, variant: season, approved: { by: Lead, on: 2026-01-01, until: 2030-01-01 } }
  strip:
    kind: content
    cache: { maxAgeSeconds: 20 }
    ladder:
      - { tier: segment, choose: [{ when: 'request.country == "FR"', variant: german }, { when: '"app" in audiences', variant: shown }] }
      - &plain { tier: anonymous, variant: plain, approved: { by: Legal, on: 2026-01-01, until: 2030-01-01 } }
  rail: &rail
    kind: offer
    ladder:
      - { tier: segment, arbitrate: { tag: rail } }
      - *plain
  rail-too: *rail
  lone:
    kind: content
    ladder: [*plain]
variants:
  gold: { content: In gold }
  german: { content: Neue Saison, class: S0 }
  season: { content: New season }
  plain: { content: plain }
  shown: { content: shown, class: S0 }
  private: { content: private, class: S1 }
offers:
  one: { tags: [rail], class: S0, variant: shown, value: 10, propensityPpm: 1000 }
  two: { tags: [rail], class: S1, device: true, variant: private, value: 7, propensityPpm: 1000 }
`;
