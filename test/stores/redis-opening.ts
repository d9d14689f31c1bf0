/** A Redis store that waits as long as a busy machine needs: what the suites claim is not how soon one answers. */

import type { Cluster, Redis } from 'ioredis';
import { expect } from 'vitest';
import type { ReadPlan, StoreReading } from '../../src/records/store.ts';
import { NearCache } from '../../src/redis/near-cache.ts';
import { openRedisStore, type RedisStore, type RedisStoreOptions } from '../../src/redis/redis-store.ts';
import { keySecret } from '../support/key-names.ts';
import { until } from '../support/redis-deployments.ts';
import { daySeconds, noPlan, type OpenedStore } from './store.cases.ts';

export const patienceMs = 20_000;
const bytesMax = 64 * 2 ** 20;

/** So that no look at the fleet's secret comes between what a test counts. */
export const lookAgainMs = 3_600_000;

/** Connected. */
export async function openPatiently(url: string, nearCache?: NearCache, more: Pick<RedisStoreOptions, 'after'> = {}): Promise<RedisStore> {
  const store = openRedisStore({ keySecret, url, nearCache, commandTimeoutMs: patienceMs, silenceMaxMs: patienceMs, lookAgainMs, ...more });
  if (await store.connected(patienceMs)) return store;
  await store.close();
  throw new Error(`no connection to Redis within ${patienceMs} ms`);
}

/** For the cases that every store has to pass; `observer` plants what the store itself would not write. */
export function forCases(store: RedisStore, observer: Redis | Cluster): OpenedStore {
  return {
    store,
    nowMs: () => Date.now(),
    async plant(key, text) {
      await observer.set(key, text, 'EX', daySeconds);
    },
    async unplant(key) {
      await observer.del(key);
    },
    dispose: () => store.close(),
  };
}

/** Says what it heard of: a test that changes something behind a store's back can wait until the store knows. */
export class ListeningCache extends NearCache {
  readonly heard = new Map<string, number>();

  override changed(key: string): void {
    super.changed(key);
    this.heard.set(key, (this.heard.get(key) ?? 0) + 1);
  }
}

export interface RememberingStore {
  readonly store: RedisStore;
  readonly nearCache: ListeningCache;
}

/** With a near cache; where it is to trust, the changes are heard of already. */
export async function openRemembering(url: string, freshnessMaxMs: number): Promise<RememberingStore> {
  const nearCache = new ListeningCache({ bytesMax });
  const store = await openPatiently(url, nearCache);
  if (freshnessMaxMs > 0) await untilTrusted(store, nearCache, freshnessMaxMs);
  return { store, nearCache };
}

/** By default about somebody nobody knows. */
const aboutNobody: ReadPlan = { ...noPlan, subject: 'nobody', consent: true };

/** Asks again and again, until the answer comes from memory: what was just written is still being told of. */
export async function untilTrusted(store: RedisStore, nearCache: NearCache, freshnessMaxMs: number, plan = aboutNobody): Promise<void> {
  await until('an answer comes from memory', async () => {
    const before = nearCache.reads.all.trusted;
    await store.read({ ...plan, freshnessMaxMs }).catch(() => {});
    return nearCache.reads.all.trusted > before;
  });
}

/** What it says, wherever it comes from. */
function saidBy({ fromMemory: _, ...said }: StoreReading): StoreReading {
  return said;
}

/** Every read is made twice, so that the second one meets what the first one left, and both must say the same. */
export async function rememberingForCases(url: string, observer: Redis | Cluster, freshnessMaxMs: number): Promise<OpenedStore> {
  const { store, nearCache } = await openRemembering(url, freshnessMaxMs);
  const direct = forCases(store, observer);
  const heard = async (key: string, change: () => Promise<void>): Promise<void> => {
    const before = nearCache.heard.get(key) ?? 0;
    await change();
    if (freshnessMaxMs > 0) await until('the change is heard of', async () => (nearCache.heard.get(key) ?? 0) > before);
  };
  return {
    ...direct,
    store: {
      ...store,
      async read(plan) {
        const asked = { ...plan, freshnessMaxMs };
        const first = await store.read(asked);
        const second = await store.read(asked);
        expect(saidBy(second)).toEqual(saidBy(first));
        return saidBy(second);
      },
    },
    plant: (key, text) => heard(key, () => direct.plant(key, text)),
    unplant: (key) => heard(key, () => direct.unplant(key)),
  };
}
