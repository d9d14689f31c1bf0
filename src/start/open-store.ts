/** Opens the store that the config names. A Redis that is not there is no reason not to start: reads fail until it comes. */
import type { Config } from '../config.ts';
import { openEmbeddedStore } from '../embedded/embedded-store.ts';
import type { Store } from '../records/store.ts';
import { openRedisStore } from '../redis/redis-store.ts';
import type { Clock } from '../time/clock.ts';
import { CannotRun, systemSentence } from './cannot-run.ts';

export interface StoreOpening {
  readonly clock: Clock;
  /** How long a command may wait for a Redis that is still connecting. */
  readonly connectWaitMs: number;
  readonly onState?: (state: string, why: string | null) => void;
}

export async function openStore({ redisUrl, dataDir }: Config, { clock, connectWaitMs, onState }: StoreOpening): Promise<Store> {
  if (redisUrl === null) return openEmbedded(dataDir, clock);
  const store = openRedis(redisUrl, onState);
  await store.connected(connectWaitMs);
  return store;
}

function openRedis(url: string, onState: StoreOpening['onState']) {
  try {
    return openRedisStore({ url, onState });
  } catch (error) {
    // The address' own words: they never repeat the URL.
    throw new CannotRun(`STEPWELL_REDIS_URL: ${error instanceof Error ? error.message : 'it cannot be used'}`);
  }
}

function openEmbedded(directory: string, clock: Clock): Store {
  try {
    return openEmbeddedStore({ directory, clock });
  } catch (error) {
    throw new CannotRun(`the embedded store in \`${directory}\` cannot be opened: ${systemSentence(error)}`);
  }
}
