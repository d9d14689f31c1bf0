/** Erasures and exports over HTTP, and that nobody can tell somebody erased from somebody never seen: not by a byte, a header or a figure. */
import { Redis } from 'ioredis';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { erasureRead, exportRead } from '../../src/contract/schemas.ts';
import { tombstoneKey } from '../../src/records/keys.ts';
import { linksPerSubjectMax } from '../../src/records/limits.ts';
import type { Store } from '../../src/records/store.ts';
import { openRedisStore } from '../../src/redis/redis-store.ts';
import { startTelemetry } from '../../src/telemetry/start.ts';
import { type RunningRedis, startRedis } from '../support/redis-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { call, keyOf } from './callers.ts';
import { startService, type TestService } from './service.ts';

const recordedAt = '2026-11-21T11:00:00Z';
const granted = { content_personalization: 'granted', profile_activation_content: 'granted', offers: 'granted' };

async function writeAll(service: TestService, subject: string): Promise<readonly number[]> {
  const puts = [
    [`/v1/profiles/${subject}`, { attributes: { loyalty: 'gold' }, audiences: ['lapsed'] }],
    [`/v1/consents/${subject}`, { useCases: granted, recordedAt }],
    [`/v1/identities/device/device-of-${subject}`, { subject, method: 'deterministic' }],
    [`/v1/identities/crm/record-of-${subject}`, { subject, method: 'probabilistic', confidencePpm: 900_000 }],
  ] as const;
  const statuses: number[] = [];
  for (const [url, payload] of puts) statuses.push((await call(service, { method: 'PUT', url, payload })).status);
  return statuses;
}

const erase = (service: TestService, subject: string, headers: Record<string, string> = {}) =>
  service.app.inject({ method: 'POST', url: '/v1/erasures', payload: { subject }, headers });

