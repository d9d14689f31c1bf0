/** The resource by which browsers and auditors learn that Global Privacy Control is honoured. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { startService } from './service.ts';

const url = '/.well-known/gpc.json';

describe('/.well-known/gpc.json', () => {
  it('says that Global Privacy Control is honoured, and since which day', async () => {
    const { app } = await startService();
    const { statusCode, headers, body } = await app.inject({ url });
    expect(statusCode).toBe(200);
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(Object.keys(JSON.parse(body))).toEqual(['gpc', 'lastUpdate']);
    expect(JSON.parse(body).gpc).toBe(true);
    expect(JSON.parse(body).lastUpdate).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  });

  it('is the same for everybody, so caches may hold it, and sets nothing on who asks', async () => {
    const { app } = await startService();
    const plain = await app.inject({ url });
    const personal = await app.inject({
      url,
      headers: { cookie: 'a=1', 'sec-gpc': '1', authorization: 'Bearer nobody', origin: 'https://shop.example' },
    });
    expect(personal.body).toBe(plain.body);
    for (const { headers } of [plain, personal]) {
      expect(headers['cache-control']).toBe('public, max-age=86400');
      expect(headers['set-cookie']).toBeUndefined();
    }
  });

  it('asks for no API key where the other routes do', async () => {
    const sha256 = createHash('sha256').update('a-key-of-somebody-else').digest('hex');
    const { app } = await startService({ apiKeys: [{ id: 'edge', sha256, scopes: ['decide'] }] });
    expect((await app.inject({ url, remoteAddress: '203.0.113.7' })).statusCode).toBe(200);
    expect(
      (await app.inject({ method: 'POST', url: '/v1/decide', remoteAddress: '203.0.113.7', payload: { page: 'home' } })).statusCode,
    ).toBe(401);
  });

  it('is read, never written', async () => {
    const { app } = await startService();
    expect((await app.inject({ method: 'POST', url, payload: {} })).statusCode).toBe(405);
  });
});
