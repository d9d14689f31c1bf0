/** The service as a process of its own, with real sockets and a real clock: what OpenFeature's clients talk to. It can be killed and come back. */
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { generateIssuerKeys, mintToken } from '../../src/identity/mint.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';
import { serveStepwell } from '../cli/serving.ts';

const parties = { issuer: 'https://issuer.example', audience: 'stepwell' } as const;
const everySecond = 1;

/** The keys of its callers: each is `key-` and its name. */
const keys = [
  { id: 'app', scopes: ['decide'] },
  { id: 'page', scopes: ['decide'], publishable: true },
  { id: 'data', scopes: ['admin'] },
  { id: 'narrow', scopes: ['profiles'] },
  { id: 'slow', scopes: ['decide'], requestsPerSecond: everySecond },
] as const;

export interface ServiceProcess {
  readonly url: string;
  tokenOf(subject: string): Promise<string>;
  /** With the key of whoever writes data. */
  send(method: string, path: string, body?: object): Promise<Response>;
  /** At once, without a word to anybody. */
  kill(): Promise<void>;
  /** On the same port, with the same data. */
  start(): Promise<void>;
}

export interface ProcessOptions {
  readonly policy?: string;
  readonly corsOrigins?: readonly string[];
  /** Whether callers of this machine need no key, as where nothing is configured. */
  readonly needsNoKeys?: boolean;
  /** When it is to go: of a suite that shares one, `afterAll`. Absent: with the test. */
  readonly until?: (stop: () => Promise<void>) => void;
}

export async function startProcess({
  policy = 'test/openfeature/flags.yaml',
  corsOrigins = [],
  needsNoKeys = false,
  until = onTestFinished,
}: ProcessOptions = {}): Promise<ServiceProcess> {
  const directory = await temporaryDirectory();
  const issuer = await generateIssuerKeys();
  const jwks = join(directory.path, 'jwks.json');
  const apiKeys = join(directory.path, 'keys.json');
  await writeFile(jwks, JSON.stringify(issuer.jwks));
  await writeFile(apiKeys, JSON.stringify(keys.map((key) => ({ ...key, sha256: hash('sha256', `key-${key.id}`) }))));
  const port = await freePort();
  const env = {
    HOME: directory.path,
    STEPWELL_PORT: String(port),
    STEPWELL_MANAGEMENT_PORT: '0',
    STEPWELL_DATA_DIR: join(directory.path, 'data'),
    STEPWELL_POLICY: policy,
    ...(needsNoKeys ? {} : { STEPWELL_API_KEYS: apiKeys }),
    STEPWELL_JWKS: jwks,
    STEPWELL_TOKEN_ISSUER: parties.issuer,
    STEPWELL_TOKEN_AUDIENCE: parties.audience,
    STEPWELL_AUDIT_LOG: 'off',
    ...(corsOrigins.length === 0 ? {} : { STEPWELL_CORS_ORIGINS: corsOrigins.join(',') }),
  };
  let { child } = await serveStepwell(env);

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  until(async () => {
    await kill();
    await directory[Symbol.asyncDispose]();
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    tokenOf: (subject) => mintToken({ ...issuer, ...parties, subject, nowMs: Date.now(), lifetimeSeconds: 3_000 }),
    send: (method, path, body) =>
      fetch(`${url}${path}`, {
        method,
        headers: { authorization: 'Bearer key-data', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    kill,
    async start() {
      ({ child } = await serveStepwell(env));
    },
  };
}

/** It is named to the service, so that the service can come back to it. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a port was asked for');
  return address.port;
}
