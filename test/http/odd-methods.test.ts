/** Methods and offers that nobody here takes: a problem and a closed connection, never silence. On a real socket, below the framework. */
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { buildManagement } from '../../src/app.ts';
import { startService } from './service.ts';

async function portOf(app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}

/** Sends the bytes, and reads until the other side has closed. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.once('error', reject);
    socket.once('end', () => {
      socket.destroy();
      resolve(text);
    });
  });
}

const rest = 'Host: localhost\r\n\r\n';
/** Of methods that the parser knows, and no route takes: the address is known, and what it takes. */
const notAllowed: readonly [request: string, allow: string][] = [
  ['TRACE /v1/decide', 'GET, POST'],
  ['QUERY /v1/decide', 'GET, POST'],
  ['PATCH /v1/erasures', 'POST'],
];
/** Of methods that no address takes. */
const notImplemented: readonly [name: string, bytes: string][] = [
  ['CONNECT', `CONNECT secretish.example:443 HTTP/1.1\r\n${rest}`],
  ['CONNECT with bytes for the tunnel', `CONNECT secretish.example:443 HTTP/1.1\r\n${rest}\x16\x03\x01secretish`],
  ['CONNECT to a path', `CONNECT /v1/decide HTTP/1.1\r\n${rest}`],
  ['a method that nobody knows', `BREW /v1/decide HTTP/1.1\r\n${rest}`],
  ['a method that nobody knows, at no address', `BREW /secretish HTTP/1.1\r\n${rest}`],
  ['a method in small letters', `get /v1/decide HTTP/1.1\r\n${rest}`],
];

async function refusalOf(bytes: string) {
  const { app } = await startService();
  const text = await exchange(await portOf(app), bytes);
  const [head = '', body = ''] = text.split('\r\n\r\n');
  expect(head).toMatch(/^cache-control: private, no-store\r?$/im);
  expect(head).toMatch(/^x-content-type-options: nosniff\r?$/im);
  expect(head).toMatch(/^content-type: application\/problem\+json\r?$/im);
  expect(head).toMatch(/^connection: close\r?$/im);
  expect(text).not.toContain('secretish');
  const { status, code } = JSON.parse(body);
  return { line: head.split('\r\n', 1)[0], allow: /^allow: (.*?)\r?$/im.exec(head)?.[1] ?? null, status, code };
}

describe('a method that no route takes', () => {
  it.each(notAllowed)('is a 405 that says what its address takes, where the address is known: %s', async (request, allow) => {
    const line = 'HTTP/1.1 405 Method Not Allowed';
    const refusal = await refusalOf(`${request} HTTP/1.1\r\nConnection: close\r\n${rest}`);
    expect(refusal).toEqual({ line, allow, status: 405, code: 'method_not_allowed' });
  });

  it.each(notImplemented)('is a 501 that claims nothing of the address, where no address takes it: %s', async (_, bytes) => {
    const line = 'HTTP/1.1 501 Not Implemented';
    expect(await refusalOf(bytes)).toEqual({ line, allow: null, status: 501, code: 'method_not_implemented' });
  });

  it('is refused on the management port too', async () => {
    const { parts } = await startService();
    const management = await buildManagement(parts);
    try {
      expect(await exchange(await portOf(management), `CONNECT a.example:443 HTTP/1.1\r\n${rest}`)).toMatch(/^HTTP\/1\.1 501 /);
    } finally {
      await management.close();
    }
  });

  it('leaves the service standing when the caller is gone before the answer', async () => {
    const { app } = await startService();
    const port = await portOf(app);
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const arrived = once(app.server, 'connect');
    socket.write(`CONNECT a.example:443 HTTP/1.1\r\n${rest}`);
    socket.resetAndDestroy();
    await Promise.race([arrived, once(socket, 'close')]);
    expect((await fetch(`http://127.0.0.1:${port}/v1/decide?page=home`)).status).toBe(200);
  });
});

describe('an offer to upgrade', () => {
  it.each(['websocket', 'h2c', 'TLS/1.2'])('is passed over, and the request answered: %s', async (protocol) => {
    const { app } = await startService();
    const bytes = `GET /v1/decide?page=home HTTP/1.1\r\nConnection: upgrade, close\r\nUpgrade: ${protocol}\r\n${rest}`;
    const text = await exchange(await portOf(app), bytes);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).not.toMatch(/^upgrade:/im);
  });
});

it('what only looks like a method is not proper HTTP', async () => {
  const { app } = await startService();
  expect(await exchange(await portOf(app), 'hello there\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
});
