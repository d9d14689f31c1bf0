/**
 * Real Redis deployments for tests and benchmarks, of plain processes on free loopback ports: a cluster, and a master watched by
 * Sentinels. Whoever starts one stops it.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort, type RunningRedis, startRedis } from './redis-server.ts';

export interface RunningCluster {
  readonly url: string;
  /** Masters first, then their replicas in the same order. */
  readonly nodes: readonly RunningRedis[];
  stop(): Promise<void>;
}

export interface RunningSentinels {
  readonly url: string;
  readonly masterName: string;
  /** The master first, as it was at the start. */
  readonly nodes: readonly RunningRedis[];
  readonly sentinels: readonly RunningRedis[];
  stop(): Promise<void>;
}

const slotCount = 16_384;
const masterCount = 3;
const patienceMs = 30_000;

export async function startCluster({ nodeTimeoutMs = 2_000 } = {}): Promise<RunningCluster> {
  const nodes: RunningRedis[] = [];
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())));
  const asking: Redis[] = [];
  try {
    for (let index = 0; index < masterCount * 2; index += 1) nodes.push(await startRedis({ more: clusterSettings(nodeTimeoutMs) }));
    const admins = nodes.map((node) => admin(node.port));
    asking.push(...admins);
    await form(admins, nodes);
    return { url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`, nodes, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    for (const one of asking) one.disconnect();
  }
}

const clusterSettings = (nodeTimeoutMs: number) => async () => [
  '--cluster-enabled',
  'yes',
  '--cluster-port',
  String(await freePort()),
  '--cluster-node-timeout',
  String(nodeTimeoutMs),
  '--repl-diskless-sync-delay',
  '0',
  // A replica is not named before the master has sent it something.
  '--repl-ping-replica-period',
  '1',
  '--enable-debug-command',
  'local',
];

async function form(admins: readonly Redis[], nodes: readonly RunningRedis[]): Promise<void> {
  const masters = admins.slice(0, masterCount);
  const ids = await Promise.all(admins.map((one) => one.call('CLUSTER', 'MYID') as Promise<string>));
  await Promise.all(admins.map((one, index) => one.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)));
  await Promise.all(
    masters.map((one, index) => {
      const [first, last] = [index, index + 1].map((part) => Math.floor((slotCount * part) / masterCount)) as [number, number];
      return one.call('CLUSTER', 'ADDSLOTSRANGE', first, last - 1);
    }),
  );
  const busPorts = await Promise.all(admins.map(async (one) => Number(((await one.call('CONFIG', 'GET', 'cluster-port')) as string[])[1])));
  // Everybody meets everybody: gossip would take seconds to spread the word.
  await Promise.all(
    admins.flatMap((one) => nodes.map((node, index) => one.call('CLUSTER', 'MEET', '127.0.0.1', node.port, busPorts[index] ?? 0))),
  );
  await until('all nodes know each other', async () => {
    const known = await Promise.all(admins.map(async (one) => String(await one.call('CLUSTER', 'INFO'))));
    return known.every((text) => text.includes(`cluster_known_nodes:${nodes.length}`));
  });
  await Promise.all(admins.slice(masterCount).map((one, index) => one.call('CLUSTER', 'REPLICATE', ids[index] ?? '')));
  await until('the cluster is whole', async () => {
    const states = await Promise.all(admins.map(async (one) => String(await one.call('CLUSTER', 'INFO'))));
    const links = await Promise.all(admins.slice(masterCount).map(async (one) => String(await one.call('INFO', 'replication'))));
    const served = await Promise.all(admins.map(async (one) => (await one.call('CLUSTER', 'SLOTS')) as unknown[][]));
    return (
      states.every((text) => text.includes('cluster_state:ok')) &&
      links.every((text) => text.includes('master_link_status:up')) &&
      served.every((ranges) => ranges.length === masterCount && ranges.every((range) => range.length === 4))
    );
  });
}

export async function startSentinels({ downAfterMs = 1_000 } = {}): Promise<RunningSentinels> {
  const masterName = 'stepwell-main';
  const started: RunningRedis[] = [];
  const stop = async (): Promise<void> => void (await Promise.all(started.map((one) => one.stop())));
  try {
    const settings = ['--repl-diskless-sync-delay', '0', '--enable-debug-command', 'local'];
    const master = await startRedis({ more: () => settings });
    started.push(master);
    const replica = await startRedis({ more: () => [...settings, '--replicaof', `127.0.0.1 ${master.port}`] });
    started.push(replica);
    await untilInfo(replica.port, 'replication', 'master_link_status:up');
    const sentinels: RunningRedis[] = [];
    for (let index = 0; index < 3; index += 1) {
      sentinels.push(await startSentinel({ masterName, masterPort: master.port, downAfterMs }));
      started.push(...sentinels.slice(-1));
    }
    for (const { port } of sentinels) await untilInfo(port, 'sentinel', 'slaves=1,sentinels=3');
    const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return { url: `redis+sentinel://${hosts}/${masterName}`, masterName, nodes: [master, replica], sentinels, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface SentinelSettings {
  readonly masterName: string;
  readonly masterPort: number;
  readonly downAfterMs: number;
}

/** A Sentinel writes what it learns into its own configuration, so it has a file. */
function startSentinel({ masterName, masterPort, downAfterMs }: SentinelSettings): Promise<RunningRedis> {
  return startRedis({
    sentinelFile(directory) {
      const path = join(directory, 'sentinel.conf');
      const lines = [
        `sentinel monitor ${masterName} 127.0.0.1 ${masterPort} 2`,
        `sentinel down-after-milliseconds ${masterName} ${downAfterMs}`,
        `sentinel failover-timeout ${masterName} 3000`,
        `sentinel parallel-syncs ${masterName} 1`,
      ];
      writeFileSync(path, `${lines.join('\n')}\n`);
      return path;
    },
  });
}

function admin(port: number): Redis {
  const client = new Redis({ host: '127.0.0.1', port });
  client.on('error', () => {});
  return client;
}

async function untilInfo(port: number, section: string, text: string): Promise<void> {
  const client = admin(port);
  try {
    await until(`${text} in INFO ${section}`, async () => String(await client.call('INFO', section)).includes(text));
  } finally {
    client.disconnect();
  }
}

/** Other processes tell nobody when they are done: they are asked until they are. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > endMs) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
