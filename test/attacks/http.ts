/** Requests that two servers in a row would read differently, byte by byte: one is answered, or none. */
import { connect } from 'node:net';
import { expect } from 'vitest';
import { type Area, request, type Scene, scene, subject } from './attack.ts';
import { type Exchange, headerOf } from './wire.ts';

const body = '{"page":"home"}';
const json = 'Content-Type: application/json';
/** What a smuggler wants to have answered. */
const hidden = `DELETE /v1/profiles/${subject} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;

/** At most one answer, a refusal, and the hidden request was not carried out. */
async function expectNotCarriedOut(at: Scene, sent: string): Promise<void> {
  const { answers, hung } = await at.wire(sent);
  expect([hung, answers.length <= 1], sent).toEqual([false, true]);
  for (const answer of answers) {
    expect(answer.status, sent).toBe(400);
    expect(headerOf(answer, 'cache-control')).toBe('private, no-store');
    expect(headerOf(answer, 'connection')).toBe('close');
  }
  expect((await at.send('GET', `/v1/profiles/${subject}`)).statusCode, sent).toBe(200);
}

/** Never says that it has finished: resolves when the other side does. */
function stalled(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(bytes));
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve(text));
  });
}

const statusesOf = ({ answers }: Exchange): readonly number[] => answers.map(({ status }) => status);

export const http: Area = {
  area: 'HTTP',
  attacks: [
    {
      name: 'two lengths: Content-Length and Transfer-Encoding, or one of them twice',
      holds: 'it is no request, and what hides behind it neither',
      async try() {
        const at = await scene();
        const chunked = `0\r\n\r\n${hidden}`;
        for (const headers of [
          [`Content-Length: ${chunked.length}`, 'Transfer-Encoding: chunked'],
          ['Transfer-Encoding: chunked', 'Content-Length: 4'],
          ['Content-Length: 0', `Content-Length: ${chunked.length}`],
          [`Content-Length: ${chunked.length}, 0`],
          ['Content-Length: +0'],
          ['Content-Length: 0x0'],
          ['Transfer-Encoding: xchunked'],
          ['Transfer-Encoding: chunked, identity'],
          ['Transfer-Encoding: identity, chunked', 'Content-Length: 1'],
          ['Transfer-Encoding : chunked'],
          ['Transfer-Encoding: chunked', 'Transfer-Encoding: x'],
          ['Transfer-Encoding:\x0bchunked'],
        ]) {
          await expectNotCarriedOut(at, `${request('POST /v1/decide', [json, ...headers])}${chunked}`);
        }
        for (const size of ['0x0', '-1', 'ffffffffffffffffff', '1 ', '']) {
          await expectNotCarriedOut(at, `${request('POST /v1/decide', [json, 'Transfer-Encoding: chunked'])}${size}\r\n${hidden}`);
        }
      },
    },
    {
      name: 'headers folded over lines, bare line feeds, bare carriage returns, NUL',
      holds: 'a line ends in one way',
      async try() {
        const at = await scene();
        for (const head of [
          `GET /v1/decide?page=home HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n`,
          `GET /v1/decide?page=home HTTP/1.1\r\nHost: localhost\r\n X: a\r\n\r\n`,
          `GET /v1/decide?page=home HTTP/1.1\nHost: localhost\n\n`,
          `GET /v1/decide?page=home HTTP/1.1\r\nHost: localhost\nX: a\r\n\r\n`,
          `GET /v1/decide?page=home HTTP/1.1\r\nHost: localhost\r\nX: a\rY: b\r\n\r\n`,
          `GET /v1/decide?page=home HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n`,
          `GET /v1/decide?page=home HTTP/1.1\r\nHost: localhost\r\nX : a\r\n\r\n`,
          `GET /v1/decide?page=home HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n`,
        ]) {
          await expectNotCarriedOut(at, head + hidden);
        }
      },
    },
    {
      name: 'two hosts, no host, a host of somebody else’s choosing',
      holds: 'one host, and without keys one of this machine',
      async try() {
        const at = await scene();
        const asked = (...hosts: readonly string[]) =>
          at.wire([`GET /v1/decide?page=home HTTP/1.1`, ...hosts.map((host) => `Host: ${host}`), 'Connection: close', '', ''].join('\r\n'));
        expect(statusesOf(await asked('localhost', 'localhost'))).toEqual([400]);
        expect(statusesOf(await asked('localhost', 'evil.example'))).toEqual([400]);
        expect(statusesOf(await asked())).toEqual([400]);
        for (const host of ['evil.example', 'localhost.evil.example', 'localhost@evil.example', 'localhost, evil.example', '']) {
          expect(statusesOf(await asked(host)), host).toEqual([403]);
        }
        expect(statusesOf(await asked('localhost'))).toEqual([200]);
      },
    },
    {
      name: 'a whole address in the request line, or a part of one',
      holds: 'only a path is a path, and nothing of it is repeated',
      async try() {
        const at = await scene();
        for (const target of [
          'http://evil.example/v1/decide?page=home',
          'https://localhost/v1/decide',
          '//evil.example/v1/decide',
          'evil.example:443',
          'v1/decide',
          '/../v1/decide',
          '/v1/../v1/decide',
          'file:///etc/passwd',
          '*',
          '?page=home',
        ]) {
          const { answers, raw } = await at.wire(request(`GET ${target}`, ['Connection: close']));
          expect(
            answers.map(({ status }) => status >= 400 && status < 500),
            target,
          ).toEqual([true]);
          expect(headerOf(answers[0] as never, 'cache-control')).toBe('private, no-store');
          expect(raw).not.toMatch(/evil|passwd/);
        }
      },
    },
    {
      name: '`Expect: 100-continue`, and then nothing',
      holds: 'who lets us wait is let go of',
      async try() {
        const at = await scene();
        const waiting = await stalled(await at.port(), request('POST /v1/decide', [json, 'Expect: 100-continue', 'Content-Length: 15']));
        expect(waiting).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\n(?:HTTP\/1\.1 408 [\s\S]*)?$/);
        const met = await at.wire(request('POST /v1/decide', [json, 'Expect: 100-continue', 'Connection: close'], body));
        expect(statusesOf(met)).toEqual([200]);
        expect(statusesOf(await at.wire(request('POST /v1/decide', [json, 'Expect: 200-ok', 'Connection: close'], body)))).toEqual([417]);
      },
    },
    {
      name: 'a request behind the one that closes the connection, or behind a wrong one',
      holds: 'after the end nothing is carried out',
      async try() {
        const at = await scene();
        const closing = await at.wire(request('POST /v1/decide', [json, 'Connection: close'], body) + hidden);
        expect(statusesOf(closing)).toEqual([200]);
        await expectNotCarriedOut(at, `GET /v1/decide?page=home HTTP/1.1 x\r\nHost: localhost\r\n\r\n${hidden}`);
        const tooLarge = await at.wire(request('POST /v1/decide', [json, 'Content-Length: 40000']) + hidden.padEnd(40_000, ' '));
        expect(statusesOf(tooLarge)).toEqual([413]);
        expect((await at.send('GET', `/v1/profiles/${subject}`)).statusCode).toBe(200);
      },
    },
    {
      name: 'a method said elsewhere than in the request line',
      holds: 'the request line says it',
      async try() {
        const at = await scene();
        const { app } = at;
        for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
          const answer = await app.inject({ method: 'GET', url: `/v1/profiles/${subject}`, headers: { [name]: 'DELETE' } });
          expect(answer.statusCode).toBe(200);
        }
        expect((await at.send('GET', `/v1/profiles/${subject}?_method=DELETE`)).statusCode).toBe(200);
        expect((await at.send('GET', `/v1/profiles/${subject}`)).statusCode).toBe(200);
      },
    },
    {
      name: 'HTTP/2 by its preface or by an upgrade, and many streams at once',
      holds: 'here is HTTP/1.1 and nothing to reset',
      async try() {
        const at = await scene();
        const preface = await at.wire('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', Buffer.alloc(900, Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])));
        expect(statusesOf(preface).every((status) => status >= 400 && status < 500)).toBe(true);
        const upgrade = await at.wire(
          request('GET /v1/decide?page=home', [
            'Connection: Upgrade, HTTP2-Settings, close',
            'Upgrade: h2c',
            'HTTP2-Settings: AAMAAABkAAQAAP__',
          ]),
        );
        expect(statusesOf(upgrade)).not.toContain(101);
        const websocket = await at.wire(
          request('GET /v1/decide?page=home', [
            'Connection: Upgrade',
            'Upgrade: websocket',
            'Sec-WebSocket-Version: 13',
            'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
          ]),
        );
        expect(statusesOf(websocket)).not.toContain(101);
        expect(upgrade.hung || websocket.hung || preface.hung).toBe(false);
      },
    },
  ],
};
