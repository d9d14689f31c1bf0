/**
 * Policies that load, by construction: whatever is drawn is mended until every rule of a policy document holds (a rung reads
 * no more than it may, nothing stands behind an unconditional rule, a tag is selected by a rung that may read its offers, …).
 */
import fc from 'fast-check';
import type { Tier } from '../../src/decision/vocabulary.ts';
import {
  type AttributeDocument,
  type AudienceDocument,
  type Condition,
  type DependencyDocument,
  type DependencyDocuments,
  everyPart,
  type Label,
  type OfferDocument,
  type PolicyDocument,
  type RuleDocument,
  type RungDocument,
  readingOf,
  type SourceDocument,
  when,
  type ZoneDocument,
} from '../oracle/document.ts';
import { lowestTierOf } from '../oracle/oracle.ts';
import { conditionReading } from './condition.ts';
import { attributes, baseNowMs, categories, edgeAudiences, offerIds, profileAudiences, type Source } from './vocabulary.ts';

const zoneIds = ['hero', 'rail', 'banner', 'aside', 'footer'] as const;
const tags = ['t1', 't2'] as const;
const variantIds = ['v1', 'v2', 'v3', 'v4'] as const;

/** Mostly ordinary; sometimes elevated or special, with and without a category. */
const label: fc.Arbitrary<Label> = fc.oneof(
  { weight: 10, arbitrary: fc.constant<Label>({ class: 'S0' }) },
  { weight: 8, arbitrary: fc.constant<Label>({ class: 'S1' }) },
  { weight: 2, arbitrary: fc.constant<Label>({ class: 'S2' }) },
  { weight: 2, arbitrary: fc.constantFrom(...categories).map((category): Label => ({ class: 'S3', category })) },
  { weight: 1, arbitrary: fc.constant<Label>({ class: 'S3' }) },
);
const rareLabel: fc.Arbitrary<Label> = fc.oneof({ weight: 8, arbitrary: fc.constant<Label>({}) }, { weight: 2, arbitrary: label });

function labelled<T extends object>(plain: Readonly<Record<string, T>>): fc.Arbitrary<Record<string, T & Label>> {
  // An attribute without a label is S3, which would make nearly nothing eligible: rare.
  const one = fc.oneof({ weight: 12, arbitrary: label }, { weight: 1, arbitrary: fc.constant<Label>({}) });
  return fc.record(
    Object.fromEntries(Object.entries(plain).map(([name, declared]) => [name, one.map((said) => ({ ...declared, ...said }))])),
  );
}

function mostlyOrdinary<T extends object>(plain: Readonly<Record<string, T>>, ordinary: Label): fc.Arbitrary<Record<string, T & Label>> {
  const steady = Object.fromEntries(Object.entries(plain).map(([name, declared]) => [name, { ...declared, ...ordinary }]));
  return fc.oneof({ weight: 3, arbitrary: fc.constant(steady) }, { weight: 2, arbitrary: labelled(plain) });
}

const reachOf: Record<Tier, Source> = { user: 'profile', session: 'session', segment: 'request', anonymous: 'request' };

/** Mostly a condition that reaches as far as the rung may, sometimes one that asks for less, sometimes none. */
function conditionFor(tier: Tier): fc.Arbitrary<Condition> {
  return fc.oneof({ weight: 3, arbitrary: conditionReading(reachOf[tier]) }, { weight: 1, arbitrary: conditionReading('request') });
}

function ruleFor(tier: Tier): fc.Arbitrary<RuleDocument> {
  return fc
    .record({
      condition: fc.option(conditionFor(tier), { freq: 2, nil: null }),
      variant: fc.constantFrom(...variantIds),
      said: fc.oneof({ weight: 4, arbitrary: fc.constant<Label>({}) }, { weight: 1, arbitrary: rareLabel }),
    })
    .map(({ condition, variant, said }) => ({ ...(condition === null ? {} : { when: when(condition) }), variant, ...said }));
}

