/**
 * One connection to one server, from its first packet to its end; it never comes back, whoever wants another makes one. A command is
 * on the wire within this turn of the event loop or rejected at once, and nothing is ever sent twice.
 *
 * The driver's word that it is connected is not taken: a line serves once the server has answered, and ends when the server owes an
 * answer for too long. Its timeouts are no deadline; they keep abandoned commands from piling up, because Redis cannot take back
 * what was sent.
 */
import { Redis } from 'ioredis';
import { StoreError } from '../records/store-error.ts';
import type { Access, Endpoint } from './address.ts';
import { faultCode, type Reply, type Script, type ScriptCall, storeErrorFrom } from './reply.ts';

/** Commands on a line that have no answer yet, abandoned ones included. Over it, nothing is sent. */
export const inFlightMax = 256;
const connectTimeoutMs = 250;
/** From the first packet to the first answer: a server that accepts and says nothing is given up. */
const greetingTimeoutMs = 500;
/** A bound on leaks, not a deadline. */
export const commandTimeoutMs = 200;
/** A server that owes an answer for this long is not believed to be there. */
export const silenceMaxMs = 500;
/** An idle line asks whether its server is still there, so that the next decision does not have to find out. */
const heartbeatMs = 1_000;
const sweepMs = 25;

export interface LineOptions {
  readonly endpoint: Endpoint;
  readonly access: Access;
  readonly db: number;
  /** A line to a replica that was a master, or is not one yet, must not serve. */
  readonly role: 'master' | 'any';
  readonly commandTimeoutMs: number;
  readonly silenceMaxMs: number;
  /** Once: the server has answered. */
  onServing(): void;
  /** Once, also for a line that never served. `why` is a short code. */
  onEnd(why: string): void;
}

export interface Line {
  send(name: string, args: readonly (string | number)[]): Promise<Reply>;
  /** Two commands in one write; the answer is that of the second. */
  sendAsking(name: string, args: readonly (string | number)[]): Promise<Reply>;
  /** One script many times, in one write and as one command in flight. */
  sendAll(script: Script, calls: readonly ScriptCall[]): Promise<readonly (Reply | Error)[]>;
  /** Ends it now: what is under way is rejected. */
  cut(why: string): void;
}

/** A command that has no answer yet. */
interface Owed {
  readonly sentAtMs: number;
  readonly reject: (error: StoreError) => void;
  expired: boolean;
  settled: boolean;
  before: Owed | null;
  after: Owed | null;
}

