/** A clock that moves only when told to. Timers fire in the order of their instants, and of their making where those are equal. */
import type { Clock } from '../../src/time/clock.ts';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

export class VirtualClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  #timers: Timer[] = [];

  constructor(startMs = Date.UTC(2026, 10, 21, 12)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(ms: number, callback: () => void): () => void {
    const timer: Timer = { atMs: this.#monotonicMs + Math.max(0, ms), callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Timers made by a timer fire too, when their instant lies within the step. */
  advance(ms: number): void {
    const endMs = this.#monotonicMs + ms;
    for (let next = this.#earliestUntil(endMs); next !== undefined; next = this.#earliestUntil(endMs)) {
      const due = next;
      this.#moveTo(Math.max(due.atMs, this.#monotonicMs));
      this.#timers = this.#timers.filter((other) => other !== due);
      due.callback();
    }
    this.#moveTo(endMs);
  }

  /** How many timers still wait: a test that ends with any has leaked them. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  #earliestUntil(endMs: number): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs <= endMs && (earliest === undefined || timer.atMs < earliest.atMs)) earliest = timer;
    }
    return earliest;
  }

  #moveTo(monotonicMs: number): void {
    this.#nowMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}
