/**
 * A cluster's slots and who serves them. Every node it names is kept within reach, replicas too: one that is promoted serves at once.
 * While anything is wrong, another node is asked every moment who serves what.
 */
import type { ClusterAddress, HostPort } from './address.ts';
import { type Node, openNode } from './node.ts';
import { Refusal, type Reply } from './reply.ts';
import { slotCount, slotOf } from './slots.ts';
import type { Topology, TopologyOptions } from './topology.ts';

const askEveryMs = 5_000;
/** While some slot has no node that serves. */
const askAgainMs = 100;
/** However many commands are sent elsewhere, who serves what is asked once in so long. */
const askPauseMs = 20;

interface SlotRange {
  readonly first: number;
  readonly last: number;
  /** The master first. */
  readonly nodes: readonly HostPort[];
}

export function openCluster(address: ClusterAddress, options: TopologyOptions): Topology {
  const { access, onChange, random } = options;
  const nodes = new Map<string, Node>();
  const hosts = new Map<Node, string>();
  const slots: (Node | null)[] = new Array<Node | null>(slotCount).fill(null);
  let masters: readonly Node[] = [];
  let uncovered = slotCount;
  let timer: NodeJS.Timeout | null = null;
  let isAsking = false;
  let isClosed = false;
  let turn = 0;
  /** Why a node would not say who serves what. */
  let refusal: string | null = null;

  function nodeAt(endpoint: HostPort): Node {
    const name = `${endpoint.host} ${endpoint.port}`;
    const known = nodes.get(name);
    if (known !== undefined) return known;
    const node = openNode({ ...options, access, endpoint, db: 0, role: 'any', onChange: () => changed() });
    nodes.set(name, node);
    hosts.set(node, endpoint.host);
    return node;
  }

  const isServing = (): boolean => uncovered === 0 && masters.every((master) => master.isServing);

  function changed(): void {
    if (isClosed) return;
    onChange();
    if (!isServing()) schedule(askPauseMs);
  }

  /** The sooner of two wins. */
  let dueAtMs = 0;
  function schedule(inMs: number): void {
    if (isClosed || isAsking) return;
    const atMs = performance.now() + inMs;
    if (timer !== null) {
      if (dueAtMs <= atMs) return;
      clearTimeout(timer);
    }
    dueAtMs = atMs;
    timer = setTimeout(() => void ask(), inMs);
  }

  /** Another node each time: one that hangs, or that is cut off and knows nothing new, is not asked twice in a row. */
  function nextToAsk(): Node | null {
    const serving = [...nodes.values()].filter((node) => node.isServing);
    turn += 1;
    return serving[turn % serving.length] ?? null;
  }

  async function ask(): Promise<void> {
    timer = null;
    if (isAsking || isClosed) return;
    isAsking = true;
    try {
      const node = nextToAsk();
      // Nobody is left of those the cluster named: begin again with those the address names.
      if (node === null) for (const one of address.nodes) nodeAt(one);
      else adopt(rangesIn(await node.send('CLUSTER', ['SLOTS']), hosts.get(node) ?? ''));
    } catch (error) {
      // The next turn asks another node. Of one that is no cluster's, nobody would hear otherwise.
      if (error instanceof Refusal && masters.length === 0) {
        refusal = error.reason === 'ERR' ? 'no_cluster' : error.reason;
        onChange();
      }
    }
    isAsking = false;
    schedule(isServing() ? askEveryMs * (0.75 + random() / 2) : askAgainMs * (0.75 + random() / 2));
  }

  function adopt(ranges: readonly SlotRange[]): void {
    if (isClosed || ranges.length === 0) return;
    slots.fill(null);
    uncovered = slotCount;
    const serving = new Set<Node>();
    const named = new Set<Node>();
    for (const {
      first,
      last,
      nodes: [master, ...replicas],
    } of ranges) {
      for (const replica of replicas) named.add(nodeAt(replica));
      if (master === undefined) continue;
      const node = nodeAt(master);
      named.add(node);
      serving.add(node);
      slots.fill(node, first, last + 1);
      uncovered -= last + 1 - first;
    }
    masters = [...serving];
    for (const [name, node] of nodes) {
      if (named.has(node)) continue;
      nodes.delete(name);
      hosts.delete(node);
      node.close();
    }
    onChange();
  }

  for (const one of address.nodes) nodeAt(one);
  schedule(askPauseMs);
  return {
    isCluster: true,
    get isServing() {
      return isServing();
    },
    get fault() {
      const known = masters.length > 0 ? masters : [...nodes.values()];
      return known.find(({ fault }) => fault !== null)?.fault ?? (masters.length > 0 ? 'uncovered_slots' : refusal);
    },
    nodeFor: (key) => slots[slotOf(key)] ?? null,
    redirected({ kind, slot, host, port }, from) {
      const node = nodeAt({ host: host === '' ? (hosts.get(from) ?? '') : host, port });
      if (kind === 'moved') {
        slots[slot] = node;
        schedule(askPauseMs);
      }
      return node;
    },
    doubted: () => schedule(askPauseMs),
    nodes: () => masters,
    close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      for (const node of nodes.values()) node.close();
    },
  };
}

/** Of what is malformed, nothing is taken. An unknown host is that of the node that was asked. */
function rangesIn(reply: Reply, askedHost: string): readonly SlotRange[] {
  if (!Array.isArray(reply)) return [];
  return reply.flatMap((range: Reply): SlotRange[] => {
    if (!Array.isArray(range)) return [];
    const [first, last, ...nodes] = range as readonly Reply[];
    if (!isSlot(first) || !isSlot(last) || first > last) return [];
    return [{ first, last, nodes: nodes.flatMap((node) => hostPortIn(node, askedHost)) }];
  });
}

function isSlot(value: Reply | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < slotCount;
}

function hostPortIn(node: Reply, askedHost: string): HostPort[] {
  if (!Array.isArray(node)) return [];
  const [host, port] = node as readonly Reply[];
  if (typeof port !== 'number') return [];
  return [{ host: typeof host === 'string' && host !== '' && host !== '?' ? host : askedHost, port }];
}
