/** Methods and offers that nobody here takes: a problem and a closed connection, never silence. On a real socket, below the framework. */
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { describe, expect, it } from 'vitest';
import { buildManagement } from '../../src/app.ts';
import { openApiDocument } from '../../src/contract/openapi.ts';
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
const refused: readonly [name: string, bytes: string][] = [
  ['CONNECT', `CONNECT secretish.example:443 HTTP/1.1\r\n${rest}`],
  ['CONNECT with bytes for the tunnel', `CONNECT secretish.example:443 HTTP/1.1\r\n${rest}\x16\x03\x01secretish`],
  ['CONNECT to a path', `CONNECT /v1/decide HTTP/1.1\r\n${rest}`],
  ['a method that nobody knows', `BREW /v1/decide HTTP/1.1\r\n${rest}`],
  ['a method in small letters', `get /v1/decide HTTP/1.1\r\n${rest}`],
  ['TRACE', `TRACE /v1/decide HTTP/1.1\r\nConnection: close\r\n${rest}`],
  ['QUERY', `QUERY /v1/decide HTTP/1.1\r\nConnection: close\r\n${rest}`],
];

describe('a method that no route takes', () => {
  it.each(refused)('is a 405 that says what is allowed, and the connection closes: %s', async (_, bytes) => {
    const { app } = await startService();
    const text = await exchange(await portOf(app), bytes);
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 405 Method Not Allowed\r\n/);
    expect(head).toMatch(/^cache-control: private, no-store\r?$/im);
    expect(head).toMatch(/^x-content-type-options: nosniff\r?$/im);
    expect(head).toMatch(/^content-type: application\/problem\+json\r?$/im);
    expect(head).toMatch(/^connection: close\r?$/im);
    expect(head).toMatch(/^allow: [A-Z]+(, [A-Z]+)*\r?$/im);
    expect(JSON.parse(body)).toMatchObject({ status: 405, code: 'method_not_allowed' });
    expect(text).not.toContain('secretish');
  });

  it('is refused on the management port too', async () => {
    const { parts } = await startService();
    const management = await buildManagement(parts);
    try {
      expect(await exchange(await portOf(management), `CONNECT a.example:443 HTTP/1.1\r\n${rest}`)).toMatch(/^HTTP\/1\.1 405 /);
    } finally {
      await management.close();
    }
  });

  it('names, where the address cannot be known, every method of some address and no other', async () => {
    const { app } = await startService();
    const text = await exchange(await portOf(app), `CONNECT a.example:443 HTTP/1.1\r\n${rest}`);
    const { paths } = openApiDocument(null) as unknown as { paths: Record<string, Record<string, unknown>> };
    const methods = ['get', 'put', 'post', 'patch', 'delete', 'head', 'options', 'trace'].filter((method) =>
      Object.values(paths).some((path) => method in path),
    );
    const allowed = /^Allow: (.*)\r$/m.exec(text)?.[1]?.split(', ');
    expect(allowed).toEqual(methods.map((method) => method.toUpperCase()).sort());
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
