/** The service as a process: what it prints, what it survives, and how it ends. */
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { root, stepwell, temporaryDirectory } from './cli/run-stepwell.ts';
import { freePorts, type Serving, serveStepwell } from './cli/serving.ts';
import { startRedis } from './support/redis-server.ts';

interface Running extends Omit<Serving, 'serviceUrl'> {
  readonly url: string;
  /** Resolves once the output matches. */
  said(pattern: RegExp): Promise<void>;
}

async function startService(env: Readonly<Record<string, string>>, options: Parameters<typeof serveStepwell>[1] = {}): Promise<Running> {
  const serving = await serveStepwell(env, options);
  const { serviceUrl: url, child, ended, output } = serving;
  return {
    ...serving,
    url,
    async said(pattern) {
      while (!pattern.test(output()))
        await Promise.race([once(child.stderr, 'data'), once(child.stdout, 'data'), ended.then(() => failed(output()))]);
    },
  };
}

function failed(output: string): never {
  throw new Error(`ended without saying so:\n${output}`);
}

interface Decided {
  readonly policy: { readonly id: string; readonly revision: string; readonly stale: boolean };
  readonly zones: readonly { readonly zone: string; readonly tier: string; readonly downgrade: { readonly cause: string } | null }[];
  readonly identity: { readonly state: string };
}

async function decide(url: string, body: object): Promise<Decided> {
  const response = await fetch(`${url}/v1/decide`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as Decided;
}

/** Asks again while the machine is too busy for the policy's budgets: what is claimed here is who is known, not how fast. */
async function decideInTime(url: string, body: object): Promise<Decided> {
  for (;;) {
    const decided = await decide(url, body);
    if (!decided.zones.some(({ downgrade }) => downgrade?.cause === 'time')) return decided;
  }
}

test('the demo decides for strangers at once, and for a customer whose token was minted in another shell', async () => {
  await using directory = await temporaryDirectory();
  const env = { STEPWELL_DATA_DIR: directory.path };
  await using service = await startService(env);
  const stranger = await decide(service.url, { page: 'home' });
  expect(stranger.zones.length).toBeGreaterThan(0);
  expect(stranger.identity.state).toBe('anonymous');

  const token = (await stepwell(['token', '--sub', 'demo-ada'], { env })).stdout.trim();
  const customer = await decideInTime(service.url, { page: 'home', deadlineMs: 500, identity: { token } });
  expect(customer.identity.state).toBe('high_confidence');
  expect(customer.zones.map(({ tier }) => tier)).toContain('user');

  const output = service.output();
  expect(output).toContain(`${service.url}/docs`);
  expect(output).toContain(`curl -s ${service.url}/v1/decide`);
  expect(output).toContain('development issuer');
  expect(output).not.toContain(token);
  expect(output).not.toContain('demo-ada\\"');
});

test('the demo people are loaded on the first start only, and stay', async () => {
  await using directory = await temporaryDirectory();
  const env = { STEPWELL_DATA_DIR: directory.path };
  {
    await using first = await startService(env);
    expect(first.output()).toContain('the demo people are loaded');
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);
  }
  await using second = await startService(env);
  expect(second.output()).not.toContain('the demo people are loaded');
  const token = (await stepwell(['token', '--sub', 'demo-ada'], { env })).stdout.trim();
  const { zones } = await decideInTime(second.url, { page: 'home', deadlineMs: 500, identity: { token } });
  expect(zones.map(({ tier }) => tier)).toContain('user');
});

test('the metrics of what was decided are on the management port, and not on the public one', async () => {
  await using directory = await temporaryDirectory();
  await using service = await startService({ STEPWELL_DATA_DIR: directory.path });
  await decide(service.url, { page: 'home' });
  const text = await (await fetch(`${service.managementUrl}/metrics`)).text();
  expect(text).toMatch(
    /^stepwell_decisions_total\{zone="[\w-]+",tier="\w+",intended_tier="\w+",reason="\w+",cause="\w+",dependency="\w+"\} 1$/m,
  );
  expect((await fetch(`${service.url}/metrics`)).status).toBe(404);
});

