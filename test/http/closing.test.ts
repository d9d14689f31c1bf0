/** How the server closes: what is under way is answered, and nobody's idle connection holds up the end. */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { emptyReading } from '../../src/records/reading.ts';
import type { StoreReading } from '../../src/records/store.ts';
import { startService } from './service.ts';

it('a request under way is answered, and its connection, which the caller would keep, is let go of', async () => {
  const asked = Promise.withResolvers<void>();
  const reading = Promise.withResolvers<StoreReading>();
  const read = () => {
    asked.resolve();
    return reading.promise;
  };
  const { app, clock, tokenOf } = await startService({ store: { kind: 'embedded', read } as never });
  await app.listen({ host: '127.0.0.1', port: 0 });
  // Idle connections live for ever here, so that nothing but the closing can end them.
  app.server.keepAliveTimeout = 0;
  app.server.timeout = 0;
  const agent = new Agent({ keepAlive: true });
  const { port } = app.server.address() as AddressInfo;
  const call = request({
    port,
    host: '127.0.0.1',
    path: '/v1/decide',
    method: 'POST',
    agent,
    headers: { 'content-type': 'application/json' },
  });
  const answered = once(call, 'response');
  call.end(JSON.stringify({ page: 'home', identity: { token: await tokenOf('somebody') } }));
  await asked.promise;
  const closed = app.close();
  while (app.server.listening) await new Promise(setImmediate);
  reading.resolve(emptyReading);

  const [response] = await answered;
  expect(response.statusCode).toBe(200);
  response.resume();
  await once(response, 'end');
  await new Promise(setImmediate);
  clock.advance(50);
  await closed;
  expect(clock.pendingTimers).toBe(0);
  agent.destroy();
});

it('a server that never listened leaves nothing behind when it closes', async () => {
  const { app, clock } = await startService();
  await app.close();
  expect(clock.pendingTimers).toBe(0);
});
