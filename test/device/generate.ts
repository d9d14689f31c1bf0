/**
 * Policies as the compiler makes them, and questions that a device can put, drawn by chance that can be had again. Half of what is
 * drawn may leave for a device; the other half has one of every reason to stay.
 */
import type { Artefact, Offer, Reads, Rule, Rung, Sensitivity, Zone } from '../../src/decision/artefact.ts';
import { binaryOperators, type Expression } from '../../src/decision/expression.ts';
import type { Value } from '../../src/decision/value.ts';
import type { Class, Tier, UseCase } from '../../src/decision/vocabulary.ts';
import type { DeviceQuestion } from '../../src/device/decide-on-device.ts';
import type { Chance } from '../attacks/chance.ts';

export const baseNowMs = Date.UTC(2026, 10, 21, 12);

const countries = ['DE', 'AT', 'CH', 'US', '', '😀', 'é'];
const categories = ['shoes', 'bags', 'coats', 'hats'];
const audienceNames = ['newsletter', 'outlet'];

const declared = { values: null, sensitivity: { class: 'S0', categories: [], uncategorised: false } } as const;
const attributes: Artefact['attributes'] = {
  request: {
    country: { type: 'string', ...declared },
    place: { type: 'string', specialFeature: 1, ...declared },
    size: { type: 'int', ...declared },
    fresh: { type: 'bool', ...declared },
    tags: { type: 'strings', ...declared, values: ['shoes', 'bags', 'coats'] },
    since: { type: 'timestamp', ...declared },
  },
  session: { visits: { type: 'int', ...declared } },
  profile: { loyalty: { type: 'string', ...declared } },
  device: {
    recent_categories: { type: 'strings', ...declared },
    last_category: { type: 'string', ...declared, values: ['shoes', 'bags'] },
    visits: { type: 'int', ...declared },
  },
};

export function drawArtefact(chance: Chance): Artefact {
  const groups = [null, null, 'one', 'undefined'];
  const offers: Record<string, Offer> = {};
  for (let index = 0; index < 8; index++) offers[`offer-${index}`] = drawOffer(chance, chance.oneOf(groups));
  const zones = Object.fromEntries(['hero', 'rail', 'strip', 'foot'].map((id) => [id, drawZone(chance, Object.keys(offers))]));
  return {
    format: 1,
    policy: 'drawn',
    owner: null,
    revision: 'f00d'.repeat(16),
    attributes,
    audiences: {},
    contextualWithoutSignal: chance.onceIn(2),
    consent: { path: 'vendor', vendorId: null, maxAgeDays: 180, regimes: {}, purposeOneCountries: [] },
    freshnessMaxMs: 0,
    sensitiveCategories: ['health'],
    deadline: { defaultMs: 60, minMs: 5, maxMs: 500 },
    dependencies: Object.fromEntries(
      ['identity', 'consent', 'profile', 'session', 'audience', 'model'].map((name) => [
        name,
        { budgetMs: null, retries: 0, onFailure: null, late: null, source: null },
      ]),
    ) as unknown as Artefact['dependencies'],
    pages: { home: { deadlineMs: null, zones: ['rail', 'hero', 'foot'] } },
    zones,
    variants: Object.fromEntries(variantNames.map((id) => [id, { content: { says: id } }])),
    offers,
  };
}

const variantNames = ['a', 'b', 'c', 'd', 'fallback'];

function drawZone(chance: Chance, offers: readonly string[]): Zone {
  const tiers = (['user', 'session', 'segment'] as const).filter(() => !chance.onceIn(4));
  const ladder = tiers.map((tier) => drawRung(chance, tier, offers));
  const fallback: Rung = {
    tier: 'anonymous',
    select: { by: 'choose', rules: [{ when: null, variant: 'fallback', sensitivity: level('S0'), reads: readsNothing }] },
    approved: { by: 'Brand lead', onMs: 0, untilMs: baseNowMs * 2 },
  };
  return {
    kind: chance.onceIn(2) ? 'offer' : 'content',
    criticality: chance.below(3),
    budgetMs: null,
    late: 'fallback',
    sensitivity: level(chance.onceIn(8) ? 'S2' : chance.onceIn(6) ? 'S1' : 'S0'),
    maxAgeSeconds: null,
    ladder: [...ladder, fallback],
  };
}

function drawRung(chance: Chance, tier: Tier, offers: readonly string[]): Rung {
  if (chance.onceIn(2)) return { tier, select: { by: 'arbitrate', offers: offers.filter(() => !chance.onceIn(3)) }, approved: null };
  const rules = Array.from({ length: 1 + chance.below(3) }, () => drawRule(chance, tier));
  return { tier, select: { by: 'choose', rules }, approved: null };
}

