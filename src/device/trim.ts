/**
 * What of a policy may leave for a device. Nothing leaves that is not marked for it, and nothing that could not be decided there
 * exactly as here: what is left out is named, with the reason, for the author of the policy.
 */
import type { Artefact, Offer, Reads, Rule, Rung, Sensitivity, Zone } from '../decision/artefact.ts';
import { atOnce } from '../decision/at-once.ts';
import type { Expression } from '../decision/expression.ts';
import type { Json } from '../decision/value.ts';
import { type Tier, tierHeight } from '../decision/vocabulary.ts';
import {
  type Condition,
  type DeviceOffer,
  type DevicePolicy,
  type DeviceRule,
  type DeviceRung,
  type DeviceZone,
  factorsMax,
} from './device-artefact.ts';
import { lower } from './lower.ts';

export interface Trimmed {
  readonly artefact: DevicePolicy;
  readonly leftOut: readonly LeftOut[];
}

/** A rule (by its place on a rung, from 0) or an offer that stays at home. */
export interface LeftOut {
  readonly zone: string;
  readonly tier: Tier;
  readonly rule: number | null;
  readonly offer: string | null;
  readonly why: LeftOutReason;
}

export const leftOutReasons = {
  rung: 'a device decides on segment and session rungs only, and what reads local signals on session rungs',
  not_marked: 'it is not marked `device: true`',
  class: 'only classes S0 and S1 may leave for a device',
  reads: 'it reads what a device does not know: the session, the profile, an audience that is not of the edge, or a model',
  special_feature: 'it reads an attribute that needs an opt-in of its own',
  instant: 'it reads an instant that a caller writes as text, and a device reads no such texts',
  text_order: 'it puts texts in order, and engines differ in that',
  too_costly: 'its conditions may take more steps than are allowed',
  too_many_factors: 'it has more context factors than a device multiplies',
  over: 'its window has closed',
} as const;
export type LeftOutReason = keyof typeof leftOutReasons;

/** All at once, for whoever has nothing else to do. */
export function trim(artefact: Artefact, nowMs: number): Trimmed {
  return atOnce(trimInPieces(artefact, nowMs));
}

/** Rules and offers looked at between two pauses. */
const piece = 32;

export function* trimInPieces(artefact: Artefact, nowMs: number): Generator<undefined, Trimmed> {
  const leftOut: LeftOut[] = [];
  const offers: Record<string, DeviceOffer> = {};
  const zones: Record<string, DeviceZone> = {};
  for (const [id, zone] of Object.entries(artefact.zones)) {
    const ladder: DeviceRung[] = [];
    for (const rung of zone.ladder) {
      const trimmed = yield* trimmedRung({ artefact, nowMs, id, zone, offers, leftOut }, rung);
      ladder.push(artefact.contextualWithoutSignal && rung.tier === 'segment' ? { ...trimmed, open: true } : trimmed);
    }
    zones[id] = { kind: zone.kind, criticality: zone.criticality, ...s1(zone.sensitivity), ladder };
  }
  const pages = Object.fromEntries(Object.entries(artefact.pages).map(([id, page]) => [id, page.zones]));
  const { policy, revision } = artefact;
  const variants = yield* variantsOf(artefact, zones, offers);
  return { artefact: { format: 1, policy, revision, pages, zones, offers, variants }, leftOut };
}

interface Trimming {
  readonly artefact: Artefact;
  readonly nowMs: number;
  readonly id: string;
  readonly zone: Zone;
  readonly offers: Record<string, DeviceOffer>;
  readonly leftOut: LeftOut[];
}

function* trimmedRung(trimming: Trimming, rung: Rung): Generator<undefined, DeviceRung> {
  const { tier, select } = rung;
  const left = (why: LeftOutReason, rule: number | null, offer: string | null): void => {
    trimming.leftOut.push({ zone: trimming.id, tier, rule, offer, why });
  };
  if (select.by === 'choose') {
    const rules: DeviceRule[] = [];
    for (const [place, rule] of select.rules.entries()) {
      if (place % piece === 0) yield;
      const short = trimmedRule(trimming, tier, rule);
      if (typeof short === 'string') left(short, place, null);
      else rules.push(short);
    }
    return rules.length > 0 ? { tier, rules } : { tier };
  }
  const ids: string[] = [];
  for (const [place, id] of select.offers.entries()) {
    if (place % piece === 0) yield;
    const offer = Object.hasOwn(trimming.artefact.offers, id) ? trimming.artefact.offers[id] : undefined;
    if (offer === undefined) continue;
    const short = trimmedOffer(trimming, tier, offer);
    if (typeof short === 'string') left(short, null, id);
    else {
      trimming.offers[id] = short;
      ids.push(id);
    }
  }
  return ids.length > 0 ? { tier, offers: ids } : { tier };
}