describe('an erasure', () => {
  it('is answered with a receipt, which can be looked at', async () => {
    const service = await startService();
    await writeAll(service, 'ada');
    const answer = await erase(service, 'ada');
    expect(answer.statusCode).toBe(202);
    const receipt = erasureRead.parse(answer.json());
    const nowMs = service.clock.nowMs();
    expect(receipt).toMatchObject({
      state: 'completed',
      requestedAt: new Date(nowMs).toISOString(),
      tombstoneUntil: new Date(nowMs + 45 * 86_400_000).toISOString(),
      backupHorizonDays: 45,
    });
    expect(answer.payload).not.toContain('ada');
    const look = await call(service, { url: `/v1/erasures/${receipt.id}` });
    expect(look.status).toBe(200);
    expect(look.json()).toEqual(receipt);
    expect(look.headers['cache-control']).toBe('private, no-store');
    expect((await call(service, { url: '/v1/erasures/nothing-of-that-name-here' })).status).toBe(404);
  });

  it('refuses every later write with a 409, and none once it is lifted', async () => {
    const service = await startService();
    await writeAll(service, 'ada');
    const { id } = (await erase(service, 'ada')).json();
    expect(await writeAll(service, 'ada')).toEqual([409, 409, 409, 409]);
    expect((await call(service, { url: '/v1/profiles/ada' })).status).toBe(404);
    expect((await call(service, { method: 'DELETE', url: `/v1/erasures/${id}` })).status).toBe(204);
    expect((await call(service, { method: 'DELETE', url: `/v1/erasures/${id}` })).status).toBe(404);
    expect((await call(service, { url: `/v1/erasures/${id}` })).status).toBe(404);
    expect(await writeAll(service, 'ada')).toEqual([201, 201, 201, 201]);
  });

  it('is not lifted before it has deleted everything', async () => {
    const store = await redisStore();
    const service = await startService({ store });
    const { id } = (await erase(service, 'ada')).json();
    const observer = new Redis(server.url);
    onTestFinished(() => observer.disconnect());
    const text = (await observer.get(tombstoneKey(id))) ?? '';
    await observer.set(tombstoneKey(id), text.slice(0, text.indexOf('|') + 1), 'KEEPTTL');
    const lift = () => call(service, { method: 'DELETE', url: `/v1/erasures/${id}` });
    expect((await call(service, { url: `/v1/erasures/${id}` })).json()).toMatchObject({ state: 'running', completedAt: null });
    expect((await lift()).json()).toMatchObject({ status: 409, code: 'erasure_running' });
    expect((await erase(service, 'ada')).json()).toMatchObject({ state: 'completed' });
    expect((await lift()).status).toBe(204);
  });

  it('answers the same receipt to a request that is sent again with its key', async () => {
    const service = await startService();
    const first = (await erase(service, 'ada', { 'idempotency-key': 'ticket-7' })).json();
    service.clock.advance(60_000);
    expect((await erase(service, 'ada', { 'idempotency-key': 'ticket-7' })).json()).toEqual(first);
    expect((await erase(service, 'ada', { 'idempotency-key': 'ticket-8' })).json().requestedAt).not.toBe(first.requestedAt);
  });

  it.each<[string, unknown, Record<string, string>, string]>([
    ['no subject', {}, {}, '/subject'],
    ['a word for nobody', { subject: 'undefined' }, {}, '/subject'],
    ['more than a subject', { subject: 'ada', reason: 'asked' }, {}, '/reason'],
    ['a key that is no word', { subject: 'ada' }, { 'idempotency-key': 'two words' }, '/idempotency-key'],
    ['a key that is too long', { subject: 'ada' }, { 'idempotency-key': 'x'.repeat(65) }, '/idempotency-key'],
  ])('is refused for %s', async (_, payload, headers, pointer) => {
    const { app } = await startService();
    const answer = await app.inject({ method: 'POST', url: '/v1/erasures', payload: payload as object, headers });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().errors[0].pointer).toBe(pointer);
  });

  it('finds all that is linked, so no more than 256 identities are', async () => {
    const service = await startService();
    const put = (n: number) =>
      call(service, { method: 'PUT', url: `/v1/identities/crm/record-${n}`, payload: { subject: 'ada', method: 'deterministic' } });
    for (let n = 0; n < linksPerSubjectMax; n += 1) expect((await put(n)).status).toBe(201);
    expect((await put(linksPerSubjectMax)).json()).toMatchObject({ status: 409, code: 'too_many_links' });
    expect((await put(0)).status).toBe(204);
  });

  it('takes a key for erasures or one for profiles, and an export one for profiles', async () => {
    const apiKeys = [keyOf('desk', ['erasures']), keyOf('crm', ['profiles']), keyOf('cmp', ['consents']), keyOf('edge', ['decide'])];
    const service = await startService({ apiKeys });
    const statuses = async (key: string) => [
      (await call(service, { method: 'POST', url: '/v1/erasures', payload: { subject: 'ada' }, key })).status,
      (await call(service, { url: '/v1/exports/ada', key })).status,
    ];
    expect(await statuses('key-desk')).toEqual([202, 403]);
    expect(await statuses('key-crm')).toEqual([202, 200]);
    expect(await statuses('key-cmp')).toEqual([403, 403]);
    expect(await statuses('key-edge')).toEqual([403, 403]);
  });
});

describe('an export', () => {
  it('tells everything that is stored of a subject, and nothing of anybody else', async () => {
    const service = await startService();
    await writeAll(service, 'ada');
    await writeAll(service, 'bob');
    await call(service, { method: 'POST', url: '/v1/revocations', payload: { subject: 'ada' } });
    const answer = await call(service, { url: '/v1/exports/ada' });
    expect(answer.status).toBe(200);
    expect(answer.headers['cache-control']).toBe('private, no-store');
    const told = exportRead.parse(answer.json());
    expect(told).toMatchObject({
      subject: 'ada',
      profile: { attributes: { loyalty: 'gold' }, audiences: ['lapsed'] },
      consent: { useCases: granted, recordedAt: new Date(recordedAt).toISOString(), source: 'api' },
      generation: 1,
      erasure: null,
    });
    expect(told.identities.map(({ method, confidencePpm }) => [method, confidencePpm])).toEqual([
      ['deterministic', 1_000_000],
      ['probabilistic', 900_000],
    ]);
    expect(JSON.stringify(told)).not.toMatch(/bob|device-of|record-of/);
  });

  it('of somebody never seen is empty, and of somebody erased tells of the erasure', async () => {
    const service = await startService();
    const empty = { profile: null, consent: null, identities: [], generation: 0 };
    expect((await call(service, { url: '/v1/exports/ada' })).json()).toEqual({ subject: 'ada', ...empty, erasure: null });
    await writeAll(service, 'ada');
    const receipt = (await erase(service, 'ada')).json();
    expect((await call(service, { url: '/v1/exports/ada' })).json()).toEqual({ subject: 'ada', ...empty, erasure: receipt });
  });
});

