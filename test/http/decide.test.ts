/** POST /v1/decide over HTTP: each tier of the contract's own policy, the ways down, and what the caller is told. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { decideEnvelope, decideResponse, zoneDecision } from '../../src/contract/schemas.ts';
import { startTelemetry } from '../../src/telemetry/start.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { startService, type TestService } from './service.ts';

const allGranted = {
  content_personalization: 'granted',
  offers: 'granted',
  profile_activation_content: 'granted',
  profile_activation_offer: 'granted',
};

async function decideJson({ app }: TestService, payload: unknown, headers: Record<string, string> = {}) {
  const response = await app.inject({ method: 'POST', url: '/v1/decide', payload: payload as object, headers });
  return { response, body: response.json() };
}

describe('POST /v1/decide', () => {
  it('serves the user tier to a verified person with consent and a profile', async () => {
    const service = await startService();
    await service.store.putProfile('ada', { attributes: { loyalty: 'gold' }, audiences: [] }, 600);
    const token = await service.tokenOf('ada');
    const { response, body } = await decideJson(service, { page: 'home', identity: { token }, consent: { useCases: allGranted } });
    expect(response.statusCode).toBe(200);
    expect(decideResponse.parse(body)).toEqual(body);
    expect(body.identity).toEqual({ state: 'high_confidence' });
    expect(body.zones[0]).toMatchObject({ zone: 'hero', tier: 'user', variant: 'hero-gold', downgrade: null, render: 'now' });
    expect(body.deadline).toEqual({ declaredMs: null, effectiveMs: 58 });
  });

  it('serves the session tier to a visit that we know, with consent', async () => {
    const service = await startService();
    const made = await service.app.inject({ method: 'POST', url: '/v1/sessions', payload: { attributes: { last_category: 'shoes' } } });
    expect(made.statusCode).toBe(201);
    const { sessionId } = made.json();
    const { body } = await decideJson(service, {
      zones: ['hero'],
      identity: { sessionId },
      consent: { useCases: { content_personalization: 'granted' } },
    });
    expect(body.zones[0]).toMatchObject({ tier: 'session', variant: 'hero-shoes', intendedTier: 'user' });
    expect(body.zones[0].downgrade).toMatchObject({ from: 'user', to: 'session' });
  });

  it('serves segment on the request alone, and anonymous on nothing', async () => {
    const service = await startService();
    const segment = await decideJson(service, { zones: ['hero'], context: { country: 'DE' } });
    expect(segment.body.zones[0]).toMatchObject({ tier: 'segment', variant: 'hero-dach' });
    const anonymous = await decideJson(service, { zones: ['hero'] });
    expect(anonymous.body.zones[0]).toMatchObject({ tier: 'anonymous', variant: 'hero-standard' });
  });

  it('answers in one write with Content-Length, private and not to be stored, with stage times in a header only', async () => {
    const { response } = await decideJson(await startService(), { page: 'home' });
    expect(response.headers).toMatchObject({ 'cache-control': 'private, no-store', 'x-content-type-options': 'nosniff' });
    expect(Number(response.headers['content-length'])).toBe(response.rawPayload.length);
    expect(response.headers['server-timing']).toMatch(/gather;dur=[\d.]+, decide;dur=[\d.]+, total;dur=/);
    expect(response.headers['stepwell-request-id']).toBe(response.json().decisionId);
    for (const name of ['etag', 'surrogate-key', 'cache-tag']) expect(response.headers).not.toHaveProperty(name);
  });

  it('keeps the order asked for', async () => {
    const { body } = await decideJson(await startService(), { zones: [{ id: 'offer_rail', budgetMs: 5 }, 'hero'] });
    expect(body.zones.map(({ zone }: { zone: string }) => zone)).toEqual(['offer_rail', 'hero']);
  });

  it('takes the smaller of both deadlines, within the policy’s bounds, less the margin', async () => {
    const service = await startService();
    const deadlineOf = async (payload: object, header?: string) =>
      (await decideJson(service, { page: 'home', ...payload }, header === undefined ? {} : { 'stepwell-deadline-ms': header })).body
        .deadline;
    expect(await deadlineOf({ deadlineMs: 100 })).toEqual({ declaredMs: 100, effectiveMs: 98 });
    expect(await deadlineOf({ deadlineMs: 100 }, '50')).toEqual({ declaredMs: 50, effectiveMs: 48 });
    expect(await deadlineOf({ deadlineMs: 40 }, '50')).toEqual({ declaredMs: 40, effectiveMs: 38 });
    expect(await deadlineOf({ deadlineMs: 1_000_000 })).toEqual({ declaredMs: 1_000_000, effectiveMs: 498 });
    expect(await deadlineOf({ deadlineMs: 0 })).toEqual({ declaredMs: 0, effectiveMs: 3 });
  });

  it('takes empty strings for absent signals, and `unavailable` for nothing said', async () => {
    const { response, body } = await decideJson(await startService(), {
      page: '',
      zones: ['hero'],
      identity: { token: '', proof: '', sessionId: '', deviceId: '' },
      consent: { tcf: '', gpp: '', usPrivacy: '', useCases: { offers: 'unavailable', content_personalization: '' } },
      context: { country: '', device: '', audiences: [] },
    });
    expect(response.statusCode).toBe(200);
    expect(body.zones[0]).toMatchObject({ tier: 'anonymous' });
  });

  it('hears Sec-GPC among several lines', async () => {
    const { body } = await decideJson(await startService(), { zones: ['hero'], consent: { useCases: allGranted } }, { 'sec-gpc': '1' });
    expect(body.consent).toMatchObject({ offers: 'denied', content_personalization: 'granted', gpc: { received: true } });
  });

  it('explains when asked, and then nothing may be cached', async () => {
    const { body } = await decideJson(await startService(), { zones: ['hero'], explain: true });
    expect(body.zones[0].explain.rungs).toHaveLength(4);
    expect(body.zones[0].cache.scope).toBe('none');
    expect(decideResponse.parse(body)).toEqual(body);
  });

  it('streams a line for each zone and closes with the envelope', async () => {
    const { app } = await startService();
    const headers = { accept: 'application/x-ndjson' };
    const response = await app.inject({ method: 'POST', url: '/v1/decide', payload: { page: 'home' }, headers });
    expect(response.headers).toMatchObject({ 'content-type': 'application/x-ndjson; charset=utf-8', 'cache-control': 'private, no-store' });
    const lines = response.payload
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(3);
    for (const zone of lines.slice(0, 2)) expect(zoneDecision.parse(zone)).toEqual(zone);
    expect(decideEnvelope.parse(lines[2])).toEqual(lines[2]);
  });
});

describe('a store that does not answer', () => {
  it('decides each zone at its own instant, earliest first, and says what was late', async () => {
    const slow = slowStore();
    const service = await startService({ store: slow.store });
    const token = await service.tokenOf('ada');
    const headers = { accept: 'application/x-ndjson' };
    const payload = { page: 'home', identity: { token }, consent: { useCases: allGranted } };
    const answering = service.app.inject({ method: 'POST', url: '/v1/decide', payload, headers });
    await slow.asked;
    service.clock.advance(100);
    const lines = (await answering).payload
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ zone }) => zone)).toEqual(['offer_rail', 'hero', undefined]);
    expect(lines[0]).toMatchObject({ render: 'defer', downgrade: { cause: 'time' }, cache: { scope: 'none', degraded: true } });
    expect(lines[1]).toMatchObject({ render: 'now', downgrade: { cause: 'time' } });
    expect(service.clock.pendingTimers).toBe(0);
  });

  it('counts as late where one zone had to do without, and is timed from asking until it was given up', async () => {
    const slow = slowStore();
    const telemetry = await startTelemetry({ clock: new VirtualClock(), env: {} });
    onTestFinished(() => telemetry.shutdown());
    const service = await startService({ store: slow.store, telemetry });
    const token = await service.tokenOf('ada');
    const payload = { page: 'home', identity: { token }, consent: { useCases: allGranted } };
    const answering = service.app.inject({ method: 'POST', url: '/v1/decide', payload });
    await slow.asked;
    service.clock.advance(100);
    expect((await answering).statusCode).toBe(200);
    const told = (await telemetry.metricsText()).split('\n');
    for (const dependency of ['consent', 'profile']) {
      expect(told).toContain(`stepwell_facts_total{dependency="${dependency}",state="late"} 1`);
      expect(told).toContain(`stepwell_dependency_duration_milliseconds_count{dependency="${dependency}",state="late"} 1`);
    }
    expect(told.filter((line) => line.includes('duration') && line.includes('dependency="session"'))).toEqual([]);
  });

  it('is a fact like any other: the answer is a 200', async () => {
    const broken = { kind: 'embedded', read: async () => Promise.reject(new Error('gone')) } as never;
    const service = await startService({ store: broken });
    const token = await service.tokenOf('ada');
    const { response, body } = await decideJson(service, { page: 'home', identity: { token }, consent: { useCases: allGranted } });
    expect(response.statusCode).toBe(200);
    expect(body.zones[0].downgrade).toMatchObject({ cause: 'fault' });
  });
});

/** Is asked, and never answers. */
function slowStore() {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const read = () => {
    resolve();
    return new Promise<never>(() => {});
  };
  return { asked, store: { kind: 'embedded', read } as never };
}
