/**
 * The class of a rule or an offer follows everything it reads, however it is spelt: found out here from the words of the conditions as
 * they are written, not from what the compiler made of them.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Artefact, Sensitivity } from '../../src/decision/artefact.ts';
import { preparedZone } from '../../src/decision/reading.ts';
import { classes } from '../../src/decision/vocabulary.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { policyDocument } from '../generate/document.ts';
import { baseNowMs } from '../generate/vocabulary.ts';
import { type Label, type OfferDocument, type PolicyDocument, toPolicyText } from '../oracle/document.ts';
import { seed } from '../oracle/runs.ts';

// ---------------------------------------------------------------------------------------------------------------- a raised label

/** Something that carries a label, and is raised to a class that it did not have. */
type Raised =
  | { readonly of: 'attribute'; readonly source: 'request' | 'session' | 'profile'; readonly name: string }
  | { readonly of: 'audience'; readonly name: string }
  | { readonly of: 'variant'; readonly name: string }
  | { readonly of: 'offer'; readonly name: string }
  | { readonly of: 'zone'; readonly name: string }
  | { readonly of: 'model' };

const raise: Label = { class: 'S3', category: 'hidden' };

function everythingLabelled(document: PolicyDocument): readonly Raised[] {
  const attributes = (['request', 'session', 'profile'] as const).flatMap((source) =>
    Object.keys(document.attributes[source]).map((name): Raised => ({ of: 'attribute', source, name })),
  );
  const named = (of: 'audience' | 'variant' | 'offer' | 'zone', section: object) =>
    Object.keys(section).map((name): Raised => ({ of, name }));
  return [
    ...attributes,
    ...named('audience', document.audiences ?? {}),
    // What everybody is shown may not be raised: such a policy does not load.
    ...named('variant', document.variants).filter((raised) => raised.of === 'variant' && !raised.name.endsWith('-plain')),
    ...named('offer', document.offers),
    ...named('zone', document.zones),
    ...(document.dependencies?.model?.source === 'http' ? [{ of: 'model' } as const] : []),
  ];
}

function withRaised(document: PolicyDocument, raised: Raised): PolicyDocument {
  const relabelled = <T extends object>(section: Readonly<Record<string, T>>, name: string) => {
    const { category: _, ...declared } = (section[name] ?? {}) as T & { readonly category?: string };
    return { ...section, [name]: { ...declared, ...raise } as unknown as T };
  };
  switch (raised.of) {
    case 'attribute': {
      const { source, name } = raised;
      return { ...document, attributes: { ...document.attributes, [source]: relabelled(document.attributes[source], name) } };
    }
    case 'audience':
      return { ...document, audiences: relabelled(document.audiences ?? {}, raised.name) };
    case 'variant':
      return { ...document, variants: relabelled(document.variants, raised.name) };
    case 'offer':
      return { ...document, offers: relabelled(document.offers, raised.name) };
    case 'zone':
      return { ...document, zones: relabelled(document.zones, raised.name) };
    case 'model': {
      const model = { ...document.dependencies?.model };
      return { ...document, dependencies: { ...document.dependencies, model: { ...model, ...raise } } };
    }
  }
}

// ------------------------------------------------------------------------------------------------------ what the words say is read

/** No text of a generated condition looks like a name, so a name is read exactly where it is written. */
function isNamed(cel: string, raised: Raised): boolean {
  if (raised.of === 'attribute') return new RegExp(`\\b${raised.source}\\.${raised.name}\\b`).test(cel);
  if (raised.of !== 'audience') return false;
  if (cel.includes(`"${raised.name}" in audiences`)) return true;
  // Whoever looks at the list as a whole sees every audience.
  return cel.replaceAll(/"[^"]*" in audiences/g, '').includes('audiences');
}

function conditionsOf(offer: OfferDocument): readonly string[] {
  return [offer.when, ...(offer.context ?? []).map((factor) => factor.when)].flatMap((when) => (when === undefined ? [] : [when.cel]));
}