function drawRule(chance: Chance, tier: Tier): Rule {
  const when = chance.onceIn(12) ? null : drawCondition(chance, tier === 'session', 3);
  return { when, variant: chance.oneOf(variantNames), ...drawnMark(chance), sensitivity: drawSensitivity(chance), reads: readsOf([when]) };
}

function drawOffer(chance: Chance, group: string | null): Offer {
  const mayReadDevice = chance.onceIn(3);
  const when = chance.onceIn(4) ? null : drawCondition(chance, mayReadDevice, 2);
  const context = Array.from({ length: chance.onceIn(10) ? 7 : chance.below(4) }, () => ({
    when: drawCondition(chance, mayReadDevice, 1),
    perMille: chance.oneOf([0, 1, 900, 1000, 1100, 33_333, 100_000]),
  }));
  const reads = readsOf([when, ...context.map((factor) => factor.when)]);
  const windowMs = 60_000;
  return {
    variant: chance.oneOf(variantNames),
    when,
    fromModel: false,
    // Few different ones, so that offers often tie.
    propensityPpm: chance.oneOf([0, 1, 500_000, 1_000_000]),
    value: chance.oneOf([0, 1, 40, 1_000_000]),
    context,
    leversPerMille: chance.oneOf([0, 0, 100, -5000, 20_000]),
    group,
    fromMs: chance.onceIn(4) ? baseNowMs + (chance.below(3) - 1) * windowMs : null,
    untilMs: chance.onceIn(4) ? baseNowMs + (chance.below(3) - 1) * windowMs : null,
    sensitivity: drawSensitivity(chance),
    reads,
    lowestTier: reads.profile ? 'user' : reads.device || reads.session ? 'session' : 'segment',
    ...drawnMark(chance),
  };
}

function drawnMark(chance: Chance): { readonly device?: true } {
  return chance.onceIn(6) ? {} : { device: true };
}

function drawSensitivity(chance: Chance): Sensitivity {
  return level(chance.onceIn(10) ? 'S2' : chance.onceIn(3) ? 'S1' : 'S0');
}

function level(of: Class): Sensitivity {
  return { class: of, categories: [], uncategorised: false };
}

type Draw = (depth: number) => Expression;

/** Mostly of the right types; now and then not, for the data may not be what was declared either. */
function drawCondition(chance: Chance, mayReadDevice: boolean, depthMax: number): Expression {
  const literal = (value: Extract<Expression, { op: 'literal' }>['value']): Expression => ({ op: 'literal', value });
  const attribute = (source: 'request' | 'device', name: string): Expression => ({ op: 'attribute', source, name });
  const leaf = (fromDevice: string, ...others: readonly (() => Expression)[]): Expression =>
    mayReadDevice && chance.onceIn(2) ? attribute('device', fromDevice) : chance.oneOf(others)();
  const text: Draw = () =>
    leaf(
      'last_category',
      () => attribute('request', chance.onceIn(30) ? 'place' : 'country'),
      () => literal(chance.oneOf([...countries, ...categories])),
    );
  const number: Draw = (depth) => {
    if (depth > 0 && chance.onceIn(3)) {
      if (chance.onceIn(5)) return { op: 'size', operand: chance.onceIn(2) ? text(0) : list(0) };
      if (chance.onceIn(5)) return { op: 'negate', operand: number(depth - 1) };
      return { op: chance.oneOf(['+', '-', '*', '/', '%'] as const), left: number(depth - 1), right: number(depth - 1) };
    }
    const drawn = [0, 1, -1, 2, 7, Number.MAX_SAFE_INTEGER, baseNowMs];
    return leaf(
      'visits',
      () => attribute('request', chance.oneOf(['size', 'since'])),
      () => literal(chance.oneOf(drawn)),
      () => ({ op: 'now' }),
    );
  };
  const list: Draw = (depth) =>
    leaf(
      'recent_categories',
      () => attribute('request', 'tags'),
      () => ({ op: 'audiences' }),
      () => literal(categories.slice(chance.below(4))),
      () => ({ op: 'list', items: Array.from({ length: chance.below(4) }, () => text(depth)) }),
    );
  const truth: Draw = (depth) => {
    if (depth <= 0) {
      if (chance.onceIn(4)) return attribute('request', 'fresh');
      if (chance.onceIn(6)) return { op: 'literal', value: chance.onceIn(2) };
      return {
        op: 'has',
        source: mayReadDevice && chance.onceIn(2) ? 'device' : 'request',
        name: chance.oneOf(['country', 'visits', 'size']),
      };
    }
    switch (chance.below(10)) {
      case 0:
        return { op: 'not', operand: truth(depth - 1) };
      case 1:
      case 2:
        return { op: chance.oneOf(['and', 'or'] as const), operands: Array.from({ length: 2 + chance.below(2) }, () => truth(depth - 1)) };
      case 3:
        // biome-ignore lint/suspicious/noThenProperty: the core's word, and nothing here is awaited
        return { op: 'if', condition: truth(depth - 1), then: truth(depth - 1), otherwise: truth(depth - 1) };
      case 4:
        return {
          op: 'in',
          left: chance.onceIn(2) ? literal(chance.oneOf([...audienceNames, ...categories])) : text(depth),
          right: list(depth),
        };
      case 5: {
        const variable: Expression = { op: 'variable', name: 'x' };
        const inner: Expression = chance.onceIn(2)
          ? { op: '==', left: variable, right: text(0) }
          : chance.onceIn(6)
            ? {
                op: 'exists',
                list: list(0),
                variable: chance.oneOf(['x', 'y']),
                condition: { op: '==', left: variable, right: { op: 'variable', name: 'y' } },
              }
            : { op: 'contains', left: variable, right: literal(chance.oneOf(['s', 'ho', ''])) };
        return { op: chance.oneOf(['exists', 'all'] as const), list: list(depth), variable: 'x', condition: inner };
      }
      case 6:
        return {
          op: chance.oneOf(['startsWith', 'endsWith', 'contains'] as const),
          left: text(depth),
          right: chance.onceIn(4) ? text(depth) : literal('s'),
        };
      case 7:
        return { op: chance.oneOf(['==', '!='] as const), left: list(depth), right: list(depth) };
      case 8:
        return {
          op: chance.oneOf(binaryOperators),
          left: chance.oneOf([text, number])(depth),
          right: chance.oneOf([text, number, list])(depth),
        };
      default: {
        const kind = chance.oneOf([text, number, number]);
        return {
          op: chance.oneOf(kind === text ? (['==', '!='] as const) : (['==', '!=', '<', '<=', '>', '>='] as const)),
          left: kind(depth),
          right: kind(depth),
        };
      }
    }
  };
  return truth(depthMax);
}

