/** Time as a value: `main.ts` hands in the system's clock, tests hand in a virtual one. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z, for tokens, windows and ages only. */
  nowMs(): number;
  /** Monotonic milliseconds with a fraction, for deadlines and durations only. */
  monotonicMs(): number;
  /** Calls `callback` once, not before `ms` have passed. Returns its `dispose`. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
