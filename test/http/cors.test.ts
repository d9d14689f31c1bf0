/** Which pages may call from a browser: exactly those that are listed, only where a browser has business, and closed by default. */
import { describe, expect, it } from 'vitest';
import { call, keyOf } from './callers.ts';
import { startService } from './service.ts';

const shop = 'https://www.shop.example';
const apiKeys = [keyOf('page', ['decide'], { publishable: true }), keyOf('crm', ['profiles'])];

const open = () => startService({ apiKeys, corsOrigins: [shop, 'http://localhost:3000'] });
const preflight = (url: string, origin: string, method = 'POST') => ({
  method: 'OPTIONS' as const,
  url,
  headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': 'authorization,content-type' },
});
const corsHeaders = (headers: object) => Object.keys(headers).filter((name) => name.startsWith('access-control-'));

describe('a page of a listed origin', () => {
  it('is let through by a preflight that needs no key and is kept by no cache', async () => {
    const { status, headers, text } = await call(await open(), preflight('/v1/decide', shop));
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expect(headers).toMatchObject({
      'access-control-allow-origin': shop,
      'access-control-allow-methods': 'GET, POST, DELETE',
      'access-control-max-age': '600',
      vary: 'Origin',
      'cache-control': 'private, no-store',
    });
    expect(headers['access-control-allow-headers']).toContain('authorization');
    expect(headers['access-control-allow-credentials']).toBeUndefined();
  });

  it('may send its key as clients of OFREP do, and read when to come back', async () => {
    const service = await open();
    const { headers } = await call(service, preflight('/ofrep/v1/evaluate/flags', shop));
    for (const name of ['authorization', 'content-type', 'if-none-match', 'last-event-id', 'x-api-key'])
      expect(String(headers['access-control-allow-headers']).split(', ')).toContain(name);
    const url = '/ofrep/v1/evaluate/flags/hero';
    const answer = await call(service, {
      method: 'POST',
      url,
      payload: { context: {} },
      headers: { origin: shop, 'x-api-key': 'key-page' },
    });
    expect(answer.headers['access-control-allow-origin']).toBe(shop);
    for (const name of ['etag', 'retry-after']) expect(String(answer.headers['access-control-expose-headers']).split(', ')).toContain(name);
  });

  it('reads answers, and problems too', async () => {
    const service = await open();
    const headers = { origin: shop };
    const decided = await call(service, { method: 'POST', url: '/v1/decide', key: 'key-page', payload: { page: 'home' }, headers });
    expect(decided.status).toBe(200);
    const refused = await call(service, { method: 'POST', url: '/v1/decide', payload: { page: 'home' }, headers });
    expect(refused.status).toBe(401);
    for (const { headers: given } of [decided, refused]) {
      expect(given).toMatchObject({ 'access-control-allow-origin': shop, vary: 'Origin' });
      expect(given['access-control-allow-credentials']).toBeUndefined();
    }
  });

  it('fetches what devices decide by, and reads its ETag', async () => {
    const service = await open();
    const { status, headers } = await call(service, { url: '/v1/artefact', key: 'key-page', headers: { origin: shop } });
    expect(status).toBe(200);
    expect(headers.etag).toMatch(/^"/);
    expect(headers).toMatchObject({ 'access-control-allow-origin': shop, vary: 'Origin' });
    expect(String(headers['access-control-expose-headers']).split(', ')).toContain('etag');
    const keys = await call(service, { url: '/.well-known/stepwell-keys.json', headers: { origin: shop } });
    expect([keys.status, keys.headers['access-control-allow-origin']]).toEqual([200, shop]);
  });

  it('varies what a shared cache keeps by origin, for whoever asks', async () => {
    const service = await open();
    const url = '/v1/decide?page=home';
    const answers = [
      await call(service, { url, key: 'key-page' }),
      await call(service, { url, key: 'key-page', headers: { origin: shop } }),
      await call(service, { url, key: 'key-page', headers: { origin: 'https://evil.example' } }),
    ];
    for (const { status, headers } of answers) expect([status, headers.vary]).toEqual([200, 'Origin']);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.map(({ headers }) => headers['access-control-allow-origin'])).toEqual([undefined, shop, undefined]);
  });

  it.each([
    '/v1/profiles/ada',
    '/v1/consents/ada',
    '/v1/identities/device/d',
    '/v1/revocations',
    '/v1/sessionsx',
    '/v1/decidex',
    '/openapi.json',
  ])('has no business at %s', async (url) => {
    const service = await open();
    expect(corsHeaders((await call(service, preflight(url, shop, 'PUT'))).headers)).toEqual([]);
    expect(corsHeaders((await call(service, { url, key: 'key-crm', headers: { origin: shop } })).headers)).toEqual([]);
  });
});

describe('any other origin', () => {
  it.each([
    'https://evil.example',
    'https://www.shop.example.evil.example',
    'https://shop.example',
    'http://www.shop.example',
    'https://www.shop.example:8443',
    'HTTPS://WWW.SHOP.EXAMPLE',
    'https://www.shop.example/',
    'null',
    '*',
    `${shop}, https://evil.example`,
  ])('%s is told nothing', async (origin) => {
    const service = await open();
    const asked = await call(service, preflight('/v1/decide', origin));
    expect(asked.status).toBe(405);
    expect(corsHeaders(asked.headers)).toEqual([]);
    const sent = await call(service, {
      method: 'POST',
      url: '/v1/decide',
      key: 'key-page',
      payload: { page: 'home' },
      headers: { origin },
    });
    expect(sent.status).toBe(200);
    expect(corsHeaders(sent.headers)).toEqual([]);
    expect(sent.text).not.toContain('evil');
  });
});

describe('where no origin is listed', () => {
  it('no answer says a word about origins', async () => {
    const service = await startService({ apiKeys });
    const asked = await call(service, preflight('/v1/decide', shop));
    expect(asked.status).toBe(405);
    const sent = await call(service, { url: '/v1/decide?page=home', key: 'key-page', headers: { origin: shop } });
    for (const { headers } of [asked, sent]) {
      expect(corsHeaders(headers)).toEqual([]);
      expect(headers.vary).toBeUndefined();
    }
  });
});

describe('an OPTIONS that is no preflight', () => {
  it.each([
    ['/v1/decide', 405],
    ['/v1/nowhere', 404],
  ])('%s is answered %i as before', async (url, status) => {
    for (const service of [await open(), await startService({ apiKeys })]) {
      const answer = await call(service, { method: 'OPTIONS', url });
      expect(answer.status).toBe(status);
      expect(answer.json().status).toBe(status);
    }
  });
});
