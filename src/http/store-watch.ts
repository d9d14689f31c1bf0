/**
 * What the status page says of each dependency: whether it answers, since when that is so, and when it last did. It listens to
 * the reads of real traffic, and asks the store itself when somebody looks, so that a quiet service knows too.
 */
import { type StoreDependency, storeDependencies } from '../evidence/plan.ts';
import type { ReadPlan, Store } from '../records/store.ts';
import { StoreError, type StoreErrorCode } from '../records/store-error.ts';
import type { Clock } from '../time/clock.ts';

export interface DependencyStatus {
  readonly state: 'unknown' | 'up' | 'down';
  readonly since: string | null;
  readonly lastGood: string | null;
  /** `open`: reads are refused at once, and probes of our own find out when the store serves again. */
  readonly breaker: 'closed' | 'open';
}

export interface StoreStatus extends DependencyStatus {
  readonly kind: Store['kind'];
}

/** Every dependency lives in the one store and is read in one round trip; which of them a read asks for, its plan says. */
export type DependencyStatuses = Readonly<Record<StoreDependency, DependencyStatus>> & { readonly store: StoreStatus };

export interface StoreWatch {
  /** The store's reads, overheard. One that is answered from memory asks nobody, so each counts when it has ended. */
  readonly reads: Pick<Store, 'read'>;
  /** The store was asked something; the reads that it took to answer are counted apart. */
  asked(): void;
  counts(): AskCounts;
  look(): Promise<DependencyStatuses>;
}

/** Since the start: how often a dependency was asked, and how many calls that came to. They differ by the retries, and by what a breaker refused. */
export interface AskCounts {
  readonly asks: number;
  readonly calls: number;
}

const patienceMs = 500;

/** Failures that say the store is there and will not serve this read: an answered ping does not refute them. */
const refusals: ReadonlySet<StoreErrorCode> = new Set(['refused', 'misrouted', 'other_names']);
/** Our own limits and one person's record say nothing of the store's health. */
const notItsFault: ReadonlySet<StoreErrorCode> = new Set(['overloaded', 'unreadable', 'invalid', 'contended', 'closed']);

interface Health {
  state: DependencyStatus['state'];
  sinceMs: number | null;
  lastGoodMs: number | null;
  isRefusing: boolean;
}

export function watchStore(store: Pick<Store, 'kind' | 'read' | 'ping'>, clock: Clock): StoreWatch {
  const ofStore = newHealth();
  let breaker: DependencyStatus['breaker'] = 'closed';
  const counts = { asks: 0, calls: 0 };
  const ofDependency = { identity: newHealth(), consent: newHealth(), profile: newHealth(), session: newHealth() };

  function readAnswered(plan: ReadPlan): void {
    const nowMs = clock.nowMs();
    breaker = 'closed';
    isUp(ofStore, nowMs);
    for (const dependency of storeDependencies) if (isAsked[dependency](plan)) isUp(ofDependency[dependency], nowMs);
  }

  function readFailed(plan: ReadPlan, error: unknown): void {
    const code = error instanceof StoreError ? error.code : null;
    if (code !== null && notItsFault.has(code)) return;
    if (code === 'circuit_open') breaker = 'open';
    const isRefusing = code !== null && refusals.has(code);
    const nowMs = clock.nowMs();
    if (isRefusing) isUp(ofStore, nowMs);
    else isDown(ofStore, nowMs, false);
    for (const dependency of storeDependencies) {
      if (isAsked[dependency](plan)) isDown(ofDependency[dependency], nowMs, isRefusing);
    }
  }

  return {
    reads: {
      read(plan) {
        const reading = store.read(plan);
        reading.then(
          ({ fromMemory }) => {
            if (fromMemory) return;
            counts.calls += 1;
            readAnswered(plan);
          },
          (error) => {
            counts.calls += 1;
            readFailed(plan, error);
          },
        );
        return reading;
      },
    },
    asked() {
      counts.asks += 1;
    },
    counts: () => counts,
    async look() {
      const isAnswering = await answers(store, clock);
      const nowMs = clock.nowMs();
      if (isAnswering) breaker = 'closed';
      const statusOf = ({ state, sinceMs, lastGoodMs }: Health): DependencyStatus => ({
        state,
        since: isoOf(sinceMs),
        lastGood: isoOf(lastGoodMs),
        breaker,
      });
      for (const health of [ofStore, ...Object.values(ofDependency)]) {
        if (!isAnswering) isDown(health, nowMs, health.isRefusing);
        else if (!health.isRefusing) isUp(health, nowMs);
      }
      return {
        identity: statusOf(ofDependency.identity),
        consent: statusOf(ofDependency.consent),
        profile: statusOf(ofDependency.profile),
        session: statusOf(ofDependency.session),
        store: { kind: store.kind, ...statusOf(ofStore) },
      };
    },
  };
}

const isAsked: Readonly<Record<StoreDependency, (plan: ReadPlan) => boolean>> = {
  // Of a link that was found out elsewhere the store says whether it stands.
  identity: ({ subject, tokenId, deviceId, resolvedLink }) =>
    subject !== null || tokenId !== null || deviceId !== null || resolvedLink !== null,
  consent: ({ consent }) => consent,
  profile: ({ profile }) => profile !== null,
  session: ({ session }) => session !== null,
};

function newHealth(): Health {
  return { state: 'unknown', sinceMs: null, lastGoodMs: null, isRefusing: false };
}

function isUp(health: Health, nowMs: number): void {
  if (health.state !== 'up') health.sinceMs = nowMs;
  health.state = 'up';
  health.lastGoodMs = nowMs;
  health.isRefusing = false;
}

function isDown(health: Health, nowMs: number, isRefusing: boolean): void {
  if (health.state !== 'down') health.sinceMs = nowMs;
  health.state = 'down';
  health.isRefusing = isRefusing;
}

function isoOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function answers(store: Pick<Store, 'ping'>, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const stop = clock.after(patienceMs, () => resolve(false));
    const settle = (isUp: boolean) => {
      stop();
      resolve(isUp);
    };
    store.ping().then(
      () => settle(true),
      () => settle(false),
    );
  });
}
