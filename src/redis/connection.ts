/**
 * All of Redis as one thing that never queues: a command is on the wire to the node that serves its key within this turn of the
 * event loop, or rejected at once. Every rejection is a `StoreError` that names no key and no value.
 */
import { StoreError } from '../records/store-error.ts';
import { parseRedisUrl, type RedisAddress } from './address.ts';
import { openCluster } from './cluster.ts';
import { commandTimeoutMs, silenceMaxMs } from './line.ts';
import type { Node } from './node.ts';
import { Refusal, type Reply, type Script, type ScriptCall } from './reply.ts';
import { openSentinel } from './sentinel.ts';
import { openSingle, type Topology, type TopologyOptions } from './topology.ts';
import { type ChangeListener, createTracking } from './tracking.ts';

export type StoreState = 'connected' | 'disconnected';

/** `why` is a short code of the driver or the system, such as `ECONNREFUSED`, or null. */
export type OnState = (state: StoreState, why: string | null) => void;

/** A slot that moves away while it is asked for may move again; a map in circles must not. */
const redirectionsMax = 2;

export interface Connection {
  /** Whether keys live on several nodes, so that a script may touch one slot only. */
  readonly isCluster: boolean;
  /** One command about one key, which stands first among `args`. */
  command(name: string, key: string, args: readonly (string | number)[]): Promise<Reply>;
  /** In a cluster, all keys share a slot. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<Reply>;
  /** One script many times, in one write to each node. Replies are in order. */
  runAll(script: Script, calls: readonly ScriptCall[]): Promise<readonly Reply[]>;
  /** Every node that holds data answers. */
  ping(): Promise<void>;
  /** Drops the connection that the key's answers come over, with all that is under way on it, and makes a new one. */
  drop(key: string): void;
  /** From now on the listener hears of every change, as soon as the nodes can be made to tell. Saying it again changes nothing. */
  hearChanges(listener: ChangeListener): void;
  /** Since when every change of what is stored under the key has been heard of, without a gap; Infinity where none is. */
  readonly heardSince: (key: string) => number;
  /** True once every key can be asked for, false if that took longer than `withinMs`. */
  connected(withinMs: number): Promise<boolean>;
  close(): Promise<void>;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly onState?: OnState | undefined;
  /** A node will not tell what changes: a short code of its own, such as `NOPERM`. Told once. */
  readonly onTrackingRefused?: ((code: string) => void) | undefined;
  /** In [0, 1); spreads reconnections. */
  readonly random?: (() => number) | undefined;
  /** Monotonic milliseconds, which `heardSince` answers in. Absent: the process's. */
  readonly now?: (() => number) | undefined;
  /** In place of `commandTimeoutMs`. */
  readonly commandTimeoutMs?: number | undefined;
  /** In place of `silenceMaxMs`. */
  readonly silenceMaxMs?: number | undefined;
}

