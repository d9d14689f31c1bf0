/**
 * Every answer the framework can produce carries an explicit `Cache-Control`, and every problem is one of the closed table. The
 * matrix runs on a real socket, because some answers never become a request.
 */

import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { fastify } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { problemResponse } from '../../src/contract/schemas.ts';
import { startService, type TestService } from './service.ts';

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

async function listening(service: TestService): Promise<number> {
  await service.app.listen({ host: '127.0.0.1', port: 0 });
  return (service.app.server.address() as AddressInfo).port;
}

/** Sends bytes as they stand and reads until the other side closes. */
function exchange(port: number, bytes: string): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(parsed(text)));
  });
}

function parsed(text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  return { status: Number(statusLine.split(' ')[1]), headers, body: rest.join('\r\n\r\n') };
}

function request(line: string, headers: Readonly<Record<string, string>> = {}, body = ''): string {
  const all = {
    Host: 'localhost',
    Connection: 'close',
    ...headers,
    ...(body === '' ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }),
  };
  return `${line} HTTP/1.1\r\n${Object.entries(all)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n${body}`;
}

const json = { 'Content-Type': 'application/json' };
const decide = 'POST /v1/decide';

const matrix: readonly [name: string, bytes: string, status: number, code: string | null][] = [
  ['a decision', request(decide, json, '{"page":"home"}'), 200, null],
  ['a stream', request(decide, { ...json, Accept: 'application/x-ndjson' }, '{"page":"home"}'), 200, null],
  ['a shared answer', request('GET /v1/decide?page=home'), 200, null],
  ['a wrong query', request('GET /v1/decide?page=home&x=1'), 400, 'invalid_request'],
  ['an unknown page', request(decide, json, '{"page":"nowhere"}'), 404, 'unknown_page'],
  ['an unknown zone', request(decide, json, '{"zones":["nowhere"]}'), 404, 'unknown_zone'],
  ['no body', request(decide), 400, 'invalid_request'],
  ['broken JSON', request(decide, json, '{"page"'), 400, 'malformed_json'],
  ['an empty body that says JSON', request(decide, { ...json, 'Content-Length': '0' }), 400, 'malformed_json'],
  ['too large a body', request(decide, json, `{"page":"${'x'.repeat(33_000)}"}`), 413, 'body_too_large'],
  ['text', request(decide, { 'Content-Type': 'text/plain' }, '{"page":"home"}'), 415, 'unsupported_media_type'],
  ['JSON of another kind', request(decide, { 'Content-Type': 'application/problem+json' }, '{}'), 415, 'unsupported_media_type'],
  [
    'a parameter we do not know',
    request(decide, { 'Content-Type': 'application/json; charset=utf-16' }, '{}'),
    415,
    'unsupported_media_type',
  ],
  ['no type', request(decide, {}, '{"page":"home"}'), 415, 'unsupported_media_type'],
  ['a compressed body', request(decide, { ...json, 'Content-Encoding': 'gzip' }, '{}'), 415, 'unsupported_media_type'],
  ['a deadline that is no number', request(decide, { ...json, 'Stepwell-Deadline-Ms': 'soon' }, '{"page":"home"}'), 400, 'invalid_request'],
  ['no such route', request('GET /v1/secretish'), 404, 'not_found'],
  ['no such route, with a body', request('POST /v1/secretish', { 'Content-Type': 'text/plain' }, 'x'), 404, 'not_found'],
  ['a deceptive suffix', request('GET /v1/decide/x.css'), 404, 'not_found'],
  ['a trailing slash', request('GET /v1/decide/'), 404, 'not_found'],
  ['a semicolon', request('GET /v1/decide;x.css'), 404, 'not_found'],
  ['another case', request('GET /V1/decide?page=home'), 404, 'not_found'],
  ['HEAD', request('HEAD /v1/decide?page=home'), 405, null],
  ['OPTIONS', request('OPTIONS /v1/decide'), 405, 'method_not_allowed'],
  ['PUT', request('PUT /v1/decide', { 'Content-Type': 'text/plain' }, 'x'), 405, 'method_not_allowed'],
  ['a method override', request('GET /v1/sessions', { 'X-HTTP-Method-Override': 'POST' }), 405, 'method_not_allowed'],
  ['OPTIONS *', request('OPTIONS *'), 404, 'not_found'],
  ['broken percent-encoding', request('GET /v1/profiles/%zz'), 400, 'malformed_request'],
  ['too long a parameter', request(`GET /v1/profiles/${'x'.repeat(3000)}`), 414, 'address_too_long'],
  ['a subject too long', request(`GET /v1/profiles/${'x'.repeat(300)}`), 400, 'invalid_request'],
  ['no such profile', request('GET /v1/profiles/nobody'), 404, 'no_such_record'],
  ['no such session', request('PATCH /v1/sessions/s1.x.y', json, '{"attributes":{}}'), 404, 'no_such_record'],
  ['headers too large', request('GET /v1/decide', { 'X-Large': 'x'.repeat(9000) }), 431, 'headers_too_large'],
  ['no host', 'GET /v1/decide?page=home HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'malformed_request'],
  ['two hosts', 'GET /v1/decide?page=home HTTP/1.1\r\nHost: localhost\r\nHost: b\r\nConnection: close\r\n\r\n', 400, 'malformed_request'],
  [
    'two keys',
    'GET /v1/decide?page=home HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\nauthorization: Bearer b\r\nConnection: close\r\n\r\n',
    400,
    'malformed_request',
  ],
  ['not HTTP', 'hello\r\n\r\n', 400, 'malformed_request'],
  ['an unknown expectation', request('GET /v1/decide?page=home', { Expect: 'miracles' }), 417, 'expectation_failed'],
  ['the document', request('GET /openapi.json'), 200, null],
  ['the docs', request('GET /docs'), 200, null],
  ['a script of the docs', request('GET /docs/static/swagger-ui-bundle.js'), 200, null],
  ['no such file of the docs', request('GET /docs/static/nothing.js'), 404, 'not_found'],
  ['climbing out of the docs', request('GET /docs/static/..%2f..%2fpackage.json'), 404, null],
];

describe('every answer', () => {
  it.each(matrix)('says how it may be cached: %s', async (_, bytes, status, code) => {
    const answer = await exchange(await listening(await startService()), bytes);
    expect(answer.status).toBe(status);
    const expected = bytes.startsWith('GET /v1/decide?page=home ') && status === 200 ? /^public, max-age=0/ : /^private, no-store$/;
    expect(answer.headers['cache-control']).toMatch(expected);
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    if (code === null) return;
    expect(answer.headers['content-type']).toBe('application/problem+json');
    const problem = JSON.parse(answer.body);
    expect(problem).toMatchObject({ code, status, type: `urn:stepwell:problem:${code}` });
    expect(problemResponse.partial({ requestId: true }).parse(problem)).toEqual(problem);
    expect(answer.body).not.toContain('secretish');
    if (status === 405) expect(answer.headers.allow).toMatch(/^[A-Z, ]+$/);
  });

  it('is watched by a guard that can fail: a bare server has answers without', async () => {
    const bare = fastify();
    onTestFinished(() => bare.close());
    await bare.listen({ host: '127.0.0.1', port: 0 });
    const { port } = bare.server.address() as AddressInfo;
    const bytes = matrix.filter(([name]) => ['no such route', 'headers too large', 'no host', 'not HTTP'].includes(name));
    for (const [, sent] of bytes) expect((await exchange(port, sent)).headers).not.toHaveProperty('cache-control');
    expect(bytes).toHaveLength(4);
  });

  it('ignores a request id that a caller sends', async () => {
    const { app } = await startService();
    const answer = await app.inject({ url: '/v1/decide?page=home', headers: { 'stepwell-request-id': 'mine', 'x-request-id': 'mine' } });
    expect(answer.headers['stepwell-request-id']).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
  });

  it('is a problem with Retry-After while no policy has been loaded', async () => {
    const { app } = await startService({ policy: { current: () => null } });
    for (const answer of [
      await app.inject('/v1/decide?page=home'),
      await app.inject({ method: 'POST', url: '/v1/decide', payload: { page: 'home' } }),
    ]) {
      expect(answer.statusCode).toBe(503);
      expect(answer.json().code).toBe('no_policy');
      expect(answer.headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'private, no-store' });
    }
  });
});

describe('the log', () => {
  it('never holds what a request said', async () => {
    const { pino } = await import('pino');
    const written: string[] = [];
    const logger = pino({ level: 'trace' }, { write: (line: string) => void written.push(line) });
    const service = await startService({ logger });
    const marker = 'secretish';
    const payload = {
      page: 'home',
      identity: { token: marker, sessionId: marker, deviceId: marker },
      consent: { tcf: marker },
      context: { country: marker },
    };
    await service.app.inject({ method: 'POST', url: '/v1/decide', payload, headers: { authorization: `Bearer ${marker}`, dpop: marker } });
    await service.app.inject(`/v1/${marker}?country=${marker}`);
    await service.app.inject(`/v1/profiles/${marker}`);
    await service.app.inject({ method: 'PUT', url: `/v1/profiles/${marker}`, payload: { attributes: { loyalty: marker } } });
    await service.app.inject(`/v1/profiles/%zz${marker}`);
    const lines = written.join('');
    expect(written.length).toBeGreaterThanOrEqual(5);
    expect(lines).toContain('"route":"/v1/decide"');
    expect(lines).not.toContain(marker);
  });
});
