/**
 * A real Redis for a test: its own process on a free loopback port and on a Unix socket, nothing kept on the disk. Whoever starts
 * it stops it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export interface RunningRedis {
  readonly url: string;
  readonly socketUrl: string;
  readonly port: number;
  readonly pid: number;
  /** Stops it at once; may be called twice. */
  stop(): Promise<void>;
}

export interface RedisSettings {
  /** Brings a stopped server back on its address. */
  readonly port?: number;
  /** More of the command line, as `--maxmemory`, `1mb`. Given the port, because some settings are of their own kind of port. */
  readonly more?: (port: number, directory: string) => readonly string[] | Promise<readonly string[]>;
  /** Writes the file that makes the server a Sentinel. */
  readonly sentinelFile?: (directory: string) => string;
}

const startAttemptsMax = 5;

export async function startRedis(options: RedisSettings = {}): Promise<RunningRedis> {
  const binary = findRedisServer();
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    try {
      return await launch(binary, port, options);
    } catch (error) {
      // Somebody may have taken the free port between our asking for it and the server's binding it.
      if (attempt === startAttemptsMax || options.port !== undefined) throw error;
    }
  }
}

export function findRedisServer(): string {
  const folders = ['/usr/bin', '/usr/local/bin', ...(process.env.PATH ?? '').split(delimiter)];
  const binary = folders.map((folder) => join(folder, 'redis-server')).find((path) => existsSync(path));
  if (binary === undefined) throw new Error('these tests need a real Redis and found no redis-server: apt-get install redis-server');
  return binary;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

async function launch(binary: string, port: number, { more, sentinelFile }: RedisSettings): Promise<RunningRedis> {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-redis-'));
  const socket = join(directory, 'redis.sock');
  const common = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory];
  const ofData = ['--unixsocket', socket, '--save', '', '--appendonly', 'no'];
  const settings =
    sentinelFile === undefined
      ? [...common, ...ofData, ...((await more?.(port, directory)) ?? [])]
      : [sentinelFile(directory), '--sentinel', ...common];
  const server = spawn(binary, settings, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stopWithUs = (): void => void server.kill('SIGKILL');
  process.once('exit', stopWithUs);
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    server.kill('SIGKILL');
    await exited;
    process.off('exit', stopWithUs);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await untilReady(server);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `redis://127.0.0.1:${port}`, socketUrl: `unix://${socket}`, port, pid: server.pid ?? 0, stop };
}

function untilReady(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    const listen = (chunk: Buffer): void => {
      said += chunk.toString();
      if (/eady to accept connections|\+monitor master/.test(said)) resolve();
    };
    server.stdout?.on('data', listen);
    server.stderr?.on('data', listen);
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`redis-server did not start:\n${said}`)));
  });
}
