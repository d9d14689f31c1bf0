/**
 * A real store in the trouble that a case describes. A store answers everything in one round trip, so what is late is late because its
 * dependency's budget ran out before the reply came, and what fails is the whole read, or a profile or a session that cannot be
 * understood.
 */
import type { ReadPlan, Store, StoreReading } from '../../src/records/store.ts';
import { StoreError } from '../../src/records/store-error.ts';
import type { Clock } from '../../src/time/clock.ts';
import type { ConformanceCase } from './assemble.ts';

/** The budget of a dependency that is to be late, and the later instant at which the reply comes: before any deadline of the corpus. */
const lateBudgetMs = 10;
export const replyAfterMs = 20;

/** The others are services of their own. */
const ofStore = ['identity', 'consent', 'profile', 'session'] as const;

export type Trouble = ConformanceCase['trouble'];

export interface TroubledStore {
  readonly store: Store;
  /** Resolves when a read waits for the clock. */
  readonly waiting: Promise<void>;
}

export function troubled(store: Store, trouble: Trouble, clock: Clock): TroubledStore {
  const waiting = Promise.withResolvers<void>();
  const inTrouble = (state: 'late' | 'failed') => ofStore.filter((dependency) => trouble[dependency] === state);
  const isLate = inTrouble('late').length > 0;
  const failing = inTrouble('failed');
  // Who carries a session id has a consent record, so a store that fails whole fails with that too: here the session does alone.
  const alone = failing.length === 1 && (failing[0] === 'profile' || failing[0] === 'session') ? failing[0] : null;

  async function read(plan: ReadPlan): Promise<StoreReading> {
    if (failing.length > 0 && alone === null) throw new StoreError('disconnected', 'the store is not there');
    const reading = await store.read(plan);
    if (isLate) {
      await new Promise<void>((resolve) => {
        clock.after(replyAfterMs, resolve);
        waiting.resolve();
      });
    }
    return alone !== null && reading[alone].state === 'known' ? { ...reading, [alone]: { state: 'failed' } } : reading;
  }

  return { store: { ...store, read }, waiting: waiting.promise };
}

/** The case's policy, where a dependency that is to be late has less time than the reply takes. */
export function withBudgets(policy: string, trouble: Trouble): string {
  const late = Object.entries(trouble).filter(([, state]) => state === 'late');
  if (late.length === 0) return policy;
  const document = JSON.parse(policy) as { dependencies?: Record<string, object> };
  const dependencies = { ...document.dependencies };
  for (const [dependency] of late) dependencies[dependency] = { ...dependencies[dependency], budgetMs: lateBudgetMs };
  return JSON.stringify({ ...document, dependencies });
}
