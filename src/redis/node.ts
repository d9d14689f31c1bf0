/**
 * One server, kept within reach: a line that ends is replaced by a new one, after a jittered delay, for ever. While the server
 * fails, its breaker keeps everybody away from it but the probes.
 */
import { StoreError } from '../records/store-error.ts';
import type { Access, Endpoint } from './address.ts';
import { createBreaker } from './breaker.ts';
import { type Line, openLine } from './line.ts';
import { isFaultOfNode, isUnknownScript, Refusal, type Reply, type Script, type ScriptCall } from './reply.ts';

export const reconnectDelayMaxMs = 500;
/** Between two probes of a node that is not asked. */
const probeEveryMs = 100;

export interface NodeOptions {
  readonly endpoint: Endpoint;
  readonly access: Access;
  readonly db: number;
  readonly role: 'master' | 'any';
  readonly commandTimeoutMs: number;
  readonly silenceMaxMs: number;
  /** In [0, 1); spreads reconnections. */
  readonly random: () => number;
  /** It serves now, or does not any more. */
  onChange(): void;
}

export interface Node {
  readonly endpoint: Endpoint;
  /** Whether a command would be sent. */
  readonly isServing: boolean;
  /** Why it does not serve, as a short code; null where it does or nothing is known. */
  readonly fault: string | null;
  send(name: string, args: readonly (string | number)[]): Promise<Reply>;
  /** For a slot that is on its way to this node. */
  sendAsking(name: string, args: readonly (string | number)[]): Promise<Reply>;
  /** EVALSHA_RO or EVALSHA, or the whole text where the server does not know the script yet. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<Reply>;
  /** One script many times, in one write. Replies and refusals are in order. */
  runAll(script: Script, calls: readonly ScriptCall[]): Promise<readonly (Reply | Error)[]>;
  /** Drops the line, with all that is under way on it, and makes a new one. */
  drop(): void;
  close(): void;
}

export function openNode(options: NodeOptions): Node {
  let line: Line | null = null;
  let isReachable = false;
  let isClosed = false;
  let fault: string | null = null;
  let attempts = 0;
  /** Redis 7 and Valkey have; of Redis 6 the first refusal tells. */
  let hasReadOnlyScripts = true;
  let reconnecting: NodeJS.Timeout | null = null;
  let probing: NodeJS.Timeout | null = null;
  const breaker = createBreaker({
    isFault: isFaultOfNode,
    onOpen() {
      fault = 'circuit_open';
      probing ??= setInterval(probe, probeEveryMs);
      options.onChange();
    },
    onClose() {
      stopProbing();
      fault = null;
      options.onChange();
    },
  });

  function reach(): void {
    reconnecting = null;
    line = openLine({
      ...options,
      onServing() {
        attempts = 0;
        isReachable = true;
        if (breaker.isOpen) probe();
        else fault = null;
        options.onChange();
      },
      onEnd(why) {
        line = null;
        const wasReachable = isReachable;
        isReachable = false;
        fault = why;
        if (isClosed) return;
        attempts += 1;
        reconnecting = setTimeout(reach, reconnectDelayMs(attempts, options.random));
        if (wasReachable || attempts === 1) options.onChange();
      },
    });
  }

  function probe(): void {
    if (line !== null && isReachable) breaker.probe(() => line?.send('PING', []) ?? Promise.reject(new Error('no line')));
  }

  function stopProbing(): void {
    if (probing !== null) clearInterval(probing);
    probing = null;
  }

  function guarded<T>(ask: (line: Line) => Promise<T>): Promise<T> {
    if (isClosed) return Promise.reject(new StoreError('closed', 'the store is closed'));
    if (breaker.isOpen)
      return Promise.reject(new StoreError('circuit_open', 'Redis failed too often and is not asked until it answers again'));
    const serving = line;
    if (serving === null || !isReachable) return Promise.reject(new StoreError('disconnected', 'there is no connection to Redis'));
    return breaker.run(() => ask(serving));
  }

  const send = (name: string, args: readonly (string | number)[]): Promise<Reply> => guarded((serving) => serving.send(name, args));

  function run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<Reply> {
    const suffix = script.isReadOnly && hasReadOnlyScripts ? '_RO' : '';
    return send(`EVALSHA${suffix}`, [script.sha, keys.length, ...keys, ...args]).catch((error: unknown) => {
      if (isUnknownScript(error)) return send(`EVAL${suffix}`, [script.lua, keys.length, ...keys, ...args]);
      if (suffix === '' || !(error instanceof Refusal) || !error.isUnavailable) throw error;
      hasReadOnlyScripts = false;
      return run(script, keys, args);
    });
  }

  async function runAll(script: Script, calls: readonly ScriptCall[]): Promise<readonly (Reply | Error)[]> {
    const results = await guarded((serving) => serving.sendAll(script, calls));
    if (!results.some(isUnknownScript)) return results;
    await send('SCRIPT', ['LOAD', script.lua]);
    // Only what did not run is sent again: the script may have become known in the middle.
    const again = calls.filter((_, index) => isUnknownScript(results[index]));
    const second = (await guarded((serving) => serving.sendAll(script, again))).values();
    return results.map((result) => (isUnknownScript(result) ? (second.next().value ?? null) : result));
  }

  reach();
  return {
    endpoint: options.endpoint,
    get isServing() {
      return isReachable && !breaker.isOpen;
    },
    get fault() {
      return fault;
    },
    send,
    sendAsking: (name, args) => guarded((serving) => serving.sendAsking(name, args)),
    run,
    runAll,
    drop() {
      line?.cut('dropped');
    },
    close() {
      isClosed = true;
      stopProbing();
      if (reconnecting !== null) clearTimeout(reconnecting);
      line?.cut('closed');
    },
  };
}

/** Doubling from 50 ms to the maximum, each between half of that and all of it. */
export function reconnectDelayMs(attempt: number, random: () => number): number {
  const ceilingMs = Math.min(reconnectDelayMaxMs, 25 * 2 ** Math.min(attempt, 10));
  return Math.round(ceilingMs * (0.5 + random() / 2));
}
