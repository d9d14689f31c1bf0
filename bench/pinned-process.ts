/** Child processes that keep to one CPU where `taskset` is present, and that end with the bench whatever happens. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';

export const serverCpu = 0;
export const loadCpu = 1;

export function isPresent(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

export const canPin = process.platform === 'linux' && availableParallelism() >= 2 && isPresent('taskset');

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

export interface PinnedOptions {
  readonly cpu: number;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the child gets a channel for messages. */
  readonly channel?: boolean;
  /** A file for what the child writes, for when it does not start. */
  readonly logPath?: string;
}

export interface PinnedProcess {
  readonly child: ChildProcess;
  /** Resolves when it has ended. */
  end(): Promise<void>;
}

export function startPinned({ cpu, command, env = {}, channel = false, logPath }: PinnedOptions): PinnedProcess {
  const [program = '', ...args] = canPin ? ['taskset', '-c', String(cpu), ...command] : command;
  const output = logPath === undefined ? 'ignore' : 'pipe';
  const child = spawn(program, args, {
    stdio: channel ? ['ignore', output, output, 'ipc'] : ['ignore', output, output],
    env: { ...inheritedEnvironment(), ...env },
  });
  if (logPath !== undefined) {
    const log = createWriteStream(logPath, { flags: 'a' });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
  }
  running.add(child);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve())).then(() => void running.delete(child));
  return {
    child,
    async end() {
      child.kill('SIGTERM');
      const giveUp = setTimeout(() => child.kill('SIGKILL'), 3_000);
      await ended;
      clearTimeout(giveUp);
    },
  };
}

/** What is set for the shell that started the bench must not change what is measured. */
function inheritedEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(STEPWELL_|OTEL_|NODE_OPTIONS$)/.test(name)));
}

/** A port of the loopback that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

const startWithinMs = 60_000;

/** Resolves once `isReady` does so with true; rejects when the process ends before, or takes a minute. */
export async function untilReady({ child }: PinnedProcess, what: string, isReady: () => Promise<boolean>): Promise<void> {
  const giveUpAtMs = Date.now() + startWithinMs;
  while (!(await isReady().catch(() => false))) {
    if (child.exitCode !== null) throw new Error(`${what} ended with ${child.exitCode} before it was ready`);
    if (Date.now() > giveUpAtMs) throw new Error(`${what} was not ready after ${startWithinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
