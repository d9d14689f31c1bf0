/** Bulk answers tell a page where it hears of changes, by a token that is made out to whom the decision took for proved and to nobody else. */
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { changeStreamsMax, changeStreamsPerMarkMax, createChangeStreams } from '../../src/http/change-streams.ts';
import { call } from './callers.ts';
import { checkOfrep } from './ofrep-shapes.ts';
import { startService, type TestService } from './service.ts';
import { listen, notices, openStream } from './streaming.ts';

const url = '/ofrep/v1/evaluate/flags';

async function bulk(service: TestService, context: object) {
  const answer = await call(service, { method: 'POST', url, payload: { context } });
  checkOfrep('bulk', answer.status, answer.json());
  expect(answer.status).toBe(200);
  return answer;
}

async function tokenFor(service: TestService, context: object): Promise<string> {
  const { eventStreams } = (await bulk(service, context)).json();
  expect(eventStreams).toEqual([{ type: 'sse', endpoint: { requestUri: expect.any(String) }, inactivityDelaySec: 120 }]);
  const [, token = ''] = /^\/ofrep\/v1\/stream\?t=(.+)$/.exec(eventStreams[0].endpoint.requestUri) ?? [];
  return token;
}

/** How many a token is made out to: the person and the visit, one of them, or nobody. */
async function marks(service: TestService, context: object): Promise<number | undefined> {
  return service.parts.visitorTokens?.stream.verify(await tokenFor(service, context))?.marks.length;
}

async function session(service: TestService): Promise<string> {
  return (await call(service, { method: 'POST', url: '/v1/sessions', payload: {} })).json().sessionId;
}

describe('a stream token', () => {
  it('is made out to a proved person and a living session, and to nothing that a caller only says', async () => {
    const service = await startService();
    const sessionId = await session(service);
    const token = await service.tokenOf('ada');
    expect(await marks(service, {})).toBe(0);
    expect(await marks(service, { targetingKey: 'ada', deviceId: 'ada' })).toBe(0);
    expect(await marks(service, { token: `${token}x`, sessionId: `${sessionId}x` })).toBe(0);
    expect(await marks(service, { sessionId })).toBe(1);
    expect(await marks(service, { token })).toBe(1);
    expect(await marks(service, { token, sessionId })).toBe(2);
  });

  it('is another after the person’s tokens were revoked: who signs in again hears of changes, and what was made out before is refused', async () => {
    const service = await startService();
    const origin = await listen(service.app);
    const open = async (claims?: object) =>
      openStream(`${origin}/ofrep/v1/stream?t=${await tokenFor(service, { token: await service.tokenOf('ada', { ...claims }) })}`);
    const before = await tokenFor(service, { token: await service.tokenOf('ada') });
    for (const gen of [1, 2]) {
      await call(service, { method: 'POST', url: '/v1/revocations', payload: { subject: 'ada' } });
      const stream = await open({ gen });
      expect(stream.status).toBe(200);
      await call(service, { method: 'POST', url: '/v1/consents/ada/withdrawals' });
      await stream.until((text) => notices(text) === 1);
      expect((await openStream(`${origin}/ofrep/v1/stream?t=${before}`)).status).toBe(401);
    }
  });

  it('is not made out to a person who was erased, so that it opens a stream, and what was made out before does not', async () => {
    const service = await startService();
    const origin = await listen(service.app);
    const context = { token: await service.tokenOf('ada') };
    const before = await tokenFor(service, context);
    await call(service, { method: 'POST', url: '/v1/erasures', payload: { subject: 'ada' } });
    expect(await marks(service, context)).toBe(0);
    expect((await openStream(`${origin}/ofrep/v1/stream?t=${before}`)).status).toBe(401);
    expect((await openStream(`${origin}/ofrep/v1/stream?t=${await tokenFor(service, context)}`)).status).toBe(200);
  });

  it('is not given to a visitor who has as many streams as one may, and is again when one has gone', async () => {
    const service = await startService();
    const origin = await listen(service.app);
    const context = { token: await service.tokenOf('ada') };
    const address = `${origin}/ofrep/v1/stream?t=${await tokenFor(service, context)}`;
    const [first] = await Promise.all(Array.from({ length: changeStreamsPerMarkMax }, () => openStream(address)));
    expect((await bulk(service, context)).json().eventStreams).toBeUndefined();
    expect(await marks(service, {})).toBe(0);
    first?.leave();
    await expect.poll(async () => (await bulk(service, context)).json().eventStreams).toBeDefined();
  });

  it('is made out to nobody any more once the session has ended and the person’s tokens are revoked', async () => {
    const service = await startService();
    const sessionId = await session(service);
    const token = await service.tokenOf('ada');
    await call(service, { method: 'DELETE', url: `/v1/sessions/${sessionId}` });
    await call(service, { method: 'POST', url: '/v1/revocations', payload: { subject: 'ada' } });
    expect(await marks(service, { token, sessionId })).toBe(0);
  });

  it('keeps its text, and so the ETag, within a window, and has another in the next', async () => {
    const service = await startService();
    const context = { sessionId: await session(service) };
    const first = await bulk(service, context);
    expect((await bulk(service, context)).headers.etag).toBe(first.headers.etag);
    service.clock.advance(300_000);
    const next = await bulk(service, context);
    expect(next.headers.etag).not.toBe(first.headers.etag);
    expect(next.json().flags).toEqual(first.json().flags);
  });

  it('opens the stream that it names', async () => {
    const service = await startService();
    const origin = await service.app.listen({ host: '127.0.0.1', port: 0 });
    const { eventStreams } = (await bulk(service, { sessionId: await session(service) })).json();
    const stop = new AbortController();
    const stream = await fetch(new URL(eventStreams[0].endpoint.requestUri, origin), { signal: stop.signal });
    expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    stop.abort();
  });

  it('is not given with one flag, nor where there are no streams', async () => {
    const service = await startService({ visitorTokens: null });
    expect((await bulk(service, {})).json().eventStreams).toBeUndefined();
    const one = await call(await startService(), { method: 'POST', url: `${url}/hero`, payload: { context: {} } });
    expect(one.json().eventStreams).toBeUndefined();
  });
});

describe('room for streams', () => {
  it('is there until as many are open as may be, and again when one has gone', async () => {
    const { store, clock, parts } = await startService();
    const names = parts.visitorTokens?.names;
    if (names === undefined) throw new Error('the service of the tests gives visitors tokens');
    const streams = createChangeStreams({ store, names, clock, revision: () => 'one', random: () => 0 });
    const token = { revocationMarks: [], tokenExpiresAtMs: clock.nowMs() + 600_000 };
    const open = (mark: string) => streams.open({ ...token, marks: [mark], output: new PassThrough() });
    const first = open('first');
    for (let count = 1; count < changeStreamsMax; count++) {
      expect(streams.hasRoom([])).toBe(true);
      open(`${count}`);
    }
    expect([streams.hasRoom([]), open('another')]).toEqual([false, 'full']);
    if (typeof first !== 'string') first.gone();
    expect(streams.hasRoom([])).toBe(true);
    streams.close();
    expect(streams.hasRoom([])).toBe(false);
  });
});
