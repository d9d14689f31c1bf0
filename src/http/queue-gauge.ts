/**
 * How long a request has waited before it is read. All that is ready is read in one turn of the event loop, so a request that is
 * read late in a turn has waited for those before it. What it waited before the turn began, nobody can tell.
 */
import type { Clock } from '../time/clock.ts';

export interface QueueGauge {
  /** Milliseconds that a request has surely waited, if it is being read now. */
  waitedMs(): number;
}

export function createQueueGauge(clock: Clock, afterTurn: (callback: () => void) => unknown = setImmediate): QueueGauge {
  /** When the turn under way read its first request; null where it has read none. */
  let startMs: number | null = null;

  return {
    waitedMs() {
      const nowMs = clock.monotonicMs();
      if (startMs === null) {
        startMs = nowMs;
        afterTurn(() => {
          startMs = null;
        });
      }
      return nowMs - startMs;
    },
  };
}
