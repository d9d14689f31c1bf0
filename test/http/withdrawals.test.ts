/** Taking consent back over HTTP: for a subject with a key, in a session without one; and that no grant on its way overtakes it. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { consentRead, sessionCreated, withdrawalDone } from '../../src/contract/schemas.ts';
import { personalUseCases } from '../../src/decision/vocabulary.ts';
import type { Store } from '../../src/records/store.ts';
import { startService, type TestService } from './service.ts';

const all = (state: 'granted' | 'denied') => Object.fromEntries(personalUseCases.map((useCase) => [useCase, state]));
const person = { zones: ['hero'] };

async function send({ app }: TestService, method: 'PUT' | 'POST' | 'PATCH' | 'GET', url: string, payload?: unknown, key?: string) {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const response = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload: payload as object }) });
  return { status: response.statusCode, body: response.payload === '' ? null : response.json(), headers: response.headers };
}

const recordedAt = ({ clock }: TestService): string => new Date(clock.nowMs()).toISOString();

/** Ada, who is shown gold. */
async function withAda(changes?: Parameters<typeof startService>[0]): Promise<TestService> {
  const service = await startService(changes);
  await send(service, 'PUT', '/v1/profiles/ada', { attributes: { loyalty: 'gold' } });
  await send(service, 'PUT', '/v1/consents/ada', { useCases: all('granted'), recordedAt: recordedAt(service) });
  return service;
}

async function tierOf(service: TestService, more: object = {}): Promise<string> {
  const identity = { token: await service.tokenOf('ada') };
  return (await send(service, 'POST', '/v1/decide', { ...person, identity, ...more })).body.zones[0].tier;
}