function rungFor(tier: Exclude<Tier, 'anonymous'>): fc.Arbitrary<RungDocument> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.array(ruleFor(tier), { minLength: 1, maxLength: 3 }).map((choose) => ({ tier, choose })) },
    { weight: 5, arbitrary: fc.constantFrom(...tags).map((tag) => ({ tier, arbitrate: { tag } })) },
    { weight: 1, arbitrary: fc.constantFrom(...variantIds).map((variant) => ({ tier, variant })) },
  );
}

const approved = { by: 'somebody', on: '2026-11-01', until: '2027-11-01' };

const zone: fc.Arbitrary<ZoneDocument> = fc
  .record({
    kind: fc.constantFrom('content' as const, 'offer' as const),
    criticality: fc.constantFrom(undefined, 0, 1, 2),
    late: fc.constantFrom(undefined, 'fallback' as const, 'defer' as const, 'suppress' as const),
    maxAgeSeconds: fc.option(fc.constantFrom(0, 5, 600), { freq: 3, nil: undefined }),
    said: fc.oneof({ weight: 8, arbitrary: fc.constant<Label>({}) }, { weight: 1, arbitrary: label }),
    user: fc.option(rungFor('user'), { freq: 3, nil: null }),
    session: fc.option(rungFor('session'), { freq: 3, nil: null }),
    segment: fc.option(rungFor('segment'), { freq: 3, nil: null }),
    anonymous: fc.constantFrom(...variantIds),
  })
  .map(({ kind, criticality, late, maxAgeSeconds, said, user, session, segment, anonymous }) => ({
    kind,
    ...(criticality === undefined ? {} : { criticality }),
    ...(late === undefined ? {} : { late }),
    ...(maxAgeSeconds === undefined ? {} : { cache: { maxAgeSeconds } }),
    ...said,
    ladder: [
      ...[user, session, segment].filter((rung) => rung !== null),
      { tier: 'anonymous', variant: `${anonymous}-plain`, approved } as const,
    ],
  }));

const day = 86_400_000;
const iso = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');
const from = fc.constantFrom(undefined, undefined, iso(baseNowMs - day), iso(baseNowMs), iso(baseNowMs + 1000), '2026-11-21', '2026-11-22');
const until = fc.constantFrom(
  undefined,
  undefined,
  undefined,
  iso(baseNowMs + day),
  iso(baseNowMs),
  iso(baseNowMs + 1000),
  '2026-11-22',
  '2026-12-31',
);

const context = fc.array(
  fc.record({
    when: fc.oneof({ weight: 3, arbitrary: conditionReading('request') }, { weight: 1, arbitrary: conditionReading('profile') }).map(when),
    perMille: fc.constantFrom(0, 1, 333, 500, 999, 1000, 1200, 1999, 100_000),
  }),
  { maxLength: 4 },
);

const offer: fc.Arbitrary<OfferDocument> = fc
  .record({
    tags: fc.uniqueArray(fc.constantFrom(...tags), { minLength: 1, maxLength: 2 }),
    variant: fc.constantFrom(...variantIds),
    said: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom<Label>({ class: 'S0' }, { class: 'S1' }) },
      { weight: 2, arbitrary: label },
      { weight: 1, arbitrary: fc.constant<Label>({}) },
    ),
    condition: fc.option(fc.oneof(conditionFor('user'), conditionFor('session'), conditionFor('segment')), { freq: 2, nil: null }),
    propensityPpm: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 1_000_000 }) },
      { weight: 2, arbitrary: fc.constantFrom(0, 1, 500_000, 999_999, 1_000_000) },
    ),
    propensity: fc.constantFrom('written' as const, 'written' as const, 'model' as const, 'model or written' as const),
    value: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 1_000_000 }) },
      { weight: 2, arbitrary: fc.constantFrom(0, 1, 7, 999_999, 1_000_000) },
    ),
    context,
    levers: fc.dictionary(fc.constantFrom('margin', 'season'), fc.constantFrom(-2000, -1000, -999, -100, 1, 100, 9000, 20_000), {
      maxKeys: 2,
    }),
    group: fc.constantFrom(undefined, undefined, 'g1', 'g2'),
    from,
    until,
  })
  .map(({ said, condition, group, context: factors, from: start, until: end, propensity, propensityPpm, ...rest }) => ({
    ...rest,
    ...(propensity === 'model' ? {} : { propensityPpm }),
    ...(propensity === 'written' ? {} : { propensity: 'model' as const }),
    levers: { ...rest.levers },
    ...said,
    ...(condition === null ? {} : { when: when(condition) }),
    ...(factors.length === 0 ? {} : { context: factors }),
    ...(group === undefined ? {} : { group }),
    ...(start === undefined ? {} : { from: start }),
    ...(end === undefined || (start !== undefined && Date.parse(end) <= Date.parse(start)) ? {} : { until: end }),
  }));

