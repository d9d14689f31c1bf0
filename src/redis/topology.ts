/** Which node serves a key, whatever the shape of the deployment: one node here, Sentinel and Cluster in files of their own. */
import type { Access, Endpoint } from './address.ts';
import { type Node, openNode } from './node.ts';
import type { Redirection } from './reply.ts';

export interface Topology {
  /** Whether keys live on several nodes. */
  readonly isCluster: boolean;
  /** Whether every key has a node that serves. */
  readonly isServing: boolean;
  /** Why not, as a short code; null where nothing is known. */
  readonly fault: string | null;
  /** Null: no node is known to hold it. */
  nodeFor(key: string): Node | null;
  /** Where a node said to ask instead; null where that is nowhere. */
  redirected(redirection: Redirection, from: Node): Node | null;
  /** A node refused as one that is not, or not any more, what it was taken for. */
  doubted(): void;
  /** The nodes that hold data to be read. */
  nodes(): readonly Node[];
  close(): void;
}

export interface TopologyOptions {
  readonly access: Access;
  readonly commandTimeoutMs: number;
  readonly silenceMaxMs: number;
  readonly random: () => number;
  /** What the topology says of itself may have changed. */
  onChange(): void;
}

export function openSingle(endpoint: Endpoint, db: number, options: TopologyOptions): Topology {
  const node = openNode({ ...options, endpoint, db, role: 'any' });
  return {
    isCluster: false,
    get isServing() {
      return node.isServing;
    },
    get fault() {
      return node.fault;
    },
    nodeFor: () => node,
    redirected: () => null,
    doubted() {},
    nodes: () => [node],
    close: () => node.close(),
  };
}
