/** How long a source usually takes: the median of its latest answers, as long as they are recent enough to say anything. */
import type { Clock } from '../time/clock.ts';

/** With less left than this, asking costs an answer that nobody can use. */
export const askingFloorMs = 1;

const keptMax = 64;
const knownMin = 20;
/** What is older is forgotten: of a source that was slow once and is not asked since, nothing else would ever correct the figure. */
const lifeMs = 30_000;
/** Sorting for every ask would cost more than the figure is worth. */
const renewedEvery = 8;

export interface TypicalTime {
  answered(durationMs: number): void;
  /** Null while too few recent answers are known. */
  medianMs(): number | null;
}

export function createTypicalTime(clock: Pick<Clock, 'monotonicMs'>): TypicalTime {
  const durations: number[] = [];
  const instants: number[] = [];
  let next = 0;
  let sinceRenewal = 0;
  let median: number | null = null;
  let medianUntilMs = Number.NEGATIVE_INFINITY;

  function renew(): void {
    const nowMs = clock.monotonicMs();
    const recent = durations.filter((_, index) => nowMs - (instants[index] ?? 0) < lifeMs).sort((a, b) => a - b);
    median = recent.length < knownMin ? null : (recent[Math.floor((recent.length - 1) / 2)] ?? null);
    sinceRenewal = 0;
    medianUntilMs = nowMs + lifeMs / 10;
  }

  return {
    answered(durationMs) {
      durations[next] = durationMs;
      instants[next] = clock.monotonicMs();
      next = (next + 1) % keptMax;
      sinceRenewal += 1;
    },
    medianMs() {
      const isFirst = median === null && durations.length >= knownMin && sinceRenewal > 0;
      if (isFirst || sinceRenewal >= renewedEvery || (durations.length > 0 && clock.monotonicMs() >= medianUntilMs)) renew();
      return median;
    },
  };
}
