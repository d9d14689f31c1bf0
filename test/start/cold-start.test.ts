/**
 * A start with every dependency dead: what it answers is claimed here, and how long it took from the start of the process to that
 * answer is printed, because a busy machine proves nothing about time.
 */
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root, startStepwell, temporaryDirectory } from '../cli/run-stepwell.ts';
import { freePort } from '../support/redis-server.ts';

const starts = process.env.STEPWELL_TEST_LONG === '1' ? 40 : 3;
const betweenTriesMs = 5;

interface ColdAnswer {
  readonly ms: number;
  readonly tiers: readonly string[];
  readonly stale: boolean;
}

async function coldStart(env: Readonly<Record<string, string>>): Promise<ColdAnswer> {
  const port = await freePort();
  const startedMs = performance.now();
  const child = startStepwell(['serve'], {
    entry: 'stepwell.js',
    env: { ...env, STEPWELL_PORT: String(port), STEPWELL_MANAGEMENT_PORT: '0' },
  });
  let output = '';
  child.stderr.on('data', (text) => {
    output += text;
  });
  try {
    for (;;) {
      const body = await ask(port);
      const ms = performance.now() - startedMs;
      if (body !== null) {
        const { zones, policy } = JSON.parse(body);
        return { ms, tiers: zones.map(({ tier }: { tier: string }) => tier), stale: policy.stale };
      }
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, betweenTriesMs));
    }
  } finally {
    const ended = once(child, 'close');
    child.kill('SIGTERM');
    await ended;
  }
}

/** Null while nobody listens. */
function ask(port: number): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const call = request({ host: '127.0.0.1', port, method: 'POST', path: '/v1/decide', agent: false, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => {
        body += text;
      });
      response.on('end', () => (response.statusCode === 200 ? resolve(body) : reject(new Error(`${response.statusCode} ${body}`))));
    });
    call.on('error', () => resolve(null));
    call.end('{"page":"home"}');
  });
}

function told(what: string, times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN);
  return `${what}: ${times.length} starts, p50 ${at(0.5)} ms, p95 ${at(0.95)} ms`;
}

test(`${starts} starts with a dead Redis answer everybody with what is approved for everybody, from the file or from the last good policy`, async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'policy.yaml');
  await writeFile(path, await readFile(join(root, 'examples/retail.yaml')));
  const env = { STEPWELL_DATA_DIR: join(directory.path, 'data'), STEPWELL_POLICY: path, STEPWELL_REDIS_URL: 'redis://127.0.0.1:1' };
  const first = await coldStart(env);
  expect(first.stale).toBe(false);
  const answers: ColdAnswer[] = [];
  for (let count = 0; count < starts; count += 1) {
    if (count === Math.floor(starts / 2)) await rm(path);
    answers.push(await coldStart(env));
  }
  expect(answers.map(({ stale }) => stale)).toEqual(answers.map((_, index) => index >= Math.floor(starts / 2)));
  for (const { tiers } of [first, ...answers]) expect(new Set(tiers)).toEqual(new Set(['anonymous']));
  const times = (stale: boolean) => answers.filter((answer) => answer.stale === stale).map(({ ms }) => ms);
  console.log(
    [told('very first', [first.ms]), told('from the file', times(false)), told('from the last good policy', times(true))].join('\n'),
  );
});
