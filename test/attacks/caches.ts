/** What would make a cache keep what is one person's, or show one person what another was shown. */
import { expect } from 'vitest';
import { bentEnds } from '../support/bent-addresses.ts';
import { type Area, agreed, headerOf, request, type Scene, scene, signed } from './attack.ts';
import { headerOf as wireHeader } from './wire.ts';

const sharedUrl = '/v1/decide?page=home&zones=hero,offer_rail&country=DE&device=mobile';
const ours = ['date', 'stepwell-request-id', 'server-timing', 'connection', 'keep-alive'];

/** Without what is each answer's own and no cache keys by. */
function lasting(headers: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ours.includes(name)));
}

async function expectNeverKept(
  at: Scene,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  url: string,
  payload?: unknown,
  headers = {},
): Promise<number> {
  const answer = await at.send(method, url, payload, headers);
  expect(answer.headers['cache-control'], `${method} ${url}`).toBe('private, no-store');
  for (const name of [
    'etag',
    'last-modified',
    'expires',
    'surrogate-key',
    'surrogate-control',
    'cache-tag',
    'set-cookie',
    'vary',
    'accept-ranges',
  ]) {
    expect(answer.headers, `${method} ${url}: ${name}`).not.toHaveProperty(name);
  }
  return answer.statusCode;
}

