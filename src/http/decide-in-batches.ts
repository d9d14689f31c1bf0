/**
 * Decides each zone at its own instant, earliest first, and all that remain as soon as nothing more can come. A fact that came
 * after a zone's instant never changes that zone's answer, even where we ourselves wake up late.
 */

import type { Artefact } from '../decision/artefact.ts';
import { decide } from '../decision/decide.ts';
import type { Decision, ZoneDecision } from '../decision/decision.ts';
import type { Evidence } from '../decision/facts.ts';
import type { Question } from '../decision/question.ts';
import type { Batch } from '../evidence/batches.ts';
import type { Gathering } from '../evidence/gathering.ts';
import type { Clock } from '../time/clock.ts';

export interface Walk {
  readonly artefact: Artefact;
  readonly question: Question;
  readonly batches: readonly Batch[];
  readonly gathering: Gathering;
  readonly clock: Clock;
}

export interface Decided {
  /** In the order asked. */
  readonly zones: readonly ZoneDecision[];
  /** What each batch was decided from, the earliest first. */
  readonly evidence: readonly Evidence[];
  /** Whose identity and consent are the answer's. */
  readonly last: DecidedBatch;
}

export interface DecidedBatch {
  readonly decision: Decision;
  /** Monotonic: the deciding itself. */
  readonly startMs: number;
  readonly endMs: number;
}

/** Calls back with the zones of each batch. There is always one batch, for a question names at least one zone. */
export async function decideInBatches(
  { artefact, question, batches, gathering, clock }: Walk,
  onZones: (zones: readonly ZoneDecision[]) => void,
): Promise<Decided> {
  let remaining: readonly string[] = question.zones;
  const evidence: Evidence[] = [];
  const zones: ZoneDecision[] = [];
  for (const { atMs, zones: inTurn } of batches) {
    await gathering.until(atMs);
    const startMs = clock.monotonicMs();
    const isLast = inTurn.length === remaining.length || (gathering.complete && startMs <= atMs);
    const due = isLast ? remaining : inTurn;
    const snapshot = gathering.snapshot(Math.min(startMs, atMs));
    const decision = decide(artefact, questionOf(question, due, zones), snapshot);
    const endMs = clock.monotonicMs();
    evidence.push(snapshot);
    zones.push(...decision.zones);
    onZones(decision.zones);
    if (isLast) return { zones: inOrder(question.zones, zones), evidence, last: { decision, startMs, endMs } };
    remaining = remaining.filter((zone) => !due.includes(zone));
  }
  throw new Error('a question names at least one zone, so some batch is the last');
}

/** What is decided already stays on the page. */
function questionOf(question: Question, due: readonly string[], decided: readonly ZoneDecision[]): Question {
  if (due === question.zones) return question;
  const shown = decided.flatMap(({ offer }) => (offer === null ? [] : [offer]));
  return { ...question, zones: due, shownOffers: [...question.shownOffers, ...shown] };
}

function inOrder(asked: readonly string[], decided: readonly ZoneDecision[]): readonly ZoneDecision[] {
  return decided.every(({ zone }, index) => zone === asked[index])
    ? decided
    : asked.flatMap((id) => decided.filter(({ zone }) => zone === id));
}
