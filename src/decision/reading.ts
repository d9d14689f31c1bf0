/**
 * What the rules of a rung read, as written: the facts gate, `needs` and the cache scope all ask this one place. What follows from
 * the artefact alone is worked out once for each artefact and kept beside it.
 */
import { priorityMax } from './arbitration.ts';
import type { Artefact, Offer, Reads, Rule, Rung, Sensitivity, Zone } from './artefact.ts';
import { atOnce } from './at-once.ts';
import { edgesOfAll } from './edges.ts';
import type { Expression } from './expression.ts';
import { combined, isEnabled } from './sensitivity.ts';
import { tierHeight } from './vocabulary.ts';

/** A rule or an offer that stands on a rung. */
interface Entry {
  /** Its own, raised to the zone's. */
  readonly sensitivity: Sensitivity;
  readonly reads: Reads;
  /** All that is held against a visitor: whether it applies, and what an offer is worth. */
  readonly conditions: readonly Expression[];
  /** When what it says of the decision's time changes; null where that cannot be told. */
  readonly edgesMs: readonly number[] | null;
}

export interface RuleEntry extends Entry {
  readonly rule: Rule;
}

export interface OfferEntry extends Entry {
  readonly id: string;
  readonly offer: Offer;
  /** Whether the rung may read all that the offer reads: below its lowest tier it is no candidate. */
  readonly isCandidate: boolean;
  readonly priorityMax: number;
}

/** What any rule of a rung could use, at one instant. */
export interface RungReads {
  readonly profile: boolean;
  readonly session: boolean;
  readonly audience: boolean;
  readonly model: boolean;
  readonly audiences: boolean;
  /** Whether something on the rung is of class S1: more than request facts, and not kept for the user rung. */
  readonly beyondRequestFacts: boolean;
}

export interface PreparedRung {
  readonly rung: Rung;
  readonly rules: readonly RuleEntry[];
  readonly offers: readonly OfferEntry[];
  /** The candidates among them, those that may reach the highest priority first. */
  readonly candidates: readonly OfferEntry[];
  /** Rules, and candidate offers, of enabled classes that a server can decide; those with a window apart, because they come and go. */
  readonly always: readonly Entry[];
  readonly windowed: readonly OfferEntry[];
  readonly alwaysReads: RungReads;
}

export interface PreparedZone {
  readonly zone: Zone;
  readonly rungs: readonly PreparedRung[];
}

const prepared = new WeakMap<Artefact, Map<string, PreparedZone>>();

/** Undefined for a zone that the artefact does not have. */
export function preparedZone(artefact: Artefact, id: string): PreparedZone | undefined {
  const zones = preparedZonesOf(artefact);
  const known = zones.get(id);
  const zone = known === undefined && Object.hasOwn(artefact.zones, id) ? artefact.zones[id] : undefined;
  if (zone === undefined) return known;
  const made = atOnce(prepare(artefact, zone));
  zones.set(id, made);
  return made;
}

/** All that decisions will want, in pieces: who puts a large policy in force has other things to do in between. */
export function* preparation(artefact: Artefact): Generator<undefined, void> {
  const zones = preparedZonesOf(artefact);
  for (const [id, zone] of Object.entries(artefact.zones)) {
    zones.set(id, yield* prepare(artefact, zone));
    yield;
  }
}

function preparedZonesOf(artefact: Artefact): Map<string, PreparedZone> {
  let zones = prepared.get(artefact);
  if (zones === undefined) {
    zones = new Map();
    prepared.set(artefact, zones);
  }
  return zones;
}

export function isInWindow(offer: Offer, nowMs: number): boolean {
  return (offer.fromMs === null || nowMs >= offer.fromMs) && (offer.untilMs === null || nowMs < offer.untilMs);
}

