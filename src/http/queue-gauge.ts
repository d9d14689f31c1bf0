/**
 * How long a request has waited before it is read. All that is ready is read in one turn of the event loop, so a request that is
 * read late in a turn has waited for those before it. What came while the turn before was under way waited for that, too: how long,
 * nobody can tell of a single turn, but where turns follow one another without rest, what waits does so for about one of them.
 */
import type { Clock } from '../time/clock.ts';

export interface QueueGauge {
  /** For how long the turn under way has read requests: what is read now has waited for that. */
  turnMs(): number;
  /** How long the last turns have been, the shortest of them: what everybody waits at present, and small as soon as one turn is. */
  lastingMs(): number;
}

export interface QueueGaugeOptions {
  readonly clock: Clock;
  /** Told of every turn that read requests, at its end: when that was, and for how long requests were read and worked on. */
  readonly onTurn?: (endMs: number, durationMs: number) => void;
  readonly afterTurn?: (callback: () => void) => unknown;
}

/** Between turns that follow one another there is time for the answers of others, and no more. */
const restMinMs = 20;

export function createQueueGauge({ clock, onTurn, afterTurn = setImmediate }: QueueGaugeOptions): QueueGauge {
  /** When the turn under way read its first request; null where it has read none. */
  let startMs: number | null = null;
  let lastMs = 0;
  let endMs = Number.NEGATIVE_INFINITY;
  /** The shorter of the last two turns: one long turn alone is a pause, and what was read after it had mostly just come. */
  let lastingMs = 0;

  function endTurn(): void {
    endMs = clock.monotonicMs();
    const durationMs = endMs - (startMs ?? endMs);
    startMs = null;
    lastingMs = Math.min(lastMs, durationMs);
    lastMs = durationMs;
    onTurn?.(endMs, durationMs);
  }

  return {
    turnMs() {
      const nowMs = clock.monotonicMs();
      if (startMs === null) {
        startMs = nowMs;
        if (nowMs - endMs > Math.max(restMinMs, lastMs)) lastMs = lastingMs = 0;
        afterTurn(endTurn);
      }
      return nowMs - startMs;
    },
    lastingMs: () => lastingMs,
  };
}