test('SIGTERM lets a request that is under way be answered, then ends with 0', async () => {
  await using directory = await temporaryDirectory();
  await using service = await startService({ STEPWELL_DATA_DIR: directory.path });
  const { hostname, port } = new URL(service.url);
  const body = JSON.stringify({ page: 'home' });
  const call = request({
    hostname,
    port,
    path: '/v1/decide',
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' },
  });
  const answered = once(call, 'response');
  // The server has the headers once it asks for the body: from here on the request is under way.
  const accepted = once(call, 'continue');
  call.flushHeaders();
  await accepted;
  service.child.kill('SIGTERM');
  await untilRefused(hostname, Number(port));
  call.end(body);

  const [response] = await answered;
  expect(response.statusCode).toBe(200);
  response.resume();
  expect(await service.ended).toBe(0);
});

test('SIGTERM lets a decision that waits for a silent store be answered, and says at last that it stopped', async () => {
  await using directory = await temporaryDirectory();
  const redis = await startRedis();
  const env = { STEPWELL_DATA_DIR: directory.path, STEPWELL_REDIS_URL: redis.url };
  try {
    await using service = await startService(env);
    const token = (await stepwell(['token', '--sub', 'demo-ada'], { env })).stdout.trim();
    process.kill(redis.pid, 'SIGSTOP');
    const { hostname, port } = new URL(service.url);
    const body = JSON.stringify({ page: 'home', deadlineMs: 500, identity: { token } });
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const call = request({ hostname, port, path: '/v1/decide', method: 'POST', headers });
    const answered = once(call, 'response');
    call.end(body);
    await untilAccepted(service);
    service.child.kill('SIGTERM');

    const [response] = await answered;
    expect(response.statusCode).toBe(200);
    const { zones } = JSON.parse(await text(response)) as Decided;
    expect(zones.length).toBeGreaterThan(0);
    expect(zones.map(({ tier }) => tier)).not.toContain('user');
    expect(await service.ended).toBe(0);
    expect(service.output().trimEnd().split('\n').at(-1)).toContain('"msg":"stopped"');
  } finally {
    await redis.stop();
  }
});

/** The service reads its connections in turn: once it has answered one that came later, it has the earlier one too. */
async function untilAccepted({ url }: Running): Promise<void> {
  await (await fetch(`${url}/v1/decide?page=home`)).text();
}

test('SIGTERM sends the spans that are still buffered', async () => {
  await using directory = await temporaryDirectory();
  const received: string[] = [];
  await using collector = createHttpServer((incoming, response) => {
    received.push(incoming.url ?? '');
    incoming.resume();
    incoming.once('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
  });
  await once(collector.listen(0, '127.0.0.1'), 'listening');
  const { port } = collector.address() as { port: number };
  await using service = await startService({
    STEPWELL_DATA_DIR: directory.path,
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_TRACES_SAMPLER: 'always_on',
    OTEL_BSP_SCHEDULE_DELAY: '3600000',
  });
  await decide(service.url, { page: 'home' });
  expect(received).toEqual([]);
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(0);
  expect(received).toEqual(['/v1/traces']);
});

/** Resolves when the port takes no new connection any more. */
async function untilRefused(host: string, port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, host);
    const isRefused = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(false));
      socket.once('error', () => resolve(true));
    });
    socket.destroy();
    if (isRefused) return;
  }
}

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s that arrives twice at once, as from a terminal and npm, still ends with 0',
  async (signal) => {
    await using directory = await temporaryDirectory();
    await using service = await startService({ STEPWELL_DATA_DIR: directory.path });
    service.child.kill(signal);
    service.child.kill(signal);
    expect(await service.ended).toBe(0);
  },
);

