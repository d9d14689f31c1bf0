/** What is purged when one policy takes the place of another: every shared answer that is another now, and of the rest as little as can be. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { purging } from '../../src/classes/purge.ts';
import { readSharedQuery } from '../../src/contract/shared-query.ts';
import type { Artefact } from '../../src/decision/artefact.ts';
import { atOnce } from '../../src/decision/at-once.ts';
import { decide } from '../../src/decision/decide.ts';
import type { ZoneDecision } from '../../src/decision/decision.ts';
import { noEvidence } from '../../src/decision/facts.ts';
import { trim } from '../../src/device/trim.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { baseNowMs } from '../generate/vocabulary.ts';
import { type PolicyDocument, toPolicyText } from '../oracle/document.ts';
import { segmentPolicy } from './segment-policy.ts';

const seed = Number(process.env.STEPWELL_TEST_SEED ?? Date.now() % 2 ** 31);

function purgeTags(before: Artefact, after: Artefact): readonly string[] {
  return atOnce(purging(before, after));
}

function answerTo(artefact: Artefact, query: string): readonly ZoneDecision[] | null {
  try {
    return decide(artefact, readSharedQuery(query, artefact, baseNowMs), noEvidence).zones;
  } catch {
    return null;
  }
}

/** But for the key, which names the revision. */
function shown(zones: readonly ZoneDecision[] | null): string {
  return JSON.stringify(zones?.map((zone) => ({ ...zone, cache: { ...zone.cache, key: null } })) ?? 'refused');
}

/** Queries of which a cache would go on serving the old answer. */
function leftBehind(before: Artefact, after: Artefact, queries: readonly string[], purged: readonly string[]): readonly string[] {
  return queries.filter((query) => {
    const old = answerTo(before, query);
    if (old === null || shown(old) === shown(answerTo(after, query))) return false;
    return !old.flatMap(({ cache }) => cache.tags).some((tag) => purged.includes(tag));
  });
}

/** But for the revision. */
function forDevices(artefact: Artefact): string {
  return JSON.stringify([artefact.device, { ...trim(artefact, baseNowMs).artefact, revision: null }]);
}

function compiled(document: PolicyDocument): Artefact | null {
  return compilePolicy(toPolicyText(document), { file: 'generated.json', nowMs: baseNowMs }).artefact;
}

const asked = ['page=home', 'zones=z0', 'zones=z1', 'zones=z0,z1,z2'].flatMap((base) =>
  ['', '&country=DE', '&country=US&mobile=true', '&audiences=app&mobile=false', '&campaign=a&visits=3', '&topics=a,shoes'].map(
    (known) => base + known,
  ),
);

describe('what is purged', () => {
  it('is on every shared answer that is another now, whatever was changed', () => {
    console.log(`seed of the purges: ${seed}`);
    const met = { pairs: 0, changed: 0, needed: 0 };
    const parts = ['zones', 'offers', 'variants', 'pages'] as const;
    fc.assert(
      fc.property(segmentPolicy, segmentPolicy, fc.subarray([...parts], { minLength: 1 }), (old, other, taken) => {
        const changed = { ...old, ...Object.fromEntries(taken.map((part) => [part, other[part]])) } as PolicyDocument;
        const before = compiled(old);
        const after = compiled(changed);
        if (before === null || after === null) return;
        const purged = purgeTags(before, after);
        expect(leftBehind(before, after, asked, purged)).toEqual([]);
        met.pairs++;
        if (purged.length > 0) met.changed++;
        if (leftBehind(before, after, asked, []).length > 0) met.needed++;
      }),
      { seed, numRuns: 150, endOnFailure: true },
    );
    console.log(`policies changed: ${JSON.stringify(met)}`);
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
  request: { country: { type: string, class: S0 } }
  profile: { loyalty: { type: string, class: S1 } }
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
      - { tier: segment, choose: [{ when: 'request.country == "FR"', variant: german }] }
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
