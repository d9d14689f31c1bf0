/**
 * How long the dearest request and the dearest policy that our limits allow keep the event loop: `node bench/worst.ts`. Requests are
 * measured as CPU time of the thread that serves, from the first byte to the last of the answer, one at a time; policies as
 * CPU time of a decision.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { buildApp } from '../src/app.ts';
import type { Artefact } from '../src/decision/artefact.ts';
import { openEmbeddedStore } from '../src/embedded/embedded-store.ts';
import { keySetOf } from '../src/identity/key-set.ts';
import { generateIssuerKeys } from '../src/identity/mint.ts';
import { createSessionIds } from '../src/identity/session-id.ts';
import { createTokenVerifier } from '../src/identity/token.ts';
import { compilePolicy, formatProblem } from '../src/policy/compile.ts';
import { startTelemetry } from '../src/telemetry/start.ts';
import { systemClock as clock } from '../src/time/clock.ts';
import { worstRequests } from './worst-requests.ts';

const rounds = 15;

function compiled(text: string, file: string): Artefact {
  const { artefact, problems } = compilePolicy(text, { file, nowMs: clock.nowMs() });
  if (artefact === null) throw new Error(problems.slice(0, 5).map(formatProblem).join('\n'));
  return artefact;
}

function cpuMicroseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

async function measureRequests(artefact: Artefact): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-worst-'));
  const store = openEmbeddedStore({ directory, clock });
  const issuer = await generateIssuerKeys();
  const app = await buildApp({
    policy: { current: () => ({ artefact, stale: false }) },
    verifier: createTokenVerifier({ keySet: await keySetOf(issuer.jwks), issuer: 'https://issuer.example', audience: 'stepwell', clock }),
    sessionIds: createSessionIds({ secret: Buffer.alloc(32, 7), clock }),
    clock,
    telemetry: await startTelemetry({ clock, env: {} }),
    store,
    apiKeys: null,
    publicGet: false,
    logger: null,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const client = new Worker(new URL('./worst-client.ts', import.meta.url), { workerData: { port } });
  const rows: { name: string; status: string; bytes: number; first: number; median: number; most: number }[] = [];
  for (const { name, bytes } of worstRequests(port)) {
    const spent: number[] = [];
    let status = '';
    for (let round = 0; round < rounds; round += 1) {
      const before = cpuMicroseconds();
      client.postMessage(bytes);
      [status] = await once(client, 'message');
      spent.push(cpuMicroseconds() - before);
    }
    const [first = 0] = spent;
    spent.sort((a, b) => a - b);
    rows.push({ name, status, bytes: bytes.length, first, median: spent[spent.length >> 1] ?? 0, most: spent.at(-1) ?? 0 });
  }
  rows.sort((a, b) => b.median - a.median);
  console.table(rows);
  await client.terminate();
  await app.close();
  await store.close();
  rmSync(directory, { recursive: true });
}

await measureRequests(compiled(await readFile(new URL('../examples/retail.yaml', import.meta.url), 'utf8'), 'examples/retail.yaml'));