export function openLine(options: LineOptions): Line {
  const client = new Redis({
    ...options.endpoint,
    db: options.db,
    ...(options.access.username === null ? {} : { username: options.access.username }),
    ...(options.access.password === null ? {} : { password: options.access.password }),
    ...(options.access.tls ? { tls: {} } : {}),
    lazyConnect: true,
    retryStrategy: null,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: connectTimeoutMs,
    connectionName: 'stepwell',
    // One right less to ask an operator for.
    disableClientInfo: true,
  });
  let isServing = false;
  let hasEnded = false;
  let lastFault: string | null = null;
  let corked: Redis['stream'] | null = null;
  /** Oldest first. Redis answers in order, so the first is the one that has waited longest. */
  let first: Owed | null = null;
  let last: Owed | null = null;
  let inFlight = 0;
  let sweeper: NodeJS.Timeout | null = null;
  let wasUsed = false;

  const patience = setTimeout(() => setImmediate(giveUp), connectTimeoutMs + greetingTimeoutMs);
  const heartbeat = setInterval(beat, heartbeatMs);
  client.on('error', (error: unknown) => {
    lastFault = faultCode(error);
  });
  client.on('end', () => end(lastFault ?? 'closed'));
  client.on('ready', () => {
    greet().then(
      (isWelcome) => (isWelcome ? serve() : end('not_master')),
      (error: unknown) => end(faultCode(error)),
    );
  });
  client.connect().catch(() => {});

  async function greet(): Promise<boolean> {
    await client.call('PING');
    if (options.role === 'any') return true;
    const role: unknown = await client.call('ROLE');
    return Array.isArray(role) && role[0] === 'master';
  }

  function serve(): void {
    if (hasEnded) return;
    clearTimeout(patience);
    isServing = true;
    options.onServing();
  }

  function giveUp(): void {
    if (!isServing) end('silent');
  }

  function end(why: string): void {
    if (hasEnded) return;
    hasEnded = true;
    isServing = false;
    clearTimeout(patience);
    clearInterval(heartbeat);
    if (sweeper !== null) clearTimeout(sweeper);
    const lost = new StoreError('disconnected', 'the connection to Redis went while a command was under way');
    for (let owed = first; owed !== null; owed = owed.after) {
      owed.settled = true;
      owed.reject(lost);
    }
    first = null;
    last = null;
    client.disconnect();
    // A server that says nothing would not say goodbye either.
    client.stream?.destroy();
    options.onEnd(why);
  }

  function post<T>(call: () => Promise<T>): Promise<T> {
    if (!isServing) return Promise.reject(new StoreError('disconnected', 'there is no connection to Redis'));
    if (inFlight >= inFlightMax)
      return Promise.reject(new StoreError('overloaded', `${inFlightMax} commands to a Redis node are under way already`));
    writeTogether();
    wasUsed = true;
    return new Promise((resolve, reject) => {
      const owed = owe(reject);
      call().then(
        (reply) => {
          settle(owed);
          resolve(reply);
        },
        (error: unknown) => {
          settle(owed);
          reject(storeErrorFrom(error));
        },
      );
    });
  }

  function owe(reject: (error: StoreError) => void): Owed {
    const owed: Owed = { sentAtMs: performance.now(), reject, expired: false, settled: false, before: last, after: null };
    if (last === null) first = owed;
    else last.after = owed;
    last = owed;
    inFlight += 1;
    sweeper ??= setTimeout(sweepSoon, sweepMs);
    return owed;
  }

  function settle(owed: Owed): void {
    if (owed.settled) return;
    owed.settled = true;
    inFlight -= 1;
    if (owed.before === null) first = owed.after;
    else owed.before.after = owed.after;
    if (owed.after === null) last = owed.before;
    else owed.after.before = owed.before;
  }

  /** Answers that came while our own event loop was busy are read before anybody is judged late. */
  function sweepSoon(): void {
    setImmediate(sweep);
  }

  function sweep(): void {
    sweeper = null;
    if (hasEnded || first === null) return;
    const nowMs = performance.now();
    if (nowMs - first.sentAtMs >= options.silenceMaxMs) {
      end('silent');
      return;
    }
    for (let owed: Owed | null = first; owed !== null && nowMs - owed.sentAtMs >= options.commandTimeoutMs; owed = owed.after) {
      if (owed.expired) continue;
      owed.expired = true;
      owed.reject(new StoreError('timed_out', 'Redis did not answer in time'));
    }
    sweeper = setTimeout(sweepSoon, sweepMs);
  }

  function beat(): void {
    if (isServing && !wasUsed) post(() => client.call('PING')).catch(() => {});
    wasUsed = false;
  }

  /** What one turn of the event loop sends leaves in one write: a system call for each command would cost more than the command. */
  function writeTogether(): void {
    const { stream } = client;
    if (stream === corked) return;
    corked = stream;
    stream.cork();
    setImmediate(() => {
      corked = null;
      stream.uncork();
    });
  }

  return {
    send: (name, args) => post(() => client.call(name, ...args) as Promise<Reply>),
    sendAsking: (name, args) =>
      post(() => {
        client.call('ASKING').catch(() => {});
        return client.call(name, ...args) as Promise<Reply>;
      }),
    sendAll: (script, calls) =>
      post(async () => {
        const pipeline = client.pipeline();
        for (const { keys, args } of calls) pipeline.call('EVALSHA', script.sha, keys.length, ...keys, ...args);
        const results = (await pipeline.exec()) ?? [];
        return results.map(([error, reply]) => (error === null ? (reply as Reply) : storeErrorFrom(error)));
      }),
    cut: end,
  };
}