describe('a withdrawal for a subject', () => {
  it('needs no body, takes everything back, and the next decision obeys', async () => {
    const service = await withAda();
    expect(await tierOf(service)).toBe('user');
    service.clock.advance(1000);
    const { status, body, headers } = await send(service, 'POST', '/v1/consents/ada/withdrawals');
    expect([status, withdrawalDone.parse(body)]).toEqual([200, { generation: 2, recordedAt: recordedAt(service) }]);
    expect(headers['cache-control']).toBe('private, no-store');
    expect(await tierOf(service)).toBe('anonymous');
    expect(await tierOf(service, { consent: { useCases: all('granted') } })).toBe('anonymous');
  });

  it('takes back only what it names, categories too, and said again is the same', async () => {
    const service = await withAda();
    const useCases = { ...all('granted'), 'category:health': 'granted' };
    await send(service, 'PUT', '/v1/consents/ada', { useCases, recordedAt: recordedAt(service) });
    for (const generation of [3, 4]) {
      const { status, body } = await send(service, 'POST', '/v1/consents/ada/withdrawals', { useCases: ['offers', 'category:health'] });
      expect([status, body.generation]).toEqual([200, generation]);
      expect((await send(service, 'GET', '/v1/consents/ada')).body.useCases).toEqual({
        ...useCases,
        offers: 'denied',
        'category:health': 'denied',
      });
    }
    expect(await tierOf(service)).toBe('user');
  });

  it('makes a record where there was none', async () => {
    const service = await startService();
    expect((await send(service, 'GET', '/v1/consents/ada')).status).toBe(404);
    expect((await send(service, 'POST', '/v1/consents/ada/withdrawals')).body.generation).toBe(1);
    expect((await send(service, 'GET', '/v1/consents/ada')).body.useCases).toEqual(all('denied'));
  });

  it('makes the grants that are left no younger', async () => {
    const service = await withAda();
    const granted = recordedAt(service);
    const days = 86_400_000;
    service.clock.advance(179 * days);
    await send(service, 'POST', '/v1/consents/ada/withdrawals', { useCases: ['offers'] });
    expect((await send(service, 'GET', '/v1/consents/ada')).body).toMatchObject({ recordedAt: recordedAt(service), grantedAt: granted });
    await send(service, 'PUT', '/v1/profiles/ada', { attributes: { loyalty: 'gold' } });
    expect(await tierOf(service)).toBe('user');
    service.clock.advance(2 * days);
    expect(await tierOf(service)).toBe('anonymous');
  });

  it.each<[string, unknown, string]>([
    ['a use case that no record holds', { useCases: ['offers', 'contextual_offer'] }, '/useCases/1'],
    ['what is no use case', { useCases: ['everything'] }, '/useCases/0'],
    ['an empty list', { useCases: [] }, '/useCases'],
    ['states, which are for a put', { useCases: { offers: 'denied' } }, '/useCases'],
    ['a field of its own', { reason: 'because' }, '/reason'],
  ])('refuses %s, and names the place', async (_, payload, pointer) => {
    const { status, body } = await send(await startService(), 'POST', '/v1/consents/ada/withdrawals', payload);
    expect([status, body.errors[0].pointer]).toEqual([400, pointer]);
  });

  it('for somebody erased is a 409', async () => {
    const withdrawConsent = async () => null;
    const service = await startService({ store: { kind: 'embedded', withdrawConsent } as never });
    const answer = await send(service, 'POST', '/v1/consents/ada/withdrawals');
    expect(answer).toMatchObject({ status: 409, body: { code: 'subject_erased' } });
  });

  it('needs a key that may write consents, and no more than that', async () => {
    const keyOf = (id: string, scopes: string[]) => ({ id, sha256: createHash('sha256').update(`key-${id}`).digest('hex'), scopes });
    const service = await startService({ apiKeys: [keyOf('edge', ['decide']), keyOf('cmp', ['consents']), keyOf('crm', ['profiles'])] });
    const statuses = [];
    for (const key of [undefined, 'key-edge', 'key-cmp', 'key-crm'])
      statuses.push((await send(service, 'POST', '/v1/consents/ada/withdrawals', undefined, key)).status);
    expect(statuses).toEqual([401, 403, 200, 200]);
    expect((await send(service, 'GET', '/v1/consents/ada', undefined, 'key-edge')).status).toBe(403);
    expect((await send(service, 'GET', '/v1/consents/ada', undefined, 'key-cmp')).status).toBe(200);
    expect((await send(service, 'PUT', '/v1/profiles/ada', {}, 'key-cmp')).status).toBe(403);
  });
});

describe('a withdrawal that says only of what type its body would be', () => {
  it.each([{}, { 'content-length': '0' }, { 'transfer-encoding': 'chunked' }])(
    'and %j is one of everything, and so for a session’s end',
    async (more) => {
      const service = await withAda();
      const { sessionId } = service.parts.sessionIds.mint(600);
      const headers = { 'content-type': 'application/json', ...more };
      const sent = (url: string) => service.app.inject({ method: 'POST', url, headers });
      expect((await sent('/v1/consents/ada/withdrawals')).statusCode).toBe(200);
      expect((await send(service, 'GET', '/v1/consents/ada')).body.useCases).toEqual(all('denied'));
      expect((await sent(`/v1/sessions/${sessionId}/withdrawals`)).statusCode).toBe(204);
      const ended = await service.app.inject({ method: 'DELETE', url: `/v1/sessions/${sessionId}`, headers });
      expect(ended.statusCode).toBe(204);
    },
  );

  it('is refused where there is a body and it is none, as is nothing at all wherever something must be said', async () => {
    const service = await withAda();
    const headers = { 'content-type': 'application/json' };
    const sent = async (method: 'PUT' | 'POST', url: string, payload: string) => {
      const { statusCode, payload: text } = await service.app.inject({ method, url, headers, payload });
      return [statusCode, JSON.parse(text).code];
    };
    expect(await sent('POST', '/v1/consents/ada/withdrawals', ' ')).toEqual([400, 'malformed_json']);
    expect(await sent('PUT', '/v1/consents/ada', '')).toEqual([400, 'malformed_json']);
    expect(await tierOf(service)).toBe('user');
  });
});

