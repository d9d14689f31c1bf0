/**
 * Until when the answer for everybody who asks one question stays what it is, as far as the policy alone can tell: what a cache holds
 * must not outlive an offer's window or a rule about the time.
 */
import type { Artefact } from './artefact.ts';
import { edgesOfAll } from './edges.ts';
import type { Question } from './question.ts';
import { preparedZone, requestFactEntries } from './reading.ts';

/**
 * Milliseconds since the epoch, after the question's own instant; null: as long as the policy is in force. The question's own instant
 * where a condition turns on the time and nobody can say when next.
 */
export function sharedUntilMs(artefact: Artefact, { zones, nowMs, request }: Question): number | null {
  // Nothing but rules and offers of class S0 on segment rungs can change an answer for everybody.
  if (!artefact.contextualWithoutSignal) return null;
  let nextMs = Number.POSITIVE_INFINITY;
  const consider = (edgeMs: number | null): void => {
    if (edgeMs !== null && edgeMs > nowMs && edgeMs < nextMs) nextMs = edgeMs;
  };
  const rungs = zones.flatMap((id) => preparedZone(artefact, id)?.rungs ?? []).filter(({ rung }) => rung.tier === 'segment');
  for (const rung of rungs) {
    for (const { sensitivity, offer } of rung.windowed) {
      if (sensitivity.class === 'S0') [offer.fromMs, offer.untilMs].forEach(consider);
    }
    for (const entry of requestFactEntries(rung, nowMs)) {
      // Of a condition that also turns on what the question says, the edges are the question's own.
      const edgesMs = entry.edgesMs ?? edgesOfAll(entry.conditions, request);
      if (edgesMs === null) return nowMs;
      edgesMs.forEach(consider);
    }
  }
  return Number.isFinite(nextMs) ? nextMs : null;
}