function trimmedRule({ artefact, zone }: Trimming, tier: Tier, rule: Rule): DeviceRule | LeftOutReason {
  // The approved fallback is for everybody, and needs no mark.
  if (tier === 'anonymous') return { variant: rule.variant };
  const obstacle = obstacleOf(artefact, zone, tier, rule);
  if (obstacle !== null) return obstacle;
  const when = short(rule.when, artefact);
  return 'why' in when ? when.why : { ...when, variant: rule.variant, ...s1(rule.sensitivity) };
}

function trimmedOffer({ artefact, zone, nowMs }: Trimming, tier: Tier, offer: Offer): DeviceOffer | LeftOutReason {
  const obstacle = tierHeight(offer.lowestTier) > tierHeight(tier) ? 'rung' : obstacleOf(artefact, zone, tier, offer);
  if (obstacle !== null) return obstacle;
  if (offer.untilMs !== null && offer.untilMs <= nowMs) return 'over';
  if (offer.context.length > factorsMax) return 'too_many_factors';
  const when = short(offer.when, artefact);
  if ('why' in when) return when.why;
  const context: [Condition, number][] = [];
  for (const factor of offer.context) {
    const lowered = lower(factor.when, artefact);
    if ('why' in lowered) return lowered.why;
    context.push([lowered.condition, factor.perMille]);
  }
  const levers = Math.min(Math.max(1000 + offer.leversPerMille, 1), 10_000);
  return {
    variant: offer.variant,
    ...when,
    worth: offer.propensityPpm * offer.value,
    ...(context.length > 0 ? { context } : {}),
    ...(levers === 1000 ? {} : { levers }),
    ...(offer.group === null ? {} : { group: offer.group }),
    ...(offer.fromMs === null ? {} : { fromMs: offer.fromMs }),
    ...(offer.untilMs === null ? {} : { untilMs: offer.untilMs }),
    ...s1(offer.sensitivity),
  };
}

interface Marked {
  readonly sensitivity: Sensitivity;
  readonly reads: Reads;
  readonly device?: true;
}

/** Why it may not leave, whatever its conditions say. */
function obstacleOf(artefact: Artefact, zone: Zone, tier: Tier, entry: Marked): LeftOutReason | null {
  if (tier === 'user') return 'rung';
  if (entry.device !== true) return 'not_marked';
  if (![zone.sensitivity, entry.sensitivity].every(({ class: level }) => level === 'S0' || level === 'S1')) return 'class';
  const { session, profile, audience, model, request } = entry.reads;
  if (session || profile || audience || model) return 'reads';
  if (request.some((name) => artefact.attributes.request[name]?.specialFeature !== undefined)) return 'special_feature';
  return tier === 'segment' && entry.reads.device === true ? 'rung' : null;
}

function short(when: Expression | null, artefact: Artefact): { readonly when?: Condition } | { readonly why: LeftOutReason } {
  if (when === null) return {};
  const lowered = lower(when, artefact);
  return 'why' in lowered ? lowered : { when: lowered.condition };
}

function s1({ class: level }: Sensitivity): { readonly s1?: true } {
  return level === 'S1' ? { s1: true } : {};
}

/** Those that something names which has stayed, and no other. */
function* variantsOf(
  artefact: Artefact,
  zones: Readonly<Record<string, DeviceZone>>,
  offers: Readonly<Record<string, DeviceOffer>>,
): Generator<undefined, Readonly<Record<string, Json>>> {
  const rules = Object.values(zones).flatMap(({ ladder }) => ladder.flatMap((rung) => rung.rules ?? []));
  const named = new Set([...rules, ...Object.values(offers)].map(({ variant }) => variant));
  yield;
  const ids = [...named].sort();
  yield;
  return Object.fromEntries(ids.map((id) => [id, artefact.variants[id]?.content ?? null]));
}
