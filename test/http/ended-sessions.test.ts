/** Logging out: a session that was ended is over for whoever still carries its id. */
import { describe, expect, it } from 'vitest';
import { createVisitorWrites, visitorSessionsMax, visitorWriteSize } from '../../src/http/visitor-writes.ts';
import { noTelemetry } from '../../src/telemetry/telemetry.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { startService, type TestService } from './service.ts';

const personal = { consent: { useCases: { content_personalization: 'granted' } } };

async function send({ app }: TestService, method: 'POST' | 'DELETE' | 'PATCH', url: string, payload?: object, headers = {}) {
  const response = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
  return { status: response.statusCode, body: response.body === '' ? null : response.json(), headers: response.headers };
}

async function session(service: TestService): Promise<string> {
  const { body } = await send(service, 'POST', '/v1/sessions', { attributes: { last_category: 'shoes' } });
  return body.sessionId;
}

async function decide(service: TestService, sessionId: string) {
  const { body } = await send(service, 'POST', '/v1/decide', { zones: ['hero'], identity: { sessionId }, ...personal });
  const [hero] = body.zones;
  return { state: body.identity.state, tier: hero.tier, steps: hero.downgrade.steps.map(({ reason }: { reason: string }) => reason) };
}

const lively = { state: 'session_known', tier: 'session', steps: ['activation_unavailable'] };
const over = { state: 'anonymous', tier: 'anonymous', steps: ['activation_unavailable', 'identity_session_invalid', 'no_eligible_offer'] };

describe('what visitors write with a session id alone', () => {
  it('is taken a hundred times at once, then ten times a second, of each session by itself and wherever from', async () => {
    const clock = new VirtualClock();
    const limited: string[] = [];
    const telemetry = { ...noTelemetry, metrics: { ...noTelemetry.metrics, requestLimited: (why: string) => void limited.push(why) } };
    const service = await startService({ clock, telemetry });
    const [one, other] = [await session(service), await session(service)];
    const withdraw = (sessionId: string) => send(service, 'POST', `/v1/sessions/${sessionId}/withdrawals`, { useCases: ['offers'] });
    for (let times = 0; times < visitorWriteSize.tokensMax; times += 1) expect((await withdraw(one)).status).toBe(204);
    const refused = await withdraw(one);
    expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' }, headers: { 'retry-after': '1' } });
    expect((await send(service, 'DELETE', `/v1/sessions/${one}`)).status).toBe(429);
    expect((await withdraw(other)).status).toBe(204);
    expect((await withdraw('hello')).status).toBe(404);
    clock.advance(1_000);
    expect((await send(service, 'DELETE', `/v1/sessions/${one}`)).status).toBe(204);
    expect(limited).toEqual(['session', 'session']);
  });

  it('takes no more room than is set aside, from however many sessions', () => {
    const writes = createVisitorWrites(new VirtualClock());
    for (let index = 0; index < 2 * visitorSessionsMax; index += 1) writes.take(`session-${index}`);
    expect(writes.names).toBe(visitorSessionsMax);
  });
});

describe('DELETE /v1/sessions/{sessionId}', () => {
  it('ends the session: its id is as if it had expired, and what it learned is gone', async () => {
    const service = await startService();
    const sessionId = await session(service);
    expect(await decide(service, sessionId)).toEqual(lively);
    expect((await send(service, 'DELETE', `/v1/sessions/${sessionId}`)).status).toBe(204);
    expect(await decide(service, sessionId)).toEqual(over);
    expect((await send(service, 'PATCH', `/v1/sessions/${sessionId}`, { attributes: { last_category: 'hats' } })).status).toBe(404);
    expect(await decide(service, sessionId)).toEqual(over);
  });

  it('leaves every other session as it was', async () => {
    const service = await startService();
    const [one, other] = [await session(service), await session(service)];
    await send(service, 'DELETE', `/v1/sessions/${one}`);
    expect(await decide(service, other)).toEqual(lively);
  });

  it('is taken back by nothing: neither by saying it again nor by a withdrawal', async () => {
    const service = await startService();
    const sessionId = await session(service);
    await send(service, 'DELETE', `/v1/sessions/${sessionId}`);
    expect((await send(service, 'DELETE', `/v1/sessions/${sessionId}`)).status).toBe(204);
    await send(service, 'POST', `/v1/sessions/${sessionId}/withdrawals`, { useCases: ['offers'] });
    expect((await decide(service, sessionId)).steps).toContain('identity_session_invalid');
  });

  it('forgets nothing that was withdrawn in it, before or after', async () => {
    const denied = async (service: TestService, sessionId: string) => {
      const asked = {
        zones: ['hero'],
        identity: { sessionId },
        consent: { useCases: { content_personalization: 'granted', offers: 'granted' } },
      };
      const { body } = await send(service, 'POST', '/v1/decide', asked);
      return [body.consent.content_personalization, body.consent.offers];
    };
    const service = await startService();
    const sessionId = await session(service);
    await send(service, 'POST', `/v1/sessions/${sessionId}/withdrawals`, { useCases: ['offers'] });
    await send(service, 'DELETE', `/v1/sessions/${sessionId}`);
    expect(await denied(service, sessionId)).toEqual(['granted', 'denied']);
    await send(service, 'POST', `/v1/sessions/${sessionId}/withdrawals`);
    expect(await denied(service, sessionId)).toEqual(['denied', 'denied']);
  });

  it('needs no key, since who carries the id is the visitor', async () => {
    const key = { id: 'k', sha256: 'ab'.repeat(32), scopes: ['decide'] } as const;
    const service = await startService({ apiKeys: [key] });
    const { sessionId } = service.parts.sessionIds.mint(60);
    expect((await send(service, 'DELETE', `/v1/sessions/${sessionId}`)).status).toBe(204);
  });

  it('knows no forged, no expired and no foreign id', async () => {
    const service = await startService();
    const { sessionId } = service.parts.sessionIds.mint(60);
    const forged = `${sessionId.slice(0, -1)}${sessionId.endsWith('A') ? 'B' : 'A'}`;
    for (const id of [forged, 'hello', 's1.x.y']) {
      expect(await send(service, 'DELETE', `/v1/sessions/${id}`), id).toMatchObject({ status: 404 });
    }
    service.clock.advance(60_000);
    expect((await send(service, 'DELETE', `/v1/sessions/${sessionId}`)).status).toBe(404);
  });
});
