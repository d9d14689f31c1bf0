/** What a rung offers this visitor: the first rule that applies, or the winner of the arbitration; and, if asked, why not the others. */

import { type Contender, ranked, scoreOf } from './arbitration.ts';
import type { Offer, Rung, Sensitivity, Zone } from './artefact.ts';
import type { Candidate, LossReason, Score } from './decision.ts';
import { holds, type Scope } from './evaluate.ts';
import type { Expression } from './expression.ts';
import { isInWindow } from './reading.ts';
import { type Clearance, classLoss, combined } from './sensitivity.ts';
import { clearanceOf, type Standing, scopeOf } from './standing.ts';
import { type Tier, tierHeight } from './vocabulary.ts';

export interface Selection {
  readonly variant: string;
  readonly offer: string | null;
}

/** Offers and exclusion groups that the page already shows. */
export interface Shown {
  readonly offers: Set<string>;
  readonly groups: Set<string>;
}

/** Null when nothing on the rung is eligible. `explain` receives every candidate considered. */
export function select(standing: Standing, zone: Zone, rung: Rung, shown: Shown, explain: Candidate[] | null): Selection | null {
  const scope = scopeOf(standing, rung.tier);
  const clearance = clearanceOf(standing, rung.tier, zone.kind);
  return rung.select.by === 'choose'
    ? choose(zone, rung, scope, clearance, explain)
    : arbitrate(standing, zone, rung, scope, clearance, shown, explain);
}

function choose(zone: Zone, rung: Rung, scope: Scope, clearance: Clearance, explain: Candidate[] | null): Selection | null {
  if (rung.select.by !== 'choose') return null;
  let chosen: Selection | null = null;
  for (const { when, variant, sensitivity } of rung.select.rules) {
    const lost = chosen !== null ? 'not_reached' : lossOf(when, combined(zone.sensitivity, sensitivity), scope, clearance);
    if (lost === null) chosen = { variant, offer: null };
    explain?.push({ tier: rung.tier, offer: null, variant, lost, score: null });
    if (chosen !== null && explain === null) return chosen;
  }
  return chosen;
}

interface Eligible extends Contender {
  readonly offer: Offer;
}

function arbitrate(
  standing: Standing,
  zone: Zone,
  rung: Rung,
  scope: Scope,
  clearance: Clearance,
  shown: Shown,
  explain: Candidate[] | null,
): Selection | null {
  if (rung.select.by !== 'arbitrate') return null;
  const contenders: Eligible[] = [];
  for (const id of rung.select.offers) {
    const offer = standing.artefact.offers[id];
    if (offer === undefined) continue;
    const lost = offerLoss(id, offer, zone, rung.tier, scope, clearance, shown, standing.question.nowMs);
    const score = lost === null ? scoreOf(offer, scope) : null;
    if (score !== null && score.priority > 0) contenders.push({ id, offer, score });
    else explain?.push(candidate(rung.tier, id, offer, lost ?? 'zero_priority', score));
  }
  const order = ranked(contenders, tieSeed(standing, rung.tier));
  for (const [rank, { id, offer, score }] of explain === null ? [] : order.entries()) {
    explain?.push(candidate(rung.tier, id, offer, rank === 0 ? null : 'lower_priority', score));
  }
  const winner = order[0];
  return winner === undefined ? null : { variant: winner.offer.variant, offer: winner.id };
}

function candidate(tier: Tier, id: string, offer: Offer, lost: LossReason | null, score: Score | null): Candidate {
  return { tier, offer: id, variant: offer.variant, lost, score };
}

function offerLoss(
  id: string,
  offer: Offer,
  zone: Zone,
  tier: Tier,
  scope: Scope,
  clearance: Clearance,
  shown: Shown,
  nowMs: number,
): LossReason | null {
  if (tierHeight(offer.lowestTier) > tierHeight(tier)) return 'below_lowest_tier';
  if (!isInWindow(offer, nowMs)) return 'outside_window';
  if (shown.offers.has(id)) return 'already_on_page';
  if (offer.group !== null && shown.groups.has(offer.group)) return 'group_on_page';
  return lossOf(offer.when, combined(zone.sensitivity, offer.sensitivity), scope, clearance);
}

/** The class comes before the condition: of what may not be used, not even whether it would apply is computed. */
function lossOf(when: Expression | null, sensitivity: Sensitivity, scope: Scope, clearance: Clearance): LossReason | null {
  const loss = classLoss(sensitivity, clearance);
  if (loss !== null) return loss;
  const outcome = holds(when, scope);
  return outcome === 'true' ? null : `condition_${outcome}`;
}

/** Ties are broken the same way for the same person or visit; below that, the same way for everybody. */
function tieSeed({ identity }: Standing, tier: Tier): string {
  if (tier === 'user') return identity.token?.subject ?? '';
  return tier === 'session' ? (identity.sessionId ?? '') : '';
}
