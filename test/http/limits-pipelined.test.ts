/** Many requests on one connection, sent without waiting: answered in order, one after another, and not without end. */
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { waitingMax } from '../../src/http/plugins/one-at-a-time.ts';
import { emptyReading } from '../../src/records/reading.ts';
import type { StoreReading } from '../../src/records/store.ts';
import { startService } from './service.ts';

const deciding = (token: string, more = ''): string => {
  const body = JSON.stringify({ page: 'home', identity: { token } });
  return `POST /v1/decide HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n${more}content-length: ${body.length}\r\n\r\n${body}`;
};

/** A store that answers when told to, and counts who asked it. */
function createHeldStore() {
  const waiting: (() => void)[] = [];
  const store = {
    kind: 'embedded',
    read: () => new Promise<StoreReading>((resolve) => waiting.push(() => resolve(emptyReading))),
  } as never;
  return { store, waiting };
}

it('the next is begun when the one before it is answered', async () => {
  const { store, waiting } = createHeldStore();
  const { app, tokenOf } = await startService({ store });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const token = await tokenOf('somebody');
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  const answers = text(socket);
  socket.write(deciding(token) + deciding(token) + deciding(token, 'connection: close\r\n'));
  for (let answered = 0; answered < 3; answered += 1) {
    while (waiting.length === 0) await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(waiting).toHaveLength(1);
    waiting.pop()?.();
  }
  expect((await answers).match(/HTTP\/1\.1 200/g)).toHaveLength(3);
});

it('what a request waits for those before it on its connection counts towards its deadline', async () => {
  const { store, waiting } = createHeldStore();
  const { app, tokenOf, clock } = await startService({ store });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const token = await tokenOf('somebody');
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  const answers = text(socket);
  socket.write(deciding(token) + deciding(token, 'connection: close\r\n'));
  for (const tookMs of [10, 0]) {
    while (waiting.length === 0) await new Promise(setImmediate);
    clock.advance(tookMs);
    waiting.pop()?.();
  }
  expect([...(await answers).matchAll(/"effectiveMs":(\d+)/g)].map(([, ms]) => Number(ms))).toEqual([58, 48]);
});

it('who sends more than may wait is let go of', async () => {
  const { store, waiting } = createHeldStore();
  const { app, tokenOf } = await startService({ store });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const token = await tokenOf('somebody');
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  socket.write(deciding(token).repeat(waitingMax + 2));
  await once(socket, 'close');
  expect(waiting.length).toBeLessThanOrEqual(1);
  for (const answer of waiting) answer();
});
