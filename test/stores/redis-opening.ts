/** A Redis store that waits as long as a busy machine needs: what the suites claim is not how soon one answers. */
import type { Cluster, Redis } from 'ioredis';
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts';
import { daySeconds, type OpenedStore } from './store.cases.ts';

export const patienceMs = 20_000;

/** Connected. */
export async function openPatiently(url: string): Promise<RedisStore> {
  const store = openRedisStore({ url, commandTimeoutMs: patienceMs, silenceMaxMs: patienceMs });
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
    dispose: () => store.close(),
  };
}
