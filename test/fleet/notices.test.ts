/** Notices and artefacts among real processes: what happens in one is heard by pages at another, on Redis and on a shared directory. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createStreamTokens } from '../../src/identity/visitor-token.ts';
import { systemClock } from '../../src/time/clock.ts';
import { root, stepwell, type TemporaryDirectory, temporaryDirectory } from '../cli/run-stepwell.ts';
import { serveStepwell } from '../cli/serving.ts';
import { notices, openStream } from '../http/streaming.ts';
import { startRedis } from '../support/redis-server.ts';

const sessionSecret = 'one secret for the whole fleet';
const tokens = createStreamTokens({ secret: Buffer.from(sessionSecret), clock: systemClock });
const tokenOf = (subject: string | null) => tokens.mint({ subject, sessionId: null }).token;

interface Process {
  readonly url: string;
  output(): string;
  /** As an operator ends it. Resolves with the exit code. */
  stop(): Promise<number | null>;
}

interface Fleet {
  readonly here: Process;
  readonly there: Process;
  readonly policyPath: string;
  /** What both were started with. */
  readonly env: Readonly<Record<string, string>>;
}

let running: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(running.map((stop) => stop()));
  running = [];
});

async function startProcess(env: Readonly<Record<string, string>>): Promise<Process> {
  const { serviceUrl, child, ended, output } = await serveStepwell(env);
  const stop = (): Promise<number | null> => {
    child.kill('SIGTERM');
    return ended;
  };
  running.push(stop);
  return { url: serviceUrl.replace(/\/$/, ''), output, stop };
}

async function startFleet(kind: 'redis' | 'embedded', directory: TemporaryDirectory): Promise<Fleet> {
  const policyPath = join(directory.path, 'policy.yaml');
  await writeFile(policyPath, await readFile(join(root, 'examples/retail.yaml')));
  const shared: Record<string, string> = {
    STEPWELL_POLICY: policyPath,
    STEPWELL_SESSION_SECRET: sessionSecret,
    STEPWELL_DATA_DIR: join(directory.path, 'data'),
    STEPWELL_AUDIT_LOG: 'off',
    STEPWELL_LOG_LEVEL: 'debug',
  };
  if (kind === 'redis') {
    const redis = await startRedis();
    running.push(() => redis.stop());
    shared.STEPWELL_REDIS_URL = redis.url;
  }
  const here = await startProcess(shared);
  return { here, there: await startProcess(shared), policyPath, env: shared };
}

async function post(url: string, body?: object): Promise<Response> {
  const options = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  return fetch(url, { method: 'POST', ...options });
}

/** Withdraws until the page at the other process hears it: on Redis its process may still be on its way to where it hears. */
async function heardAfter(stream: Awaited<ReturnType<typeof openStream>>, happens: () => Promise<unknown>): Promise<void> {
  const before = notices(stream.text());
  await expect
    .poll(
      async () => {
        await happens();
        return notices(stream.text());
      },
      { timeout: 15_000, interval: 100 },
    )
    .toBeGreaterThan(before);
}

describe.each(['redis', 'embedded'] as const)('two processes on %s', (kind) => {
  it('a page at one hears of what is taken back at the other, and its token is refused by both once all of it is', async () => {
    await using directory = await temporaryDirectory();
    const { here, there } = await startFleet(kind, directory);
    const { sessionId } = (await (await post(`${here.url}/v1/sessions`)).json()) as { sessionId: string };
    const given = (await (await post(`${here.url}/v1/sessions/${sessionId}/tokens`)).json()) as {
      stream: { requestUri: string; token: string };
    };
    const [visit, ann, bob] = [
      await openStream(there.url + given.stream.requestUri),
      await openStream(`${there.url}/ofrep/v1/stream?t=${tokenOf('ann')}`),
      await openStream(`${there.url}/ofrep/v1/stream?t=${tokenOf('bob')}`),
    ];
    await heardAfter(ann, () => post(`${here.url}/v1/consents/ann/withdrawals`));
    await heardAfter(visit, () => post(`${here.url}/v1/sessions/${sessionId}/withdrawals`));
    const quiet = notices(bob.text());
    expect((await fetch(`${here.url}/v1/sessions/${sessionId}`, { method: 'DELETE' })).status).toBe(204);
    expect((await post(`${here.url}/v1/revocations`, { subject: 'ann' })).status).toBe(200);
    for (const { url } of [here, there]) {
      expect((await fetch(url + given.stream.requestUri)).status).toBe(401);
      expect((await fetch(`${url}/ofrep/v1/stream?t=${tokenOf('ann')}`)).status).toBe(401);
    }
    await Promise.all([visit.ended, ann.ended]);
    expect(notices(bob.text())).toBe(quiet);
    for (const { output } of [here, there])
      expect(output()).not.toMatch(new RegExp(`${given.stream.token.split('.')[1]}|"ann"|${sessionId}`));
  });

  it('pages at both hear of the consent records that `stepwell load` writes, each of its own', async () => {
    await using directory = await temporaryDirectory();
    const { here, there, env } = await startFleet(kind, directory);
    const open = (url: string, subject: string) => openStream(`${url}/ofrep/v1/stream?t=${tokenOf(subject)}`);
    const heard = [await open(here.url, 's0'), await open(there.url, 's0'), await open(there.url, 's39')] as const;
    const bob = await open(there.url, 'bob');
    const said = { useCases: { content_personalization: 'denied' }, recordedAt: '2026-11-01T00:00:00Z' };
    const input = [
      ...Array.from({ length: 40 }, (_, index) => ({ kind: 'consent', subject: `s${index}`, ...said })),
      { kind: 'profile', subject: 'bob', attributes: {}, audiences: [], ttlSeconds: 60 },
    ];
    const load = async () => {
      const { stdout } = await stepwell(['load', '-', '--json'], { env, input: input.map((line) => JSON.stringify(line)).join('\n') });
      expect(JSON.parse(stdout)).toMatchObject({ loaded: 41, failed: 0 });
    };
    // Twice: the first that a page is told may be that its process hears now.
    for (const stream of [...heard, ...heard]) await heardAfter(stream, load);
    const quiet = notices(bob.text());
    await Promise.all(heard.map((stream) => heardAfter(stream, load)));
    expect(notices(bob.text())).toBe(quiet);
  });

  it('pages at both hear of another policy; both give one artefact, and neither does once the policy says so; and a stop ends streams', async () => {
    await using directory = await temporaryDirectory();
    const { here, there, policyPath } = await startFleet(kind, directory);
    const artefacts = await Promise.all([here, there].map(async ({ url }) => fetch(`${url}/v1/artefact`)));
    expect(artefacts.map(({ status }) => status)).toEqual([200, 200]);
    expect(new Set(artefacts.map(({ headers }) => headers.get('etag'))).size).toBe(1);
    const streams = await Promise.all([here, there].map(({ url }) => openStream(`${url}/ofrep/v1/stream?t=${tokenOf(null)}`)));
    const before = streams.map((stream) => notices(stream.text()));
    await writeFile(policyPath, `${await readFile(policyPath, 'utf8')}\ndevice: { enabled: false }\n`);
    await Promise.all(streams.map((stream, index) => stream.until((text) => notices(text) > (before[index] ?? 0))));
    for (const { url } of [here, there]) {
      await expect.poll(async () => (await fetch(`${url}/v1/artefact`)).status, { timeout: 15_000 }).toBe(410);
    }
    const codes = await Promise.all([here, there].map(({ stop }) => stop()));
    await Promise.all(streams.map(({ ended }) => ended));
    expect(codes).toEqual([0, 0]);
  });
});
