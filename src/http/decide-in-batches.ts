/**
 * Decides each zone at its own instant, earliest first, and all that remain as soon as nothing more can come. A fact that came
 * after a zone's instant never changes that zone's answer, even where we ourselves wake up late.
 */

import type { Artefact } from '../decision/artefact.ts';
import { decide } from '../decision/decide.ts';
import type { Decision } from '../decision/decision.ts';
import type { Evidence } from '../decision/facts.ts';
import type { Question } from '../decision/question.ts';
import type { Batch } from '../evidence/batches.ts';
import type { Gathering } from '../evidence/gather.ts';
import type { Clock } from '../time/clock.ts';

export interface Walk {
  readonly artefact: Artefact;
  readonly question: Question;
  readonly batches: readonly Batch[];
  readonly gathering: Gathering;
  readonly clock: Clock;
}

export interface DecidedBatch {
  readonly decision: Decision;
  readonly evidence: Evidence;
  /** Monotonic: the deciding itself. */
  readonly startMs: number;
  readonly endMs: number;
}

/** Calls back for each batch, and resolves with the last one. There is always one, for a question names at least one zone. */
export async function decideInBatches(
  { artefact, question, batches, gathering, clock }: Walk,
  onBatch: (batch: DecidedBatch) => void,
): Promise<DecidedBatch> {
  const remaining = new Set(question.zones);
  let shownOffers = question.shownOffers;
  for (const { atMs, zones } of batches) {
    await gathering.until(atMs);
    const startMs = clock.monotonicMs();
    const isEarly = gathering.complete && startMs <= atMs;
    const due = isEarly || zones.length === remaining.size ? remaining : new Set(zones);
    const evidence = gathering.snapshot(Math.min(startMs, atMs));
    const isWhole = due.size === question.zones.length;
    const asked = isWhole ? question : { ...question, zones: question.zones.filter((zone) => due.has(zone)), shownOffers };
    const decision = decide(artefact, asked, evidence);
    const batch: DecidedBatch = { decision, evidence, startMs, endMs: clock.monotonicMs() };
    onBatch(batch);
    if (due === remaining) return batch;
    for (const zone of due) remaining.delete(zone);
    shownOffers = [...shownOffers, ...decision.zones.flatMap(({ offer }) => (offer === null ? [] : [offer]))];
  }
  throw new Error('a question names at least one zone, so some batch is the last');
}
