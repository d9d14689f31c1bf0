/**
 * The store on Redis (6.2 or later, or Valkey), whatever its shape: reads on one connection, writes on another, and in front of the reads
 * the near cache.
 */
import type { Store } from '../records/store.ts';
import type { Clock } from '../time/clock.ts';
import { createAnnouncements } from './announcements.ts';
import { type ConnectionOptions, connect } from './connection.ts';
import { createNaming, type Disagreement } from './naming.ts';
import { NearCache } from './near-cache.ts';
import { createReader } from './read.ts';
import { createWriter } from './write.ts';

export interface RedisStore extends Store {
  readonly kind: 'redis';
  /** True once connected, false if that took longer than `withinMs`. Nothing needs to wait for it: reads reject until then. */
  connected(withinMs: number): Promise<boolean>;
}

export interface RedisStoreOptions extends Omit<ConnectionOptions, 'now'> {
  /** Absent: nothing is held. */
  readonly nearCache?: NearCache | undefined;
  /** Under which ids have their names; absent: the one that is kept in Redis itself. */
  readonly keySecret?: string | null | undefined;
  /** This process and Redis do not agree on the key secret. Told once. */
  readonly onDisagreement?: ((why: Disagreement) => void) | undefined;
  /** What is announced cannot be heard here: a short code of the server's, such as `NOPERM`. Told once. */
  readonly onAnnouncementsRefused?: ((code: string) => void) | undefined;
  /** Waits until nobody has listened for so long that the connection for it may go; absent: by a timer that does not keep the process alive. */
  readonly after?: Clock['after'] | undefined;
  /** The wall clock; absent: the machine's. */
  readonly nowMs?: (() => number) | undefined;
  /** How often what the fleet has agreed on is looked at again; absent: every five seconds. */
  readonly lookAgainMs?: number | undefined;
}

/** Never throws for a Redis that is not there, only for an address that makes no sense. */
export function openRedisStore({
  nearCache = new NearCache({ bytesMax: 0 }),
  keySecret = null,
  onDisagreement,
  onAnnouncementsRefused = () => {},
  lookAgainMs,
  nowMs = Date.now,
  after,
  ...options
}: RedisStoreOptions): RedisStore {
  // What was proved and since when changes are heard of are compared, so both are instants of one clock.
  const connection = connect({
    ...options,
    now: nearCache.now,
    onState(state, why) {
      if (state === 'connected') naming.connected();
      options.onState?.(state, why);
    },
  });
  // Redis holds back all of a connection behind one write that it may not do yet, as in every planned failover; reads must not wait for that.
  const writing = connect({ ...options, onState: undefined });
  const naming = createNaming({ keySecret, reading: connection, writing, onDisagreement, lookAgainMs });
  const announcements = createAnnouncements({ url: options.url, writing, onRefused: onAnnouncementsRefused, after });
  const { read } = createReader(connection, nearCache, naming);
  return {
    kind: 'redis',
    read,
    ...createWriter({ reading: connection, writing, naming, nowMs, onChange: (key) => nearCache.changed(key) }),
    announce: announcements.announce,
    listen: announcements.listen,
    ping: connection.ping,
    async connected(withinMs) {
      const [isReading, isWriting] = await Promise.all([
        connection.connected(withinMs),
        writing.connected(withinMs),
        naming.known(withinMs),
      ]);
      return isReading && isWriting && naming.names !== null;
    },
    close: async () => {
      naming.close();
      announcements.close();
      await Promise.all([connection.close(), writing.close()]);
    },
  };
}
