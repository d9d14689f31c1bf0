/** `GET /v1/artefact` and the keys it is verified with: who may fetch it, how long it is the same, and how it is taken back. */
import { compactVerify, createLocalJWKSet } from 'jose';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { DeviceSettings } from '../../src/decision/artefact.ts';
import type { DeviceArtefact } from '../../src/device/device-artefact.ts';
import { artefactCharactersMax } from '../../src/device/device-artefact.ts';
import { artefactWindowMs, createDeviceArtefacts } from '../../src/http/device-artefacts.ts';
import { artefactKeysOf, newArtefactKey } from '../../src/identity/artefact-keys.ts';
import { visitorTokenWindowMs } from '../../src/identity/visitor-token.ts';
import { call, keyOf } from './callers.ts';
import { startService, type TestService } from './service.ts';

const url = '/v1/artefact';
const apiKeys = [keyOf('page', ['decide'], { publishable: true }), keyOf('shop', ['decide']), keyOf('crm', ['profiles'])];
const hourMs = artefactWindowMs;

async function verified(service: TestService, jws: string) {
  const jwks = (await call(service, { url: '/.well-known/stepwell-keys.json' })).json();
  const { payload } = await compactVerify(jws, createLocalJWKSet(jwks));
  return JSON.parse(new TextDecoder().decode(payload)) as DeviceArtefact;
}

/** A policy whose word on devices changes while the service runs. */
async function withSettings(settings: () => DeviceSettings | undefined) {
  const { artefact } = await startService();
  let before: { readonly key: string; readonly now: typeof artefact } | null = null;
  const current = () => {
    const device = settings();
    const key = JSON.stringify([device]);
    if (before?.key !== key) before = { key, now: device === undefined ? artefact : { ...artefact, revision: key, device } };
    return { artefact: before.now, stale: false };
  };
  return startService({ policy: { current } });
}

describe('the artefact', () => {
  it('is a signed policy for everybody: typed, tagged, for shared caches for a minute and for no longer', async () => {
    const service = await startService();
    const { status, headers, text } = await call(service, { url });
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'application/jose',
      'cache-control': 'public, max-age=0, s-maxage=60, stale-while-revalidate=0, stale-if-error=0',
      'surrogate-key': 'policy-retail stepwell stepwell-artefact',
      etag: expect.stringMatching(/^"[\w-]{43}"$/),
    });
    expect(headers).not.toHaveProperty('set-cookie');
    const { format, policy, revision, zones } = await verified(service, text);
    expect([format, policy, revision, Object.keys(zones)]).toEqual([1, 'retail', service.artefact.revision, ['hero', 'offer_rail']]);
  });

  it('is not sent to who holds it', async () => {
    const service = await startService();
    const { headers } = await call(service, { url });
    const again = await call(service, { url, headers: { 'if-none-match': `"other", W/${headers.etag}` } });
    expect([again.status, again.text, again.headers.etag, again.headers['cache-control']]).toEqual([
      304,
      '',
      headers.etag,
      headers['cache-control'],
    ]);
  });

  it('is the same for an hour, in every process with the key, and says until when it is good', async () => {
    const key = artefactKeysOf(newArtefactKey());
    const [one, other] = [await startService({ artefactKeys: () => key }), await startService({ artefactKeys: () => key })];
    const first = (await call(one, { url })).text;
    const startSeconds = one.clock.nowMs() / 1000;
    expect(await verified(one, first)).toMatchObject({ iat: startSeconds, nbf: startSeconds - 300, exp: startSeconds + 25 * 3600 });
    other.clock.advance(hourMs - 1);
    expect((await call(other, { url })).text).toBe(first);
    other.clock.advance(hourMs + 1);
    const later = (await call(other, { url })).text;
    expect(later).not.toBe(first);
    expect((await verified(other, later)).iat).toBe(startSeconds + 7200);
  });

  it('is good for as long as the policy says, and never for longer than a week', async () => {
    let device: DeviceSettings = { enabled: true, maxAgeHours: 1 };
    const service = await withSettings(() => device);
    const lifeOf = async () => {
      const { nbf, exp, iat } = await verified(service, (await call(service, { url })).text);
      return [exp - iat, exp - nbf];
    };
    expect(await lifeOf()).toEqual([7200, 7500]);
    device = { enabled: true, maxAgeHours: 168 };
    expect(await lifeOf()).toEqual([604_500, 604_800]);
  });

  it('is gone at once when the policy says so, for who holds it too, and is there again when it says so', async () => {
    let device: DeviceSettings | undefined;
    const service = await withSettings(() => device);
    const held = await call(service, { url });
    device = { enabled: false, maxAgeHours: 24 };
    for (const headers of [{}, { 'if-none-match': String(held.headers.etag) }]) {
      const killed = await call(service, { url, headers });
      expect([killed.status, killed.json().code, killed.headers['cache-control']]).toEqual([410, 'artefact_killed', 'private, no-store']);
      expect(killed.headers).not.toHaveProperty('etag');
    }
    device = undefined;
    expect((await call(service, { url })).status).toBe(200);
  });

  it('is signed anew when the key changes, and verifies with the list of that moment', async () => {
    const [old, next] = [newArtefactKey(), newArtefactKey()];
    let keys = artefactKeysOf(JSON.stringify({ keys: [JSON.parse(old), JSON.parse(next)] }));
    const service = await startService({ artefactKeys: () => keys });
    const before = (await call(service, { url })).text;
    keys = artefactKeysOf(JSON.stringify({ keys: [JSON.parse(next), JSON.parse(old)] }));
    const after = (await call(service, { url })).text;
    expect(after).not.toBe(before);
    for (const jws of [before, after]) await expect(verified(service, jws)).resolves.toBeDefined();
  });
});

