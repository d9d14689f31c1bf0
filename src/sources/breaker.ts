/**
 * Leaves a source alone that fails, and lets one real ask a second find out whether it answers again. The states are cockatiel's;
 * when to open is counted here, because cockatiel's own window goes by the wall clock, which may be set back.
 */
import { CircuitState, circuitBreaker, handleWhen, type IBreaker } from 'cockatiel';
import type { Clock } from '../time/clock.ts';
import { isAnAnswer, SourceFault, speaksAgainstSource } from './source-fault.ts';

/** Opens after so many failures in a row, or when over half of at least so many failed within the window. */
const failuresInRowMax = 5;
const failingShareMax = 0.5;
const judgedMin = 20;
const windowMs = 10_000;
const sliceMs = 1_000;

const probeEveryMs = 1_000;

export interface Breaker {
  readonly isOpen: boolean;
  /** `probe`: open, and this one ask may be made to find out. It must be made, by `probe`. */
  admit(): 'ask' | 'probe' | 'refuse';
  run<T>(ask: () => Promise<T>): Promise<T>;
  probe<T>(ask: () => Promise<T>): Promise<T>;
}

export function createBreaker(clock: Pick<Clock, 'monotonicMs'>): Breaker {
  const window = new FailureWindow(clock);
  const policy = circuitBreaker(handleWhen(speaksAgainstSource), {
    // Always due: `admit` says when to probe.
    halfOpenAfter: Number.NEGATIVE_INFINITY,
    breaker: window,
  });
  let probedAtMs = Number.NEGATIVE_INFINITY;
  policy.onBreak(() => {
    probedAtMs = clock.monotonicMs();
  });
  return {
    get isOpen() {
      return policy.state !== CircuitState.Closed;
    },
    admit() {
      if (policy.state === CircuitState.Closed) return 'ask';
      // Half open: a probe is under way.
      if (policy.state !== CircuitState.Open || clock.monotonicMs() - probedAtMs < probeEveryMs) return 'refuse';
      return 'probe';
    },
    run(ask) {
      // It may have opened between two attempts, and what is no probe must not become one.
      if (policy.state !== CircuitState.Closed) return Promise.reject(new SourceFault('circuit_open'));
      // cockatiel counts only what succeeds, and a service that answers with 400 is there all the same.
      return policy.execute(ask).catch((error: unknown) => {
        if (isAnAnswer(error)) window.success(CircuitState.Closed);
        throw error;
      });
    },
    probe(ask) {
      probedAtMs = clock.monotonicMs();
      return policy.execute(ask);
    },
  };
}

interface Slice {
  readonly number: number;
  successes: number;
  failures: number;
}

class FailureWindow implements IBreaker {
  /** cockatiel would keep it between processes; nobody here does. */
  state: unknown = null;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #inRow = 0;
  #slices: Slice[] = [];

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  success(state: CircuitState): void {
    this.#inRow = 0;
    // A probe was answered: what went before is forgotten.
    if (state === CircuitState.HalfOpen) this.#slices = [];
    else this.#current().successes += 1;
  }

  failure(state: CircuitState): boolean {
    this.#inRow += 1;
    if (state !== CircuitState.HalfOpen) this.#current().failures += 1;
    return this.#inRow >= failuresInRowMax || this.#isFailing();
  }

  #isFailing(): boolean {
    let [failures, judged] = [0, 0];
    for (const slice of this.#slices) {
      failures += slice.failures;
      judged += slice.failures + slice.successes;
    }
    return judged >= judgedMin && failures > judged * failingShareMax;
  }

  #current(): Slice {
    const number = Math.floor(this.#clock.monotonicMs() / sliceMs);
    const last = this.#slices.at(-1);
    if (last?.number === number) return last;
    const slice = { number, successes: 0, failures: 0 };
    this.#slices = [...this.#slices.filter((other) => other.number > number - windowMs / sliceMs), slice];
    return slice;
  }
}
