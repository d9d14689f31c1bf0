/**
 * The decision, where nobody can be asked: what of a policy is on a device, and what the device itself knows. For every question
 * that a device can put it says what `decide` would say of the same rules. It is small because everything that can be resolved
 * beforehand was; like `decide` it cannot fail, and it holds nothing.
 */
import { timesPerMille } from '../decision/arbitration.ts';
import { stableHash } from '../decision/hash.ts';
import type { Attributes, Json } from '../decision/value.ts';
import type { Kind, Tier, UseCase } from '../decision/vocabulary.ts';
import { type DeviceScope, holds, own } from './condition.ts';
import type { DeviceOffer, DevicePolicy, DeviceRule, DeviceRung, DeviceZone } from './device-artefact.ts';

export interface DeviceQuestion {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly page: string | null;
  /** In the order of the answer. */
  readonly zones: readonly string[];
  /** Ids of offers that the page shows already, whoever decided about them. */
  readonly shownOffers: readonly string[];
  readonly request: Attributes;
  /** Absent where the caller named none. */
  readonly audiences: readonly string[] | Unknown;
  readonly consent: Readonly<Partial<Record<UseCase, 'granted' | 'denied'>>>;
  readonly gpc: boolean;
  /** `device.*`; null where nothing is kept about this visitor. */
  readonly signals: Attributes | null;
  /** Of the session, where the device holds one: ties are then broken as the service breaks them. Else ''. */
  readonly seed: string;
}

/** The members that a decision of the service has, by the same names, but for what is said to caches: none stands between. */
export interface DeviceDecision {
  readonly zone: string;
  readonly tier: Tier;
  readonly intendedTier: Tier;
  readonly variant: string;
  readonly offer: string | null;
  readonly content: Json;
  readonly render: 'now';
  readonly downgrade: {
    readonly from: Tier;
    readonly to: Tier;
    readonly reason: DeviceReason;
    readonly cause: 'consent' | 'identity' | 'data' | 'policy';
    readonly dependency: 'session' | null;
    readonly steps: readonly Step[];
  } | null;
}

type Unknown = undefined;

/** Every reason that a device can have, in the words of the service. */
export type DeviceReason =
  | 'gpc'
  | 'consent_denied'
  | 'activation_denied'
  | 'consent_unavailable'
  | 'activation_unavailable'
  | 'identity_anonymous'
  | 'session_absent'
  | 'no_eligible_offer';

interface Step {
  readonly tier: Tier;
  readonly reason: DeviceReason;
}

