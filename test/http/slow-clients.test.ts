/** Callers who are slow at everything, against the real service: each is let go of on time, and nobody else notices. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { copyFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { root, temporaryDirectory } from '../cli/run-stepwell.ts';
import { serveStepwell } from '../cli/serving.ts';

const isLong = process.env.STEPWELL_TEST_LONG === '1';
const slowCallers = isLong ? 2_000 : 200;
const healthyCallers = 2;
const body = JSON.stringify({ page: 'home', zones: ['hero'] });
const head = (length: number): string =>
  `POST /v1/decide HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n`;

/** A caller's way to be slow; returns what stops it. It gives up only when it is let go of. */
type Slowness = (socket: Socket) => () => void;

/** Bytes one by one for ever: whoever counts only silence never notices. */
function drip(socket: Socket, start: string, each: string): () => void {
  socket.write(start);
  const timer = setInterval(() => socket.write(each), 100);
  return () => clearInterval(timer);
}

/** Of these the system holds megabytes each, whatever we do: more of them would try this machine, not the service. */
const dearest = 'asks for much and never reads an answer';
const dearestCallersMax = 30;

const ways: Readonly<Record<string, Slowness>> = {
  'says nothing': () => () => {},
  'writes its headers slowly': (socket) => drip(socket, 'POST /v1/decide HTTP/1.1\r\nhost: 127.0.0.1\r\n', 'a: b\r\n'),
  'writes its body slowly': (socket) => drip(socket, `${head(30_000)}\r\n`, ' '),
  'stops within its body': (socket) => {
    socket.write(`${head(body.length)}\r\n${body.slice(0, -1)}`);
    return () => {};
  },
  [dearest]: (socket) => {
    socket.pause();
    return drip(socket, 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'.repeat(8), '\r\n');
  },
  'keeps its connection awake with empty lines': (socket) => drip(socket, `${head(body.length)}\r\n${body}`, '\r\n'),
  'keeps its connection and never asks again': (socket) => {
    socket.write(`${head(body.length)}\r\n${body}`);
    return () => {};
  },
};

/** The longest of what the server allows (headers, request, silence, an answer not taken, idleness), and a second and a look. */
const letGoOfWithinMs = 7_500;

interface LetGo {
  readonly way: string;
  readonly afterMs: number;
}

/** Resolves when the connection is gone. */
function beSlow(port: number, way: string, slowness: Slowness): Promise<LetGo> {
  return new Promise((resolve) => {
    let startMs = performance.now();
    const socket = connect(port, '127.0.0.1');
    socket.resume();
    let stop = (): void => {};
    socket.once('connect', () => {
      startMs = performance.now();
      stop = slowness(socket);
    });
    const end = (): void => {
      stop();
      socket.destroy();
      resolve({ way, afterMs: performance.now() - startMs });
    };
    socket.once('error', end);
    socket.once('end', end);
    socket.once('close', end);
  });
}

function askWell(port: number, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path: '/v1/decide', method: 'POST', agent, headers: { 'content-type': 'application/json' } };
    const call = request(options, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    });
    call.once('error', reject);
    call.end(body);
  });
}

interface Running {
  readonly port: number;
  readonly child: ChildProcessWithoutNullStreams;
  memoryBytes(): Promise<number>;
}

async function startService(directory: string): Promise<Running> {
  const policy = join(directory, 'policy.yaml');
  await copyFile(join(root, 'examples/retail.yaml'), policy);
  const { serviceUrl, child } = await serveStepwell({
    STEPWELL_DATA_DIR: join(directory, 'data'),
    STEPWELL_POLICY: policy,
    STEPWELL_LOG_LEVEL: 'info',
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return {
    port: Number(new URL(serviceUrl).port),
    child,
    async memoryBytes() {
      const { readFile } = await import('node:fs/promises');
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
    },
  };
}

test(`${slowCallers} callers who are slow in every way are let go of on time, while others are answered`, async () => {
  await using directory = await temporaryDirectory();
  const { port, child, memoryBytes } = await startService(directory.path);
  const before = await memoryBytes();
  let isOver = false;
  let most = before;
  const durations: number[] = [];
  const healthy = Promise.all(
    Array.from({ length: healthyCallers }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const statuses = new Map<number, number>();
      while (!isOver) {
        const startMs = performance.now();
        const status = await askWell(port, agent);
        durations.push(performance.now() - startMs);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        // What would answer nobody but these would prove little.
        await new Promise(setImmediate);
      }
      agent.destroy();
      return statuses;
    }),
  );
  const names = Object.entries(ways);
  const frugal = names.filter(([way]) => way !== dearest);
  const slow = Array.from({ length: slowCallers }, (_, index) => {
    const among = index < names.length * dearestCallersMax ? names : frugal;
    return beSlow(port, ...(among[index % among.length] as [string, Slowness]));
  });
  const watching = setInterval(async () => {
    most = Math.max(most, await memoryBytes());
  }, 250);
  const letGo = await Promise.all(slow);
  clearInterval(watching);
  isOver = true;
  for (const statuses of await healthy) {
    // On a machine that is busy with everything else, somebody may be told to come again.
    expect([...statuses.keys()].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(statuses.get(200) ?? 0).toBeGreaterThan(0);
  }

  const slowest = new Map<string, number>();
  for (const { way, afterMs } of letGo) slowest.set(way, Math.max(slowest.get(way) ?? 0, afterMs));
  if (isLong) report({ slowest, durations, memory: { before, most } });
  expect(slowest.size).toBe(names.length);
  // Nobody may ask for ever what nobody reads: what waits for one of them is bounded, and so for all.
  if (before > 0) expect(most - before).toBeLessThan(512 * 1024 * 1024);

  child.kill('SIGTERM');
  const [code] = await once(child, 'close');
  expect(code).toBe(0);
});

interface Figures {
  readonly slowest: ReadonlyMap<string, number>;
  readonly durations: readonly number[];
  readonly memory: { readonly before: number; readonly most: number };
}

function report({ slowest, durations, memory }: Figures): void {
  const sorted = durations.toSorted((a, b) => a - b);
  const at = (share: number): string => `${(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)} ms`;
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`;
  console.log(`${slowCallers} slow callers, let go of after at most:`);
  for (const [way, ms] of slowest) {
    console.log(`  ${(ms / 1000).toFixed(1)} s  ${way}${ms > letGoOfWithinMs ? ' (late)' : ''}`);
  }
  console.log(`healthy callers meanwhile: ${sorted.length} answers, median ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)}`);
  console.log(`memory: ${megabytes(memory.before)} before, at most ${megabytes(memory.most)}`);
}
