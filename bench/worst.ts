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
import { decide } from '../src/decision/decide.ts';
import { noEvidence } from '../src/decision/facts.ts';
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

/** Conditions that no visitor of the bench fulfils, or fulfils only at the end. */
const dearConditions: Readonly<Record<string, string>> = {
  'one comparison': 'request.n == 1',
  'a chain of nine': `${Array(8).fill('request.n == 7').join(' && ')} && request.n == 1`,
  'a list of a hundred': `request.n in [${Array.from({ length: 100 }, (_, at) => at + 10).join(', ')}]`,
  'a text searched in another': 'request.text.contains(request.other)',
  'a list looked through': 'request.list.exists(item, item == "a" || item == "b")',
  'lists within lists': 'request.list.exists(a, request.list.exists(b, a == b && a == "c"))',
  'everybody, and all are worth the same': 'request.n == 7',
};

function policyOf(offerCount: number, when: string): string {
  const offer = { tags: ['t'], class: 'S0', variant: 'v', when, propensityPpm: 1_000, value: 10 };
  const approved = { by: 'Bench', on: '2026-01-01', until: '2099-01-01' };
  const ladder = [
    { tier: 'segment', arbitrate: { tag: 't' } },
    { tier: 'anonymous', variant: 'v', approved },
  ];
  return JSON.stringify({
    stepwell: 1,
    policy: 'worst',
    contextualWithoutSignal: true,
    attributes: {
      request: Object.fromEntries(
        Object.entries({ n: 'int', text: 'string', other: 'string', list: 'strings' }).map(([name, type]) => [name, { type, class: 'S0' }]),
      ),
    },
    deadline: { defaultMs: 60, minMs: 5, maxMs: 500 },
    zones: { rail: { kind: 'offer', ladder } },
    pages: { home: { zones: ['rail'] } },
    variants: { v: { content: {} } },
    offers: Object.fromEntries(Array.from({ length: offerCount }, (_, at) => [`offer-${at}`, offer])),
  });
}

/** The most offers that load with a condition, to a tenth. */
function largestOf(when: string): { readonly offers: number; readonly artefact: Artefact } {
  const load = (offers: number) => compilePolicy(policyOf(offers, when), { file: 'worst.json', nowMs: clock.nowMs() }).artefact;
  let offers = 1;
  let artefact = load(offers);
  for (let step = 2; step > 1.05; ) {
    const larger = load(Math.ceil(offers * step));
    if (larger === null) step = Math.sqrt(step);
    else {
      offers = Math.ceil(offers * step);
      artefact = larger;
    }
  }
  if (artefact === null) throw new Error('one offer must load');
  return { offers, artefact };
}

function measurePolicies(): void {
  const request = {
    n: 7,
    text: 'a'.repeat(1024),
    other: `${'a'.repeat(511)}b`,
    list: Array.from({ length: 256 }, (_, at) => `item-${at}`),
  };
  const rows = Object.entries(dearConditions).map(([name, when]) => {
    const { offers, artefact } = largestOf(when);
    const zones = ['rail'];
    const asked = { nowMs: clock.nowMs(), page: 'home', zones, shownOffers: [], request, audiences: null, explain: false } as const;
    const spent: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const startMs = clock.monotonicMs();
      decide(artefact, { ...asked, audience: 'personal' }, noEvidence);
      spent.push(Math.round((clock.monotonicMs() - startMs) * 1000));
    }
    const [first = 0] = spent;
    spent.sort((a, b) => a - b);
    return { name, offers, first, least: spent[0], median: spent[spent.length >> 1] };
  });
  console.table(rows);
}

console.log('The largest policies that load: microseconds of a decision. The first also works out what is kept of a policy.');
measurePolicies();
console.log('Requests: microseconds of CPU.');
await measureRequests(compiled(await readFile(new URL('../examples/retail.yaml', import.meta.url), 'utf8'), 'examples/retail.yaml'));