const onFailure = fc.constantFrom(
  undefined,
  undefined,
  undefined,
  'user' as const,
  'session' as const,
  'segment' as const,
  'anonymous' as const,
);
const lateOfDependency = fc.constantFrom(undefined, undefined, undefined, 'fallback' as const, 'defer' as const, 'suppress' as const);
const dependency: fc.Arbitrary<DependencyDocument> = fc
  .record({ tier: onFailure, late: lateOfDependency, retries: fc.constantFrom(undefined, undefined, 0, 1, 5) })
  .map(({ tier, late, retries }) => ({
    ...(tier === undefined ? {} : { onFailure: tier }),
    ...(late === undefined ? {} : { late }),
    ...(retries === undefined ? {} : { retries }),
  }));

/** How each service would be asked: the oracle has no part in it, and the policy must load with it. */
const services = {
  identity: {
    source: 'http',
    url: 'https://ids.example/v1/devices/{deviceId}',
    map: { subject: 'response.person', method: 'response.method', confidencePpm: 'response.confidence' },
  },
  profile: {
    source: 'http',
    url: 'https://cdp.example/v1/people/{subject}?fields=all',
    headers: { authorization: { env: 'STEPWELL_SOURCE_CDP' }, 'accept-language': 'de' },
    map: { attributes: { loyalty: 'response.tier', orders: 'response.orders' }, audiences: 'response.segments' },
    maxBytes: 65_536,
  },
  audience: {
    source: 'http',
    url: 'https://aud.example/{subject}',
    method: 'GET',
    map: { audiences: 'response.members.map(m, m.name)' },
  },
  model: {
    source: 'http',
    url: 'http://rec.example:8080/score',
    method: 'POST',
    send: ['country', 'mobile'],
    map: { propensityPpm: 'response.scores' },
    connections: 4,
  },
} as const satisfies Record<string, SourceDocument>;

const modelLabel: fc.Arbitrary<Label> = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom<Label>({ class: 'S0' }, { class: 'S1' }) },
  { weight: 2, arbitrary: label },
  { weight: 1, arbitrary: fc.constant<Label>({}) },
);

/** Some of the dependencies are services, in every combination. */
const dependencies: fc.Arbitrary<DependencyDocuments> = fc
  .record({
    settings: fc.record({
      identity: dependency,
      consent: dependency,
      profile: dependency,
      session: dependency,
      audience: dependency,
      model: dependency,
    }),
    served: fc.record({ identity: fc.boolean(), profile: fc.boolean() }),
    // Settings of a dependency that nobody is asked for change nothing.
    audience: fc.constantFrom('http', 'http', 'absent', 'settings alone'),
    model: fc.constantFrom('http', 'http', 'absent', 'settings alone'),
    modelLabel,
  })
  .map(({ settings, served, audience, model, modelLabel: said }) => ({
    identity: { ...settings.identity, ...(served.identity ? services.identity : {}) },
    consent: settings.consent,
    profile: { ...settings.profile, ...(served.profile ? services.profile : {}) },
    session: settings.session,
    ...(audience === 'absent' ? {} : { audience: { ...settings.audience, ...(audience === 'http' ? services.audience : {}) } }),
    ...(model === 'absent' ? {} : { model: { ...settings.model, ...(model === 'http' ? { ...services.model, ...said } : {}) } }),
  }));

