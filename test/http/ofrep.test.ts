/** OFREP: flags are zones, a degraded answer is still an answer, and what goes wrong is told as OFREP's clients understand it. */
import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../src/records/store-error.ts';
import { call, keyOf } from './callers.ts';
import { checkOfrep } from './ofrep-shapes.ts';
import { startService, type TestService } from './service.ts';

const bulkUrl = '/ofrep/v1/evaluate/flags';
const granted = { useCases: { content_personalization: 'granted', profile_activation_content: 'granted', offers: 'granted' } };

interface Flag {
  readonly key: string;
  readonly reason: string;
  readonly variant?: string;
  readonly value?: unknown;
  readonly metadata: Readonly<Record<string, string>>;
}

async function evaluate(service: TestService, key: string | null, context: object, headers: Readonly<Record<string, string>> = {}) {
  const url = key === null ? bulkUrl : `${bulkUrl}/${key}`;
  const answer = await call(service, { method: 'POST', url, payload: { context }, headers });
  checkOfrep(key === null ? 'bulk' : 'single', answer.status, answer.text === '' ? undefined : answer.json());
  return answer;
}

async function flag(service: TestService, key: string, context: object, headers?: Readonly<Record<string, string>>): Promise<Flag> {
  const answer = await evaluate(service, key, context, headers);
  expect(answer.status).toBe(200);
  return answer.json();
}

