/** What the status page says of the store: whether it answers, since when that is so, and when it last did. It looks when asked. */
import type { Store } from '../records/store.ts';
import type { Clock } from '../time/clock.ts';

export interface StoreStatus {
  readonly kind: Store['kind'];
  readonly state: 'unknown' | 'up' | 'down';
  readonly since: string | null;
  readonly lastGood: string | null;
}

export interface StoreWatch {
  look(): Promise<StoreStatus>;
}

const patienceMs = 500;

export function watchStore(store: Store, clock: Clock): StoreWatch {
  let status: StoreStatus = { kind: store.kind, state: 'unknown', since: null, lastGood: null };
  return {
    async look() {
      const state = (await answers(store, clock)) ? 'up' : 'down';
      const now = new Date(clock.nowMs()).toISOString();
      status = {
        kind: store.kind,
        state,
        since: state === status.state ? status.since : now,
        lastGood: state === 'up' ? now : status.lastGood,
      };
      return status;
    },
  };
}

function answers(store: Store, clock: Clock): Promise<boolean> {
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