/** Leaves out offers outside their window or below their lowest tier, and classes that are not enabled. */
export function readsOf({ alwaysReads, windowed }: PreparedRung, nowMs: number): RungReads {
  if (windowed.length === 0) return alwaysReads;
  const open = windowed.filter(({ offer }) => isInWindow(offer, nowMs));
  return open.length === 0 ? alwaysReads : joined(alwaysReads, allReads(open));
}

/** Rules and offers of class S0 that are in force. */
export function requestFactEntries({ always, windowed }: PreparedRung, nowMs: number): readonly Entry[] {
  return [...always, ...windowed.filter(({ offer }) => isInWindow(offer, nowMs))].filter(({ sensitivity }) => sensitivity.class === 'S0');
}

/** A piece of the work; some half a millisecond. */
const offersOfPiece = 256;

function* prepare(artefact: Artefact, zone: Zone): Generator<undefined, PreparedZone> {
  const rungs: PreparedRung[] = [];
  for (const rung of zone.ladder) rungs.push(yield* prepareRung(artefact, zone, rung));
  return { zone, rungs };
}

function* prepareRung(artefact: Artefact, zone: Zone, rung: Rung): Generator<undefined, PreparedRung> {
  const rules = (rung.select.by === 'choose' ? rung.select.rules : []).map(
    (rule): RuleEntry => ({
      rule,
      reads: rule.reads,
      sensitivity: combined(zone.sensitivity, rule.sensitivity),
      ...withEdges(rule.when === null ? [] : [rule.when]),
    }),
  );
  const offers: OfferEntry[] = [];
  for (const [index, id] of (rung.select.by === 'arbitrate' ? rung.select.offers : []).entries()) {
    if (index % offersOfPiece === offersOfPiece - 1) yield;
    const offer = Object.hasOwn(artefact.offers, id) ? artefact.offers[id] : undefined;
    if (offer === undefined) continue;
    offers.push({
      id,
      offer,
      reads: offer.reads,
      sensitivity: combined(zone.sensitivity, offer.sensitivity),
      isCandidate: tierHeight(offer.lowestTier) <= tierHeight(rung.tier),
      priorityMax: priorityMax(offer),
      ...withEdges([...(offer.when === null ? [] : [offer.when]), ...offer.context.map(({ when }) => when)]),
    });
  }
  // What only a device knows keeps a rule or an offer from counting here at all, whatever else of its condition may hold.
  const counts = ({ reads, sensitivity }: Entry) => reads.device === undefined && isEnabled(sensitivity, artefact.sensitiveCategories);
  const candidates = offers.filter((entry) => entry.isCandidate && counts(entry));
  candidates.sort((a, b) => b.priorityMax - a.priorityMax);
  const isWindowed = ({ offer }: OfferEntry) => offer.fromMs !== null || offer.untilMs !== null;
  const always = [...rules.filter(counts), ...candidates.filter((entry) => !isWindowed(entry))];
  return { rung, rules, offers, candidates, always, windowed: candidates.filter(isWindowed), alwaysReads: allReads(always) };
}

function withEdges(conditions: readonly Expression[]): Pick<Entry, 'conditions' | 'edgesMs'> {
  return { conditions, edgesMs: edgesOfAll(conditions) };
}

function allReads(entries: readonly Entry[]): RungReads {
  return {
    profile: entries.some(({ reads }) => reads.profile),
    session: entries.some(({ reads }) => reads.session),
    audience: entries.some(({ reads }) => reads.audience),
    model: entries.some(({ reads }) => reads.model),
    audiences: entries.some(({ reads }) => reads.audiences),
    beyondRequestFacts: entries.some(({ sensitivity }) => sensitivity.class === 'S1'),
  };
}

function joined(a: RungReads, b: RungReads): RungReads {
  return {
    profile: a.profile || b.profile,
    session: a.session || b.session,
    audience: a.audience || b.audience,
    model: a.model || b.model,
    audiences: a.audiences || b.audiences,
    beyondRequestFacts: a.beyondRequestFacts || b.beyondRequestFacts,
  };
}
