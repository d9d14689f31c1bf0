/** The stream of change notices over real connections: who hears what, and when it ends. Processes are another file's. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { AppDependencies } from '../../src/app.ts';
import {
  changeStreamsMax,
  changeStreamsOfNobodyFreeMax,
  changeStreamsPerMarkMax,
  heartbeatMs,
  streamsEndWithinMs,
} from '../../src/http/change-streams.ts';
import { visitorTokenWindowMs } from '../../src/identity/visitor-token.ts';
import { startService, type TestService } from './service.ts';
import { listen, notices, openStream } from './streaming.ts';

const ann = { subject: 'ann', sessionId: null };
const nobody = { subject: null, sessionId: null };

async function started(changes?: Partial<AppDependencies>) {
  const service = await startService(changes);
  const url = await listen(service.app);
  const streamOf = (visitor: { subject: string | null; sessionId: string | null }, headers = {}) =>
    openStream(`${url}/ofrep/v1/stream?t=${service.parts.visitorTokens?.stream.mint(visitor).token}`, headers);
  return { ...service, url, streamOf };
}

const post = ({ app }: Pick<TestService, 'app'>, url: string, payload?: object) =>
  app.inject({ method: 'POST', url, ...(payload === undefined ? {} : { payload }) });

/** Whatever is on its way to a listener has arrived. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await nextTurn();
}

describe('a stream', () => {
  it('is server-sent events for nobody to keep, which say at once when to come back, and then nothing but that it lives', async () => {
    const { streamOf, clock } = await started();
    const stream = await streamOf({ subject: null, sessionId: null });
    expect(stream.status).toBe(200);
    expect(stream.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'private, no-store',
      'x-content-type-options': 'nosniff',
    });
    await stream.until((text) => /^retry: [1-5]\d{3}\n\nid: [0-9a-f]{64}\n\n$/.test(text));
    const before = stream.text();
    clock.advance(heartbeatMs + 1000);
    await stream.until((text) => text === `${before}:\n\n`);
    clock.advance(heartbeatMs + 1000);
    await stream.until((text) => text === `${before}:\n\n:\n\n`);
  });

  it('says to ask again when another policy is in force, to everybody', async () => {
    let revision = 'first';
    const service = await startService();
    const current = () => ({ artefact: { ...service.artefact, revision }, stale: false });
    const { streamOf, clock } = await started({ policy: { current } });
    const streams = [await streamOf(ann), await streamOf({ subject: null, sessionId: null })];
    clock.advance(5000);
    revision = 'second';
    clock.advance(1000);
    for (const stream of streams) {
      await stream.until((text) => notices(text) === 1);
      expect(stream.text()).toContain('\n\nid: second\nevent: message\ndata: {"type":"refetchEvaluation"}\n\n');
    }
    clock.advance(5000);
    await settled();
    expect(streams.map((stream) => notices(stream.text()))).toEqual([1, 1]);
  });

  it.each<[string, (revision: string) => string | string[], number]>([
    ['heard of another policy is told at once to ask again', () => 'of-another', 1],
    ['heard of this one is, for something about its visitor may have been said', (revision) => revision, 1],
    ['says what was never an id of ours is not', () => 'of another', 0],
    ['says more than an id of ours can hold is not', () => 'a'.repeat(65), 0],
    ['says two things is not', () => ['one', 'another'], 0],
    ['says nothing is not', () => '', 0],
  ])('to which a page comes back that %s', async (_what, said, told) => {
    const { streamOf, artefact } = await started();
    const stream = await streamOf(ann, { 'last-event-id': said(artefact.revision) });
    await stream.until((text) => text.endsWith('\n\n') && text.includes(`id: ${artefact.revision}\n`));
    expect([stream.status, notices(stream.text())]).toEqual([200, told]);
    expect(stream.text()).not.toMatch(/another|aaa/);
  });

  it('says to ask again when its visitor takes consent back, and says nothing to others', async () => {
    const service = await started();
    const { body } = await post(service, '/v1/sessions');
    const { sessionId } = JSON.parse(body);
    const own = JSON.parse((await post(service, `/v1/sessions/${sessionId}/tokens`)).body).stream.requestUri;
    const [hers, visit, others] = [
      await service.streamOf(ann),
      await openStream(service.url + own),
      await service.streamOf({ subject: 'bob', sessionId: null }),
    ];
    await post(service, '/v1/consents/ann/withdrawals');
    await hers.until((text) => notices(text) === 1);
    await post(service, `/v1/sessions/${sessionId}/withdrawals`);
    await visit.until((text) => notices(text) === 1);
    await settled();
    expect([hers, visit, others].map((stream) => notices(stream.text()))).toEqual([1, 1, 0]);
    for (const stream of [hers, visit, others]) expect(stream.text()).not.toMatch(/ann|bob|visit/);
  });

  it.each<[string, (service: TestService, sessionId: string) => Promise<unknown>]>([
    ['its subject is erased', (service) => post(service, '/v1/erasures', { subject: 'ann' })],
    ['its subject’s tokens are revoked', (service) => post(service, '/v1/revocations', { subject: 'ann' })],
    ['its session ends', ({ app }, sessionId) => app.inject({ method: 'DELETE', url: `/v1/sessions/${sessionId}` })],
  ])('ends when %s, and is not opened again with the token', async (_what, happens) => {
    const service = await started();
    const { sessionId } = JSON.parse((await post(service, '/v1/sessions')).body);
    const id = service.parts.sessionIds.verify(sessionId);
    const visitor = { subject: 'ann', sessionId: id.state === 'verified' ? id.id : null };
    const stream = await service.streamOf(visitor);
    const other = await service.streamOf({ subject: 'bob', sessionId: null });
    await happens(service, sessionId);
    await stream.ended;
    expect(notices(stream.text())).toBe(1);
    expect((await service.streamOf(visitor)).status).toBe(401);
    await settled();
    expect(notices(other.text())).toBe(0);
    expect((await service.streamOf({ subject: 'bob', sessionId: null })).status).toBe(200);
  });

  it('ends with its token, not all in one moment, and says to ask again, so that the page gets another', async () => {
    const service = await started();
    const stream = await service.streamOf(ann);
    service.clock.advance(visitorTokenWindowMs / 2);
    expect(notices(stream.text())).toBe(0);
    service.clock.advance(2 * visitorTokenWindowMs);
    await stream.ended;
    expect(notices(stream.text())).toBe(1);
    expect((await service.streamOf(ann)).status).toBe(200);
  });

  it('is not opened again with its token when it ends, so that nobody is sent away and comes back until the token ends', async () => {
    const service = await started();
    const { token, expiresAtMs } = service.parts.visitorTokens?.stream.mint(ann) ?? { token: '', expiresAtMs: 0 };
    const open = () => openStream(`${service.url}/ofrep/v1/stream?t=${token}`);
    const stream = await open();
    service.clock.advance(expiresAtMs - service.clock.nowMs() - streamsEndWithinMs);
    expect((await open()).status).toBe(401);
    service.clock.advance(streamsEndWithinMs);
    await stream.ended;
    expect((await service.streamOf(ann)).status).toBe(200);
  });

  it('ends also when all is taken back while the store is still asked whether it was', async () => {
    const plain = await startService();
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const read: typeof plain.store.read = async (plan) => {
      const reading = await plain.store.read(plan);
      asked.resolve();
      await answer.promise;
      return reading;
    };
    const service = await started({ store: { ...plain.store, read } });
    const opening = service.streamOf(ann);
    await asked.promise;
    await post(service, '/v1/revocations', { subject: 'ann' });
    answer.resolve();
    const stream = await opening;
    await stream.ended;
    expect([stream.status, notices(stream.text())]).toEqual([200, 1]);
    expect((await service.streamOf(ann)).status).toBe(401);
  });

  it('ends when the service does, which does not wait for it', async () => {
    const service = await started();
    const stream = await service.streamOf(ann);
    await service.app.close();
    await stream.ended;
  });
});

describe('a stream is refused', () => {
  it.each([
    ['without a token', '', 401, 'token_refused'],
    ['with what is no token', '?t=abc', 401, 'token_refused'],
    ['with two of them', '?t=abc&t=abc', 400, 'invalid_request'],
    ['with another parameter', '?token=abc', 400, 'invalid_request'],
  ])('%s', async (_what, query, status, code) => {
    const service = await startService();
    const answer = await service.app.inject({ url: `/ofrep/v1/stream${query}` });
    expect([answer.statusCode, answer.json().code, answer.headers['cache-control']]).toEqual([status, code, 'private, no-store']);
    expect(answer.body).not.toContain('abc');
  });

  it('with a token for something else, or an API key', async () => {
    const service = await startService();
    const { token } = service.parts.visitorTokens?.artefact.mint(ann) ?? {};
    expect((await service.app.inject({ url: `/ofrep/v1/stream?t=${token}` })).statusCode).toBe(401);
    expect((await service.app.inject({ url: '/ofrep/v1/stream', headers: { authorization: 'Bearer key' } })).statusCode).toBe(401);
  });

  it('while the store does not say whether the token was taken back', async () => {
    const service = await startService();
    const store = { ...service.store, read: () => Promise.reject(new Error('gone')) };
    const broken = await started({ store });
    expect((await broken.streamOf(ann)).status).toBe(500);
    expect((await broken.streamOf({ subject: null, sessionId: null })).status).toBe(200);
  });

  it('where as many are open as may be', async () => {
    const streamCount = { open: 0 };
    const service = await started({ streamCount });
    while (streamCount.open < changeStreamsMax) {
      const from = streamCount.open;
      await Promise.all(Array.from({ length: 256 }, (_, index) => service.streamOf({ subject: `${from + index}`, sessionId: null })));
    }
    const refused = await service.streamOf(ann);
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '30']);
  });

  it('where one token of nobody’s has opened as many as it may from one address, so that its page does not come back, and not to a visitor', async () => {
    const streamCount = { open: 0 };
    const service = await started({ streamCount });
    while (streamCount.open < changeStreamsOfNobodyFreeMax) await Promise.all(Array.from({ length: 256 }, () => service.streamOf(nobody)));
    expect([(await service.streamOf(nobody)).status, (await service.streamOf(ann)).status]).toEqual([204, 200]);
  });

  it('where a visitor has as many as one may, until one of them goes, and so that its page does not come back', async () => {
    const service = await started();
    const streams = await Promise.all(Array.from({ length: changeStreamsPerMarkMax }, () => service.streamOf(ann)));
    const refused = await service.streamOf(ann);
    expect([refused.status, refused.text()]).toEqual([204, '']);
    expect((await service.streamOf({ subject: 'bob', sessionId: null })).status).toBe(200);
    streams[0]?.leave();
    while ((await service.streamOf(ann)).status !== 200) await nextTurn();
  });
});

it('no log line, and no answer, holds a token or whose it is', async () => {
  const lines: string[] = [];
  const log = (fields: unknown, message: unknown) => void lines.push(JSON.stringify([fields, message]));
  const logger = { info: log, warn: log, error: log, debug: log, trace: log, fatal: log, level: 'trace', silent: log, child: () => logger };
  const service = await started({ logger: logger as never });
  const { token } = service.parts.visitorTokens?.stream.mint(ann) ?? {};
  await service.streamOf(ann);
  await post(service, '/v1/erasures', { subject: 'ann' });
  const refused = await openStream(`${service.url}/ofrep/v1/stream?t=${token}`);
  await refused.ended;
  expect(lines.length).toBeGreaterThan(0);
  for (const text of [...lines, refused.text()]) expect(text).not.toMatch(new RegExp(`${token?.split('.')[1]}|"ann"`));
});