/** One function around the others, for a page pays for every name that is handed from one to the next. */
export function decideOnDevice(
  { pages, zones, offers, variants }: DevicePolicy,
  { nowMs, page, zones: asked, shownOffers, request, audiences, consent, gpc, signals, seed }: DeviceQuestion,
): readonly DeviceDecision[] {
  /** Offers, and exclusion groups, that the page shows. */
  const shown = new Set<DeviceOffer | string | Unknown>();
  for (const id of shownOffers) show(own(offers, id));
  const places = own(pages, page ?? '') ?? [];
  const criticality = (id: string): number => own(zones, id)?.criticality ?? 0;
  // Zones choose in order of criticality, then of the page; one that is not on it (−1, so the highest unsigned place) comes last.
  const order = [...asked].sort((a, b) => criticality(b) - criticality(a) || (places.indexOf(a) >>> 0) - (places.indexOf(b) >>> 0));
  const decided = new Map(order.map((id) => [id, decideZone(id, own(zones, id))]));
  return asked.flatMap((id) => decided.get(id) ?? []);

  /** Nothing for a zone that the artefact does not have. */
  function decideZone(id: string, zone: DeviceZone | Unknown): DeviceDecision | Unknown {
    const steps: Step[] = [];
    for (const rung of zone?.ladder ?? []) {
      const { tier } = rung;
      const closed = closedBy((zone as DeviceZone).kind, rung);
      const chosen = closed ? undefined : select(zone as DeviceZone, rung);
      if (chosen) {
        const [variant, offer] = chosen;
        const { tier: from = tier, reason } = steps[0] ?? {};
        const cause = reason && causeOf(reason);
        return {
          zone: id,
          tier,
          intendedTier: from,
          variant,
          offer,
          content: variants[variant] as Json,
          render: 'now',
          downgrade: cause ? { from, to: tier, reason, cause, dependency: cause === 'data' ? 'session' : null, steps } : null,
        };
      }
      steps.push({ tier, reason: closed ?? 'no_eligible_offer' });
    }
    return undefined;
  }

  /** The first gate of the rung that does not open. A person is never proved on a device, so its user rungs stay closed. */
  function closedBy(kind: Kind, { tier, open }: DeviceRung): DeviceReason | Unknown {
    const selecting = selectingState(kind);
    const contextual = consent[`contextual_${kind}`];
    if (tier === 'anonymous') return undefined;
    if (tier === 'segment') {
      if (contextual === 'denied') return 'consent_denied';
      return selecting === 'granted' || contextual === 'granted' || open ? undefined : 'consent_unavailable';
    }
    const isUser = tier === 'user';
    const activating = isUser ? consent[`profile_activation_${kind}`] : 'granted';
    if (gpc && (isUser || kind === 'offer')) return 'gpc';
    if (selecting === 'denied') return 'consent_denied';
    if (activating === 'denied') return 'activation_denied';
    if (selecting !== 'granted') return 'consent_unavailable';
    if (activating !== 'granted') return 'activation_unavailable';
    if (isUser) return 'identity_anonymous';
    return signals ? undefined : 'session_absent';
  }

  /** Of the use case that selects by behaviour. `Sec-GPC: 1` denies offers, and not content. */
  function selectingState(kind: Kind): 'granted' | 'denied' | Unknown {
    if (kind === 'content') return consent.content_personalization;
    return gpc ? 'denied' : consent.offers;
  }

  function select(zone: DeviceZone, { tier, rules, offers: ids }: DeviceRung): Chosen | Unknown {
    const isSession = tier === 'session';
    const scope = { r: request, d: isSession ? signals : null, c: { now: nowMs, audiences } };
    // What is shown to everybody is selected by nothing personal, whatever class its zone declares.
    const beyondRequestFacts = tier === 'anonymous' || selectingState(zone.kind) === 'granted';
    const applies = ({ s1, when }: Pick<DeviceRule, 's1' | 'when'>): boolean =>
      (beyondRequestFacts || !(zone.s1 || s1)) && holds(when, scope);
    const rule = rules?.find(applies);
    if (rule) return [rule.variant, null];
    const contenders = (ids ?? []).flatMap((id) => {
      const offer = offers[id] as DeviceOffer;
      // No number is smaller than an end that is not there, and none is larger.
      const { fromMs, untilMs, group } = offer as Required<DeviceOffer>;
      if (nowMs < fromMs || nowMs >= untilMs || shown.has(offer) || shown.has(group) || !applies(offer)) return [];
      const priority = priorityOf(offer, scope);
      return priority > 0 ? { id, offer, priority, hash: stableHash(`${id}\n${isSession ? seed : ''}`) } : [];
    });
    // The highest priority; ties by a hash of offer and visitor, then by id.
    const [best] = contenders.sort((a, b) => b.priority - a.priority || a.hash - b.hash || (a.id < b.id ? -1 : 1));
    if (!best) return undefined;
    show(best.offer);
    return [best.offer.variant, best.id];
  }

  /** On one page the same offer is shown once, and offers of one exclusion group once. */
  function show(offer: DeviceOffer | Unknown): void {
    shown.add(offer).add(offer?.group).delete(undefined);
  }
}

type Chosen = readonly [variant: string, offer: string | null];

const contextMax = 100_000;

function priorityOf({ worth, context = [], levers = 1000 }: DeviceOffer, scope: DeviceScope): number {
  const factor = context.reduce((sofar, [when, perMille]) => (holds(when, scope) ? timesPerMille(sofar, perMille) : sofar), 1000);
  return timesPerMille(timesPerMille(worth, Math.min(Math.max(factor, 1), contextMax)), levers);
}

function causeOf(reason: DeviceReason): NonNullable<DeviceDecision['downgrade']>['cause'] {
  if (reason === 'session_absent') return 'data';
  if (reason === 'no_eligible_offer') return 'policy';
  return reason === 'identity_anonymous' ? 'identity' : 'consent';
}
