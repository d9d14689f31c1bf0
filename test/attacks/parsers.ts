/** What a parser may be made to do: change what every object inherits, read one thing twice, or work for nothing. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { compilePolicy } from '../../src/policy/compile.ts';
import { readDataLine } from '../../src/start/data-line.ts';
import { type Area, agreed, expectCleanPrototypes, jsonType, type Scene, scene, subject } from './attack.ts';

const policyText = readFileSync('test/http/policy.yaml', 'utf8');

/** Sends the body as it stands; the problem's code, or null for an answer. */
async function codeFor(at: Scene, payload: string | Buffer, url = '/v1/decide', method: 'POST' | 'PUT' = 'POST'): Promise<string | null> {
  const answer = await at.app.inject({ method, url, headers: jsonType, payload });
  expect(answer.statusCode).toBeLessThan(500);
  return answer.statusCode < 300 ? null : (answer.json().code as string);
}

const poisons = ['{"__proto__":{"isAdmin":true}', '{"constructor":{"prototype":{"isAdmin":true}}', '{"prototype":{"isAdmin":true}'];

export const parsers: Area = {
  area: 'prototypes and parsers',
  attacks: [
    {
      name: '`__proto__`, `constructor`, `prototype` in a body, a stored profile, a policy, a line of data',
      holds: 'each is refused by name, and nothing inherits from it',
      async try() {
        const at = await scene();
        for (const poison of poisons) {
          expect(await codeFor(at, `${poison},"page":"home"}`)).toBe('invalid_request');
          for (const member of ['context', 'identity', 'consent'])
            expect(await codeFor(at, `{"page":"home","${member}":${poison}}}`)).toBe('invalid_request');
          expect(await codeFor(at, `{"attributes":${poison}}}`, '/v1/profiles/mallory', 'PUT')).toBe('invalid_request');
          const useCases = `{"useCases":${poison}},"recordedAt":"2026-11-21T12:00:00Z"}`;
          expect(await codeFor(at, useCases, '/v1/consents/mallory', 'PUT')).toBe('invalid_request');
          const line = Buffer.from(`{"kind":"profile","subject":"mallory","attributes":${poison}}}`);
          expect(readDataLine(line, { artefact: at.artefact, nowMs: at.clock.nowMs() }).outcome).toBe('bad');
        }
        for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString']) {
          for (const [from, to] of [
            ['    country: {', `    ${name}: { type: string, class: S0 }\n    country: {`],
            ['  hero-gold: {', `  ${name}: { content: { isAdmin: true } }\n  hero-gold: {`],
            ['  lapsed: {', `  ${name}: { class: S0 }\n  lapsed: {`],
            ['policy: retail', `policy: retail\n${name}: { isAdmin: true }`],
          ] as const) {
            const { artefact } = compilePolicy(policyText.replace(from, to), { file: 'p.yaml', nowMs: at.clock.nowMs() });
            // A name that only looks dangerous may be a name; then it is that, and nothing more.
            if (artefact !== null) expect(Object.getPrototypeOf(artefact.attributes.request)).not.toHaveProperty('isAdmin');
            expectCleanPrototypes();
          }
        }
        // A profile that was written past us, with such names in it, is a profile without them.
        await at.store
          .putProfile('mallory', { attributes: JSON.parse('{"__proto__":{"loyalty":"gold"}}'), audiences: ['__proto__'] }, 60)
          .catch(() => {});
        expect((await at.send('GET', '/v1/profiles/mallory')).statusCode).toBeLessThan(500);
        expectCleanPrototypes();
      },
    },
    {
      name: 'a key said twice: consent denied, then granted',
      holds: 'what has two meanings is refused',
      async try() {
        const at = await scene();
        for (const body of [
          '{"page":"home","consent":{"useCases":{"offers":"denied","offers":"granted"}}}',
          '{"page":"home","consent":{"useCases":{"offers":"denied","\\u006fffers":"granted"}}}',
          '{"page":"home","consent":{"useCases":{}},"consent":{"useCases":{"offers":"granted"}}}',
        ]) {
          expect(await codeFor(at, body)).toBe('malformed_json');
        }
      },
    },
    {
      name: 'ten thousand levels',
      holds: 'the seventeenth is one too many',
      async try() {
        const at = await scene();
        for (const [open, close] of [
          ['[', ']'],
          ['{"a":', '}'],
        ] as const) {
          expect(await codeFor(at, `${open.repeat(10_000)}1${close.repeat(10_000)}`.slice(0, 32_000))).toBe('malformed_json');
          expect(await codeFor(at, `${open.repeat(17)}1${close.repeat(17)}`)).toBe('malformed_json');
          expect(await codeFor(at, open.repeat(4000))).toBe('malformed_json');
        }
      },
    },
    {
      name: 'a hundred thousand keys, or as many as fit',
      holds: 'the body is too large or has too many',
      async try() {
        const at = await scene();
        const keys = (count: number) => `{${Array.from({ length: count }, (_, index) => `"${index.toString(36)}":1`).join(',')}}`;
        expect(await codeFor(at, keys(100_000))).toBe('body_too_large');
        expect(await codeFor(at, keys(3500))).toBe('malformed_json');
        expect(await codeFor(at, `{"page":"home","zones":[${Array(3000).fill('1').join(',')}]}`)).toMatch(
          /^(malformed_json|invalid_request)$/,
        );
      },
    },
    {
      name: '`1e999`, `-0`, 2^53 + 1, a fraction',
      holds: 'only a whole number that a number can hold is one',
      async try() {
        const at = await scene();
        for (const number of ['1e999', '-1e999', '9007199254740993', '60.5', '-1', '"60"', '6e1e1', 'NaN', 'Infinity', '0x3c', '06']) {
          expect(await codeFor(at, `{"page":"home","deadlineMs":${number}}`), number).toMatch(/^(malformed_json|invalid_request)$/);
        }
        const { deadline } = (
          await at.app.inject({ method: 'POST', url: '/v1/decide', headers: jsonType, payload: '{"page":"home","deadlineMs":-0}' })
        ).json();
        if (deadline !== undefined) expect(deadline.effectiveMs).toBeGreaterThanOrEqual(0);
        const profile = '{"attributes":{"days_since_order":9007199254740993}}';
        expect(await codeFor(at, profile, '/v1/profiles/mallory', 'PUT')).toBe('invalid_request');
      },
    },
    {
      name: 'lone surrogates, and one name in two Unicode forms',
      holds: 'two spellings are two people, and half a character is nobody else',
      async try() {
        const at = await scene();
        const forms = ['caf\u00e9', 'cafe\u0301'] as const;
        for (const [index, form] of forms.entries()) {
          const payload = { attributes: { days_since_order: index } };
          expect((await at.send('PUT', `/v1/profiles/${encodeURIComponent(form)}`, payload)).statusCode).toBe(201);
        }
        for (const [index, form] of forms.entries()) {
          expect((await at.send('GET', `/v1/profiles/${encodeURIComponent(form)}`)).json().attributes).toEqual({ days_since_order: index });
        }
        for (const half of ['\\ud800', '\\udc00', '\\ud800\\ud800']) {
          expect(await codeFor(at, `{"page":"home","identity":{"deviceId":"${half}"},"context":{"country":"${half}"}}`)).not.toBe(
            'internal_error',
          );
        }
        expect((await at.app.inject({ url: '/v1/profiles/%ed%a0%80' })).statusCode).toBeGreaterThanOrEqual(400);
      },
    },
    {
      name: 'a byte order mark, UTF-16, bytes that are no UTF-8',
      holds: 'JSON is UTF-8 without a mark',
      async try() {
        const at = await scene();
        const body = '{"page":"home"}';
        const forms = [
          Buffer.from(`\ufeff${body}`),
          Buffer.from(body, 'utf16le'),
          Buffer.from(`\ufeff${body}`, 'utf16le'),
          Buffer.from('7b22ff223a317d', 'hex'),
          Buffer.from('7b22c0af223a317d', 'hex'),
        ];
        for (const form of forms) expect(await codeFor(at, form)).toBe('malformed_json');
      },
    },
    {
      name: 'names that look like numbers or like what every object has',
      holds: 'they are unknown names like any other, and order changes nothing',
      async try() {
        const at = await scene();
        for (const name of ['0', '-1', '1e3', 'length', 'valueOf', 'then', 'toJSON']) {
          expect(await codeFor(at, `{"page":"home","context":{"${name}":"x"}}`), name).toBe('invalid_request');
          expect(await codeFor(at, `{"page":"home","consent":{"useCases":{"${name}":"granted"}}}`), name).toBe('invalid_request');
        }
        for (const page of ['constructor', '__proto__', 'toString', '0'])
          expect(await codeFor(at, JSON.stringify({ page }))).toBe('unknown_page');
        for (const zone of ['constructor', '__proto__', 'valueOf'])
          expect(await codeFor(at, JSON.stringify({ zones: [zone] }))).toBe('unknown_zone');
        const ways = [
          { zones: ['hero'], consent: agreed, context: { country: 'DE', device: 'mobile' } },
          { context: { device: 'mobile', country: 'DE' }, consent: agreed, zones: ['hero'] },
        ];
        const [one, other] = await Promise.all(ways.map((way) => at.decide(way)));
        expect(one?.zones).toEqual(other?.zones);
        expect((await at.send('GET', `/v1/profiles/${subject}`)).json().attributes).toEqual({ loyalty: 'gold' });
      },
    },
  ],
};