export const policyDocument: fc.Arbitrary<PolicyDocument> = fc
  .record({
    request: mostlyOrdinary<AttributeDocument>(attributes.request, { class: 'S0' }),
    session: mostlyOrdinary<AttributeDocument>(attributes.session, { class: 'S1' }),
    profile: mostlyOrdinary<AttributeDocument>(attributes.profile, { class: 'S1' }),
    edge: mostlyOrdinary<AudienceDocument>(Object.fromEntries(edgeAudiences.map((name) => [name, { edge: true }])), { class: 'S0' }),
    beyondEdge: mostlyOrdinary<AudienceDocument>(Object.fromEntries(profileAudiences.map((name) => [name, {}])), { class: 'S1' }),
    onlyEdge: fc.integer({ min: 0, max: 5 }).map((drawn) => drawn === 0),
    contextualWithoutSignal: fc.constantFrom(undefined, true, true, true, false),
    maxAgeDays: fc.constantFrom(30, 180),
    dependencies,
    sensitive: fc.option(
      fc.record({ enabled: fc.constantFrom(true, true, false), categories: fc.subarray([...categories], { minLength: 1 }) }),
      { freq: 3, nil: null },
    ),
    zones: fc.array(zone, { minLength: 1, maxLength: 5 }),
    offers: fc.oneof(
      { weight: 1, arbitrary: fc.array(offer, { maxLength: 1 }) },
      { weight: 5, arbitrary: fc.array(offer, { minLength: 3, maxLength: offerIds.length }) },
    ),
    pageZones: fc.shuffledSubarray([...zoneIds], { minLength: 1 }),
    variantLabels: fc.array(fc.oneof({ weight: 5, arbitrary: fc.constant<Label>({}) }, { weight: 1, arbitrary: label }), {
      minLength: variantIds.length,
      maxLength: variantIds.length,
    }),
  })
  .map((drawn) => {
    const zones = Object.fromEntries(drawn.zones.map((one, index) => [zoneIds[index] as string, one]));
    const onPage = drawn.pageZones.filter((id) => Object.hasOwn(zones, id));
    return mended({
      stepwell: 1,
      policy: 'generated',
      owner: 'tests',
      attributes: { request: drawn.request, session: drawn.session, profile: drawn.profile },
      audiences: { ...drawn.edge, ...(drawn.onlyEdge ? {} : drawn.beyondEdge) },
      ...(drawn.contextualWithoutSignal === undefined ? {} : { contextualWithoutSignal: drawn.contextualWithoutSignal }),
      consent: { vendorId: 1111, maxAgeDays: drawn.maxAgeDays },
      deadline: { defaultMs: 60, minMs: 5, maxMs: 500 },
      dependencies: drawn.dependencies,
      ...(drawn.sensitive === null ? {} : { sensitive: { S3: drawn.sensitive } }),
      pages: { home: { zones: onPage.length > 0 ? onPage : [zoneIds[0]] } },
      zones,
      variants: Object.fromEntries(
        variantIds.flatMap((id, index) => [
          [id, { content: { shows: id }, ...drawn.variantLabels[index] }],
          [`${id}-plain`, { content: [id, null, true, 0] }],
        ]),
      ),
      offers: Object.fromEntries(drawn.offers.map((one, index) => [offerIds[index] as string, one])),
    });
  });