export function connect(options: ConnectionOptions): Connection {
  const address = parseRedisUrl(options.url);
  let state: StoreState | null = null;
  let isClosed = false;
  const waiting = new Set<() => void>();
  const topology = openTopology(address, {
    access: address,
    commandTimeoutMs: options.commandTimeoutMs ?? commandTimeoutMs,
    silenceMaxMs: options.silenceMaxMs ?? silenceMaxMs,
    random: options.random ?? Math.random,
    onChange: report,
  });

  const tracking = createTracking({
    access: address,
    random: options.random ?? Math.random,
    now: options.now ?? (() => performance.now()),
    nodes: topology.nodes,
    onRefused: options.onTrackingRefused,
  });

  function report(): void {
    if (isClosed) return;
    tracking.followNodes();
    // A first look, before anybody could have answered, says nothing.
    if (!topology.isServing && state === null && topology.fault === null) return;
    const next = topology.isServing ? 'connected' : 'disconnected';
    if (next === state) return;
    state = next;
    if (next === 'connected') for (const settle of [...waiting]) settle();
    options.onState?.(next, next === 'connected' ? null : topology.fault);
  }

  function nodeFor(key: string): Node {
    const node = topology.nodeFor(key);
    if (isClosed) throw new StoreError('closed', 'the store is closed');
    if (node === null) throw new StoreError('disconnected', 'no node of Redis is known to hold the record');
    return node;
  }

  /** Follows a slot that has moved; whoever is asked, one after the other, it is the same command. */
  async function redirecting<T>(key: string, first: Promise<T>, again: (node: Node, isAsking: boolean) => Promise<T>): Promise<T> {
    let answer = first;
    let from = nodeFor(key);
    for (let redirections = 0; ; redirections += 1) {
      try {
        return await answer;
      } catch (error) {
        const redirection = error instanceof Refusal ? error.redirection : null;
        if (error instanceof Refusal && error.reason === 'CLUSTERDOWN') topology.doubted();
        const node = redirection === null || redirections === redirectionsMax ? null : topology.redirected(redirection, from);
        if (redirection === null || node === null) throw error;
        from = node;
        answer = again(node, redirection.kind === 'ask');
      }
    }
  }

  /** Not async itself: a promise around a promise costs every read two turns. */
  function command(name: string, key: string, args: readonly (string | number)[]): Promise<Reply> {
    try {
      const answer = nodeFor(key).send(name, [key, ...args]);
      if (!topology.isCluster) return answer;
      return redirecting(key, answer, (node, isAsking) =>
        isAsking ? node.sendAsking(name, [key, ...args]) : node.send(name, [key, ...args]),
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  function run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<Reply> {
    try {
      const key = keys[0] ?? '';
      const answer = nodeFor(key).run(script, keys, args);
      if (!topology.isCluster) return answer;
      return redirecting(key, answer, (node, isAsking) =>
        isAsking ? node.sendAsking('EVAL', [script.lua, keys.length, ...keys, ...args]) : node.run(script, keys, args),
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async function runAll(script: Script, calls: readonly ScriptCall[]): Promise<readonly Reply[]> {
    const byNode = new Map<Node, { readonly call: ScriptCall; readonly index: number }[]>();
    for (const [index, call] of calls.entries()) {
      const node = nodeFor(call.keys[0] ?? '');
      const share = byNode.get(node);
      if (share === undefined) byNode.set(node, [{ call, index }]);
      else share.push({ call, index });
    }
    const replies = new Array<Reply>(calls.length).fill(null);
    await Promise.all(
      [...byNode].map(async ([node, share]) => {
        const results = await node.runAll(
          script,
          share.map(({ call }) => call),
        );
        for (const [position, result] of results.entries()) {
          const { call, index } = share[position] ?? { call: { keys: [], args: [] }, index: 0 };
          if (!(result instanceof Error)) replies[index] = result;
          else if (result instanceof Refusal && result.redirection !== null) replies[index] = await run(script, call.keys, call.args);
          else throw result;
        }
      }),
    );
    return replies;
  }

  return {
    isCluster: topology.isCluster,
    command,
    run,
    runAll,
    async ping() {
      if (isClosed) throw new StoreError('closed', 'the store is closed');
      const nodes = topology.nodes();
      if (nodes.length === 0) throw new StoreError('disconnected', 'no node of Redis is known');
      await Promise.all(nodes.map((node) => node.send('PING', [])));
    },
    drop: (key) => topology.nodeFor(key)?.drop(),
    hearChanges: tracking.start,
    heardSince(key) {
      const node = topology.nodeFor(key);
      return node === null ? Number.POSITIVE_INFINITY : tracking.sinceMs(node);
    },
    connected: (withinMs) =>
      new Promise((resolve) => {
        if (isClosed || topology.isServing) return resolve(topology.isServing && !isClosed);
        const settle = (): void => {
          clearTimeout(timer);
          waiting.delete(settle);
          resolve(topology.isServing && !isClosed);
        };
        const timer = setTimeout(settle, withinMs);
        waiting.add(settle);
      }),
    async close() {
      if (isClosed) return;
      isClosed = true;
      for (const settle of [...waiting]) settle();
      tracking.close();
      topology.close();
    },
  };
}

function openTopology(address: RedisAddress, options: TopologyOptions): Topology {
  switch (address.shape) {
    case 'single':
      return openSingle(address.endpoint, address.db, options);
    case 'sentinel':
      return openSentinel(address, options);
    case 'cluster':
      return openCluster(address, options);
  }
}
