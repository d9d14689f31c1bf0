/** The image's own flags of Node, tried with the program itself: with them it serves all it promises, and nothing else can be done. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { root, startStepwell, temporaryDirectory } from '../cli/run-stepwell.ts';
import { type RunningRedis, startRedis } from '../support/redis-server.ts';

/** What the image's entry point gives to Node, with the image's places replaced by ours. */
async function flagsOfImage(settings: string, data: string): Promise<readonly string[]> {
  const image = await readFile(join(root, 'Dockerfile'), 'utf8');
  const text = /^ENTRYPOINT (\[[^\]]*\])/m.exec(image)?.[1] ?? '[]';
  const entryPoint = JSON.parse(text.replaceAll('\\\n', '')) as string[];
  expect([entryPoint[0], entryPoint.at(-1)]).toEqual(['node', 'src/cli/stepwell.js']);
  const places: Readonly<Record<string, string>> = { '/app': root, '/etc/stepwell': settings, '/data': data };
  return entryPoint.slice(1, -1).map((flag) => {
    const [name, place] = flag.split('=');
    return place?.startsWith('/') ? `${name}=${places[place]}` : flag;
  });
}

interface Started {
  readonly url: string;
  readonly child: ChildProcessWithoutNullStreams;
  readonly log: () => string;
  readonly data: string;
  readonly policy: string;
}

async function start(more: Readonly<Record<string, string>> = {}): Promise<Started> {
  const directory = await temporaryDirectory();
  const [settings, data] = [join(directory.path, 'settings'), join(directory.path, 'data')];
  for (const path of [settings, data]) await mkdir(path, { mode: 0o700 });
  const policy = join(settings, 'policy.yaml');
  await copyFile(join(root, 'examples/retail.yaml'), policy);
  const child = startStepwell(['serve'], {
    entry: 'stepwell.js',
    nodeArguments: await flagsOfImage(settings, data),
    env: { STEPWELL_PORT: '0', STEPWELL_MANAGEMENT_PORT: '0', STEPWELL_DATA_DIR: data, STEPWELL_POLICY: policy, ...more },
  });
  const ended = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    // With it whoever has its standard streams: the workers.
    await ended;
    await directory[Symbol.asyncDispose]();
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      log += text;
    });
  }
  const line = await seen(child, () => log, /^\{.*"msg":"serving"\}$/m);
  return { url: JSON.parse(line).serviceUrl, child, log: () => log, data, policy };
}

function seen(child: ChildProcessWithoutNullStreams, log: () => string, wanted: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const found = wanted.exec(log())?.[0];
      if (found !== undefined) resolve(found);
    };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', look);
    child.once('close', () => reject(new Error(`ended before it said ${wanted}:\n${log()}`)));
    look();
  });
}

async function serves({ url, child, log, policy, data }: Started): Promise<void> {
  const body = JSON.stringify({ page: 'home', context: { country: 'DE', device: 'mobile' } });
  const answer = await fetch(`${url}/v1/decide`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  expect(answer.status).toBe(200);
  for (const path of ['/docs', '/docs/static/swagger-ui-bundle.js', '/openapi.json']) {
    expect((await fetch(`${url}${path}`)).status, path).toBe(200);
  }
  const made = await fetch(`${url}/v1/sessions`, { method: 'POST' });
  expect(made.status).toBe(201);
  const subject = '{"subject":"person-42"}';
  const erased = await fetch(`${url}/v1/erasures`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: subject });
  expect(erased.status).toBe(202);
  await writeFile(policy, (await readFile(policy, 'utf8')).replace('policy: retail', 'policy: retail2'));
  await seen(child, log, /"policy":"retail2".*"msg":"the policy is in force"/);
  expect(await readFile(join(data, 'policy.last-good'), 'utf8')).toContain('stepwell last good policy');
  expect(log()).not.toContain('ERR_ACCESS_DENIED');
}

describe('with the permissions of the image', () => {
  let redis: RunningRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis?.stop());

  it('it serves from the embedded store, and follows a policy that changes', async () => serves(await start()));

  it('it serves from Redis', async () => serves(await start({ STEPWELL_REDIS_URL: redis.url })));

  it('it serves with two workers, once they may be started', async () =>
    serves(await start({ STEPWELL_REDIS_URL: redis.url, STEPWELL_WORKERS: '2', NODE_OPTIONS: '--allow-child-process' })));

  it('it says what is missing where workers may not be started', async () => {
    await expect(start({ STEPWELL_WORKERS: '2' })).rejects.toThrow(/Node may start no processes: set NODE_OPTIONS=--allow-child-process/);
  });

  it('it exports what it measures and traces', async () => {
    // Nobody listens there: what counts is that nothing was refused on the way.
    const started = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_SAMPLER: 'always_on' });
    await serves(started);
  });

  it('no other file can be read or written, no program started, no prototype reached, in a thread neither', async () => {
    await using directory = await temporaryDirectory();
    const attempts = join(root, 'test/attacks/attempts.mjs');
    const flags = await flagsOfImage('/etc/stepwell', directory.path);
    const tried = (given: readonly string[]) => JSON.parse(spawnSync(process.execPath, [...given, attempts], { encoding: 'utf8' }).stdout);
    const denied = { readElsewhere: 'denied', writeElsewhere: 'denied', startProgram: 'denied', writeOwnCode: 'denied', proto: 'absent' };
    expect(tried(flags)).toEqual({ process: denied, thread: denied });
    // The attempts are real: without the flags each of them succeeds.
    const done = { readElsewhere: 'done', writeElsewhere: 'done', startProgram: 'done', writeOwnCode: 'done', proto: 'there' };
    expect(tried([])).toEqual({ process: done, thread: done });
  });
});
