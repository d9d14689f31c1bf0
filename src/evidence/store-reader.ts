/**
 * The one round trip to the store, made again where it failed quickly and the policy allows it, within a budget for all of them. What
 * goes wrong is named for the facts that hang on it.
 */
import type { Failed } from '../decision/facts.ts';
import type { ReadPlan, Store, StoreReading } from '../records/store.ts';
import { StoreError } from '../records/store-error.ts';
import type { createRetrier, Retrier } from '../sources/retry.ts';
import { askingFloorMs, createTypicalTime } from '../sources/typical-time.ts';
import type { Clock } from '../time/clock.ts';

export interface StoreReader {
  read(plan: ReadPlan): Promise<StoreReading>;
  /** `leftMs`: how long an answer can still be used. */
  readPatiently(plan: ReadPlan, retries: number, leftMs: () => number): Promise<StoreReading>;
  /** So long did an answer take that came, in time or not. */
  answered(durationMs: number): void;
  /** How long one usually takes; 0 while too little is known. */
  usualMs(): number;
}

export function createStoreReader(
  store: Pick<Store, 'read'>,
  clock: Pick<Clock, 'monotonicMs'>,
  loadRetry: () => Promise<{ readonly createRetrier: typeof createRetrier }> = () => import('../sources/retry.ts'),
): StoreReader {
  let retrier: Retrier | null = null;
  let isLoading = false;
  const typical = createTypicalTime(clock);
  const usualMs = (): number => typical.medianMs() ?? 0;

  /** With the first policy that allows retries: a start without one does not wait for it, and the first reads go without. */
  function loadRetrier(): void {
    if (isLoading) return;
    isLoading = true;
    loadRetry().then(
      ({ createRetrier }) => {
        retrier = createRetrier({ isWorthRetrying: isDisconnected });
      },
      // Reads go on without, and the next one tries again.
      () => {
        isLoading = false;
      },
    );
  }

  return {
    read: (plan) => readFrom(store, plan),
    readPatiently(plan, retries, leftMs) {
      if (retrier === null) loadRetrier();
      if (retrier === null) return readFrom(store, plan);
      const halfMs = leftMs() / 2;
      const mayReadAgain = () => leftMs() >= Math.max(askingFloorMs, Math.min(halfMs, usualMs()));
      return retrier.run(retries, mayReadAgain, () => readFrom(store, plan));
    },
    answered: typical.answered,
    usualMs,
  };
}

/** A store may also throw before it returns a promise; to gathering that is the same rejection. */
function readFrom(store: Pick<Store, 'read'>, plan: ReadPlan): Promise<StoreReading> {
  try {
    return store.read(plan);
  } catch (error) {
    return Promise.reject(error);
  }
}

const failed = { state: 'failed' } as const;
const circuitOpen = { state: 'failed', why: 'circuit_open' } as const;
export const shed = { state: 'failed', why: 'overload' } as const;

export function failureOf(error: unknown): Failed {
  const code = codeOf(error);
  if (code === 'circuit_open') return circuitOpen;
  // Our own bound: more is under way than may be.
  return code === 'overloaded' ? shed : failed;
}

export function isTimeout(error: unknown): boolean {
  return codeOf(error) === 'timed_out';
}

export function isUnreadable(error: unknown): boolean {
  return codeOf(error) === 'unreadable';
}

/** Nothing was sent, or the connection went: the next one may be there already. */
function isDisconnected(error: unknown): boolean {
  return codeOf(error) === 'disconnected';
}

function codeOf(error: unknown): StoreError['code'] | null {
  return error instanceof StoreError ? error.code : null;
}
