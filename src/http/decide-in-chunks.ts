/**
 * Decides any number of zones as one page, without keeping everybody else waiting: more than a page may hold are decided a page's worth at
 * a time, in the order given, with a turn for others in between. What is shown by one chunk is not shown again by the next.
 */
import type { ZoneDecision } from '../decision/decision.ts';
import type { Evidence } from '../decision/facts.ts';
import { batchesOf, type ZoneBudget } from '../evidence/batches.ts';
import { type Decided, type DecidedBatch, decideInBatches, type Walk } from './decide-in-batches.ts';

/** As many as a page of a policy may hold. */
const chunkZones = 32;

export interface ChunkedWalk extends Omit<Walk, 'batches'> {
  readonly zones: readonly ZoneBudget[];
  readonly startedAtMs: number;
  readonly deadlineAtMs: number;
}

export async function decideInChunks(walk: ChunkedWalk, onZones: (zones: readonly ZoneDecision[]) => void): Promise<Decided> {
  const { question, zones, startedAtMs, deadlineAtMs, ...rest } = walk;
  const times = { startedAtMs, deadlineAtMs };
  if (zones.length <= chunkZones) return decideInBatches({ ...rest, question, batches: batchesOf(zones, times) }, onZones);
  const decided: ZoneDecision[] = [];
  const evidence: Evidence[] = [];
  let last: DecidedBatch | null = null;
  for (let from = 0; from < zones.length; from += chunkZones) {
    if (from > 0) await turnOfOthers();
    const chunk = zones.slice(from, from + chunkZones);
    const shown = decided.flatMap(({ offer }) => (offer === null ? [] : [offer]));
    const asked = { ...question, zones: chunk.map(({ zone }) => zone), shownOffers: [...question.shownOffers, ...shown] };
    const part = await decideInBatches({ ...rest, question: asked, batches: batchesOf(chunk, times) }, onZones);
    decided.push(...part.zones);
    evidence.push(...part.evidence);
    last = part.last;
  }
  if (last === null) throw new Error('there are more zones than one chunk holds, so some chunk is the last');
  return { zones: decided, evidence, last };
}

function turnOfOthers(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
