/** The processes that faults are done to: a real Redis and the real service, each ended by whoever started it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { findRedisServer, freePort } from '../../test/support/redis-server.ts';
import type { Order } from './preload.ts';

const commandLine = fileURLToPath(new URL('../../src/cli/stepwell.js', import.meta.url));

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Ends with us whatever happens. */
export function keepTrackOf(child: ChildProcess): Promise<void> {
  running.add(child);
  return new Promise((resolve) =>
    child.once('exit', () => {
      running.delete(child);
      resolve();
    }),
  );
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export interface FaultRedis {
  readonly port: number;
  readonly pid: number;
  /** The user that the service signs in as. */
  readonly user: string;
  readonly password: string;
  /** Past every proxy. */
  command(name: string, ...args: (string | number)[]): Promise<unknown>;
  signal(signal: NodeJS.Signals): void;
  kill(): Promise<void>;
  /** On the same port, with what was written before. Resolves when it accepts connections, which may be before it has loaded. */
  start(settings?: readonly string[]): Promise<void>;
  /** Resolves when it answers. */
  answers(): Promise<void>;
  /** Everything that is stored, to bring it back. */
  backUp(): Promise<() => Promise<void>>;
  end(): Promise<void>;
}

export async function startFaultRedis(directory: string): Promise<FaultRedis> {
  const port = await freePort();
  const user = 'stepwell';
  const password = 'of-the-faults';
  let server: ChildProcess | null = null;
  let exited: Promise<void> = Promise.resolve();

  async function start(settings: readonly string[] = []): Promise<void> {
    // Every write on the disk before it is acknowledged: a kill may lose nothing that somebody was told.
    const persistent = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--dir', directory];
    const access = ['--enable-debug-command', 'local', '--user', user, 'on', `>${password}`, '~*', '&*', '+@all'];
    const child = spawn(findRedisServer(), ['--port', `${port}`, '--bind', '127.0.0.1', ...persistent, ...access, ...settings], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    server = child;
    exited = keepTrackOf(child);
    await new Promise<void>((resolve, reject) => {
      let said = '';
      const listen = (chunk: Buffer): void => {
        said += chunk.toString();
        if (/eady to accept connections|Server initialized/.test(said)) resolve();
      };
      child.stdout?.on('data', listen);
      child.stderr?.on('data', listen);
      child.once('exit', () => reject(new Error(`redis-server did not start:\n${said}`)));
    });
  }

  await start();
  const control = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 20, maxRetriesPerRequest: null });
  control.on('error', () => {});

  async function answers(): Promise<void> {
    while ((await control.call('PING').catch(() => null)) !== 'PONG') await pause(5);
  }

  const redis: FaultRedis = {
    port,
    user,
    password,
    get pid() {
      return server?.pid ?? 0;
    },
    command: (name, ...args) => control.call(name, ...args),
    signal: (signal) => void server?.kill(signal),
    async kill() {
      server?.kill('SIGKILL');
      await exited;
    },
    start,
    answers,
    async backUp() {
      // Profiles and sessions last: what forbids must be back before what it forbids.
      const isShown = (key: string): number => (/:profile$|:session$/.test(key) ? 1 : 0);
      const keys = ((await control.call('KEYS', '*')) as string[]).sort((a, b) => isShown(a) - isShown(b));
      const kept = await Promise.all(
        keys.map(async (key) => ({ key, value: await control.dumpBuffer(key), ttlMs: Math.max(0, await control.pttl(key)) })),
      );
      return async () => {
        for (const { key, value, ttlMs } of kept) if (value !== null) await control.call('RESTORE', key, ttlMs, value, 'REPLACE');
      };
    },
    async end() {
      control.disconnect();
      server?.kill('SIGCONT');
      await redis.kill();
    },
  };
  await answers();
  return redis;
}

export interface ServiceSetting {
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Whether somebody reads what it prints once it serves. */
  readonly isDrained?: boolean;
  readonly nodeArguments?: readonly string[];
}

export interface FaultService {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly managementUrl: string;
  readonly pid: number;
  /** From the start of the process to serving. */
  readonly startMs: number;
  readonly exitCode: () => number | null;
  /** To what `preload.ts` makes it able to do. */
  tell(order: Order): void;
  /** The answer to what asks for one. */
  ask(order: Order): Promise<unknown>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves once its store answers. */
  connected(): Promise<void>;
  /** What it wrote, as long as somebody read it. */
  output(): string;
  ended: Promise<void>;
  end(): Promise<void>;
}

const preload = ['--import', new URL('preload.ts', import.meta.url).href];
const endWithinMs = 5_000;

export async function startFaultService({ env, directory, isDrained = true, nodeArguments = [] }: ServiceSetting): Promise<FaultService> {
  const startedAtMs = performance.now();
  const dataDir = join(directory, 'data');
  mkdirSync(dataDir, { recursive: true });
  const child = spawn(process.execPath, [...preload, ...nodeArguments, commandLine, 'serve'], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      ...inheritedEnvironment(),
      STEPWELL_DATA_DIR: dataDir,
      STEPWELL_PORT: '0',
      STEPWELL_MANAGEMENT_PORT: '0',
      ...env,
    },
  });
  const ended = keepTrackOf(child);
  const { stdout, stderr } = child;
  let output = '';
  const { serviceUrl, managementUrl } = await new Promise<{ serviceUrl: string; managementUrl: string }>((resolve, reject) => {
    const listen = (chunk: Buffer): void => {
      if (output.length < 1 << 20) output += chunk.toString();
      const serving = /^\{.*"msg":"serving"\}$/m.exec(output)?.[0];
      if (serving === undefined) return;
      if (!isDrained) for (const stream of [stdout, stderr]) stream?.off('data', listen).pause();
      resolve(JSON.parse(serving));
    };
    for (const stream of [stdout, stderr]) stream?.on('data', listen);
    void ended.then(() => reject(new Error(`the service ended before it served:\n${output}`)));
  });
  const { hostname, port } = new URL(serviceUrl);
  return {
    url: serviceUrl,
    host: hostname,
    port: Number(port),
    managementUrl,
    pid: child.pid ?? 0,
    startMs: performance.now() - startedAtMs,
    exitCode: () => child.exitCode,
    tell: (order) => void child.send(order),
    ask: (order) =>
      new Promise((resolve) => {
        child.once('message', resolve);
        child.send(order);
      }),
    signal: (signal) => void child.kill(signal),
    async connected() {
      while (!(await storeIsUp(managementUrl))) await pause(20);
    },
    output: () => output,
    ended,
    async end() {
      child.kill('SIGTERM');
      const giveUp = setTimeout(() => child.kill('SIGKILL'), endWithinMs);
      await ended;
      clearTimeout(giveUp);
    },
  };
}

async function storeIsUp(managementUrl: string): Promise<boolean> {
  const { dependencies } = (await (await fetch(`${managementUrl}/status`)).json()) as { dependencies: { store: { state: string } } };
  return dependencies.store.state === 'up';
}

/** What is set for the shell that started us must not change what is tried. */
function inheritedEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(STEPWELL_|OTEL_|NODE_OPTIONS$|VITEST)/.test(name)));
}
