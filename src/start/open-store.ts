/** Opens the store that the config names. A Redis that is not there is no reason not to start: reads fail until it comes. */
import type { Config } from '../config.ts';
import type { EmbeddedStoreOptions } from '../embedded/embedded-store.ts';
import type { Store } from '../records/store.ts';
import { StoreError } from '../records/store-error.ts';
import type { NearCacheFigures } from '../redis/near-cache.ts';
import type { RedisStore, RedisStoreOptions } from '../redis/redis-store.ts';
import type { Clock } from '../time/clock.ts';
import { CannotRun, systemSentence } from './cannot-run.ts';

export interface StoreOpening {
  readonly clock: Clock;
  readonly onState?: (state: string, why: string | null) => void;
  /** Redis will not tell what changes: a policy's `freshness` above 0 then has no effect. Told once, with a short code. */
  readonly onTrackingRefused?: (code: string) => void;
  /** Redis keeps another key secret than this process goes by, and then nothing is read or written, or something else. Told once, with a short code. */
  readonly onDisagreement?: (code: string) => void;
  /** Redis lets nobody of this name hear what is announced. Told once, with a short code. */
  readonly onAnnouncementsRefused?: (code: string) => void;
  /** How long Redis may owe an answer, for whoever is in no hurry, as one who loads records. Absent: as long as a decision may wait. */
  readonly patienceMs?: number;
}

export interface OpenedStore {
  readonly store: Store;
  /** Resolves once the store is connected, or `withinMs` later: an embedded one is at once. */
  connected(withinMs: number): Promise<unknown>;
  /** Null: this store has none, because it needs none, or it is switched off. */
  readonly nearCache: (() => NearCacheFigures) | null;
}

/** Each kind is loaded only where it is used. */
export async function openStore({ redisUrl, nearCacheBytes, dataDir, keySecret }: Config, opening: StoreOpening): Promise<OpenedStore> {
  const { clock, onState, onTrackingRefused, onDisagreement, onAnnouncementsRefused, patienceMs } = opening;
  if (redisUrl === null)
    return { store: await openEmbedded({ directory: dataDir, clock, keySecret }), connected: async () => true, nearCache: null };
  const { NearCache } = await import('../redis/near-cache.ts');
  const nearCache = new NearCache({ bytesMax: nearCacheBytes });
  const patience = { commandTimeoutMs: patienceMs, silenceMaxMs: patienceMs };
  const store = await openRedis({
    url: redisUrl,
    keySecret,
    nearCache,
    nowMs: () => clock.nowMs(),
    onState,
    onTrackingRefused,
    onDisagreement,
    onAnnouncementsRefused,
    ...patience,
  });
  return { store, connected: store.connected, nearCache: nearCacheBytes === 0 ? null : () => nearCache.figures() };
}

async function openRedis(options: RedisStoreOptions): Promise<RedisStore> {
  const { openRedisStore } = await import('../redis/redis-store.ts');
  try {
    return openRedisStore(options);
  } catch (error) {
    // The address' own words: they never repeat the URL.
    throw new CannotRun(`STEPWELL_REDIS_URL: ${error instanceof Error ? error.message : 'it cannot be used'}`);
  }
}

async function openEmbedded(options: EmbeddedStoreOptions): Promise<Store> {
  const { openEmbeddedStore } = await import('../embedded/embedded-store.ts');
  try {
    return openEmbeddedStore(options);
  } catch (error) {
    const why = error instanceof StoreError ? error.message : systemSentence(error);
    throw new CannotRun(`the embedded store in \`${options.directory}\` cannot be opened: ${why}`);
  }
}