describe('one flag', () => {
  it('is a zone: the content is the value, and how it came about is flat metadata', async () => {
    const service = await startService();
    expect(await flag(service, 'hero', { targetingKey: 'u-1', country: 'DE' })).toEqual({
      key: 'hero',
      reason: 'TARGETING_MATCH',
      variant: 'hero-dach',
      value: { headline: 'Neue Saison' },
      metadata: {
        tier: 'segment',
        intendedTier: 'user',
        downgradeReason: 'consent_unavailable',
        downgradeCause: 'consent',
        cacheScope: 'none',
        policy: 'retail',
        revision: service.artefact.revision,
      },
    });
  });

  it('is the approved variant, for the reason DEFAULT, where nothing else applies', async () => {
    const answer = await flag(await startService(), 'hero', {});
    expect([answer.reason, answer.variant, answer.value, answer.metadata.tier]).toEqual([
      'DEFAULT',
      'hero-standard',
      { headline: 'New season' },
      'anonymous',
    ]);
  });

  it('reaches the highest tier for a token and consent, and says nothing of a downgrade then', async () => {
    const service = await startService();
    await service.store.putProfile('ada', { attributes: { loyalty: 'gold' }, audiences: [] }, 3_600_000);
    const token = await service.tokenOf('ada');
    const answer = await flag(service, 'hero', { token, consent: granted });
    expect([answer.reason, answer.variant]).toEqual(['TARGETING_MATCH', 'hero-gold']);
    expect(Object.keys(answer.metadata)).toEqual(['tier', 'intendedTier', 'cacheScope', 'policy', 'revision']);
  });

  it('takes the targeting key for nobody', async () => {
    const service = await startService();
    await service.store.putProfile('ada', { attributes: { loyalty: 'gold' }, audiences: [] }, 3_600_000);
    const answer = await flag(service, 'hero', { targetingKey: 'ada', consent: granted });
    expect([answer.variant, answer.metadata.downgradeReason]).toEqual(['hero-standard', 'identity_anonymous']);
  });

  it('hears Sec-GPC, and a proof in its header as /v1/decide does', async () => {
    const service = await startService();
    const answer = await flag(service, 'offer_rail', { consent: granted }, { 'sec-gpc': '1' });
    expect(answer.metadata.downgradeReason).toBe('gpc');
  });

  it.each([
    ['POST', '/ofrep/v1/nothing', 404, undefined],
    ['GET', '/ofrep/v1/evaluate/flags', 405, 'POST'],
    ['DELETE', '/ofrep/v1/evaluate/flags/hero', 405, 'POST'],
  ] as const)('tells in its own form that %s %s is not served', async (method, url, status, allow) => {
    const { app } = await startService();
    const answer = await app.inject({ method, url, headers: { 'content-type': 'application/json' }, payload: '{}' });
    expect([answer.statusCode, answer.headers.allow, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([
      status,
      allow,
      'application/json; charset=utf-8',
      'private, no-store',
    ]);
    expect(answer.json()).toEqual({ errorCode: 'GENERAL', errorDetails: expect.any(String) });
  });

  it.each([
    ['a/b', 'a/b'],
    ['a%2Fb', 'a/b'],
    ['hero/', 'hero/'],
    ['', ''],
    ['a/%C3%A4?b', 'a/ä'],
    ['%', '%'],
    ['100%/of', '100%/of'],
    ['%ff', '%ff'],
    ['x'.repeat(3_000), 'x'.repeat(3_000)],
  ])('tells in its own form that %s is no name of a flag', async (written, key) => {
    const service = await startService();
    const answer = await service.app.inject({ method: 'POST', url: `/ofrep/v1/evaluate/flags/${written}`, payload: { context: {} } });
    expect([answer.statusCode, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([
      404,
      'application/json; charset=utf-8',
      'private, no-store',
    ]);
    expect(answer.json()).toEqual({ key, errorCode: 'FLAG_NOT_FOUND', errorDetails: 'the policy has no zone of this name' });
    checkOfrep('single', answer.statusCode, answer.json());
  });

  it.each(['a/b', 'a%2Fb', '%ZZ', 'x'.repeat(3_000)])('says nothing of flags to who asks for %s by GET', async (written) => {
    const service = await startService();
    const answer = await service.app.inject({ method: 'GET', url: `/ofrep/v1/evaluate/flags/${written}` });
    expect([answer.statusCode >= 400, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([
      true,
      'application/json; charset=utf-8',
      'private, no-store',
    ]);
    expect(answer.json()).toEqual({ errorCode: 'GENERAL', errorDetails: expect.any(String) });
  });

  it('is a 404 where the policy has no such zone', async () => {
    const service = await startService();
    for (const key of ['nosuch', '__proto__', 'constructor', 'toString']) {
      const answer = await evaluate(service, key, {});
      expect([answer.status, answer.json()]).toEqual([
        404,
        { key, errorCode: 'FLAG_NOT_FOUND', errorDetails: 'the policy has no zone of this name' },
      ]);
      expect(answer.headers['cache-control']).toBe('private, no-store');
    }
  });
});

describe('an application that knows nothing of Stepwell', () => {
  it('may bring whatever it likes', async () => {
    const service = await startService();
    const own = { email: 'a@b.example', plan: { tier: 1 }, tags: [1, null], when: null, __proto__x: true, explain: true, zones: ['x'] };
    const answer = await flag(service, 'hero', { ...own, targetingKey: 7, country: 'DE' });
    expect(answer.variant).toBe('hero-dach');
    expect(answer.metadata.ignoredContext).toBe('targetingKey');
  });

  it.each([
    ['a targeting key that is no text', { targetingKey: 5 }, 'targetingKey'],
    ['a declared attribute of another type', { country: 49 }, 'country'],
    ['a value that the policy does not declare', { device: 'watch' }, 'device'],
    ['an object where a text is declared', { device: { model: 'x' } }, 'device'],
    ['a page of its own', { page: '/checkout' }, 'page'],
    ['a token that is no text', { token: { jwt: 1 } }, 'token'],
    ['a session id of its own that is no text', { sessionId: 12 }, 'sessionId'],
    ['a list of consents of its own', { consent: ['marketing'] }, 'consent'],
    ['a consent of its own', { consent: { marketing: true } }, 'consent'],
    ['several at once', { page: 1, country: false, token: 0 }, 'country,page,token'],
  ])('gets a value for %s, and is told what was ignored', async (_, context, ignored) => {
    const answer = await flag(await startService(), 'hero', context);
    expect([answer.variant, answer.metadata.ignoredContext]).toEqual(['hero-standard', ignored]);
    const bulk = (await evaluate(await startService(), null, context)).json();
    expect(bulk.metadata).toEqual({ ignoredContext: ignored });
  });

  it('may leave any of it null or empty', async () => {
    const empty = { targetingKey: '', token: '', sessionId: null, deviceId: '', consent: null, page: '', country: null, device: '' };
    const answer = await flag(await startService(), 'hero', empty);
    expect([answer.variant, answer.metadata.ignoredContext]).toEqual(['hero-standard', undefined]);
  });
});

describe('consent that cannot be read', () => {
  it.each([
    ['an unknown member', { ...granted, useCase: {} }],
    ['an unknown use case', { useCases: { ...granted.useCases, everything: 'denied' } }],
    ['an unknown state', { useCases: { ...granted.useCases, offers: 'no' } }],
    ['a TC string that is no text', { ...granted, tcf: 12 }],
    ['a mode that is no object', { ...granted, googleConsentMode: 'denied' }],
  ])('grants nothing beside %s', async (_, consent) => {
    const service = await startService();
    await service.store.putProfile('ada', { attributes: { loyalty: 'gold' }, audiences: [] }, 3_600_000);
    const answer = await flag(service, 'hero', { token: await service.tokenOf('ada'), consent });
    expect([answer.variant, answer.metadata.downgradeReason]).toEqual(['hero-standard', 'consent_unavailable']);
  });

  it('denies what of it can be read', async () => {
    const consent = { useCases: { contextual_content: 'denied' }, somethingElse: 1 };
    const answer = await flag(await startService(), 'hero', { country: 'DE', consent });
    expect([answer.variant, answer.metadata.ignoredContext]).toEqual(['hero-standard', 'consent']);
  });
});

describe('all flags', () => {
  it('are the zones of the context’s page, sorted by key; without a page, all that there are', async () => {
    const service = await startService();
    const onPage = (await evaluate(service, null, { page: 'home' })).json();
    expect(onPage.flags.map(({ key }: Flag) => key)).toEqual(['hero', 'offer_rail']);
    const all = (await evaluate(service, null, {})).json();
    expect(all).toEqual(onPage);
  });

  it('are decided as one page', async () => {
    const service = await startService();
    const bulk = (await evaluate(service, null, { page: 'home', country: 'DE' })).json().flags as Flag[];
    const decided = await call(service, { method: 'POST', url: '/v1/decide', payload: { page: 'home', context: { country: 'DE' } } });
    const zones = decided.json().zones as { zone: string; variant: string; tier: string }[];
    expect(bulk.map(({ key, variant, metadata }) => [key, variant, metadata.tier])).toEqual(
      zones.map(({ zone, variant, tier }) => [zone, variant, tier]),
    );
  });

  it('leave nobody without a value when the store is dead', async () => {
    const dead = { read: () => Promise.reject(new StoreError('disconnected', 'down')) };
    const working = await startService();
    const service = await startService({ store: Object.assign(Object.create(working.store), dead) });
    const token = await service.tokenOf('ada');
    const { flags } = (await evaluate(service, null, { token, consent: granted })).json() as { flags: Flag[] };
    expect(flags.map(({ key, reason, value }) => [key, reason, value])).toEqual([
      ['hero', 'DEFAULT', { headline: 'New season' }],
      ['offer_rail', 'DEFAULT', { items: ['a', 'b', 'c'] }],
    ]);
    expect(flags.map(({ metadata }) => metadata.downgradeCause)).toEqual(['fault', 'fault']);
    // Better may come in a moment, which whoever knows `render` can use.
    expect(flags.map(({ metadata }) => metadata.render)).toEqual([undefined, 'defer']);
  });
});

describe('validators', () => {
  it('are of the exact bytes, and hold for the same context only', async () => {
    const service = await startService();
    const first = await evaluate(service, null, { country: 'DE' });
    const etag = String(first.headers.etag);
    expect(etag).toBe(`"${hash('sha256', first.text, 'base64url')}"`);
    expect(first.headers['cache-control']).toBe('private, no-cache');
    service.clock.advance(60_000);
    expect((await evaluate(service, null, { country: 'DE', targetingKey: 'else' })).headers.etag).toBe(etag);
    expect((await evaluate(service, null, { country: 'FR' })).headers.etag).not.toBe(etag);
    expect((await evaluate(service, null, { country: 'FR' }, { 'if-none-match': etag })).status).toBe(200);
  });

  it('answer 304 to a list, a weak one and *, with the headers of the 200', async () => {
    const service = await startService();
    for (const key of [null, 'hero']) {
      const { etag } = (await evaluate(service, key, {})).headers;
      for (const given of [String(etag), `"x", W/"y",${etag}`, `W/${etag}`, '*']) {
        const held = await evaluate(service, key, {}, { 'if-none-match': given });
        expect([held.status, held.text, held.headers.etag]).toEqual([304, '', etag]);
        expect(held.headers['cache-control']).toBe('private, no-cache');
      }
      expect((await evaluate(service, key, {}, { 'if-none-match': '"x"' })).status).toBe(200);
    }
  });

  it('move when consent is withdrawn', async () => {
    const service = await startService();
    await service.store.putProfile('ada', { attributes: { loyalty: 'gold' }, audiences: [] }, 3_600_000);
    const token = await service.tokenOf('ada');
    const { etag } = (await evaluate(service, null, { token, consent: granted })).headers;
    expect((await evaluate(service, null, { token, consent: granted }, { 'if-none-match': String(etag) })).status).toBe(304);
    const withdrawn = await call(service, { method: 'POST', url: '/v1/consents/ada/withdrawals', payload: {} });
    expect(withdrawn.status).toBe(200);
    expect((await evaluate(service, null, { token, consent: granted }, { 'if-none-match': String(etag) })).status).toBe(200);
  });

  it('are not replaced by what a change notice said', async () => {
    const service = await startService();
    const { etag } = (await evaluate(service, null, {})).headers;
    const query = `flagConfigEtag=${encodeURIComponent(String(etag))}&flagConfigLastModified=9999999999`;
    const answer = await call(service, { method: 'POST', url: `${bulkUrl}?${query}`, payload: { context: {} } });
    expect(answer.status).toBe(200);
  });
});

describe('what goes wrong', () => {
  it.each([
    ['no context', '{}', 400, 'INVALID_CONTEXT'],
    ['a context that is a list', '{"context":[]}', 400, 'INVALID_CONTEXT'],
    ['a context that is null', '{"context":null}', 400, 'INVALID_CONTEXT'],
    ['a body that is a list', '[]', 400, 'INVALID_CONTEXT'],
    ['a body that is not JSON', '{"context":', 400, 'PARSE_ERROR'],
    ['nothing', '', 400, 'PARSE_ERROR'],
    ['a key twice', '{"context":{"page":"home","page":"x"}}', 400, 'PARSE_ERROR'],
    ['levels beyond the bound', `{"context":{"x":${'['.repeat(15)}${']'.repeat(15)}}}`, 400, 'INVALID_CONTEXT'],
    ['members beyond the bound', `{"context":{"x":[${'[],'.repeat(2_000)}[]]}}`, 400, 'INVALID_CONTEXT'],
    ['too much', `{"context":{"x":"${'x'.repeat(40_000)}"}}`, 400, 'GENERAL'],
  ])('is told in OFREP’s form: %s', async (_, payload, status, errorCode) => {
    const { app } = await startService();
    for (const key of [null, 'hero']) {
      const url = key === null ? bulkUrl : `${bulkUrl}/${key}`;
      const answer = await app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' }, payload });
      expect([answer.statusCode, answer.json()]).toEqual([
        status,
        { ...(key === null ? {} : { key }), errorCode, errorDetails: expect.any(String) },
      ]);
      checkOfrep(key === null ? 'bulk' : 'single', answer.statusCode, answer.json());
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
      expect(answer.headers['cache-control']).toBe('private, no-store');
    }
  });

  it('names a header that is wrong, and a media type', async () => {
    const service = await startService();
    const header = await evaluate(service, 'hero', {}, { 'stepwell-deadline-ms': 'soon' });
    expect([header.status, header.json().errorCode]).toEqual([400, 'INVALID_CONTEXT']);
    const typed = await service.app.inject({ method: 'POST', url: bulkUrl, headers: { 'content-type': 'text/plain' }, payload: '{}' });
    expect([typed.statusCode, typed.json().errorCode]).toEqual([400, 'PARSE_ERROR']);
  });

  it('is a 500 with a code while there is no policy: clients then go on with what they had', async () => {
    const service = await startService({ policy: { current: () => null } });
    for (const key of [null, 'hero']) {
      const answer = await evaluate(service, key, {});
      expect([answer.status, answer.json().errorCode, answer.headers['retry-after']]).toEqual([500, 'GENERAL', '1']);
    }
  });

  it('is a 429 where there is more to do than can be done in time: clients then leave us alone for that long', async () => {
    const service = await startService({ queue: { turnMs: () => 10_000, lastingMs: () => 0 } });
    for (const key of [null, 'hero']) {
      const answer = await evaluate(service, key, {});
      expect([answer.status, answer.json().errorCode, answer.headers['retry-after']]).toEqual([429, 'GENERAL', '1']);
    }
  });

  it('is never a missed deadline: the shortest there is has a value', async () => {
    const answer = await flag(await startService(), 'hero', {}, { 'stepwell-deadline-ms': '0' });
    expect(answer.value).toEqual({ headline: 'New season' });
  });
});

describe('keys', () => {
  const keys = { apiKeys: [keyOf('app', ['decide']), keyOf('data', ['profiles']), keyOf('page', [], { publishable: true })] };

  it('are taken as a bearer or in X-API-Key, and in one of them only', async () => {
    const service = await startService(keys);
    expect((await evaluate(service, 'hero', {}, { authorization: 'Bearer key-app' })).status).toBe(200);
    expect((await evaluate(service, 'hero', {}, { 'x-api-key': 'key-app' })).status).toBe(200);
    expect((await evaluate(service, 'hero', {}, { 'x-api-key': 'key-app, key-app' })).status).toBe(401);
    expect((await evaluate(service, 'hero', {}, { 'x-api-key': 'key-app', authorization: 'Bearer key-app' })).status).toBe(400);
    const elsewhere = await call(service, {
      method: 'POST',
      url: '/v1/decide',
      payload: { page: 'home' },
      headers: { 'x-api-key': 'key-app' },
    });
    expect(elsewhere.status).toBe(401);
  });

  it('are missing, wrong or too narrow in OFREP’s form', async () => {
    const service = await startService(keys);
    for (const key of [null, 'hero']) {
      const none = await evaluate(service, key, {});
      expect([none.status, none.json().errorCode, none.headers['www-authenticate']]).toEqual([401, 'GENERAL', 'Bearer']);
      expect((await evaluate(service, key, {}, { 'x-api-key': 'key-none' })).status).toBe(401);
      expect((await evaluate(service, key, {}, { 'x-api-key': 'key-data' })).status).toBe(403);
    }
  });

  it('that anybody may have show nothing above segment, unless the visitor proves who it is', async () => {
    const service = await startService(keys);
    await service.store.putProfile('ada', { attributes: { loyalty: 'gold' }, audiences: [] }, 3_600_000);
    const { sessionId } = (
      await call(await Promise.resolve(service), {
        method: 'POST',
        url: '/v1/sessions',
        key: 'key-data',
        payload: { attributes: { last_category: 'shoes' } },
      })
    ).json();
    const page = { 'x-api-key': 'key-page' };
    expect((await flag(service, 'hero', { sessionId, consent: granted }, page)).variant).toBe('hero-standard');
    expect((await flag(service, 'hero', { sessionId, consent: granted }, { 'x-api-key': 'key-app' })).variant).toBe('hero-shoes');
    const token = await service.tokenOf('ada');
    expect((await flag(service, 'hero', { token, consent: granted }, page)).variant).toBe('hero-gold');
  });
});
