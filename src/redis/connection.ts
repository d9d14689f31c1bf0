/**
 * One connection that never queues and never sends twice: a command is on the wire within this turn of the event loop or rejected
 * at once. It reconnects for ever, and every rejection is a `StoreError` that names no key and no value.
 *
 * It does not own the deadline. Its timeouts only keep abandoned commands from piling up: Redis cannot take back what was sent.
 */
import { Redis } from 'ioredis';
import { StoreError } from '../records/store-error.ts';
import { parseRedisUrl } from './address.ts';
import type { Script } from './scripts.ts';

export type StoreState = 'connected' | 'disconnected';

/** `why` is a short code of the driver or the system, such as `ECONNREFUSED`, or null. */
export type OnState = (state: StoreState, why: string | null) => void;

/** Commands under way at once. Over it, nothing is sent. */
export const inFlightMax = 256;
export const connectTimeoutMs = 250;
/** A bound on leaks, not a deadline. */
export const commandTimeoutMs = 200;
/** A connection that owes an answer and says nothing for this long is torn down. */
export const silenceMaxMs = 500;
export const reconnectDelayMaxMs = 500;

export type Reply = string | number | null | readonly Reply[];

export interface Connection {
  /** One command, counted against `inFlightMax`. */
  command(name: string, args: readonly (string | number)[]): Promise<Reply>;
  /** EVALSHA, or EVAL where the server does not know the script yet. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<Reply>;
  /** One script many times, in one write. Replies are in order. */
  runAll(script: Script, calls: readonly ScriptCall[]): Promise<readonly Reply[]>;
  /** Drops the connection, with all that is under way on it, and makes a new one. */
  drop(): void;
  /** True once connected, false if that took longer than `withinMs`. */
  connected(withinMs: number): Promise<boolean>;
  close(): Promise<void>;
}

