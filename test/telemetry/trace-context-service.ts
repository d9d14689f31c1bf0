/** A whole service on a port, traced, whose sources are a server here: what goes in as a trace, and what comes out at the other end. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { onTestFinished } from 'vitest';
import { compilePolicy } from '../../src/policy/compile.ts';
import { createSourceKeeper } from '../../src/sources/sources.ts';
import { startTelemetry, type TelemetryOptions } from '../../src/telemetry/start.ts';
import type { Telemetry } from '../../src/telemetry/telemetry.ts';
import { systemClock } from '../../src/time/clock.ts';
import { startService } from '../http/service.ts';

export type Header = readonly [name: string, value: string];
export type EndedSpan = Parameters<NonNullable<TelemetryOptions['spanProcessors']>[number]['onEnd']>[0];

export interface OutgoingCall {
  readonly path: string;
  readonly headers: readonly Header[];
}

export interface TracedService {
  /** Sends these headers, as they are written here, and answers with every request that the service then made. */
  callsFor(headers: readonly Header[], zones?: readonly string[]): Promise<readonly OutgoingCall[]>;
  readonly spans: readonly EndedSpan[];
}

/** One call, to the source of audiences. */
export const oneCall = ['back'] as const;
/** One to each of the sources of profiles, audiences and models. */
export const threeCalls = ['hero', 'back', 'rail'] as const;

const answers: Readonly<Record<string, unknown>> = {
  '/people/person-1': { tier: 'gold', days: 3 },
  '/audiences?of=person-1': { members: [{ name: 'lapsed' }] },
  '/score': { scores: { first: 100, second: 900_000 } },
};
const granted = ['content_personalization', 'profile_activation_content', 'offers', 'profile_activation_offer'];
const useCases = Object.fromEntries(granted.map((name) => [name, 'granted']));
/** The clock is the machine's, and that may be busy with everything else. */
const patientMs = 60_000;

export async function tracedService(given?: Telemetry): Promise<TracedService> {
  const calls: OutgoingCall[] = [];
  const origin = await startSources(calls);
  const artefact = policyAsking(origin);
  const keeper = createSourceKeeper({
    environment: { STEPWELL_SOURCE_TEST: 'Bearer of-the-service' },
    origins: [origin],
    networks: ['127.0.0.0/8'],
    clock: systemClock,
  });
  const sources = await keeper.sourcesFor(artefact);
  const spans: EndedSpan[] = [];
  const telemetry = given ?? (await startTelemetry({ clock: systemClock, env: {}, spanProcessors: [keeping(spans)] }));
  const service = await startService({ telemetry, policy: { current: () => ({ artefact, stale: false, sources }) } });
  onTestFinished(async () => {
    await keeper.close();
    await telemetry.shutdown();
  });
  await service.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = service.app.server.address() as AddressInfo;
  const token = await service.tokenOf('person-1');

  return {
    spans,
    async callsFor(headers, zones = oneCall) {
      calls.length = 0;
      const body = JSON.stringify({ zones, identity: { token }, deadlineMs: patientMs, consent: { useCases } });
      const head = [
        'POST /v1/decide HTTP/1.1',
        'Host: 127.0.0.1',
        'Connection: close',
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
        ...headers.map(([name, value]) => `${name}: ${value}`),
      ];
      const answer = await exchange(port, `${head.join('\r\n')}\r\n\r\n${body}`);
      if (!answer.startsWith('HTTP/1.1 200 ')) throw new Error(`not answered: ${answer.slice(0, 300)}`);
      return [...calls];
    },
  };
}

async function startSources(calls: OutgoingCall[]): Promise<string> {
  const server = createServer(({ url = '', rawHeaders }, response) => {
    const headers = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ''] as const] : []));
    calls.push({ path: url, headers });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answers[url]));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function policyAsking(origin: string) {
  const last = '{ tier: anonymous, variant: standard, approved: { by: Brand, on: 2026-11-01, until: 2099-11-01 } }';
  const text = readFileSync('test/http/sources.yaml', 'utf8')
    .replaceAll('ORIGIN', origin)
    .replaceAll('LAST', last)
    .replaceAll('PROFILE_BUDGET_MS', String(patientMs));
  const { artefact, problems } = compilePolicy(text, { file: 'sources.yaml', nowMs: Date.UTC(2026, 10, 21) });
  if (artefact === null) throw new Error(JSON.stringify(problems));
  return artefact;
}

function keeping(spans: EndedSpan[]): NonNullable<TelemetryOptions['spanProcessors']>[number] {
  return { onStart() {}, onEnd: (span) => void spans.push(span), forceFlush: async () => {}, shutdown: async () => {} };
}

/** By hand: clients write, fold and refuse headers as they think right. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.once('error', reject).once('close', () => resolve(text));
  });
}