test('a Redis that is not there does not stop the service from starting and answering, and its password is never printed', async () => {
  await using directory = await temporaryDirectory();
  await using service = await startService({ STEPWELL_DATA_DIR: directory.path, STEPWELL_REDIS_URL: 'redis://user:hunter2@127.0.0.1:1' });
  const { zones } = await decide(service.url, { page: 'home' });
  expect(zones.length).toBeGreaterThan(0);
  expect((await fetch(`${service.managementUrl}/readyz`)).status).toBe(200);
  expect(service.output()).not.toContain('hunter2');
});

test('a service with another key secret than its Redis was filled under says so once, and decides as without a store', async () => {
  await using directory = await temporaryDirectory();
  const redis = await startRedis();
  try {
    const env = { STEPWELL_DATA_DIR: directory.path, STEPWELL_REDIS_URL: redis.url };
    await using first = await startService(env);
    const ask = { page: 'home', identity: { token: (await stepwell(['token', '--sub', 'demo-ada'], { env })).stdout.trim() } };
    const consents = `${first.url}/v1/consents/demo-ada`;
    expect((await fetch(consents)).status).toBe(200);
    await using other = await startService({ ...env, STEPWELL_KEY_SECRET: 'hunter2-hunter2-hunter2' });
    await other.said(/"code":"other_key_secret"/);
    expect((await decide(other.url, ask)).zones.map(({ tier }) => tier)).not.toContain('user');
    expect((await fetch(consents.replace(first.url, other.url))).status).toBe(503);
    other.child.kill('SIGTERM');
    await other.ended;
    expect(other.output().match(/other_key_secret/g)).toHaveLength(1);
    expect(other.output()).not.toContain('hunter2');
  } finally {
    await redis.stop();
  }
});

test('losing the store is a warning and its return a note, each told once; and stopping is neither', async () => {
  await using directory = await temporaryDirectory();
  const redis = await startRedis();
  const env = { STEPWELL_DATA_DIR: directory.path, STEPWELL_REDIS_URL: redis.url };
  await using service = await startService(env);
  await redis.stop();
  await service.said(/"state":"disconnected"/);
  const again = await startRedis({ port: redis.port });
  try {
    await service.said(/"connected".*"connected"/s);
    service.child.kill('SIGTERM');
    expect(await service.ended).toBe(0);
  } finally {
    await again.stop();
  }
  const told = [...service.output().matchAll(/^\{.*"msg":"store"\}$/gm)].map(([line]) => JSON.parse(line));
  expect(told.map(({ level, state }) => [level, state])).toEqual([
    [30, 'connected'],
    [40, 'disconnected'],
    [30, 'connected'],
  ]);
});

test('SIGHUP reads the policy again: a bad one leaves the last good one in force and stale, a good one replaces it', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'policy.yaml');
  const text = await readFile(join(root, 'examples/retail.yaml'), 'utf8');
  await writeFile(path, text);
  await using service = await startService({ STEPWELL_DATA_DIR: join(directory.path, 'data'), STEPWELL_POLICY: path });
  const inForce = async () => (await decide(service.url, { page: 'home' })).policy;
  const first = await inForce();
  expect(first.stale).toBe(false);

  await writeFile(path, text.replace('stepwell: 1', 'stepwell: 7'));
  service.child.kill('SIGHUP');
  await service.said(/"level":50.*the last good one stays in force/);
  expect(service.output()).toMatch(/"level":50.*"code":"unsupported-version".*policy\.yaml:\d+:\d+/);
  expect(await inForce()).toEqual({ ...first, stale: true });
  const status = await (await fetch(`${service.managementUrl}/status`)).json();
  expect(status).toMatchObject({ policy: { revision: first.revision, stale: true } });
  expect((await fetch(`${service.managementUrl}/readyz`)).status).toBe(200);

  await writeFile(path, `${text}\n`.replace(/until: 20\d\d/, 'until: 2090'));
  service.child.kill('SIGHUP');
  await service.said(/the policy is in force/);
  const mended = await inForce();
  expect(mended.stale).toBe(false);
  expect(mended.revision).not.toBe(first.revision);
  const metrics = await (await fetch(`${service.managementUrl}/metrics`)).text();
  expect(metrics).toContain('stepwell_policy_stale 0\n');
  // The change of the file may be noticed before the signal comes: then it is read for each.
  expect(metrics).toMatch(/^stepwell_policy_loads_total\{outcome="in_force"\} [23]$/m);
  expect(metrics).toMatch(/^stepwell_policy_loads_total\{outcome="refused"\} [12]$/m);
  expect(metrics).toContain('stepwell_approvals_expired 0\n');
});