export interface ScriptCall {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

export interface ConnectionOptions {
  readonly url: string;
  readonly onState?: OnState | undefined;
  /** In [0, 1); spreads reconnections. */
  readonly random?: (() => number) | undefined;
  /** In place of `commandTimeoutMs`. */
  readonly commandTimeoutMs?: number | undefined;
  /** In place of `silenceMaxMs`. */
  readonly silenceMaxMs?: number | undefined;
}

export function connect(options: ConnectionOptions): Connection {
  const { onState, random = Math.random } = options;
  const address = parseRedisUrl(options.url);
  let lastFault: string | null = null;
  let state: StoreState | null = null;
  let inFlight = 0;
  let closed = false;
  let corked: Redis['stream'] | null = null;
  /** The connection has shown itself untrustworthy and is on its way down: nothing more may be sent on it. */
  let dropping = false;

  const client = new Redis({
    ...address,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: false,
    connectTimeout: connectTimeoutMs,
    commandTimeout: options.commandTimeoutMs ?? commandTimeoutMs,
    socketTimeout: options.silenceMaxMs ?? silenceMaxMs,
    connectionName: 'stepwell',
    retryStrategy: (attempt) => reconnectDelayMs(attempt, random),
  });
  client.on('error', (error: unknown) => {
    lastFault = faultCode(error);
  });
  client.on('ready', () => {
    lastFault = null;
    report('connected');
  });
  client.on('close', () => {
    dropping = false;
    report('disconnected');
  });

  function report(next: StoreState): void {
    if (next === state) return;
    state = next;
    onState?.(next, next === 'connected' ? null : lastFault);
  }

  async function counted<T>(send: () => Promise<T>): Promise<T> {
    if (closed) throw new StoreError('closed', 'the store is closed');
    if (client.status !== 'ready' || dropping) throw new StoreError('disconnected', 'there is no connection to Redis');
    if (inFlight >= inFlightMax) throw new StoreError('overloaded', `${inFlightMax} commands to Redis are under way already`);
    inFlight += 1;
    writeTogether();
    try {
      return await send();
    } catch (error) {
      throw storeErrorFrom(error);
    } finally {
      inFlight -= 1;
    }
  }

  /** What one turn of the event loop sends leaves in one write: a system call for each command would cost more than the command. */
  function writeTogether(): void {
    const { stream } = client;
    if (stream === corked) return;
    corked = stream;
    stream.cork();
    setImmediate(() => {
      if (corked === stream) corked = null;
      stream.uncork();
    });
  }

  const call = (name: string, args: readonly (string | number)[]): Promise<Reply> => client.call(name, ...args) as Promise<Reply>;

  async function evaluate(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<Reply> {
    try {
      return await call('EVALSHA', [script.sha, keys.length, ...keys, ...args]);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return call('EVAL', [script.lua, keys.length, ...keys, ...args]);
    }
  }

  async function evaluateAll(script: Script, calls: readonly ScriptCall[]): Promise<readonly Reply[]> {
    const results = await pipelined(script, calls);
    const unknown = results.some(([error]) => error !== null && isUnknownScript(error));
    if (!unknown) return repliesOf(results);
    await call('SCRIPT', ['LOAD', script.lua]);
    // Only what did not run is sent again: the script may have become known in the middle.
    const again = calls.filter((_, index) => isUnknownScript(results[index]?.[0]));
    const second = repliesOf(await pipelined(script, again)).values();
    return results.map(([error, reply]) => {
      if (isUnknownScript(error)) return second.next().value ?? null;
      if (error !== null) throw error;
      return reply;
    });
  }

  async function pipelined(script: Script, calls: readonly ScriptCall[]): Promise<readonly (readonly [Error | null, Reply])[]> {
    const pipeline = client.pipeline();
    for (const { keys, args } of calls) pipeline.call('EVALSHA', script.sha, keys.length, ...keys, ...args);
    return ((await pipeline.exec()) ?? []) as [Error | null, Reply][];
  }

  return {
    command: (name, args) => counted(() => call(name, args)),
    run: (script, keys, args) => counted(() => evaluate(script, keys, args)),
    runAll: (script, calls) => counted(() => evaluateAll(script, calls)),
    drop() {
      if (dropping || client.status !== 'ready') return;
      dropping = true;
      client.disconnect(true);
    },
    connected: async (withinMs) => (client.status === 'ready' && !dropping) || untilReady(client, withinMs),
    async close() {
      if (closed) return;
      closed = true;
      // Between two attempts the driver has nothing to end, and says nothing when it stops trying.
      const willEnd = client.status !== 'end' && client.status !== 'reconnecting';
      const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
      client.disconnect();
      if (willEnd) await ended;
    },
  };
}

/** Doubling from 50 ms to the maximum, each between half of that and all of it. */
export function reconnectDelayMs(attempt: number, random: () => number): number {
  const ceilingMs = Math.min(reconnectDelayMaxMs, 25 * 2 ** Math.min(attempt, 10));
  return Math.round(ceilingMs * (0.5 + random() / 2));
}

function untilReady(client: Redis, withinMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (ready: boolean): void => {
      clearTimeout(timer);
      client.off('ready', onReady);
      client.off('end', onEnd);
      resolve(ready);
    };
    const onReady = (): void => settle(true);
    const onEnd = (): void => settle(false);
    const timer = setTimeout(onEnd, withinMs);
    client.once('ready', onReady);
    client.once('end', onEnd);
  });
}

function repliesOf(results: readonly (readonly [Error | null, Reply])[]): readonly Reply[] {
  return results.map(([error, reply]) => {
    if (error !== null) throw error;
    return reply;
  });
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

/** The first word of a server's error is its code; the rest may quote arguments, so it is left out. */
function storeErrorFrom(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (!(error instanceof Error)) return new StoreError('disconnected', 'the connection to Redis failed');
  if (error.name === 'ReplyError') return new StoreError('refused', `Redis answered with ${faultCode(error)}`);
  if (error.message === 'Command timed out') return new StoreError('timed_out', 'Redis did not answer in time');
  return new StoreError('disconnected', 'the connection to Redis went while a command was under way');
}

function faultCode(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return /^[A-Z]{2,32}\b/.exec(error.message)?.[0] ?? error.name;
}
