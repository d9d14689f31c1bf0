/** Decisions from facts that a real HTTP server on this machine tells, through the whole service. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { buildManagement } from '../../src/app.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { createSourceKeeper } from '../../src/sources/sources.ts';
import { systemClock } from '../../src/time/clock.ts';
import { startService } from './service.ts';

interface Heard {
  readonly line: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

type Answer = { readonly status: number; readonly json?: unknown } | 'never';

const goldPerson: Readonly<Record<string, Answer>> = {
  'GET /devices/d-one-1': { status: 200, json: { person: 'person-2' } },
  'GET /devices/d-9': { status: 200, json: { person: 'person-1' } },
  'GET /people/person-1': { status: 200, json: { tier: 'gold', days: 3 } },
  'GET /audiences?of=person-1': { status: 200, json: { members: [{ name: 'lapsed' }, { name: 'unheard-of' }] } },
  'POST /score': { status: 200, json: { scores: { first: 100, second: 900_000, third: 5 } } },
};

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? null : JSON.parse(text);
}

/** The person's services, on one port. */
async function startServices(answers: Readonly<Record<string, Answer>>) {
  const heard: Heard[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const line = `${request.method} ${request.url}`;
    heard.push({ line, authorization: request.headers.authorization, body: await bodyOf(request) });
    const answer = answers[line] ?? { status: 404 };
    if (answer === 'never') return;
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(answer.json === undefined ? '' : JSON.stringify(answer.json));
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { heard, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** The clock is the machine's, and that may be busy with everything else: whoever does not ask for trouble has a minute. */
const patientMs = 60_000;

async function start(answers = goldPerson, profileBudgetMs = patientMs) {
  const services = await startServices(answers);
  const last = '{ tier: anonymous, variant: standard, approved: { by: Brand, on: 2026-11-01, until: 2099-11-01 } }';
  const text = readFileSync('test/http/sources.yaml', 'utf8')
    .replaceAll('ORIGIN', services.origin)
    .replaceAll('LAST', last)
    .replaceAll('PROFILE_BUDGET_MS', String(profileBudgetMs));
  const { artefact, problems } = compilePolicy(text, { file: 'sources.yaml', nowMs: Date.UTC(2026, 10, 21) });
  if (artefact === null) throw new Error(JSON.stringify(problems));
  const keeper = createSourceKeeper({
    environment: { STEPWELL_SOURCE_TEST: 'Bearer of-the-service' },
    origins: [services.origin],
    networks: ['127.0.0.0/8'],
    clock: systemClock,
  });
  onTestFinished(() => keeper.close());
  const sources = await keeper.sourcesFor(artefact);
  const service = await startService({ policy: { current: () => ({ artefact, stale: false, sources }) } });
  const decide = async (body: object) => (await service.app.inject({ method: 'POST', url: '/v1/decide', payload: body })).json();
  return { ...services, ...service, artefact, sources, decide };
}

const useCases = {
  content_personalization: 'granted',
  profile_activation_content: 'granted',
  offers: 'granted',
  profile_activation_offer: 'granted',
};
const generous = { deadlineMs: patientMs, consent: { useCases } };

describe('a person whose facts come over HTTP', () => {
  test('is decided for by what each source said', async () => {
    const service = await start();
    const token = await service.tokenOf('person-1');
    const decided = await service.decide({ page: 'home', identity: { token }, context: { device: 'mobile' }, ...generous });
    expect(decided.zones).toMatchObject([
      { zone: 'hero', tier: 'user', variant: 'gold', downgrade: null },
      { zone: 'back', tier: 'user', variant: 'gold' },
      { zone: 'rail', tier: 'user', offer: 'second' },
    ]);
    expect(service.heard.map(({ line }) => line).sort()).toEqual(['GET /audiences?of=person-1', 'GET /people/person-1', 'POST /score']);
    expect(service.heard.find(({ line }) => line.startsWith('GET /people'))?.authorization).toBe('Bearer of-the-service');
    expect(service.heard.find(({ line }) => line === 'POST /score')?.body).toEqual({ subject: 'person-1', request: { device: 'mobile' } });
  });

  test('is asked about only where a zone needs it, and consent was given', async () => {
    const service = await start();
    const token = await service.tokenOf('person-1');
    await service.decide({ zones: ['back'], identity: { token }, ...generous });
    expect(service.heard.map(({ line }) => line)).toEqual(['GET /audiences?of=person-1']);
    service.heard.length = 0;
    await service.decide({ zones: ['plain'], identity: { token }, ...generous });
    const silent = await service.decide({ page: 'home', identity: { token }, deadlineMs: patientMs });
    await service.decide({ page: 'home', ...generous });
    expect(silent.zones[0].downgrade).toMatchObject({ reason: 'consent_unavailable' });
    expect(service.heard).toEqual([]);
  });

  test('is never asked about for the half of a decision that is shared', async () => {
    const service = await start();
    const shared = await service.app.inject('/v1/decide?page=home');
    expect(shared.statusCode).toBe(200);
    expect(service.heard).toEqual([]);
  });

  test('is explained without a word of what the sources said', async () => {
    const service = await start();
    const token = await service.tokenOf('person-1');
    const decided = await service.decide({ page: 'home', identity: { token }, explain: true, ...generous });
    expect(decided.zones[0].explain.facts).toMatchObject({ profile: 'known', audience: 'known', model: 'known' });
  });

  test('a device that a source links to somebody else keeps the person from being taken for proved', async () => {
    const service = await start();
    const token = await service.tokenOf('person-1');
    const ask = (deviceId: string) => service.decide({ zones: ['hero'], identity: { token, deviceId }, ...generous });
    expect(await ask('d-one-1')).toMatchObject({
      identity: { state: 'partial' },
      zones: [{ tier: 'anonymous', downgrade: { reason: 'identity_partial' } }],
    });
    expect(await ask('d-9')).toMatchObject({ identity: { state: 'high_confidence' }, zones: [{ tier: 'user' }] });
    expect(await ask('d-none')).toMatchObject({ identity: { state: 'high_confidence' }, zones: [{ tier: 'user' }] });
    expect(await service.decide({ zones: ['hero'], identity: { deviceId: 'd-one-1' }, ...generous })).toMatchObject({
      identity: { state: 'partial' },
    });
  });
});

describe('a source in trouble', () => {
  test('steps down what hangs on it, says so, and renders as the dependency asks', async () => {
    const service = await start({
      ...goldPerson,
      'GET /people/person-1': { status: 500 },
      'POST /score': { status: 200, json: { scores: { first: 0.5 } } },
    });
    const token = await service.tokenOf('person-1');
    const decided = await service.decide({ page: 'home', identity: { token }, ...generous });
    expect(decided.zones).toMatchObject([
      { zone: 'hero', render: 'defer', downgrade: { reason: 'profile_failed', dependency: 'profile', cause: 'fault' } },
      { zone: 'back', tier: 'user' },
      { zone: 'rail', render: 'now', downgrade: { reason: 'model_unavailable', dependency: 'model', cause: 'data' } },
    ]);
  });

  test('that never answers costs its budget and no more', async () => {
    const service = await start({ ...goldPerson, 'GET /people/person-1': 'never' }, 30);
    const token = await service.tokenOf('person-1');
    const decided = await service.decide({ zones: ['hero'], identity: { token }, ...generous });
    expect(decided.zones).toMatchObject([
      { render: 'defer', downgrade: { reason: 'profile_timeout', dependency: 'profile', cause: 'time' } },
    ]);
  });

  test('is shown on the status page, and left alone after five failures', async () => {
    const service = await start({ ...goldPerson, 'GET /people/person-1': { status: 500 } });
    const token = await service.tokenOf('person-1');
    const ask = () => service.decide({ zones: ['hero'], identity: { token }, ...generous });
    const reasons = [];
    for (let asked = 0; asked < 8; asked += 1) reasons.push((await ask()).zones[0].downgrade.reason);
    expect(reasons.slice(0, 5)).toEqual(Array(5).fill('profile_failed'));
    expect(reasons.slice(5)).toEqual(Array(3).fill('circuit_open'));
    expect(service.heard.filter(({ line }) => line.startsWith('GET /people'))).toHaveLength(5);
    const management = await buildManagement(service.parts);
    onTestFinished(() => management.close());
    const { dependencies } = (await management.inject('/status')).json();
    expect(dependencies.profile).toMatchObject({
      source: 'http',
      state: 'down',
      breaker: 'open',
      fault: 'status_server_error',
      asks: 8,
      calls: 5,
      since: expect.any(String),
    });
    expect(dependencies.audience).toMatchObject({ source: 'http', state: 'unknown', breaker: 'closed' });
    expect(Object.keys(dependencies)).toEqual(['identity', 'consent', 'profile', 'session', 'store', 'resolver', 'audience', 'model']);
  });
});