test('a policy that is gone at the next start is replaced by the last good one, and everything says that it is stale', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'policy.yaml');
  const text = await readFile(join(root, 'examples/retail.yaml'), 'utf8');
  await writeFile(path, text);
  const env = { STEPWELL_DATA_DIR: join(directory.path, 'data'), STEPWELL_POLICY: path, STEPWELL_REDIS_URL: 'redis://127.0.0.1:1' };
  const start = async () => await startService(env);
  let revision: string;
  {
    await using first = await start();
    ({ revision } = (await decide(first.url, { page: 'home' })).policy);
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);
  }
  await rm(path);
  await using second = await start();
  expect(second.output()).toMatch(/"level":50.*there is no such file/);
  expect(second.output()).toMatch(/"level":50.*the last good policy is in force instead and is stale/);
  expect((await decide(second.url, { page: 'home' })).policy).toEqual({ id: 'retail', revision, stale: true });
  const status = await (await fetch(`${second.managementUrl}/status`)).json();
  expect(status).toMatchObject({ policy: { revision, stale: true } });
  const metrics = await (await fetch(`${second.managementUrl}/metrics`)).text();
  expect(metrics).toContain('stepwell_policy_stale 1\n');
  expect(metrics).toContain('stepwell_policy_loads_total{outcome="in_force"} 0\n');

  await writeFile(path, text);
  await second.said(/the policy is in force/);
  expect((await decide(second.url, { page: 'home' })).policy).toEqual({ id: 'retail', revision, stale: false });
});

test('a port that is taken exits 2 and says so', async () => {
  await using directory = await temporaryDirectory();
  await using taken = createServer();
  await once(taken.listen(0, '127.0.0.1'), 'listening');
  const port = String((taken.address() as { port: number }).port);
  const { code, stderr } = await stepwell(['serve'], { env: { ...freePorts, STEPWELL_PORT: port, STEPWELL_DATA_DIR: directory.path } });
  expect(stderr).toContain(`port ${port}`);
  expect(stderr).toContain('the address is in use');
  expect(code).toBe(2);
});

test.each([
  [{ STEPWELL_POLICY: '/nowhere.yaml' }, 'there is no such file'],
  [{ STEPWELL_API_KEYS: '/nowhere.json' }, 'STEPWELL_API_KEYS'],
  [{ STEPWELL_JWKS: '/nowhere.json', STEPWELL_TOKEN_ISSUER: 'a', STEPWELL_TOKEN_AUDIENCE: 'b' }, 'STEPWELL_JWKS'],
  [{ STEPWELL_HOST: '0.0.0.0' }, 'loopback only'],
])('with %j the service refuses to start and says why', async (env, why) => {
  await using directory = await temporaryDirectory();
  const { code, stderr } = await stepwell(['serve'], { env: { ...freePorts, STEPWELL_DATA_DIR: directory.path, ...env } });
  expect(stderr).toContain(why);
  expect(code).toBe(2);
});

test('a Node that cannot run the source hands over to the pinned one, with its signals and its exit code', async () => {
  await using directory = await temporaryDirectory();
  const old = { nodeArguments: ['--no-strip-types'], entry: 'stepwell.js' } as const;
  const failed = await stepwell(['lint', '/nowhere.yaml'], old);
  expect(failed).toMatchObject({ code: 2, stdout: '' });
  expect(failed.stderr).toContain('there is no such file');

  await using service = await startService({ STEPWELL_DATA_DIR: join(directory.path, 'data') }, old);
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(0);
  expect(service.output()).toContain('"signal":"SIGTERM"');
});
