/**
 * The master that the Sentinels name. All of them are asked again and again, and most votes count, so that one that hangs or is cut
 * off misleads nobody; the node that is named must call itself a master before it serves. Nothing hangs on a subscription, which can
 * die in silence.
 */
import type { HostPort, SentinelAddress } from './address.ts';
import { type Node, openNode } from './node.ts';
import type { Reply } from './reply.ts';
import type { Topology, TopologyOptions } from './topology.ts';

/** How often the Sentinels are asked while the master serves: how long a demoted master may still be asked, at most. */
const askEveryMs = 250;
/** While it does not. */
const askAgainMs = 50;
/** A new master has this long to come up while the old one still answers. */
const handoverMaxMs = 1_000;
/** What is under way on the old master may still be answered. */
const farewellMs = 250;

export function openSentinel(address: SentinelAddress, options: TopologyOptions): Topology {
  const { access, onChange, random } = options;
  /** Sentinels often have no password where the data has one: those that ask for it get it. */
  const sentinels = address.sentinels.map((endpoint) => openSentinelNode(endpoint, options));
  let current: { readonly name: string; readonly node: Node } | null = null;
  let next: { readonly name: string; readonly node: Node; readonly sinceMs: number } | null = null;
  let timer: NodeJS.Timeout | null = null;
  let isAsking = false;
  let isClosed = false;
  /** Sentinels answer, and none knows a master of that name. */
  let isUnknown = false;

  async function ask(): Promise<void> {
    if (isAsking || isClosed) return;
    isAsking = true;
    const votes = await Promise.all(sentinels.map(vote));
    isAsking = false;
    if (isClosed) return;
    const named = mostVoted(votes, current?.name ?? null);
    if (named !== null) follow(named);
    const wasUnknown = isUnknown;
    isUnknown = current === null && sentinels.some(({ node }) => node().isServing);
    if (isUnknown !== wasUnknown) onChange();
    schedule();
  }

  function schedule(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (isClosed) return;
    const everyMs = current?.node.isServing && next === null ? askEveryMs : askAgainMs;
    timer = setTimeout(() => void ask(), everyMs * (0.75 + random() / 2));
  }

  async function vote(sentinel: { readonly node: () => Node }): Promise<HostPort | null> {
    try {
      return addressIn(await sentinel.node().send('SENTINEL', ['GET-MASTER-ADDR-BY-NAME', address.masterName]));
    } catch {
      return null;
    }
  }

  function follow(named: HostPort): void {
    const name = `${named.host} ${named.port}`;
    if (current?.name === name) {
      next?.node.close();
      next = null;
    } else if (next?.name !== name) {
      next?.node.close();
      const node = openNode({ ...options, access, endpoint: named, db: address.db, role: 'master', onChange: changed });
      next = { name, node, sinceMs: performance.now() };
    }
    handOver();
  }

  /** As soon as the new master serves; after a while in any case, because what the old one says may be out of date. */
  function handOver(): void {
    if (next === null) return;
    const isDue = current === null || !current.node.isServing || performance.now() - next.sinceMs > handoverMaxMs;
    if (!next.node.isServing && !isDue) return;
    const old = current;
    current = next;
    next = null;
    if (old !== null) setTimeout(() => old.node.close(), farewellMs);
    onChange();
  }

  function changed(): void {
    if (isClosed) return;
    handOver();
    onChange();
    schedule();
  }

  void ask();
  return {
    isCluster: false,
    get isServing() {
      return current?.node.isServing === true;
    },
    get fault() {
      if (isUnknown) return 'unknown_master';
      return current?.node.fault ?? sentinels.find(({ node }) => node().fault !== null)?.node().fault ?? null;
    },
    nodeFor: () => current?.node ?? null,
    redirected: () => null,
    doubted: () => void ask(),
    nodes: () => (current === null ? [] : [current.node]),
    close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      for (const one of [...sentinels.map(({ node }) => node()), current?.node, next?.node]) one?.close();
    },
  };

  function openSentinelNode(endpoint: HostPort, given: TopologyOptions): { readonly node: () => Node } {
    const open = (isAuthenticated: boolean): Node =>
      openNode({
        ...given,
        access: isAuthenticated ? access : { ...access, username: null, password: null },
        endpoint,
        db: 0,
        role: 'any',
        onChange() {
          if (isClosed) return;
          if (!isAuthenticated && access.password !== null && node.fault === 'NOAUTH') {
            node.close();
            node = open(true);
          } else if (node.isServing) void ask();
          onChange();
        },
      });
    let node = open(false);
    return { node: () => node };
  }
}

function addressIn(reply: Reply): HostPort | null {
  if (!Array.isArray(reply) || typeof reply[0] !== 'string') return null;
  const port = Number(reply[1]);
  return Number.isInteger(port) && port > 0 ? { host: reply[0], port } : null;
}

/** Among equals the one that is followed already. */
function mostVoted(votes: readonly (HostPort | null)[], followed: string | null): HostPort | null {
  const counts = new Map<string, { count: number; readonly address: HostPort }>();
  for (const address of votes) {
    if (address === null) continue;
    const name = `${address.host} ${address.port}`;
    const counted = counts.get(name);
    if (counted === undefined) counts.set(name, { count: 1, address });
    else counted.count += 1;
  }
  let most: { name: string; count: number; address: HostPort } | null = null;
  for (const [name, { count, address }] of counts) {
    if (most === null || count > most.count || (count === most.count && name === followed)) most = { name, count, address };
  }
  return most?.address ?? null;
}
