/**
 * Hears from every node that serves keys which of them change (`CLIENT TRACKING`, broadcast), on connections of their own. What is
 * promised is a negative: where it says that changes have been heard since an instant, none came since then that was not passed on.
 *
 * The connection tracks for itself, in the old protocol, whose driver passes invalidations on. So it cannot go on listening after what
 * it listens to is gone, and an answered heartbeat says that all that was sent before it has come.
 */
import { Redis } from 'ioredis';
import { keyPrefix } from '../records/keys.ts';
import type { Access, Endpoint } from './address.ts';
import { type Node, reconnectDelayMs } from './node.ts';
import { faultCode } from './reply.ts';

const channel = '__redis__:invalidate';
const connectTimeoutMs = 250;
/** A node that owes the answer to a heartbeat for so long is not believed to tell of every change. */
const silenceMaxMs = 1_000;
const heartbeatMs = 250;
/** After a refusal, which will not be taken back soon. */
const refusedDelayMs = 5_000;

export interface ChangeListener {
  changed(key: string): void;
}

export interface Tracking {
  /** The first one given counts. */
  start(listener: ChangeListener): void;
  /** Which nodes serve keys may have changed. */
  followNodes(): void;
  /** Monotonic milliseconds; Infinity where changes are not heard of. */
  sinceMs(node: Node): number;
  close(): void;
}

export interface TrackingOptions {
  readonly access: Access;
  /** In [0, 1); spreads reconnections. */
  readonly random: () => number;
  /** Monotonic milliseconds: of the same clock as the proofs that `sinceMs` is compared with. */
  readonly now: () => number;
  /** Those that serve keys. */
  readonly nodes: () => readonly Node[];
  readonly onRefused?: ((code: string) => void) | undefined;
}

export function createTracking({ access, random, now, nodes, onRefused }: TrackingOptions): Tracking {
  const trackers = new Map<Node, Tracker>();
  let listener: ChangeListener | null = null;
  let isClosed = false;
  let wasRefused = false;

  function refused(code: string): void {
    if (wasRefused) return;
    wasRefused = true;
    onRefused?.(code);
  }

  function followNodes(): void {
    if (listener === null || isClosed) return;
    const serving = new Set(nodes());
    for (const [node, tracker] of trackers) {
      if (serving.has(node)) continue;
      trackers.delete(node);
      tracker.close();
    }
    for (const node of serving) {
      if (!trackers.has(node))
        trackers.set(node, openTracker({ endpoint: node.endpoint, access, random, now, listener, onRefused: refused }));
    }
  }

  return {
    start(given) {
      if (listener !== null) return;
      listener = given;
      followNodes();
    },
    followNodes,
    sinceMs: (node) => trackers.get(node)?.sinceMs ?? Number.POSITIVE_INFINITY,
    close() {
      isClosed = true;
      for (const tracker of trackers.values()) tracker.close();
      trackers.clear();
    },
  };
}

interface Tracker {
  readonly sinceMs: number;
  close(): void;
}

interface TrackerOptions {
  readonly endpoint: Endpoint;
  readonly access: Access;
  readonly random: () => number;
  readonly now: () => number;
  readonly listener: ChangeListener;
  onRefused(code: string): void;
}

/** One node's, for ever: a connection that ends is followed by another. */
function openTracker({ endpoint, access, random, now, listener, onRefused }: TrackerOptions): Tracker {
  let sinceMs = Number.POSITIVE_INFINITY;
  let attempts = 0;
  let reconnecting: NodeJS.Timeout | null = null;
  let cut = (): void => {};
  let isClosed = false;

  function reach(): void {
    cut = openTrackingLine({
      endpoint,
      access,
      now,
      onTracking() {
        attempts = 0;
        sinceMs = now();
      },
      onChanged: (key) => listener.changed(key),
      onAllChanged() {
        sinceMs = now();
      },
      onEnd(refusal) {
        sinceMs = Number.POSITIVE_INFINITY;
        if (isClosed) return;
        if (refusal !== null) onRefused(refusal);
        attempts += 1;
        reconnecting = setTimeout(reach, refusal === null ? reconnectDelayMs(attempts, random) : refusedDelayMs);
      },
    });
  }

  reach();
  return {
    get sinceMs() {
      return sinceMs;
    },
    close() {
      isClosed = true;
      if (reconnecting !== null) clearTimeout(reconnecting);
      cut();
    },
  };
}

interface TrackingLineOptions {
  readonly endpoint: Endpoint;
  readonly access: Access;
  readonly now: () => number;
  /** Once: from now on every change is told. */
  onTracking(): void;
  onChanged(key: string): void;
  /** Everything may have, as when the server was emptied. */
  onAllChanged(): void;
  /** Once. `refusal` is the server's short code where it said no. */
  onEnd(refusal: string | null): void;
}

/** Returns what ends it. */
function openTrackingLine({ endpoint, access, now, onTracking, onChanged, onAllChanged, onEnd }: TrackingLineOptions): () => void {
  const client = new Redis({
    ...endpoint,
    ...(access.username === null ? {} : { username: access.username }),
    ...(access.password === null ? {} : { password: access.password }),
    ...(access.tls ? { tls: {} } : {}),
    protocol: 2,
    lazyConnect: true,
    retryStrategy: null,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: connectTimeoutMs,
    connectionName: 'stepwell-near-cache',
    disableClientInfo: true,
  });
  let hasEnded = false;
  let isTracking = false;
  let owedSinceMs: number | null = now();
  const heartbeat = setInterval(() => setImmediate(beat), heartbeatMs);

  // Without a listener the driver would print it.
  client.on('error', () => {});
  client.on('end', () => end(null));
  client.on('messageBuffer', (_channel: Buffer, keys: unknown) => heard(keys));
  client.on('ready', () => {
    begin().catch((error: unknown) => end(error instanceof Error && error.name === 'ReplyError' ? faultCode(error) : null));
  });
  client.connect().catch(() => end(null));

  async function begin(): Promise<void> {
    const id = await client.call('CLIENT', 'ID');
    await client.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(id), 'BCAST', 'PREFIX', keyPrefix);
    await client.subscribe(channel);
    if (hasEnded) return;
    owedSinceMs = null;
    isTracking = true;
    onTracking();
  }

  function heard(keys: unknown): void {
    if (hasEnded || !isTracking) return;
    if (!Array.isArray(keys)) onAllChanged();
    else for (const key of keys) onChanged(String(key));
  }

  /** After what came while our own event loop was busy has been read. */
  function beat(): void {
    if (hasEnded) return;
    const nowMs = now();
    if (owedSinceMs !== null) {
      if (nowMs - owedSinceMs >= silenceMaxMs) end(null);
      return;
    }
    if (!isTracking) return;
    owedSinceMs = nowMs;
    client.ping().then(
      () => {
        owedSinceMs = null;
      },
      () => end(null),
    );
  }

  function end(refusal: string | null): void {
    if (hasEnded) return;
    hasEnded = true;
    clearInterval(heartbeat);
    client.disconnect();
    // A server that says nothing would not say goodbye either.
    client.stream?.destroy();
    onEnd(refusal);
  }

  return () => end(null);
}
