/** Ways to what only the operator may see or do. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type Area, scene, subject, triedIn } from './attack.ts';

export const secrets: Area = {
  area: 'secrets and administration',
  attacks: [
    {
      name: 'administration on the public port, without a key, or with a key that is nearly right',
      holds: 'nothing but whole keys opens what they are for',
      async try() {
        const key = 'sw-key-0123456789abcdef';
        const sha256 = createHash('sha256').update(key).digest('hex');
        const at = await scene({ apiKeys: [{ id: 'edge', sha256, scopes: ['decide'] }] });
        for (const url of ['/livez', '/readyz', '/status', '/metrics', '/admin', '/debug', '/.env', '/v1/keys', '/server-status']) {
          expect((await at.send('GET', url, undefined, { authorization: `Bearer ${key}` })).statusCode, url).toBe(404);
        }
        const nearly = [
          '',
          key.slice(0, -1),
          `${key}0`,
          key.toUpperCase(),
          sha256,
          ` ${key}x`,
          `${key}, Bearer x`,
          'null',
          'undefined',
          '*',
        ];
        for (const given of [
          undefined,
          `Basic ${Buffer.from(`edge:${key}`).toString('base64')}`,
          key,
          ...nearly.map((one) => `Bearer ${one}`),
        ]) {
          const headers: Record<string, string> = given === undefined ? {} : { authorization: given };
          const answer = await at.send('POST', '/v1/decide', { page: 'home' }, headers);
          expect([401, 429], given).toContain(answer.statusCode);
          expect(answer.payload).not.toContain(key.slice(0, -1));
        }
        expect((await at.send('DELETE', `/v1/profiles/${subject}`, undefined, { authorization: `Bearer ${key}` })).statusCode).toBe(403);
        expect((await at.send('POST', '/v1/decide', { page: 'home' }, { authorization: `Bearer ${key}` })).statusCode).toBe(200);
        // How long a comparison takes is nothing that a test on a busy machine could tell: that it is this one can be read.
        expect(readFileSync('src/http/plugins/keys.ts', 'utf8')).toContain('timingSafeEqual(');
      },
    },
    {
      name: 'secrets and people in logs, errors, traces, metrics and on the management port',
      holds: 'none of any kind is found in any of them',
      try: () => triedIn('test/canaries/canaries.test.ts', 'is found nowhere that somebody else may look'),
    },
    {
      name: 'a page of another origin that calls with whatever the browser has',
      holds: 'without a list of origins no page may read an answer, and never with credentials',
      async try() {
        const at = await scene();
        for (const origin of ['https://evil.example', 'null', 'http://localhost:3000', 'http://127.0.0.1']) {
          for (const [method, url, payload] of [
            ['POST', '/v1/decide', { page: 'home' }],
            ['GET', '/v1/decide?page=home', undefined],
            ['GET', `/v1/profiles/${subject}`, undefined],
          ] as const) {
            const { headers } = await at.send(method, url, payload, { origin });
            expect(
              Object.keys(headers).filter((name) => name.startsWith('access-control-')),
              `${origin} ${url}`,
            ).toEqual([]);
          }
          const preflight = await at.app.inject({
            method: 'OPTIONS',
            url: '/v1/decide',
            headers: { origin, 'access-control-request-method': 'POST' },
          });
          expect(preflight.statusCode).toBe(405);
          expect(Object.keys(preflight.headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
        }
      },
    },
  ],
};
