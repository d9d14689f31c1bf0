/** A decision as a stream of lines, on the wire: how it ends, and what follows it, is what proxies of every age can read. */
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { exchange } from '../attacks/wire.ts';
import { startService } from './service.ts';

const body = JSON.stringify({ page: 'home' });

async function streamed(version: string, more: readonly string[] = []): Promise<{ readonly head: string; readonly rest: string }> {
  const { app } = await startService();
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const headers = [
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Accept: application/x-ndjson',
    ...more,
  ];
  const { raw, hung } = await exchange(port, [`POST /v1/decide HTTP/${version}\r\n${headers.join('\r\n')}\r\n\r\n${body}`]);
  expect(hung).toBe(false);
  const [head = '', ...rest] = raw.split('\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.1 200 /);
  return { head: head.toLowerCase(), rest: rest.join('\r\n\r\n') };
}

const lastChunk = /\r\n0\r\n([\s\S]*)$/;

it.each([
  ['nothing of trailers', []],
  ['TE, and none of them', ['TE: gzip', 'Connection: TE']],
  ['that they are not wanted', ['TE: trailers;q=0', 'Connection: TE']],
])('has no trailer for a caller who says %s', async (_, more) => {
  const { head, rest } = await streamed('1.1', more);
  expect(head).toContain('\r\ntransfer-encoding: chunked');
  expect(head).not.toContain('\r\ntrailer:');
  expect(lastChunk.exec(rest)?.[1]).toBe('\r\n');
});

it('tells its times in a trailer to a caller who reads them', async () => {
  const { head, rest } = await streamed('1.1', ['TE: gzip;q=0.5, Trailers', 'Connection: TE']);
  expect(head).toContain('\r\ntrailer: server-timing');
  expect(lastChunk.exec(rest)?.[1]).toMatch(/^server-timing: \S+;dur=[\s\S]*\r\n\r\n$/);
});

it.each([[[]], [['TE: trailers', 'Connection: TE']]])(
  'is ended by closing for a caller of HTTP/1.0 who sends %j: there are no chunks',
  async (more) => {
    const { head, rest } = await streamed('1.0', more);
    expect(head).not.toMatch(/\r\n(?:transfer-encoding|trailer|content-length):/);
    expect(head).toContain('\r\nconnection: close');
    const lines = rest.trimEnd().split('\n');
    expect(lines.map((line) => Object.keys(JSON.parse(line))[0])).toEqual(['zone', 'zone', 'decisionId']);
  },
);
