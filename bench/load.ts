/** Load on one route by autocannon, or by wrk where it is present: closed loops over connections that are kept alive. */
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canPin, isPresent, loadCpu, startPinned } from './pinned-process.ts';

export interface LoadJob {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Sent in turn, each connection beginning elsewhere. */
  readonly bodies: readonly string[];
}

export interface LoadResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers other than 2xx, and requests without an answer. */
  readonly failures: number;
}

export type Generator = 'autocannon' | 'wrk';

export const hasWrk = isPresent('wrk');

export function applyLoad(generator: Generator, job: LoadJob, directory: string): Promise<LoadResult> {
  return generator === 'wrk' ? byWrk(job, directory) : byAutocannon(job);
}

/** In a process of its own, so that it has its CPU for itself. */
function byAutocannon(job: LoadJob): Promise<LoadResult> {
  const { child, end } = startPinned({
    cpu: loadCpu,
    command: [process.execPath, fileURLToPath(new URL('autocannon-process.ts', import.meta.url))],
    channel: true,
  });
  return new Promise<LoadResult>((resolve, reject) => {
    child.once('message', (result: LoadResult) => resolve(result));
    child.once('exit', (code) => reject(new Error(`autocannon ended with ${code}`)));
    child.send(job);
  }).finally(end);
}

/** wrk runs a Lua script; ours reads the bodies from a file and writes its findings as JSON. */
const wrkScript = `
local requests, index = {}, 0
function init(args)
  for body in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format('POST', nil, { ['content-type'] = 'application/json' }, body)
  end
end
function request()
  index = index % #requests + 1
  return requests[index]
end
function done(summary, latency)
  local failed = summary.errors
  io.write(string.format('\\nRESULT {"requests":%d,"micros":%d,"p50":%d,"p99":%d,"failures":%d}\\n', summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), failed.status + failed.connect + failed.read + failed.write + failed.timeout))
end
`;

async function byWrk({ url, connections, seconds, bodies }: LoadJob, directory: string): Promise<LoadResult> {
  const scriptPath = join(directory, 'wrk.lua');
  const bodiesPath = join(directory, 'wrk-bodies');
  await Promise.all([writeFile(scriptPath, wrkScript), writeFile(bodiesPath, `${bodies.join('\n')}\n`)]);
  const wrk = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '-s', scriptPath, url, '--', bodiesPath];
  const [program = '', ...args] = canPin ? ['taskset', '-c', `${loadCpu}`, ...wrk] : wrk;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await new Promise((resolve) => child.once('close', resolve));
  const found = JSON.parse(/^RESULT (.*)$/m.exec(output)?.[1] ?? 'null');
  if (found === null) throw new Error(`wrk gave no result:\n${output}`);
  return {
    requests: found.requests,
    requestsPerSecond: found.requests / (found.micros / 1e6),
    p50Ms: found.p50 / 1000,
    p99Ms: found.p99 / 1000,
    failures: found.failures,
  };
}