/** A policy with so many marked offers that what devices get is large. */
async function withOffers(count: number, lines: object[] = []) {
  const { artefact } = await startService();
  const [id = '', zone] =
    Object.entries(artefact.zones).find(([, { ladder }]) => ladder.some(({ select }) => select.by === 'arbitrate')) ?? [];
  const [first] = Object.values(artefact.offers);
  if (zone === undefined || first === undefined) throw new Error('the policy has no offers');
  const ids = Array.from({ length: count }, (_, index) => `many-${index}`);
  const { device: _device, ...reads } = first.reads;
  const nothing = { ...reads, profile: false, session: false, audience: false, model: false, request: [] };
  const one = { ...first, when: null, context: [], reads: nothing, lowestTier: 'segment', device: true, untilMs: null } as const;
  const sensitivity = { ...first.sensitivity, class: 'S0' } as const;
  const offers = Object.fromEntries(ids.map((name) => [name, { ...one, sensitivity, variant: name }]));
  const variants = Object.fromEntries(ids.map((name) => [name, { ...Object.values(artefact.variants)[0], content: 'x'.repeat(200) }]));
  const rung = { tier: 'segment', select: { by: 'arbitrate', offers: ids } } as const;
  const many = {
    ...artefact,
    revision: String(count),
    offers: { ...artefact.offers, ...offers },
    variants: { ...artefact.variants, ...variants },
    zones: { ...artefact.zones, [id]: { ...zone, sensitivity, ladder: [rung, ...zone.ladder.slice(-1)] } },
  } as typeof artefact;
  const logger = pino({ level: 'error' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { many, service: await startService({ policy: { current: () => ({ artefact: many, stale: false }) }, logger }) };
}

describe('a large one', () => {
  it('is made with turns of the event loop in between, once for all who wait for it', async () => {
    const { many } = await withOffers(600);
    const artefacts = createDeviceArtefacts({ keys: () => key, clock: { nowMs: () => 0 } });
    let [turns, isDone] = [0, false];
    const count = () => {
      turns += 1;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    const [one, other] = await Promise.all([artefacts.current(many), artefacts.current(many)]);
    isDone = true;
    expect(one).toBe(other);
    expect(one).toMatchObject({ jws: expect.stringContaining('.') });
    expect(turns).toBeGreaterThan(20);
  });

  it('that devices would not read is not served, so that they keep no older one, and the log says so once', async () => {
    const lines: object[] = [];
    const { service } = await withOffers(2_500, lines);
    for (const _ of [1, 2]) {
      const { status, headers, text } = await call(service, { url });
      expect([status, headers['cache-control'], JSON.parse(text)]).toMatchObject([
        410,
        'private, no-store',
        { code: 'artefact_killed', detail: expect.stringContaining(`larger than the ${artefactCharactersMax} characters`) },
      ]);
    }
    expect(lines).toMatchObject([{ policy: 'retail', revision: '2500', msg: expect.stringMatching(/^artefact_too_large: /) }]);
  });
});

const key = artefactKeysOf(newArtefactKey());
describe('who may fetch it', () => {
  it.each([
    ['nobody', undefined, 401],
    ['a page', 'key-page', 200],
    ['a renderer', 'key-shop', 200],
    ['who writes profiles alone', 'key-crm', 403],
  ])('%s', async (_who, key, status) => {
    expect((await call(await startService({ apiKeys }), { url, key })).status).toBe(status);
  });

  it('everybody, where the operator says that shared answers are public', async () => {
    expect((await call(await startService({ apiKeys, publicGet: true }), { url })).status).toBe(200);
  });

  it('everybody there with a token that is no good, too: but that no cache keeps, or anybody could fill caches with it', async () => {
    const service = await startService({ apiKeys, publicGet: true });
    const open = await call(service, { url });
    const { token } = service.parts.visitorTokens?.artefact.mint({ subject: null, sessionId: null }) ?? {};
    const good = await call(service, { url: `${url}?t=${token}` });
    expect([good.text, good.headers['cache-control']]).toEqual([open.text, open.headers['cache-control']]);
    service.clock.advance(2 * visitorTokenWindowMs);
    const now = await call(service, { url });
    for (const asked of [{ url: `${url}?t=${token}` }, { url: `${url}?t=x` }, { url, key: String(token) }]) {
      const { status, text, headers } = await call(service, asked);
      expect([status, text, headers['content-type']]).toEqual([200, now.text, now.headers['content-type']]);
      expect(headers['cache-control']).toBe('private, no-store');
      for (const name of ['etag', 'surrogate-key', 'cache-tag']) expect(headers[name]).toBeUndefined();
    }
  });

  it('a visitor, with a token for it, in the address or in its header, until it ends or is taken back', async () => {
    const service = await startService({ apiKeys });
    const { sessionId } = (await call(service, { method: 'POST', url: '/v1/sessions', key: 'key-page' })).json();
    const { artefact, stream } = (await call(service, { method: 'POST', url: `/v1/sessions/${sessionId}/tokens` })).json();
    const fetched = [
      await call(service, { url: artefact.requestUri }),
      await call(service, { url, key: artefact.token }),
      await call(service, { url, headers: { authorization: `bearer ${artefact.token}` } }),
    ];
    expect(fetched.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(new Set(fetched.map(({ text }) => text)).size).toBe(1);
    for (const query of [`?t=${stream.token}`, '?t=x'])
      expect((await call(service, { url: url + query })).json().code).toBe('token_refused');
    expect((await call(service, { method: 'DELETE', url: `/v1/sessions/${sessionId}` })).status).toBe(204);
    const after = await call(service, { url: artefact.requestUri });
    expect([after.status, after.json().code, after.headers['cache-control']]).toEqual([401, 'token_refused', 'private, no-store']);
  });

  it('nobody with a token that has ended', async () => {
    const service = await startService({ apiKeys });
    const { token } = service.parts.visitorTokens?.artefact.mint({ subject: null, sessionId: null }) ?? {};
    expect((await call(service, { url: `${url}?t=${token}` })).status).toBe(200);
    service.clock.advance(2 * visitorTokenWindowMs);
    expect((await call(service, { url: `${url}?t=${token}` })).status).toBe(401);
  });

  it.each(['?', '?x=1', '?t=', '?t=a&t=b', '?t=a&x=1', '?T=a'])(
    'nobody with a query that a cache would take for another artefact: %s',
    async (query) => {
      const { status } = await call(await startService(), { url: url + query });
      expect(status).toBe(query === '?' ? 200 : 400);
    },
  );
});

describe('the keys', () => {
  it('are public, for five minutes, and never private', async () => {
    const { status, headers, text } = await call(await startService({ apiKeys }), { url: '/.well-known/stepwell-keys.json' });
    expect([status, headers['content-type'], headers['cache-control']]).toEqual([200, 'application/jwk-set+json', 'public, max-age=300']);
    expect(JSON.parse(text).keys.map((key: object) => Object.keys(key).sort())).toEqual([['alg', 'crv', 'kid', 'kty', 'use', 'x']]);
  });
});