describe('a consent record', () => {
  it('says who wrote it last, how often it was written, and when it ends', async () => {
    const service = await withAda();
    const put = { useCases: { offers: 'granted' }, recordedAt: recordedAt(service), noticeVersion: 'privacy-2026-11' };
    await send(service, 'PUT', '/v1/consents/ada', put);
    const { status, body, headers } = await send(service, 'GET', '/v1/consents/ada');
    expect(status).toBe(200);
    const expiresAt = new Date(service.clock.nowMs() + 5 * 365 * 86_400_000).toISOString();
    expect(consentRead.parse(body)).toEqual({ ...put, generation: 2, source: 'api', expiresAt });
    expect(headers['cache-control']).toBe('private, no-store');
    await send(service, 'POST', '/v1/consents/ada/withdrawals');
    expect((await send(service, 'GET', '/v1/consents/ada')).body).toMatchObject({ generation: 3, source: 'withdrawal' });
  });

  it.each(['', 'x'.repeat(65), 'with a space', 'ada@example.org'])('takes `%s` for no version of a notice', async (noticeVersion) => {
    const service = await startService();
    const put = { useCases: {}, recordedAt: recordedAt(service), noticeVersion };
    const { status, body } = await send(service, 'PUT', '/v1/consents/ada', put);
    expect([status, body.errors[0].pointer]).toEqual([400, '/noticeVersion']);
  });
});

describe('a put that comes after a withdrawal', () => {
  it('undoes it, whatever its date: what waited elsewhere is for the sender to drop, who is told when the last word was said', async () => {
    const service = await withAda();
    const put = { useCases: all('granted'), recordedAt: recordedAt(service) };
    service.clock.advance(60_000);
    await send(service, 'POST', '/v1/consents/ada/withdrawals');
    const held = (await send(service, 'GET', '/v1/consents/ada')).body;
    expect([held.recordedAt > put.recordedAt, await tierOf(service)]).toEqual([true, 'anonymous']);
    expect((await send(service, 'PUT', '/v1/consents/ada', put)).status).toBe(204);
    expect(await tierOf(service)).toBe('user');
  });
});

