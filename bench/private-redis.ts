/** A Redis of our own: on a Unix socket in a temporary directory, with nothing persisted, on the CPU of the load. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isPresent, loadCpu, type PinnedProcess, startPinned, untilReady } from './pinned-process.ts';

export interface PrivateRedis {
  readonly socketPath: string;
  readonly url: string;
  end(): Promise<void>;
}

/** Null where there is no `redis-server`. */
export async function startPrivateRedis(directory: string): Promise<PrivateRedis | null> {
  if (!isPresent('redis-server')) return null;
  const socketPath = join(directory, 'redis.sock');
  const server: PinnedProcess = startPinned({
    cpu: loadCpu,
    command: ['redis-server', '--port', '0', '--unixsocket', socketPath, '--save', '', '--appendonly', 'no', '--dir', directory],
    logPath: join(directory, 'redis.log'),
  });
  await untilReady(server, 'redis-server', async () => existsSync(socketPath));
  return { socketPath, url: `unix://${socketPath}`, end: () => server.end() };
}
