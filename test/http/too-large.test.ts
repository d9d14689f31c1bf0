/** Whoever sends too much is told so while they still send, and on a connection that stays: else a proxy would answer in our place. */
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { bodyBytesMax } from '../../src/http/plugins/json-body.ts';
import { startService } from './service.ts';

const head = (length: string): string =>
  `POST /v1/decide HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${length}\r\n\r\n`;
const next = 'GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

/** Sends the head alone; the rest and another request once that is answered. What was said until the service hung up. */
async function answersTo(length: string, rest: string): Promise<readonly string[]> {
  const { app } = await startService();
  await app.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  let said = '';
  socket.once('data', () => socket.write(rest + next));
  socket.on('data', (chunk) => {
    said += chunk;
  });
  socket.on('error', () => {});
  socket.write(head(length));
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return [...said.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status ?? '');
}

describe('a body that is too large', () => {
  it('and is announced is refused before it comes, then read and thrown away: the connection stays', async () => {
    const bytes = bodyBytesMax + 1;
    expect(await answersTo(`Content-Length: ${bytes}`, 'x'.repeat(bytes))).toEqual(['413', '404']);
    expect(await answersTo(`Content-Length: ${8 * bodyBytesMax}`, 'x'.repeat(8 * bodyBytesMax))).toEqual(['413', '404']);
  });

  it('by far is not read: the service hangs up', async () => {
    expect(await answersTo(`Content-Length: ${8 * bodyBytesMax + 1}`, '')).toEqual(['413']);
  });
});
