/**
 * How long one gathering waits: until when an answer counts, who waits for which instant, and when nothing more can come. Every timer
 * of a gathering is here. A base class, so that a decision makes one object and not three.
 */
import type { Artefact } from '../decision/artefact.ts';
import type { Dependency } from '../decision/vocabulary.ts';
import type { Clock } from '../time/clock.ts';

/** A timer is never more punctual than this. */
const lagFloorMs = 2;

interface Waiter {
  readonly atMs: number;
  readonly resolve: () => void;
  disarm: () => void;
}

export abstract class Patience {
  protected readonly clock: Clock;
  readonly #artefact: Artefact;
  readonly #deadlineAtMs: number;
  /** After this instant no reply can be used any more. */
  #lastUsefulAtMs: number;
  /** By how much budgets are longer because we ourselves were late to look. */
  #lagMs = 0;
  #complete = false;
  readonly #waiters = new Set<Waiter>();

  constructor(clock: Clock, artefact: Artefact, deadlineAtMs: number) {
    this.clock = clock;
    this.#artefact = artefact;
    this.#deadlineAtMs = deadlineAtMs;
    this.#lastUsefulAtMs = deadlineAtMs;
  }

  get complete(): boolean {
    return this.#complete;
  }

  until(atMs: number): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    if (nowMs >= this.#lastUsefulAtMs) this.finish();
    if (this.#complete || nowMs >= atMs) return Promise.resolve();
    return new Promise((resolve) => {
      const waiter: Waiter = { atMs, resolve, disarm: () => {} };
      this.#waiters.add(waiter);
      this.#arm(waiter);
    });
  }

  /** The last instant at which anything counts that is being waited for now; null where no budget runs. */
  protected abstract lastLimit(): number | null;

  /** The last instant at which an answer counts that was asked for at `askedAtMs`. */
  limitOf(dependency: Dependency, askedAtMs: number): number {
    const { budgetMs } = this.#artefact.dependencies[dependency];
    return budgetMs === null ? this.#deadlineAtMs : Math.min(this.#deadlineAtMs, askedAtMs + budgetMs + this.#lagMs);
  }

  protected get lastUsefulAtMs(): number {
    return this.#lastUsefulAtMs;
  }

  /** Others are waited for from now on. */
  protected waitAnew(): void {
    this.#lastUsefulAtMs = this.lastLimit() ?? this.#deadlineAtMs;
    for (const waiter of this.#waiters) this.#arm(waiter);
  }

  protected finish(): void {
    this.#complete = true;
    for (const waiter of this.#waiters) {
      waiter.disarm();
      waiter.resolve();
    }
    this.#waiters.clear();
  }

  /** A timer that fires a little early still counts as its instant: to answer in time matters more. */
  #arm(waiter: Waiter): void {
    waiter.disarm();
    const lastUsefulAtMs = this.#lastUsefulAtMs;
    const atMs = Math.min(waiter.atMs, lastUsefulAtMs);
    waiter.disarm = this.clock.after(Math.max(0, atMs - this.clock.monotonicMs()), () => {
      if (atMs < waiter.atMs && this.#grantsLag(this.clock.monotonicMs() - atMs)) return this.#arm(waiter);
      this.#waiters.delete(waiter);
      waiter.resolve();
      if (atMs === lastUsefulAtMs) this.finish();
    });
  }

  /**
   * A timer that fires late shows that we were busy, and the reply may lie unread: what is our own delay is not the dependency's.
   * Once, and never beyond the deadline. True where there is something to wait for now.
   */
  #grantsLag(lateMs: number): boolean {
    if (lateMs < lagFloorMs || this.#lagMs > 0 || this.lastLimit() === null) return false;
    this.#lagMs = 2 * lateMs;
    this.#lastUsefulAtMs = this.lastLimit() ?? this.#deadlineAtMs;
    return this.#lastUsefulAtMs > this.clock.monotonicMs();
  }
}