/** By its place, everything that must be at least as sensitive as what was raised. */
function* mustBeRaised(document: PolicyDocument, raised: Raised): Generator<string> {
  const offerIsRaised = (id: string, offer: OfferDocument): boolean =>
    conditionsOf(offer).some((cel) => isNamed(cel, raised)) ||
    (raised.of === 'variant' && offer.variant === raised.name) ||
    (raised.of === 'offer' && id === raised.name) ||
    (raised.of === 'model' && offer.propensity === 'model');
  for (const [zone, { ladder }] of Object.entries(document.zones)) {
    const isWholeZone = raised.of === 'zone' && raised.name === zone;
    for (const { tier, choose, arbitrate, variant } of ladder) {
      for (const [index, rule] of (choose ?? (variant === undefined ? [] : [{ variant }])).entries()) {
        const isRead = 'when' in rule && rule.when !== undefined && isNamed(rule.when.cel, raised);
        if (isWholeZone || isRead || (raised.of === 'variant' && rule.variant === raised.name)) yield `${zone} ${tier} rule ${index}`;
      }
      for (const [id, offer] of Object.entries(document.offers)) {
        const isSelected = arbitrate !== undefined && offer.tags.includes(arbitrate.tag);
        if (isSelected && (isWholeZone || offerIsRaised(id, offer))) yield `${zone} ${tier} offer ${id}`;
      }
    }
  }
}

// ------------------------------------------------------------------------------------------------------------- what the core holds

function compiled(document: PolicyDocument): Artefact {
  const { artefact, problems } = compilePolicy(toPolicyText(document), { file: 'generated.json', nowMs: baseNowMs });
  if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
  return artefact;
}

/** What the core goes by, by place: with the zone's own class. */
function sensitivities(artefact: Artefact): ReadonlyMap<string, Sensitivity> {
  const found = new Map<string, Sensitivity>();
  for (const zone of Object.keys(artefact.zones)) {
    for (const { rung, rules, offers } of preparedZone(artefact, zone)?.rungs ?? []) {
      for (const [index, { sensitivity }] of rules.entries()) found.set(`${zone} ${rung.tier} rule ${index}`, sensitivity);
      for (const { id, sensitivity } of offers) found.set(`${zone} ${rung.tier} offer ${id}`, sensitivity);
    }
  }
  return found;
}

/** Every place at which the class does not follow the data, after one label was raised. */
function strays(document: PolicyDocument, raised: Raised, compile = compiled): readonly string[] {
  const [before, after] = [sensitivities(compile(document)), sensitivities(compile(withRaised(document, raised)))];
  const wanted = new Set(mustBeRaised(document, raised));
  const wrong: string[] = [];
  for (const [place, was] of before) {
    const is = after.get(place);
    const isAsHigh = is?.class === 'S3' && is.categories.includes('hidden') && classes.indexOf(is.class) >= classes.indexOf(was.class);
    const isAsItWas = is !== undefined && is.class === was.class && String(is.categories) === String(was.categories);
    if (wanted.has(place) ? !isAsHigh : !isAsItWas) wrong.push(place);
  }
  for (const place of wanted) if (!before.has(place)) wrong.push(`${place} is nowhere`);
  return wrong;
}

const cases = policyDocument.chain((document) =>
  fc.record({ document: fc.constant(document), raised: fc.constantFrom(...everythingLabelled(document)) }),
);
const runs = { seed, numRuns: 120 };

describe('the class of a rule or an offer', () => {
  it('is raised with any label of anything it reads, and with nothing else', () => {
    let raisedPlaces = 0;
    const property = fc.property(cases, ({ document, raised }) => {
      raisedPlaces += [...mustBeRaised(document, raised)].length;
      expect(strays(document, raised)).toEqual([]);
    });
    fc.assert(property, runs);
    expect(raisedPlaces).toBeGreaterThan(100);
  });

  const forgetful: Readonly<Record<string, (document: PolicyDocument) => PolicyDocument>> = {
    'context factors': (document) => ({
      ...document,
      offers: mapped(document.offers, ({ context: _, ...offer }) => offer),
    }),
    variants: (document) => ({ ...document, variants: mapped(document.variants, withoutLabel) }),
    zones: (document) => ({ ...document, zones: mapped(document.zones, withoutLabel) }),
    'the model': ({ dependencies, ...document }) =>
      dependencies?.model?.source === 'http'
        ? { ...document, dependencies: { ...dependencies, model: { ...withoutLabel(dependencies.model), class: 'S0' } } }
        : { ...document, ...(dependencies && { dependencies }) },
  };
  it.each(Object.keys(forgetful))('would be seen not to follow the data by a compiler that forgets %s', (what) => {
    const forget = forgetful[what] as (document: PolicyDocument) => PolicyDocument;
    const compile = (document: PolicyDocument) => compiled(forget(document));
    const tried = fc.sample(cases, { seed: 1, numRuns: 400 });
    expect(tried.some(({ document, raised }) => strays(document, raised, compile).length > 0)).toBe(true);
  });
});

