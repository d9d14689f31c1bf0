/** The faults of a Redis that is more than one node: a Cluster of three masters with a replica each, and a master under Sentinels. */
import { Redis } from 'ioredis';
import type { RunningCluster, RunningSentinels } from '../../test/support/redis-deployments.ts';
import type { RunningRedis } from '../../test/support/redis-server.ts';
import type { Expectation, Fault, Undo } from './catalogue.ts';
import type { Scene } from './world.ts';

/** The figures, from the fault's beginning. */
const clusterRecoveryMs = 4_500;
const sentinelRecoveryMs = 3_500;
const redisRecoveryMs = 1_000;
/** A cluster that was down admits nodes again when it is sure of them. */
const clusterRejoinMs = 8_000;

const failsOver = (recoverWithinMs: number): Expectation => ({ store: 'troubled', recoverWithinMs, recoveryFrom: 'beginning' });
const untouched: Expectation = { store: 'untouched', recoverWithinMs: redisRecoveryMs };
const longSeconds = 6;

function inCluster(
  given: Pick<Fault, 'id' | 'name' | 'does' | 'holds' | 'afterSeconds'> & { start(cluster: RunningCluster): Promise<Undo> },
): Fault {
  return {
    group: 'Redis Cluster',
    touches: 'redis',
    setting: { shape: 'cluster' },
    seconds: longSeconds,
    ...given,
    start({ deployment }: Scene) {
      if (deployment === null || !('nodes' in deployment) || 'sentinels' in deployment) throw new Error('this needs a cluster');
      return given.start(deployment);
    },
  };
}

function underSentinels(
  given: Pick<Fault, 'id' | 'name' | 'does' | 'holds'> & { start(sentinels: RunningSentinels): Promise<Undo> },
): Fault {
  return {
    group: 'Redis Sentinel',
    touches: 'redis',
    setting: { shape: 'sentinel' },
    seconds: longSeconds,
    ...given,
    start({ deployment }: Scene) {
      if (deployment === null || !('sentinels' in deployment)) throw new Error('this needs Sentinels');
      return given.start(deployment);
    },
  };
}

/** Masters stand before their replicas. */
const mastersOf = ({ nodes }: RunningCluster): readonly RunningRedis[] => nodes.slice(0, nodes.length / 2);
const replicasOf = ({ nodes }: RunningCluster): readonly RunningRedis[] => nodes.slice(nodes.length / 2);

async function tell<T>(
  { port }: RunningRedis,
  work: (call: (name: string, ...args: (string | number)[]) => Promise<unknown>) => Promise<T>,
) {
  const client = new Redis({ host: '127.0.0.1', port });
  client.on('error', () => {});
  try {
    return await work((name, ...args) => client.call(name, ...args));
  } finally {
    client.disconnect();
  }
}

function freeze(nodes: readonly (RunningRedis | undefined)[]): Undo {
  const pids = nodes.flatMap((node) => (node === undefined ? [] : [node.pid]));
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  return () => {
    for (const pid of pids) process.kill(pid, 'SIGCONT');
  };
}

const kill = async (nodes: readonly (RunningRedis | undefined)[]): Promise<Undo> => {
  await Promise.all(nodes.map((node) => node?.stop()));
  return () => {};
};

export const clusterFaults: readonly Fault[] = [
  inCluster({
    id: 'F24',
    name: 'planned failover',
    does: 'CLUSTER FAILOVER at a replica',
    holds: untouched,
    async start(cluster) {
      const [replica] = replicasOf(cluster);
      if (replica !== undefined) await tell(replica, (call) => call('CLUSTER', 'FAILOVER'));
      return () => {};
    },
  }),
  inCluster({
    id: 'F25',
    name: 'master killed',
    does: 'SIGKILL to one of three',
    holds: failsOver(clusterRecoveryMs),
    start: (cluster) => kill(mastersOf(cluster).slice(0, 1)),
  }),
  inCluster({
    id: 'F26',
    name: 'master frozen',
    does: 'SIGSTOP to one of three, SIGCONT at the end',
    holds: failsOver(clusterRecoveryMs),
    start: async (cluster) => freeze(mastersOf(cluster).slice(0, 1)),
  }),
  inCluster({
    id: 'F27',
    name: 'slots migrated',
    does: 'every slot of one master that holds a key is moved to another: ASK, then MOVED',
    holds: untouched,
    start: moveSlots,
  }),
  inCluster({
    id: 'F28',
    name: 'CLUSTERDOWN',
    does: 'two of three masters and their replicas are frozen, until the end',
    holds: { store: 'troubled', recoverWithinMs: clusterRejoinMs },
    afterSeconds: clusterRejoinMs / 1000,
    start: async (cluster) => freeze([...mastersOf(cluster).slice(1), ...replicasOf(cluster).slice(1)]),
  }),
  inCluster({
    id: 'F29',
    name: 'all replicas gone',
    does: 'SIGKILL to each',
    holds: untouched,
    start: (cluster) => kill(replicasOf(cluster)),
  }),
  inCluster({
    id: 'F30',
    name: 'unreachable announced address',
    does: 'one master tells everybody an address where nobody listens, and closes its connections',
    holds: { store: 'troubled', recoverWithinMs: clusterRecoveryMs },
    async start({ nodes }) {
      const announce = async (node: RunningRedis, address: string): Promise<void> => {
        await tell(node, async (call) => {
          await call('CONFIG', 'SET', 'cluster-announce-hostname', address);
          await call('CONFIG', 'SET', 'cluster-preferred-endpoint-type', 'hostname');
        });
      };
      for (const [index, node] of nodes.entries()) await announce(node, index === 0 ? '127.0.0.9' : '127.0.0.1');
      const [first] = nodes;
      if (first === undefined) throw new Error('a cluster has nodes');
      await tell(first, (call) => call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'));
      return () => announce(first, '127.0.0.1');
    },
  }),
];

async function moveSlots(cluster: RunningCluster): Promise<Undo> {
  const [from, to] = mastersOf(cluster);
  if (from === undefined || to === undefined) throw new Error('a cluster has masters');
  await tell(from, (source) =>
    tell(to, async (target) => {
      const [fromId, toId] = [String(await source('CLUSTER', 'MYID')), String(await target('CLUSTER', 'MYID'))];
      const keys = (await source('KEYS', '*')) as string[];
      const slots = new Set<number>();
      for (const key of keys) slots.add(Number(await source('CLUSTER', 'KEYSLOT', key)));
      for (const slot of slots) {
        await target('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
        await source('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
        const held = (await source('CLUSTER', 'GETKEYSINSLOT', slot, 1_000)) as string[];
        if (held.length > 0) await source('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...held);
        await target('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
        await source('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
      }
    }),
  );
  return () => {};
}

export const sentinelFaults: readonly Fault[] = [
  underSentinels({
    id: 'F31',
    name: 'master killed',
    does: 'SIGKILL; its replica takes over',
    holds: failsOver(sentinelRecoveryMs),
    start: ({ nodes }) => kill(nodes.slice(0, 1)),
  }),
  underSentinels({
    id: 'F32',
    name: 'master frozen',
    does: 'SIGSTOP, SIGCONT at the end; its replica takes over',
    holds: failsOver(sentinelRecoveryMs),
    start: async ({ nodes }) => freeze(nodes.slice(0, 1)),
  }),
  underSentinels({
    id: 'F33',
    name: 'Sentinels gone',
    does: 'all three frozen, while the master goes on',
    holds: untouched,
    start: async ({ sentinels }) => freeze(sentinels),
  }),
];
