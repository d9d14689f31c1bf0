/** What a rung offers this visitor: the first rule that applies, or the winner of the arbitration; and, if asked, why not the others. */

import { type Contender, foremostOf, ranked, scoreOf } from './arbitration.ts';
import type { Offer, Rule, Sensitivity, Zone } from './artefact.ts';
import type { Candidate, LossReason, Score } from './decision.ts';
import { holds, type Scope } from './evaluate.ts';
import type { Propensities } from './facts.ts';
import { isInWindow, type OfferEntry, type PreparedRung } from './reading.ts';
import { type Clearance, classLoss } from './sensitivity.ts';
import { clearanceOf, type Standing } from './standing.ts';
import type { Tier } from './vocabulary.ts';

export interface Selection {
  readonly variant: string;
  readonly offer: string | null;
}

/** Offers and exclusion groups that the page already shows. */
export interface Shown {
  readonly offers: Set<string>;
  readonly groups: Set<Offer['group']>;
}

/** The visitor on one rung. */
interface Stand {
  readonly scope: Scope;
  readonly clearance: Clearance;
  readonly nowMs: number;
  /** What the model says; undefined where that is not known. */
  readonly model: Propensities | undefined;
}

/** Null when nothing on the rung is eligible. `explain` receives every candidate considered. */
export function select(
  standing: Standing,
  zone: Zone,
  prepared: PreparedRung,
  shown: Shown,
  explain: Candidate[] | null,
): Selection | null {
  const { tier } = prepared.rung;
  const { model } = standing.evidence;
  const stand = {
    scope: standing.scopes[tier],
    clearance: clearanceOf(standing, tier, zone.kind),
    nowMs: standing.question.nowMs,
    model: tier === 'user' && model.state === 'known' ? model.value : undefined,
  };
  if (prepared.rung.select.by === 'choose') return choose(prepared, stand, explain);
  return arbitrate(prepared, stand, shown, tieSeed(standing, tier), explain);
}

function choose({ rung, rules }: PreparedRung, stand: Stand, explain: Candidate[] | null): Selection | null {
  let chosen: Selection | null = null;
  for (const { rule, sensitivity } of rules) {
    const lost = chosen !== null ? 'not_reached' : lossOf(rule, sensitivity, stand);
    if (lost === null) chosen = { variant: rule.variant, offer: null };
    explain?.push({ tier: rung.tier, offer: null, variant: rule.variant, lost, score: null });
  }
  return chosen;
}

interface Eligible extends Contender {
  readonly offer: Offer;
}

function arbitrate(
  { rung, offers, candidates }: PreparedRung,
  stand: Stand,
  shown: Shown,
  seed: string,
  explain: Candidate[] | null,
): Selection | null {
  const winner =
    explain === null
      ? foremostOf(foremost(candidates, stand, shown), seed)
      : explainedWinner(ranked(everyContender(rung.tier, offers, stand, shown, explain), seed), rung.tier, explain);
  return winner === undefined ? null : { variant: winner.offer.variant, offer: winner.id };
}

function explainedWinner(order: readonly Eligible[], tier: Tier, explain: Candidate[]): Eligible | undefined {
  for (const [rank, { id, offer, score }] of order.entries()) {
    explain.push(candidate(tier, id, offer, rank === 0 ? null : 'lower_priority', score));
  }
  return order[0];
}

/** Those who may win, and perhaps a few more: once somebody's priority is above all that the rest could reach, the rest is left alone. */
function foremost(candidates: readonly OfferEntry[], stand: Stand, shown: Shown): readonly Eligible[] {
  const contenders: Eligible[] = [];
  let highest = 1;
  for (const entry of candidates) {
    if (entry.priorityMax < highest) break;
    if (offerLoss(entry, stand, shown) !== null) continue;
    const score = scored(entry, stand);
    if (score.priority < highest) continue;
    highest = score.priority;
    contenders.push({ id: entry.id, offer: entry.offer, score });
  }
  return contenders;
}

/** All of them, and of every other offer why it is none. */
function everyContender(tier: Tier, offers: readonly OfferEntry[], stand: Stand, shown: Shown, explain: Candidate[]): readonly Eligible[] {
  const contenders: Eligible[] = [];
  for (const entry of offers) {
    const { id, offer } = entry;
    const lost = offerLoss(entry, stand, shown);
    const score = lost === null ? scored(entry, stand) : null;
    if (score !== null && score.priority > 0) contenders.push({ id, offer, score });
    else explain.push(candidate(tier, id, offer, lost ?? 'zero_priority', score));
  }
  return contenders;
}

function scored(entry: OfferEntry, stand: Stand): Score {
  const { offer } = entry;
  return scoreOf(offer, offer.fromModel ? propensityByModel(entry, stand) : offer.propensityPpm, stand.scope);
}

/** Of an offer that the model does not mention, what the policy says stands. */
function propensityByModel({ id, offer }: OfferEntry, { model }: Stand): number {
  return (model !== undefined && Object.hasOwn(model, id) ? model[id] : undefined) ?? offer.propensityPpm;
}

function candidate(tier: Tier, id: string, offer: Offer, lost: LossReason | null, score: Score | null): Candidate {
  return { tier, offer: id, variant: offer.variant, lost, score };
}

function offerLoss({ id, offer, sensitivity, isCandidate }: OfferEntry, stand: Stand, shown: Shown): LossReason | null {
  if (!isCandidate) return 'below_lowest_tier';
  if (!isInWindow(offer, stand.nowMs)) return 'outside_window';
  if (shown.offers.has(id)) return 'already_on_page';
  if (shown.groups.has(offer.group)) return 'group_on_page';
  return lossOf(offer, sensitivity, stand);
}

type Conditional = Pick<Rule, 'when' | 'reads'>;

/** The class comes before the condition: of what may not be used, not even whether it would apply is computed. */
function lossOf({ when, reads }: Conditional, sensitivity: Sensitivity, { scope, clearance }: Stand): LossReason | null {
  const loss = classLoss(sensitivity, clearance);
  if (loss !== null) return loss;
  // `device.x == 1 || request.y == 2` may hold here. What it means to say is the device's to say.
  if (reads.device !== undefined) return 'condition_unknown';
  const outcome = holds(when, scope);
  return outcome === 'true' ? null : `condition_${outcome}`;
}

/** Ties are broken the same way for the same person or visit; below that, for the same word of the caller's, or else for everybody. */
function tieSeed({ identity, question: { tieBreak = '' } }: Standing, tier: Tier): string {
  if (tier === 'user') return identity.token?.subject ?? '';
  return tier === 'session' ? (identity.sessionId ?? '') : tieBreak;
}