export const caches: Area = {
  area: 'caches',
  attacks: [
    {
      name: 'addresses that a cache takes for a picture and a router for a decision',
      holds: 'every one but the address itself is nothing here, and never kept',
      async try() {
        const at = await scene();
        const addresses = [
          ...['#x.css', ...bentEnds].map((end) => `/v1/decide${end}?page=home`),
          '//v1/decide?page=home',
          '/v1//decide?page=home',
          '/v1/%64ecide?page=home',
          '/static/..%2fv1%2fdecide?page=home',
          '/V1/DECIDE?page=home',
        ];
        for (const address of addresses) {
          const { answers } = await at.wire(`GET ${address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
          expect([answers.length, answers[0]?.status === 404 || answers[0]?.status === 400], address).toEqual([1, true]);
          expect(wireHeader(answers[0] as never, 'cache-control'), address).toBe('private, no-store');
        }
        // What is written as another address is guarded by whoever stands in front of us: `/v1/profil%65s` is no way around.
        for (const address of ['/v1/profil%65s/person-7f3a9c', '/v%31/profiles/person-7f3a9c', '/v1%2fprofiles/person-7f3a9c']) {
          expect((await at.app.inject({ method: 'GET', url: address })).statusCode, address).toBe(404);
        }
        expect((await at.app.inject({ method: 'GET', url: '/v1/profiles/person%2d7f3a9c' })).statusCode).toBe(200);
        // The POST, whose answer is somebody's, is no other way either.
        const token = signed(at.key, headerOf(at.key), at.claims());
        const body = JSON.stringify({ page: 'home', identity: { token }, consent: agreed });
        for (const address of addresses) {
          const { answers } = await at.wire(request(`POST ${address}`, ['Content-Type: application/json', 'Connection: close'], body));
          const [answer] = answers;
          expect([answer?.status === 404 || answer?.status === 400 || answer?.status === 405, answers.length], address).toEqual([true, 1]);
          expect(wireHeader(answer as never, 'cache-control'), address).toBe('private, no-store');
        }
      },
    },
    {
      name: 'headers that are in no cache’s key',
      holds: 'they change no byte of what is shared',
      async try() {
        const at = await scene();
        const plain = await at.send('GET', sharedUrl);
        expect(plain.headers['cache-control']).toContain('public');
        const unkeyed = [
          'x-forwarded-host',
          'x-forwarded-scheme',
          'x-forwarded-port',
          'x-forwarded-for',
          'forwarded',
          'x-original-url',
          'x-rewrite-url',
          'x-http-method-override',
          'accept-language',
          'accept-encoding',
          'accept',
          'user-agent',
          'referer',
          'origin',
          'cookie',
          'sec-gpc',
          'dpop',
          'x-edge-segment',
          'cf-ipcountry',
          'x-country',
          'pragma',
          'cache-control',
          'te',
          'via',
          'stepwell-deadline-ms',
          'traceparent',
          'baggage',
        ];
        for (const name of unkeyed) {
          for (const value of ['FR', '1', '/v1/profiles/x', 'evil.example']) {
            const answer = await at.send('GET', sharedUrl, undefined, { [name]: value });
            expect([answer.statusCode, answer.payload], `${name}: ${value}`).toEqual([200, plain.payload]);
            expect(lasting(answer.headers), `${name}: ${value}`).toEqual(lasting(plain.headers));
          }
        }
        const withBody = await at.app.inject({
          method: 'GET',
          url: sharedUrl,
          headers: { 'content-type': 'application/json' },
          payload: '{"page":"x"}',
        });
        expect(withBody.payload).toBe(plain.payload);
      },
    },
    {
      name: 'a cookie so large that the answer is an error, to have the error kept',
      holds: 'the error is nobody’s to keep',
      async try() {
        const at = await scene();
        for (const bytes of [100, 7000, 9000, 20_000]) {
          const { answers } = await at.wire(
            `GET ${sharedUrl} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: a=${'x'.repeat(bytes)}\r\n\r\n`,
          );
          const [answer] = answers;
          expect(answer?.status).toBe(bytes < 8000 ? 200 : 431);
          if (answer?.status === 431) expect(wireHeader(answer, 'cache-control')).toBe('private, no-store');
        }
      },
    },
    {
      name: 'an error or an empty answer, to have it kept for everybody',
      holds: 'none of them may be',
      async try() {
        const at = await scene();
        const statuses = [
          await expectNeverKept(at, 'GET', '/v1/decide?page=nowhere'),
          await expectNeverKept(at, 'GET', '/v1/decide?page=home&x=1'),
          await expectNeverKept(at, 'GET', '/v1/nothing'),
          await expectNeverKept(at, 'GET', '/v1/sessions'),
          await expectNeverKept(at, 'GET', '/v1/profiles/nobody-here'),
          await expectNeverKept(at, 'PUT', '/v1/profiles/new', {}),
          await expectNeverKept(at, 'PUT', '/v1/profiles/new', {}),
          await expectNeverKept(at, 'DELETE', '/v1/profiles/new'),
          await expectNeverKept(at, 'POST', '/v1/decide', { page: 'x'.repeat(40_000) }),
          await expectNeverKept(at, 'POST', '/v1/decide', { page: 'home' }),
          await expectNeverKept(at, 'GET', '/v1/decide?page=home', undefined, { host: 'evil.example' }),
        ];
        expect(statuses).toEqual([404, 400, 404, 405, 404, 201, 204, 204, 413, 200, 403]);
      },
    },
    {
      name: 'a validator that says something of a person',
      holds: 'what is somebody’s has none, known or unknown',
      async try() {
        const at = await scene();
        const token = signed(at.key, headerOf(at.key), at.claims());
        for (const identity of [{ token }, { deviceId: 'd-1' }, {}])
          await expectNeverKept(at, 'POST', '/v1/decide', { page: 'home', identity, consent: agreed });
        await expectNeverKept(at, 'GET', '/v1/profiles/person-7f3a9c');
        // Nor has what is shared one that moves with anybody's data.
        const before = (await at.send('GET', sharedUrl)).headers.etag;
        await at.send('PUT', '/v1/profiles/person-7f3a9c', { attributes: { loyalty: 'none' } });
        expect((await at.send('GET', sharedUrl)).headers.etag).toBe(before);
      },
    },
    {
      name: 'somebody else’s validator',
      holds: 'it is a 304 only for the very answer it names',
      async try() {
        const at = await scene();
        const { etag } = (await at.send('GET', sharedUrl)).headers;
        const asked = { 'if-none-match': String(etag) };
        expect((await at.send('GET', sharedUrl, undefined, asked)).statusCode).toBe(304);
        expect(
          (await at.send('GET', '/v1/decide?page=home&zones=hero,offer_rail&country=FR&device=mobile', undefined, asked)).statusCode,
        ).toBe(200);
        for (const headers of [asked, { 'if-none-match': '*' }, { 'if-modified-since': 'Fri, 01 Jan 2100 00:00:00 GMT' }]) {
          expect((await at.send('GET', '/v1/profiles/person-7f3a9c', undefined, headers)).statusCode).toBe(200);
          expect((await at.decide({}, headers)).status).toBe(200);
        }
      },
    },
    {
      name: 'a part of an answer by Range',
      holds: 'answers are whole',
      async try() {
        const at = await scene();
        const whole = (await at.send('GET', sharedUrl)).payload;
        for (const range of ['bytes=0-0', 'bytes=-1', 'bytes=0-1,5-6', `bytes=${Array(500).fill('0-').join(',')}`, 'x=1']) {
          const answer = await at.send('GET', sharedUrl, undefined, { range, 'if-range': '"x"' });
          expect([answer.statusCode, answer.payload], range).toEqual([200, whole]);
          expect(answer.headers).not.toHaveProperty('content-range');
        }
      },
    },
  ],
};