let server: RunningRedis;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(async () => {
  await server?.stop();
});

/** Of a server of its own for each service, emptied before. */
async function redisStore(): Promise<Store> {
  const observer = new Redis(server.url);
  await observer.flushall();
  observer.disconnect();
  const store = openRedisStore({ url: server.url, keySecret: 'a secret of this test', commandTimeoutMs: 20_000, silenceMaxMs: 20_000 });
  expect(await store.connected(20_000)).toBe(true);
  onTestFinished(() => store.close());
  return store;
}

interface Seen {
  readonly answers: readonly string[];
  readonly metrics: readonly string[];
  readonly logged: readonly string[];
}

/** All that anybody sees of decisions about one person, of whom `before` may have written and erased something. */
async function seenOf(store: Store | undefined, subject: string, before: (service: TestService) => Promise<unknown>): Promise<Seen> {
  const logged: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) });
  const telemetry = await startTelemetry({ clock: new VirtualClock(), env: {} });
  onTestFinished(() => telemetry.shutdown());
  const service = await startService({ ...(store === undefined ? {} : { store }), telemetry, logger });
  await before(service);
  logged.length = 0;
  const token = await service.tokenOf(subject);
  const deviceId = `device-of-${subject}`;
  const consent = { useCases: granted };
  const asks = [
    { identity: { token } },
    { identity: { token }, consent },
    { identity: { token, deviceId }, consent },
    { identity: { deviceId }, consent },
    { identity: { token, deviceId }, consent, explain: true },
    { identity: { token }, consent, context: { country: 'DE' } },
  ];
  const answers: string[] = [];
  for (const accept of ['application/json', 'application/x-ndjson']) {
    for (const ask of asks) {
      const answer = await service.app.inject({
        method: 'POST',
        url: '/v1/decide',
        headers: { accept },
        payload: { page: 'home', ...ask },
      });
      expect(answer.statusCode).toBe(200);
      answers.push(JSON.stringify(answer.headers), answer.payload);
    }
  }
  return { answers: answers.map(withoutIds), metrics: (await telemetry.metricsText()).split('\n'), logged: logged.map(withoutIds) };
}

/** Request and decision ids, and the instants that headers and log lines carry. */
function withoutIds(text: string): string {
  return text
    .replace(/\b01[0-9A-HJKMNP-TV-Z]{24}\b/g, 'ID')
    .replace(/"time":\d+/, '"time":0')
    .replace(/"date":"[^"]+"/, '"date":""');
}

describe.each<[string, () => Promise<Store | undefined>]>([
  ['the embedded store', async () => undefined],
  ['the Redis store', redisStore],
])('somebody erased, with %s', (_, open) => {
  it('is not to be told from somebody never seen: not by answers, headers, metrics or log lines', async () => {
    const erased = await seenOf(await open(), 'ada', async (service) => {
      expect(await writeAll(service, 'ada')).toEqual([201, 201, 201, 201]);
      expect((await erase(service, 'ada')).statusCode).toBe(202);
    });
    const never = await seenOf(await open(), 'ada', async () => {});
    expect(erased.answers).toEqual(never.answers);
    expect(erased.logged).toEqual(never.logged);
    expect(erased.metrics).toEqual(never.metrics);
    expect(erased.metrics.some((line) => line.includes('profile_absent'))).toBe(true);
  });

  it('is told from somebody known, so the comparison can fail', async () => {
    const known = await seenOf(await open(), 'ada', (service) => writeAll(service, 'ada'));
    const never = await seenOf(await open(), 'ada', async () => {});
    expect(known.answers).not.toEqual(never.answers);
    expect(known.metrics).not.toEqual(never.metrics);
  });
});