describe('a put that was on its way when somebody withdrew', () => {
  /** A service whose puts wait between their two steps. */
  async function waiting(changes: Partial<Store> = {}) {
    const opened = await withAda();
    const [arrived, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const store: Store = {
      ...opened.store,
      async putConsent(...given) {
        arrived.resolve();
        await released.promise;
        return opened.store.putConsent(...given);
      },
      ...changes,
    };
    const service = await startService({ store, clock: opened.clock });
    const put = () => send(service, 'PUT', '/v1/consents/ada', { useCases: all('granted'), recordedAt: recordedAt(service) });
    return { service, put, arrived: arrived.promise, release: released.resolve };
  }

  it('is a 409, and what was withdrawn stays withdrawn', async () => {
    const { service, put, arrived, release } = await waiting();
    const putting = put();
    await arrived;
    expect((await send(service, 'POST', '/v1/consents/ada/withdrawals', { useCases: ['content_personalization'] })).status).toBe(200);
    release();
    expect(await putting).toMatchObject({ status: 409, body: { code: 'consent_withdrawn_meanwhile' } });
    expect(await tierOf(service)).toBe('anonymous');
    // Whoever knows of the withdrawal and was told yes afterwards may say so.
    expect((await put()).status).toBe(204);
    expect(await tierOf(service)).toBe('user');
  });

  it('would undo it where a store minded no fence', async () => {
    const { service, put, arrived, release } = await waiting({ consentGeneration: async () => Number.MAX_SAFE_INTEGER });
    const putting = put();
    await arrived;
    await send(service, 'POST', '/v1/consents/ada/withdrawals');
    release();
    expect((await putting).status).toBe(204);
    expect(await tierOf(service)).toBe('user');
  });
});

describe('a withdrawal in a session', () => {
  async function withSession(changes?: Parameters<typeof startService>[0]) {
    const service = await startService(changes);
    const made = sessionCreated.parse(
      (await send(service, 'POST', '/v1/sessions', { attributes: { last_category: 'shoes' } }, 'key-crm')).body,
    );
    const identity = { sessionId: made.sessionId };
    const decide = async (more: object = {}) =>
      (await send(service, 'POST', '/v1/decide', { ...person, identity, consent: { useCases: all('granted') }, ...more }, 'key-crm')).body;
    return { service, identity, decide, url: `/v1/sessions/${made.sessionId}` };
  }

  it('needs no key and no body; every decision with the session id obeys it, and what the session learned is gone', async () => {
    const key = (id: string) => ({ id, sha256: createHash('sha256').update(`key-${id}`).digest('hex'), scopes: ['admin'] });
    const { service, decide, url } = await withSession({ apiKeys: [key('crm')] });
    expect((await decide()).zones[0].tier).toBe('session');
    const { status, headers } = await send(service, 'POST', `${url}/withdrawals`);
    expect([status, headers['cache-control']]).toEqual([204, 'private, no-store']);
    const after = await decide();
    expect(after.zones[0]).toMatchObject({ tier: 'anonymous', downgrade: { reason: 'consent_denied' } });
    expect(after.consent).toMatchObject(all('denied'));
    expect((await send(service, 'PATCH', url, { attributes: {} }, 'key-crm')).status).toBe(404);
    expect((await send(service, 'POST', `${url}/withdrawals`)).status).toBe(204);
  });

  it('takes back only what it names, and what is left opens what it opened', async () => {
    const { service, decide, url } = await withSession();
    expect((await send(service, 'POST', `${url}/withdrawals`, { useCases: ['offers'] })).status).toBe(204);
    const { zones, consent } = await decide();
    expect([zones[0].tier, consent.offers, consent.content_personalization]).toEqual(['session', 'denied', 'granted']);
  });

  it('binds also the person who is proved beside it', async () => {
    const { service, identity, url } = await withSession();
    await send(service, 'PUT', '/v1/profiles/ada', { attributes: { loyalty: 'gold' } });
    await send(service, 'PUT', '/v1/consents/ada', { useCases: all('granted'), recordedAt: recordedAt(service) });
    const tier = async () => {
      const token = await service.tokenOf('ada');
      return (await send(service, 'POST', '/v1/decide', { ...person, identity: { ...identity, token } })).body.zones[0].tier;
    };
    expect(await tier()).toBe('user');
    await send(service, 'POST', `${url}/withdrawals`, { useCases: ['profile_activation_content'] });
    expect(await tier()).not.toBe('user');
    expect(await tierOf(service)).toBe('user');
  });

  it('of an id that is none, or has expired, is a 404 as everywhere', async () => {
    const { service, url } = await withSession();
    const forged = url.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    for (const wrong of [`${forged}/withdrawals`, '/v1/sessions/s1.x.y/withdrawals'])
      expect(await send(service, 'POST', wrong)).toMatchObject({ status: 404, body: { code: 'no_such_record' } });
    service.clock.advance(86_400_000);
    expect((await send(service, 'POST', `${url}/withdrawals`)).status).toBe(404);
  });

  it('grants nothing while the store cannot be read, for it may hold a denial', async () => {
    const { identity, service } = await withSession();
    const away = await startService({
      clock: service.clock,
      store: { ...service.store, read: async () => Promise.reject(new Error('gone')) },
    });
    const { zones, consent } = (
      await send(away, 'POST', '/v1/decide', { ...person, identity, consent: { useCases: all('granted') }, context: { country: 'DE' } })
    ).body;
    expect([zones[0].tier, zones[0].downgrade.steps[1].reason]).toEqual(['segment', 'consent_failed']);
    expect(consent).toMatchObject(Object.fromEntries(personalUseCases.map((useCase) => [useCase, 'unavailable'])));
  });
});
