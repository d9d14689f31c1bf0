/** Hears one channel, on a connection of its own that no decision waits for: connects for ever, and minds no failure. */
import { Redis } from 'ioredis';
import { type Access, type HostPort, parseRedisUrl, type RedisAddress } from './address.ts';

export interface Subscription {
  readonly url: string;
  readonly channel: string;
  /** What the server shows of the connection. */
  readonly name: string;
  readonly onMessage: (text: string) => void;
  /** From now on everything is heard; before it, something may have been missed. Again at each return of the server. */
  readonly onSubscribed: () => void;
  /** Why nothing will be heard though the server answers: a short code of its own, such as `NOPERM`. */
  readonly onRefused: (code: string) => void;
}

const connectTimeoutMs = 1000;
const reconnectDelayMaxMs = 5000;
/** A server that has gone without a word is noticed by the system's own probes. */
const keepAliveMs = 10_000;

/** Returns its `dispose`. */
export function subscribe({ url, channel, name, onMessage, onSubscribed, onRefused }: Subscription): () => void {
  const address = parseRedisUrl(url);
  const client = new Redis({
    ...whereOf(address),
    ...accessOf(address),
    protocol: 2,
    connectionName: name,
    connectTimeout: connectTimeoutMs,
    keepAlive: keepAliveMs,
    enableOfflineQueue: false,
    disableClientInfo: true,
    maxRetriesPerRequest: null,
    autoResubscribe: false,
    retryStrategy(attempt) {
      // Any node of a cluster hears what is published on any other.
      if (address.shape === 'cluster') Object.assign(client.options, nodeAt(address.nodes, attempt));
      return Math.min(reconnectDelayMaxMs, 50 * 2 ** Math.min(attempt, 10));
    },
  });
  // Without a listener the driver would print it.
  client.on('error', () => {});
  client.on('message', (_channel, text) => onMessage(text));
  client.on('ready', () => {
    client.subscribe(channel).then(onSubscribed, (error: unknown) => {
      const code = error instanceof Error ? /^[A-Z]{2,32}\b/.exec(error.message)?.[0] : undefined;
      // A connection that went meanwhile is made again, and this with it.
      if (code !== undefined) onRefused(code);
    });
  });
  return () => client.disconnect();
}

function whereOf(address: RedisAddress) {
  if (address.shape === 'single') return { ...address.endpoint };
  if (address.shape === 'cluster') return nodeAt(address.nodes, 0);
  return { sentinels: address.sentinels.map(({ host, port }) => ({ host, port })), name: address.masterName };
}

function nodeAt(nodes: readonly HostPort[], index: number): Partial<HostPort> {
  return { ...nodes[index % nodes.length] };
}

/** Channels know no databases. */
function accessOf({ username, password, tls }: Access) {
  return {
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(tls ? { tls: {}, enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  };
}
