/**
 * How long a request has waited before it is read. All that is ready is read in one turn of the event loop, so a request that is
 * read late in a turn has waited for those before it, and for about half of the turn before, during which it came.
 */
import type { Clock } from '../time/clock.ts';

export interface QueueGauge {
  /** Milliseconds, of a request that is being read now. An estimate: the kernel does not say when bytes came. */
  waitedMs(): number;
}

/** Turns that are further apart were not busy: in between, the loop waited for work. */
const idleMs = 1;

export function createQueueGauge(clock: Clock, afterTurn: (callback: () => void) => unknown = setImmediate): QueueGauge {
  /** When the turn under way read its first request; null where it has read none. */
  let startMs: number | null = null;
  let before = { lengthMs: 0, endMs: Number.NEGATIVE_INFINITY };

  return {
    waitedMs() {
      const nowMs = clock.monotonicMs();
      if (startMs === null) {
        const firstMs = nowMs;
        startMs = firstMs;
        afterTurn(() => {
          const endMs = clock.monotonicMs();
          before = { lengthMs: endMs - firstMs, endMs };
          startMs = null;
        });
      }
      const wasBusy = startMs - before.endMs < idleMs;
      return nowMs - startMs + (wasBusy ? before.lengthMs / 2 : 0);
    },
  };
}
