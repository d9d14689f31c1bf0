/**
 * How many decisions are under way at once: a mean over the last ten to twenty seconds, not what one look happens to see, so that
 * an autoscaler that looks rarely is told as much as one that looks often. What a request waited before it was read counts too.
 */
import type { Meter } from '@opentelemetry/api';
import type { Clock } from '../time/clock.ts';
import { metricNames } from './names.ts';

export interface InFlight {
  /** `startMs` is when the request came, on the monotonic clock. */
  began(startMs: number): void;
  ended(): void;
  mean(): number;
}

const windowMs = 10_000;

/** The decisions under way, added up over time. */
interface Window {
  readonly startMs: number;
  area: number;
}

export function createInFlight(clock: Pick<Clock, 'monotonicMs'>): InFlight {
  let count = 0;
  let atMs = clock.monotonicMs();
  let before: Window = { startMs: atMs, area: 0 };
  let current = before;

  function advance(): void {
    const nowMs = clock.monotonicMs();
    const passedMs = nowMs - atMs;
    current.area += count * passedMs;
    atMs = nowMs;
    if (nowMs - current.startMs < windowMs) return;
    // Of a long time in which nothing changed, the end is enough: it must not thin out what comes next.
    before = passedMs >= windowMs ? { startMs: nowMs - windowMs, area: count * windowMs } : current;
    current = { startMs: nowMs, area: 0 };
  }

  return {
    began(startMs) {
      advance();
      count += 1;
      current.area += Math.max(0, atMs - startMs);
    },
    ended() {
      advance();
      count -= 1;
    },
    mean() {
      advance();
      const overMs = atMs - before.startMs;
      const area = before === current ? current.area : before.area + current.area;
      return overMs === 0 ? count : Math.round((area / overMs) * 1000) / 1000;
    },
  };
}

export function showInFlight(meters: readonly Meter[], { mean }: Pick<InFlight, 'mean'>): void {
  for (const meter of meters) {
    const description = 'Decisions under way, a mean over the last ten to twenty seconds';
    meter.createObservableGauge(metricNames.decisionsInFlight, { description }).addCallback((result) => result.observe(mean()));
  }
}
