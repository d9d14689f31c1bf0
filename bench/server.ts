/** A server under test: a fresh process that can say how much CPU time it has used. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, type PinnedProcess, serverCpu, startPinned, untilReady } from './pinned-process.ts';

export interface Server {
  /** Of the route under test. */
  readonly url: string;
  cpuMicros(): Promise<number>;
  /** By tier, how often a zone that intends the user tier has been served there; null for a server that does not count. */
  servedTiers(): Promise<Readonly<Record<string, number>> | null>;
  end(): Promise<void>;
}

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
export const commandLine = pathOf('../src/cli/stepwell.js');
const preload = ['--import', new URL('report-cpu.ts', import.meta.url).href];

export async function startBare(given: { directory: string; socketPath: string; bytes: number }): Promise<Server> {
  const port = await freePort();
  const command = [
    process.execPath,
    ...preload,
    pathOf('bare.ts'),
    '--port',
    `${port}`,
    '--redis',
    given.socketPath,
    '--bytes',
    `${given.bytes}`,
  ];
  const server = await ready('the bare route', `http://127.0.0.1:${port}/bare`, `http://127.0.0.1:${port}/readyz`, {
    command,
    logPath: join(given.directory, 'bare.log'),
  });
  return { ...server, servedTiers: async () => null };
}

export interface StepwellOptions {
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** More arguments for Node, such as those of its profiler. */
  readonly nodeArguments?: readonly string[];
}

export async function startStepwell({ directory, env, nodeArguments = [] }: StepwellOptions): Promise<Server> {
  const port = await freePort();
  const managementPort = await freePort();
  const management = `http://127.0.0.1:${managementPort}`;
  const server = await ready('stepwell', `http://127.0.0.1:${port}/v1/decide`, `${management}/readyz`, {
    command: [process.execPath, ...preload, ...nodeArguments, commandLine, 'serve'],
    env: { ...env, STEPWELL_PORT: `${port}`, STEPWELL_MANAGEMENT_PORT: `${managementPort}` },
    logPath: join(directory, 'stepwell.log'),
  });
  return { ...server, servedTiers: async () => tiersIn(await (await fetch(`${management}/metrics`)).text()) };
}

async function ready(
  what: string,
  url: string,
  readyUrl: string,
  start: { command: readonly string[]; env?: Readonly<Record<string, string>>; logPath: string },
): Promise<Omit<Server, 'servedTiers'>> {
  const server = startPinned({ cpu: serverCpu, channel: true, ...start });
  await untilReady(server, `${what} (see ${start.logPath})`, async () => (await fetch(readyUrl)).ok);
  return { url, cpuMicros: () => cpuMicrosOf(server), end: () => server.end() };
}

function cpuMicrosOf({ child }: PinnedProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('message', ({ cpuMicros }: { cpuMicros: number }) => resolve(cpuMicros));
    child.send('cpu', (error) => {
      if (error !== null) reject(error);
    });
  });
}

function tiersIn(metrics: string): Readonly<Record<string, number>> {
  const served: Record<string, number> = {};
  for (const [, labels = '', count] of metrics.matchAll(/^stepwell_decisions_total\{([^}]*)\} (\S+)/gm)) {
    const tier = /(?:^|,)tier="([^"]*)"/.exec(labels)?.[1];
    if (tier !== undefined && labels.includes('intended_tier="user"')) served[tier] = (served[tier] ?? 0) + Number(count);
  }
  return served;
}