const readsNothing: Reads = { request: [], session: false, profile: false, audience: false, model: false, audiences: false, now: false };

function readsOf(conditions: readonly (Expression | null)[]): Reads {
  const text = JSON.stringify(conditions);
  const request = Object.keys(attributes.request).filter((name) => text.includes(`"source":"request","name":"${name}"`));
  const reads = { ...readsNothing, request, audiences: text.includes('"audiences"'), now: text.includes('"now"') };
  return text.includes('"source":"device"') ? { ...reads, device: true } : reads;
}

const useCases = [
  'contextual_content',
  'contextual_offer',
  'content_personalization',
  'offers',
  'profile_activation_content',
  'profile_activation_offer',
];

export function drawQuestion(chance: Chance): DeviceQuestion {
  const wild = (value: Value): Value =>
    chance.onceIn(12) ? (chance.oneOf([true, [], ['x', 'x'.repeat(2000)], 'x'.repeat(1025), 2 ** 53, 0.5, -0, null]) as Value) : value;
  const request: Record<string, Value> = {};
  if (!chance.onceIn(4)) request.country = wild(chance.oneOf(countries));
  if (!chance.onceIn(3)) request.size = chance.onceIn(12) ? true : chance.oneOf([0, 1, -7, Number.MAX_SAFE_INTEGER]);
  if (!chance.onceIn(3)) request.fresh = wild(chance.onceIn(2));
  if (!chance.onceIn(3)) request.tags = wild(categories.filter(() => chance.onceIn(2)));
  if (!chance.onceIn(3)) request.since = baseNowMs + chance.below(3) - 1;
  if (chance.onceIn(3)) request.place = 'DE';
  const signals = chance.onceIn(4)
    ? null
    : {
        ...(chance.onceIn(3) ? {} : { recent_categories: wild(categories.filter(() => chance.onceIn(2))) }),
        ...(chance.onceIn(3) ? {} : { last_category: wild(chance.oneOf(categories)) }),
        ...(chance.onceIn(3) ? {} : { visits: chance.below(4) }),
      };
  const consent: Partial<Record<UseCase, 'granted' | 'denied'>> = {};
  for (const useCase of useCases) {
    if (!chance.onceIn(3)) consent[useCase as UseCase] = chance.onceIn(4) ? 'denied' : 'granted';
  }
  const zones = ['strip', 'hero', 'rail', 'foot'].filter(() => !chance.onceIn(5));
  return {
    nowMs: baseNowMs + (chance.below(3) - 1) * 60_000 + chance.below(3) - 1,
    page: chance.onceIn(4) ? null : 'home',
    zones: chance.onceIn(2) ? zones : zones.reverse(),
    shownOffers: chance.onceIn(3) ? [`offer-${chance.below(8)}`, 'constructor'] : [],
    request,
    audiences: chance.onceIn(3) ? undefined : audienceNames.filter(() => chance.onceIn(2)),
    consent,
    gpc: chance.onceIn(6),
    signals,
    seed: chance.onceIn(2) ? '' : `s${chance.below(100)}`,
  };
}
