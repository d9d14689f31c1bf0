/** GET /v1/decide: one address for one answer, byte-stable, and headers that agree with the body. */
import { describe, expect, it } from 'vitest';
import { sharedResponse } from '../../src/contract/schemas.ts';
import { noGrace, sharedHeaders } from '../../src/http/shared-headers.ts';
import { startService } from './service.ts';

const url = '/v1/decide?page=home&zones=hero,offer_rail&country=DE&device=mobile';

describe('GET /v1/decide', () => {
  it('answers segment content from the query alone, the same bytes whoever asks', async () => {
    const service = await startService();
    const plain = await service.app.inject(url);
    expect(plain.statusCode).toBe(200);
    expect(sharedResponse.parse(plain.json())).toEqual(plain.json());
    expect(Object.keys(plain.json())).toEqual(['policy', 'zones']);
    expect(plain.json().zones[0]).toMatchObject({ tier: 'segment', intendedTier: 'segment', variant: 'hero-dach', downgrade: null });
    service.clock.advance(1000);
    const cookie = 'sid=1; euconsent-v2=CP';
    const other = await service.app.inject({
      url,
      headers: { cookie, 'sec-gpc': '1', 'accept-language': 'fr', 'x-forwarded-host': 'evil' },
    });
    expect(other.payload).toBe(plain.payload);
    expect(other.headers['cache-control']).toBe(plain.headers['cache-control']);
  });

  it('is the same, tag and all, while a newer policy does not load: only who asks for themselves is told', async () => {
    let stale = false;
    const { artefact } = await startService();
    const { app } = await startService({ policy: { current: () => ({ artefact, stale }) } });
    const everybody = '/v1/decide?zones=offer_rail';
    const [before, open] = [await app.inject(url), await app.inject(everybody)];
    stale = true;
    const [after, held] = [await app.inject(url), await app.inject({ url, headers: { 'if-none-match': String(before.headers.etag) } })];
    expect(after.payload).toBe(before.payload);
    expect(after.headers.etag).toBe(before.headers.etag);
    expect(after.headers['cache-control']).toBe(before.headers['cache-control']);
    expect(held.statusCode).toBe(304);
    expect((await app.inject(everybody)).payload).toBe(open.payload);
    expect(after.json().policy).toEqual({ id: 'retail', revision: artefact.revision, stale: false });
    const own = await app.inject({ method: 'POST', url: '/v1/decide', payload: { page: 'home' } });
    expect(own.json().policy.stale).toBe(true);
  });

  it('says in its headers what its zones say', async () => {
    const { app } = await startService();
    const both = await app.inject(url);
    const zones = both.json().zones as { cache: { scope: string; maxAgeSeconds: number; tags: string[] } }[];
    const least = Math.min(...zones.map(({ cache }) => cache.maxAgeSeconds));
    expect(both.headers['cache-control']).toBe(`public, max-age=0, s-maxage=${least}, stale-while-revalidate=0, stale-if-error=0`);
    const tags = [...new Set(zones.flatMap(({ cache }) => cache.tags))].sort();
    expect(both.headers['surrogate-key']).toBe(tags.join(' '));
    expect(both.headers['cache-tag']).toBe(tags.join(','));
    const everybody = await app.inject('/v1/decide?zones=offer_rail');
    expect(everybody.json().zones[0].cache.scope).toBe('public');
    expect(everybody.headers['cache-control']).toBe('public, max-age=0, s-maxage=60, stale-while-revalidate=30, stale-if-error=300');
  });

  it('is kept no longer than until an offer opens, and keeps its bytes until then', async () => {
    const { app, clock } = await startService({}, 'test/http/windows.yaml');
    const rail = '/v1/decide?zones=z0&country=DE';
    const ask = async () => {
      const { payload, headers, statusCode } = await app.inject(rail);
      return [statusCode, payload, headers.etag, /s-maxage=(\d+), stale-while-revalidate=0/.exec(String(headers['cache-control']))?.[1]];
    };
    const [, body, etag] = await ask();
    clock.advance(Date.parse('2027-01-01T00:00:00Z') - clock.nowMs() - 30_000);
    for (const [advanceMs, seconds] of [
      [0, '30'],
      [1, '29'],
      [19_999, '10'],
      [9_000, '1'],
      [1, '0'],
      [998, '0'],
    ] as const) {
      clock.advance(advanceMs);
      expect(await ask()).toEqual([200, body, etag, seconds]);
    }
    const held = await app.inject({ url: rail, headers: { 'if-none-match': String(etag) } });
    expect([held.statusCode, held.headers['cache-control']]).toEqual([304, expect.stringContaining('s-maxage=0,')]);
    clock.advance(1);
    const open = await app.inject(rail);
    expect([open.json().zones[0].variant, open.headers['cache-control']]).toEqual(['new-year', expect.stringContaining('s-maxage=30,')]);
  });

  it('answers 304 to a validator that still holds', async () => {
    const { app } = await startService();
    const { etag } = (await app.inject(url)).headers;
    expect(etag).toMatch(/^"[A-Za-z0-9_-]{43}"$/);
    for (const given of [String(etag), `"x", ${etag}`, `W/${etag}`, '*']) {
      const held = await app.inject({ url, headers: { 'if-none-match': given } });
      expect([held.statusCode, held.payload, held.headers.etag]).toEqual([304, '', etag]);
      expect(held.headers['cache-control']).toContain('public');
    }
    expect((await app.inject({ url, headers: { 'if-none-match': '"x"' } })).statusCode).toBe(200);
  });

  it.each([
    ['an unknown parameter', 'page=home&utm_source=x'],
    ['a repeated parameter', 'page=home&page=home'],
    ['an empty value', 'page=home&country='],
    ['no value', 'page=home&country'],
    ['an empty part', 'page=home&'],
    ['attributes before zones', 'page=home&country=DE&zones=hero'],
    ['attributes out of order', 'page=home&device=mobile&country=DE'],
    ['an unsorted list', 'zones=offer_rail,hero'],
    ['a repeat in a list', 'zones=hero,hero'],
    ['an empty item', 'zones=hero,'],
    ['a value outside the declared ones', 'page=home&device=watch'],
    ['an audience that is not for the edge', 'page=home&audiences=lapsed'],
    ['a second spelling by percent-encoding', 'page=hom%65'],
    ['lower-case hex', 'page=home&country=%c3%a9'],
    ['a plus for a space', 'page=home&country=D+E'],
    ['broken encoding', 'page=home&country=%FF'],
    ['neither page nor zones', 'country=DE'],
    ['nothing', ''],
  ])('refuses %s: a cache must not hold two keys for one answer', async (_, query) => {
    const response = await (await startService()).app.inject(`/v1/decide?${query}`);
    expect(response.statusCode).toBe(400);
    expect(response.headers['cache-control']).toBe('private, no-store');
    expect(response.json()).toMatchObject({ code: 'invalid_request', errors: [{ in: 'query' }] });
  });

  it('takes edge audiences, and the comma as form encoders write it', async () => {
    const { app } = await startService();
    expect((await app.inject('/v1/decide?page=home&audiences=newsletter')).statusCode).toBe(200);
    expect((await app.inject('/v1/decide?zones=hero%2Coffer_rail')).statusCode).toBe(200);
  });

  it('answers 404 for a page or a zone that the policy does not have', async () => {
    const { app } = await startService();
    expect((await app.inject('/v1/decide?page=nowhere')).json()).toMatchObject({ status: 404, code: 'unknown_page' });
    expect((await app.inject('/v1/decide?zones=nowhere')).json()).toMatchObject({ status: 404, code: 'unknown_zone' });
  });

  it.each(['/v1/%64ecide?zones=hero', '/v1/decide%3Fzones=hero', '/v1/decide/?zones=hero', '//v1/decide?zones=hero'])(
    'is found under one spelling of its path only: %s is not it',
    async (url) => {
      const { app } = await startService();
      const response = await app.inject({ method: 'GET', url });
      expect([response.statusCode, response.headers['cache-control']]).toEqual([404, 'private, no-store']);
    },
  );

  it('tells caches of every make what they read, and no other', async () => {
    const names = ['surrogate-key', 'cache-tag', 'edge-cache-tag', 'xkey', 'cdn-cache-control', 'surrogate-control'];
    const sent = async (changes: Parameters<typeof startService>[0]) => {
      const { headers } = await (await startService(changes)).app.inject(url);
      return Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
    };
    const spaced = 'policy-retail stepwell zone-hero zone-offer_rail';
    const listed = spaced.replaceAll(' ', ',');
    expect(await sent({})).toEqual({ 'surrogate-key': spaced, 'cache-tag': listed });
    expect(await sent({ cacheTags: [] })).toEqual({});
    expect(await sent({ cacheTags: ['edge-cache-tag', 'xkey'], cdnHeaders: ['cdn-cache-control', 'surrogate-control'] })).toEqual({
      'edge-cache-tag': listed,
      xkey: spaced,
      'cdn-cache-control': 'public, max-age=30, stale-while-revalidate=0, stale-if-error=0',
      'surrogate-control': 'max-age=30, stale-while-revalidate=0, stale-if-error=0',
    });
  });

  it('says nothing to caches but that they may not keep it where it is one visitor’s, or wrong', async () => {
    const { app } = await startService({
      cacheTags: ['surrogate-key', 'cache-tag', 'edge-cache-tag', 'xkey'],
      cdnHeaders: ['cdn-cache-control', 'surrogate-control'],
    });
    const personal = await app.inject({ method: 'POST', url: '/v1/decide', payload: { page: 'home' } });
    for (const { headers } of [personal, await app.inject('/v1/decide?page=nowhere'), await app.inject('/v1/decide?page=home&x=1')]) {
      expect(headers['cache-control']).toBe('private, no-store');
      const told = Object.keys(headers).filter((name) => /surrogate|cdn|tag|xkey|accel|edge|expires|last-modified/.test(name));
      expect(told).toEqual([]);
    }
  });

  it('names the policy alone where the tags of many zones would not fit', () => {
    const answer = { body: '{}', etag: '"x"', maxAgeSeconds: 5, grace: noGrace, coarseTags: ['policy-p', 'stepwell'] };
    const zones = (count: number) => [
      'policy-p',
      'stepwell',
      ...Array.from({ length: count }, (_, index) => `zone-${'z'.repeat(55)}${index}`),
    ];
    const fitting = sharedHeaders({ ...answer, tags: zones(10) }, {});
    expect(fitting['cache-tag']?.split(',')).toEqual(zones(10));
    expect(sharedHeaders({ ...answer, tags: zones(20) }, {})).toMatchObject({
      'cache-tag': 'policy-p,stepwell',
      'surrogate-key': 'policy-p stepwell',
    });
  });

  it('differs by origin for caches where pages of listed origins may read it', async () => {
    const plain = await (await startService()).app.inject(url);
    expect(plain.headers.vary).toBeUndefined();
    const { app } = await startService({ corsOrigins: ['https://www.shop.example'] });
    for (const headers of [{}, { origin: 'https://www.shop.example' }, { origin: 'https://evil.example' }]) {
      expect((await app.inject({ url, headers })).headers.vary).toBe('Origin');
    }
  });

  it('has no HEAD, which caches make a GET of, and takes no body into account', async () => {
    const { app } = await startService();
    const head = await app.inject({ method: 'HEAD', url });
    expect([head.statusCode, head.headers['cache-control']]).toEqual([405, 'private, no-store']);
    const plain = await app.inject(url);
    const fat = await app.inject({ method: 'GET', url, payload: { page: 'home', context: { country: 'FR' } } });
    expect([fat.statusCode, fat.payload]).toEqual([plain.statusCode, plain.payload]);
  });

  it('is the same whatever headers that other frameworks go by say', async () => {
    const { app } = await startService();
    const plain = await app.inject(url);
    const names = [
      'x-forwarded-host',
      'x-forwarded-scheme',
      'x-forwarded-port',
      'forwarded',
      'x-original-url',
      'x-rewrite-url',
      'x-http-method-override',
      'x-edge-segment',
      'x-edge-country',
    ];
    for (const name of names) {
      const other = await app.inject({ url, headers: { [name]: '/v1/decide?page=nowhere' } });
      expect([other.statusCode, other.payload, other.headers['cache-control']]).toEqual([
        200,
        plain.payload,
        plain.headers['cache-control'],
      ]);
      expect(JSON.stringify(other.headers)).not.toContain('nowhere');
    }
  });
});
