/** What the rules of a rung read, as written: the facts gate, `needs` and the cache scope all ask this one place. */
import type { Artefact, Offer, Reads, Rung, Sensitivity, Zone } from './artefact.ts';
import { combined, isEnabled } from './sensitivity.ts';
import { tierHeight } from './vocabulary.ts';

export interface Readable {
  readonly reads: Reads;
  /** Its own, raised to the zone's. */
  readonly sensitivity: Sensitivity;
}

/** The rules or offers of a rung, leaving out offers outside their window or below their lowest tier and classes not enabled. */
export function readablesOf(artefact: Artefact, zone: Zone, rung: Rung, nowMs: number): readonly Readable[] {
  const written =
    rung.select.by === 'choose' ? rung.select.rules : candidateOffers(artefact, rung).filter((offer) => isInWindow(offer, nowMs));
  return written
    .map(({ reads, sensitivity }) => ({ reads, sensitivity: combined(zone.sensitivity, sensitivity) }))
    .filter(({ sensitivity }) => isEnabled(sensitivity, artefact.sensitiveCategories));
}

/** The offers of an `arbitrate` rung whose lowest tier allows it. */
export function candidateOffers(artefact: Artefact, rung: Rung): readonly Offer[] {
  if (rung.select.by !== 'arbitrate') return [];
  const height = tierHeight(rung.tier);
  return rung.select.offers
    .map((id) => artefact.offers[id])
    .filter((offer): offer is Offer => offer !== undefined && tierHeight(offer.lowestTier) <= height);
}

export function isInWindow(offer: Offer, nowMs: number): boolean {
  return (offer.fromMs === null || nowMs >= offer.fromMs) && (offer.untilMs === null || nowMs < offer.untilMs);
}