/** What no author could load is mended to the nearest thing that loads. */
function mended(document: PolicyDocument): PolicyDocument {
  const zones = Object.fromEntries(
    Object.entries(document.zones).map(([id, one]) => [id, { ...one, ladder: one.ladder.map((rung) => mendedRung(document, rung)) }]),
  );
  const offers = Object.fromEntries(
    Object.entries(document.offers).map(([id, one]) => [id, mendedConditions(document, scored(document, one))]),
  );
  const once: PolicyDocument = { ...document, zones, offers };
  return { ...once, offers: Object.fromEntries(Object.entries(once.offers).map(([id, one]) => [id, withReachableTags(once, one)])) };
}

/** Stands in for a condition that this rung or this document may not have. */
const harmless = when({ is: 'attribute', source: 'request', name: 'mobile' });

function mendedRung(document: PolicyDocument, rung: RungDocument): RungDocument {
  if (rung.choose === undefined) return rung;
  const rules: RuleDocument[] = [];
  for (const rule of rung.choose) {
    const fits = rule.when === undefined || (isWritable(document, rule.when.ast) && reachesAtMost(document, rule.when.ast, rung.tier));
    rules.push(fits ? rule : { ...rule, when: harmless });
    if (rule.when === undefined) break;
  }
  return { ...rung, choose: rules };
}

/** Nothing is left to a model that the policy does not have. */
function scored(document: PolicyDocument, one: OfferDocument): OfferDocument {
  if (one.propensity === undefined || document.dependencies?.model?.source === 'http') return one;
  const { propensity: _ofModel, ...written } = one;
  return { ...written, propensityPpm: one.propensityPpm ?? 500_000 };
}

function mendedConditions(document: PolicyDocument, one: OfferDocument): OfferDocument {
  return {
    ...one,
    ...(one.when === undefined ? {} : { when: isWritable(document, one.when.ast) ? one.when : harmless }),
    ...(one.context === undefined
      ? {}
      : { context: one.context.map((factor) => (isWritable(document, factor.when.ast) ? factor : { ...factor, when: harmless })) }),
  };
}

function isWritable(document: PolicyDocument, ast: Condition): boolean {
  return declared(document, ast) && !walksTooDeep(ast);
}

/** A list walked for every item of another is dear, and more than a few such conditions are more than a policy may cost. */
function walksTooDeep(ast: Condition): boolean {
  const isMacro = (part: Condition): part is Extract<Condition, { is: 'exists' | 'all' }> => part.is === 'exists' || part.is === 'all';
  return [...everyPart(ast)].some((part) => isMacro(part) && [...everyPart(part.condition)].some(isMacro));
}

function declared(document: PolicyDocument, ast: Condition): boolean {
  const reading = readingOf(ast);
  return reading.audiences === 'whole list'
    ? [...everyPart(ast)].every(
        (part) =>
          part.is !== 'in' || part.left.is !== 'string' || part.right.is !== 'audiences' || has(document.audiences, part.left.value),
      )
    : reading.audiences.every((name) => has(document.audiences, name));
}

function has(record: object | undefined, name: string): boolean {
  return record !== undefined && Object.hasOwn(record, name);
}

function reachesAtMost(document: PolicyDocument, ast: Condition, tier: Tier): boolean {
  if (tier === 'user') return true;
  const lowest = lowestTierOf(document, { tags: [], variant: '', when: when(ast), value: 0 });
  return lowest === 'segment' || (lowest === 'session' && tier === 'session');
}

/** An offer keeps a tag that no rung selects, or that some rung selects at or above the offer's lowest tier. */
function withReachableTags(document: PolicyDocument, one: OfferDocument): OfferDocument {
  const order: readonly Tier[] = ['anonymous', 'segment', 'session', 'user'];
  const lowest = order.indexOf(lowestTierOf(document, one));
  const kept = one.tags.filter((tag) => {
    const selecting = Object.values(document.zones).flatMap(({ ladder }) => ladder.filter((rung) => rung.arbitrate?.tag === tag));
    return selecting.length === 0 || selecting.some((rung) => order.indexOf(rung.tier) >= lowest);
  });
  return { ...one, tags: kept.length > 0 ? kept : ['unselected'] };
}
