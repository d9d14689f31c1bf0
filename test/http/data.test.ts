/** The data routes: what is written is held against the policy, read back, and answers 409 where a tombstone stands. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { generationRaised, profileRead, sessionCreated } from '../../src/contract/schemas.ts';
import { StoreError } from '../../src/records/store-error.ts';
import { startService, type TestService } from './service.ts';

async function send(
  { app }: TestService,
  method: 'PUT' | 'POST' | 'PATCH' | 'GET' | 'DELETE',
  url: string,
  payload?: unknown,
  key?: string,
) {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const response = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload: payload as object }) });
  return { status: response.statusCode, body: response.payload === '' ? null : response.json(), headers: response.headers };
}

describe('profiles', () => {
  it('are made, replaced, read back and deleted', async () => {
    const service = await startService();
    const profile = { attributes: { loyalty: 'gold', days_since_order: 3 }, audiences: ['lapsed'], ttlSeconds: 3600 };
    expect((await send(service, 'PUT', '/v1/profiles/ada', profile)).status).toBe(201);
    expect((await send(service, 'PUT', '/v1/profiles/ada', profile)).status).toBe(204);
    const read = await send(service, 'GET', '/v1/profiles/ada');
    expect(profileRead.parse(read.body)).toEqual(profile);
    expect((await send(service, 'DELETE', '/v1/profiles/ada')).status).toBe(204);
    expect((await send(service, 'GET', '/v1/profiles/ada')).status).toBe(404);
    expect((await send(service, 'DELETE', '/v1/profiles/ada')).status).toBe(404);
  });

  it('are held against the policy, every place named', async () => {
    const wrong = { attributes: { loyalty: 'platinum', days_since_order: '3', shoe: 44 }, audiences: ['lapsed', 'vip'] };
    const { status, body } = await send(await startService(), 'PUT', '/v1/profiles/ada', wrong);
    expect(status).toBe(400);
    const pointers = body.errors.map(({ pointer }: { pointer: string }) => pointer);
    expect(pointers).toEqual(['/attributes/loyalty', '/attributes/days_since_order', '/attributes/shoe', '/audiences/1']);
    expect(JSON.stringify(body)).not.toContain('platinum');
    expect(body.errors[0].detail).toBe('the policy declares other values: write one of none, silver, gold');
  });
});

describe('identities, consents and revocations', () => {
  it('are written, and read by the next decision', async () => {
    const service = await startService();
    const said = { content_personalization: 'granted', profile_activation_content: 'granted' };
    const granted = {
      ...said,
      offers: 'granted',
      'category:health': 'granted',
    };
    const recordedAt = new Date(service.clock.nowMs()).toISOString();
    expect((await send(service, 'PUT', '/v1/profiles/ada', { attributes: { loyalty: 'gold' } })).status).toBe(201);
    expect((await send(service, 'PUT', '/v1/consents/ada', { useCases: granted, recordedAt })).status).toBe(201);
    expect((await send(service, 'PUT', '/v1/identities/device/d-one-1', { subject: 'ada', method: 'deterministic' })).status).toBe(201);
    const decide = { zones: ['hero'], identity: { token: await service.tokenOf('ada') } };
    expect((await send(service, 'POST', '/v1/decide', decide)).body.zones[0].tier).toBe('user');
    const raised = await send(service, 'POST', '/v1/revocations', { subject: 'ada' });
    expect(generationRaised.parse(raised.body)).toEqual({ generation: 1 });
    // A record counts whole only for a proved person, so consent now has to come with the request.
    const after = (await send(service, 'POST', '/v1/decide', { ...decide, consent: { useCases: said } })).body;
    expect(after.zones[0].downgrade.reason).toBe('identity_revoked');
  });

  it('revoke one token by its jti', async () => {
    const service = await startService();
    const token = await service.tokenOf('ada');
    const { jti } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect((await send(service, 'POST', '/v1/revocations', { jti, until: '2027-01-01T00:00:00Z' })).status).toBe(204);
    const consent = { useCases: { content_personalization: 'granted', profile_activation_content: 'granted' } };
    const { body } = await send(service, 'POST', '/v1/decide', { zones: ['hero'], identity: { token }, consent });
    expect(body.zones[0].downgrade.reason).toBe('identity_revoked');
  });

  it.each<[string, 'PUT' | 'POST', string, unknown, string]>([
    ['a record without its date', 'PUT', '/v1/consents/ada', { useCases: {} }, '/recordedAt'],
    ['a date that is none', 'PUT', '/v1/consents/ada', { useCases: {}, recordedAt: 'yesterday' }, '/recordedAt'],
    ['a date in the future', 'PUT', '/v1/consents/ada', { useCases: {}, recordedAt: '2999-01-01T00:00:00Z' }, '/recordedAt'],
    [
      'a contextual use case in a record',
      'PUT',
      '/v1/consents/ada',
      { useCases: { contextual_offer: 'granted' }, recordedAt: '2026-11-21T12:00:00Z' },
      '/useCases/contextual_offer',
    ],
    [
      'a state that does not exist',
      'PUT',
      '/v1/consents/ada',
      { useCases: { offers: 'yes' }, recordedAt: '2026-11-21T12:00:00Z' },
      '/useCases/offers',
    ],
    ['a method that does not exist', 'PUT', '/v1/identities/device/d-one-1', { subject: 'ada', method: 'guess' }, '/method'],
    ['no subject', 'PUT', '/v1/identities/device/d-one-1', { method: 'deterministic' }, '/subject'],
    ['a strange namespace', 'PUT', '/v1/identities/Device!/d', { subject: 'ada', method: 'deterministic' }, '/namespace'],
    ['a revocation of both', 'POST', '/v1/revocations', { subject: 'ada', jti: 'x', until: '2027-01-01T00:00:00Z' }, ''],
    ['a revocation without an end', 'POST', '/v1/revocations', { jti: 'x' }, ''],
    ['a session attribute that is not declared', 'POST', '/v1/sessions', { attributes: { colour: 'red' } }, '/attributes/colour'],
  ])('refuse %s', async (_, method, url, payload, pointer) => {
    const { status, body } = await send(await startService(), method, url, payload);
    expect(status).toBe(400);
    expect(body.errors[0].pointer).toBe(pointer);
  });
});

describe('an id that stands for nobody', () => {
  it.each<[string, 'PUT' | 'GET' | 'DELETE' | 'POST', string, unknown, string, string]>([
    ['a profile', 'PUT', '/v1/profiles/undefined', {}, 'path', '/subject'],
    ['a profile that is read', 'GET', '/v1/profiles/null', undefined, 'path', '/subject'],
    ['a profile that is deleted', 'DELETE', '/v1/profiles/%5Bobject%20Object%5D', undefined, 'path', '/subject'],
    ['a consent', 'PUT', '/v1/consents/0', { useCases: {}, recordedAt: '2026-11-21T12:00:00Z' }, 'path', '/subject'],
    ['a device', 'PUT', '/v1/identities/device/undefined', { subject: 'ada', method: 'deterministic' }, 'path', '/value'],
    ['a device’s subject', 'PUT', '/v1/identities/device/d-one-1', { subject: 'NaN', method: 'deterministic' }, 'body', '/subject'],
    ['a revocation', 'POST', '/v1/revocations', { subject: '-1' }, 'body', '/subject'],
  ])('is refused for %s, with what to write', async (_, method, url, payload, where, pointer) => {
    const { status, body } = await send(await startService(), method, url, payload);
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ in: where, pointer, detail: expect.stringMatching(/write the id of one person or one device/) }]);
  });

  it('links nobody in a decision, and fails nobody either, even where such a link was stored', async () => {
    const service = await startService();
    const link = { subject: 'ada', method: 'deterministic', confidencePpm: 1_000_000 } as const;
    for (const value of ['undefined', 'd-one-1']) await service.store.putIdentity('device', value, link, 60);
    const stateOf = async (deviceId: string) => {
      const { status, body } = await send(service, 'POST', '/v1/decide', { zones: ['hero'], identity: { deviceId } });
      return { status, state: body.identity.state };
    };
    expect(await stateOf('d-one-1')).toEqual({ status: 200, state: 'partial' });
    expect(await stateOf('undefined')).toEqual({ status: 200, state: 'anonymous' });
    expect(await stateOf(' 0 ')).toEqual({ status: 200, state: 'anonymous' });
  });
});

describe('sessions', () => {
  it('are made without a body, and learn', async () => {
    const service = await startService();
    const made = await send(service, 'POST', '/v1/sessions');
    expect(made.status).toBe(201);
    const { sessionId } = sessionCreated.parse(made.body);
    const url = `/v1/sessions/${sessionId}`;
    expect((await send(service, 'PATCH', url, { attributes: { last_category: 'shoes' } })).status).toBe(204);
    const consent = { useCases: { content_personalization: 'granted' } };
    const { body } = await send(service, 'POST', '/v1/decide', { zones: ['hero'], identity: { sessionId }, consent });
    expect(body.zones[0]).toMatchObject({ tier: 'session', variant: 'hero-shoes' });
    expect((await send(service, 'PATCH', `${url}x`, { attributes: {} })).status).toBe(404);
  });
});

describe('a store that cannot write', () => {
  it('answers 409 where a tombstone stands and 503 where it is away', async () => {
    const store = {
      kind: 'embedded',
      putProfile: async () => 'erased',
      consentGeneration: async () => 0,
      putConsent: async () => Promise.reject(new StoreError('disconnected', 'gone')),
    };
    const service = await startService({ store: store as never });
    expect(await send(service, 'PUT', '/v1/profiles/ada', {})).toMatchObject({ status: 409, body: { code: 'subject_erased' } });
    const consent = { useCases: {}, recordedAt: '2026-11-21T12:00:00Z' };
    const away = await send(service, 'PUT', '/v1/consents/ada', consent);
    expect(away).toMatchObject({ status: 503, body: { code: 'store_unavailable' }, headers: { 'retry-after': '1' } });
  });
});

describe('API keys', () => {
  const keyOf = (id: string, scopes: string[]) => ({ id, sha256: createHash('sha256').update(`key-${id}`).digest('hex'), scopes });
  const apiKeys = [keyOf('edge', ['decide']), keyOf('author', ['decide', 'explain']), keyOf('crm', ['profiles']), keyOf('root', ['admin'])];

  it.each<[string | undefined, 'GET' | 'POST' | 'PUT', string, unknown, number]>([
    [undefined, 'POST', '/v1/decide', { page: 'home' }, 401],
    ['key-wrong', 'POST', '/v1/decide', { page: 'home' }, 401],
    [undefined, 'GET', '/v1/decide?page=home', undefined, 401],
    ['key-edge', 'GET', '/v1/decide?page=home', undefined, 200],
    ['key-edge', 'POST', '/v1/decide', { page: 'home' }, 200],
    ['key-crm', 'POST', '/v1/decide', { page: 'home' }, 403],
    ['key-edge', 'POST', '/v1/decide', { page: 'home', explain: true }, 403],
    ['key-author', 'POST', '/v1/decide', { page: 'home', explain: true }, 200],
    ['key-edge', 'PUT', '/v1/profiles/ada', {}, 403],
    ['key-crm', 'PUT', '/v1/profiles/ada', {}, 201],
    ['key-root', 'PUT', '/v1/profiles/ada', {}, 201],
  ])('%s: %s %s', async (key, method, url, payload, status) => {
    const answer = await send(await startService({ apiKeys }), method, url, payload, key);
    expect(answer.status).toBe(status);
    if (status === 401) expect(answer.headers['www-authenticate']).toBe('Bearer');
  });

  it('change no byte of a shared answer, and may be left out where the policy of the house says so', async () => {
    const service = await startService({ apiKeys, publicGet: true });
    const without = await service.app.inject('/v1/decide?page=home');
    const withKey = await service.app.inject({ url: '/v1/decide?page=home', headers: { authorization: 'Bearer key-edge' } });
    expect(withKey.payload).toBe(without.payload);
    expect(withKey.headers['cache-control']).toBe(without.headers['cache-control']);
  });

  it('are needed from anywhere but this machine, even where none are configured', async () => {
    const { app } = await startService();
    const away = await app.inject({ url: '/v1/decide?page=home', remoteAddress: '192.0.2.1' });
    expect(away.statusCode).toBe(401);
  });

  it.each(['localhost', 'LOCALHOST:8080', '127.0.0.1:8080', '127.1.2.3', '[::1]:8080'])(
    'are not needed by who calls this machine %s',
    async (host) => {
      const { app } = await startService();
      expect((await app.inject({ url: '/v1/decide?page=home', headers: { host } })).statusCode).toBe(200);
    },
  );

  it.each(['rebound.example', 'rebound.example:8080', 'localhost.rebound.example', '127.0.0.1.rebound.example', '0.0.0.0:8080'])(
    'are needed by who calls this machine `%s`, for that may be a web page with its name turned on us',
    async (host) => {
      const { app } = await startService();
      for (const url of ['/v1/decide?page=home', '/v1/profiles/demo-ada']) {
        const answer = await app.inject({ url, headers: { host } });
        expect(answer.statusCode).toBe(403);
        expect(answer.json()).toMatchObject({ code: 'host_not_allowed', detail: expect.stringContaining('STEPWELL_API_KEYS') });
        expect(answer.payload).not.toContain('rebound');
      }
    },
  );

  describe('where none are configured', () => {
    const shop = 'https://www.shop.example';
    /** What a page may have a browser send without being asked: no body, no header of its own. */
    async function withdrawal(headers: Record<string, string>, changes: Parameters<typeof startService>[0] = {}) {
      const { app, store } = await startService(changes);
      const answer = await app.inject({
        method: 'POST',
        url: '/v1/consents/ada/withdrawals',
        headers: { host: '127.0.0.1:8080', ...headers },
      });
      return { answer, isDone: (await store.getConsent('ada')) !== null };
    }

    it.each<Record<string, string>>([
      { origin: shop, 'sec-fetch-site': 'cross-site' },
      { origin: shop },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:8081', 'sec-fetch-site': 'same-site' },
      { origin: 'http://localhost:8080', 'sec-fetch-site': 'cross-site' },
      { origin: 'http://127.0.0.1:8080.evil.example' },
      { 'sec-fetch-site': 'cross-site' },
    ])('a page of somebody else’s is not obeyed: %j', async (headers) => {
      const { answer, isDone } = await withdrawal(headers, { corsOrigins: ['https://another.example'] });
      expect([answer.statusCode, isDone]).toEqual([403, false]);
      expect(answer.json()).toMatchObject({ code: 'origin_not_allowed', detail: expect.stringContaining('STEPWELL_CORS_ORIGINS') });
      expect(answer.payload).not.toContain('shop');
    });

    it.each<Record<string, string>>([
      {},
      { origin: 'http://127.0.0.1:8080', 'sec-fetch-site': 'same-origin' },
      { origin: 'http://localhost:8080', host: 'LOCALHOST:8080' },
      { origin: 'https://[::1]', host: '[::1]' },
      { 'sec-fetch-site': 'none' },
      { origin: shop, 'sec-fetch-site': 'cross-site' },
    ])('a program, our own pages and those of a listed origin are: %j', async (headers) => {
      const { answer, isDone } = await withdrawal(headers, { corsOrigins: [shop] });
      expect([answer.statusCode, isDone]).toEqual([200, true]);
    });
  });

  it('let a caller use any name for this machine', async () => {
    const { app } = await startService({ apiKeys });
    const headers = { host: 'decisions.example', authorization: 'Bearer key-edge' };
    expect((await app.inject({ url: '/v1/decide?page=home', headers })).statusCode).toBe(200);
  });
});