function withoutLabel<T extends Label>({ class: _, category: __, ...rest }: T) {
  return rest;
}

function mapped<T, U>(section: Readonly<Record<string, T>>, change: (one: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(section).map(([name, one]) => [name, change(one)]));
}

// --------------------------------------------------------------------------------------------------------------------- spellings

/** Ways to read the attribute `profile.secret` (S3), the audience `secret` (S3) or neither; on a user rung all of them load. */
const spellings: readonly (readonly [when: string, isSpecial: boolean])[] = [
  ['profile.plain == "x"', false],
  ['"open" in audiences', false],
  ['profile.plain == "secret"', false],
  ['profile.list.exists(secret, secret == "x")', false],
  ['profile.secret', true],
  ['profile["secret"]', true],
  ["profile['secret']", true],
  ['!profile.secret', true],
  ['has(profile.secret)', true],
  ['has(profile["secret"])', true],
  ['false && profile.secret', true],
  ['true || profile.secret', true],
  ['profile.plain == "x" ? profile.secret : true', true],
  ['profile.secret ? true : false', true],
  ['profile.plain == "x" || (profile.plain == "y" && !(has(profile.secret)))', true],
  ['profile.list.exists(i, i == "x" && profile.secret)', true],
  ['profile.list.all(i, !profile.secret)', true],
  ['profile . secret', true],
  ['"secret" in audiences', true],
  ['!("secret" in audiences)', true],
  ["'secret' in audiences", true],
  ['audiences.exists(a, a == "open")', true],
  ['size(audiences) > 1', true],
  ['["open", "secret"].exists(a, a in audiences)', true],
  ['profile.plain in audiences', true],
];

function policyReading(when: string, offer: object = { when }): string {
  return JSON.stringify({
    stepwell: 1,
    policy: 'spellings',
    attributes: {
      profile: {
        plain: { type: 'string', class: 'S1' },
        list: { type: 'strings', class: 'S1' },
        secret: { type: 'bool', class: 'S3', category: 'health' },
      },
    },
    audiences: { open: { class: 'S1' }, secret: { class: 'S3', category: 'health' } },
    zones: {
      zone: {
        kind: 'content',
        ladder: [
          { tier: 'user', choose: [{ when, variant: 'shown' }] },
          { tier: 'anonymous', variant: 'shown', approved: { by: 'somebody', on: '2026-11-01', until: '2027-11-01' } },
        ],
      },
    },
    variants: { shown: { content: null } },
    offers: { offer: { tags: ['none'], class: 'S1', variant: 'shown', propensityPpm: 1, value: 1, ...offer } },
  });
}

describe('a condition', () => {
  it.each(spellings)('%s: special is %s', (when, isSpecial) => {
    for (const offer of [
      { when },
      { context: [{ when, perMille: 1100 }] },
      { when: 'profile.plain == "x"', context: [{ when, perMille: 0 }] },
    ]) {
      const { artefact, problems } = compilePolicy(policyReading(when, offer), { file: 'spellings.json', nowMs: baseNowMs });
      const errors = problems.filter(({ severity }) => severity === 'error').map(({ message }) => message);
      expect(errors).toEqual([]);
      const rung = artefact?.zones.zone?.ladder[0];
      const wanted = isSpecial ? { class: 'S3', categories: ['health'] } : { class: 'S1', categories: [] };
      expect(rung?.select.by === 'choose' && rung.select.rules[0]?.sensitivity).toMatchObject(wanted);
      expect(artefact?.offers.offer?.sensitivity).toMatchObject(wanted);
      // What is special of a person stands on the user rung only.
      if (isSpecial) expect(artefact?.offers.offer?.lowestTier).toBe('user');
    }
  });

  it('cannot give a name of its own to what it reads', () => {
    for (const when of ['profile.list.exists(audiences, audiences == "secret")', 'profile.list.exists(profile, profile == "secret")']) {
      expect(compilePolicy(policyReading(when), { file: 'spellings.json', nowMs: baseNowMs }).artefact).toBeNull();
    }
  });
});
