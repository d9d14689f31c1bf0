/** What a page may do with sessions: begin one that is empty with a key that anybody can read, and get tokens with the session id alone. */
import { describe, expect, it } from 'vitest';
import { sessionTokens } from '../../src/contract/schemas.ts';
import { pageSessionSize } from '../../src/http/routes/sessions.ts';
import { visitorTokenWindowMs } from '../../src/identity/visitor-token.ts';
import { call, keyOf } from './callers.ts';
import { startService, type TestService } from './service.ts';

const apiKeys = [
  keyOf('page', ['decide'], { publishable: true }),
  keyOf('other', ['decide'], { publishable: true }),
  keyOf('shop', ['decide']),
  keyOf('crm', ['profiles']),
];
const begin = (service: TestService, key: string | undefined, payload?: object) =>
  call(service, { method: 'POST', url: '/v1/sessions', key, payload });
const tokensOf = (service: TestService, sessionId: string, payload?: object) =>
  call(service, { method: 'POST', url: `/v1/sessions/${sessionId}/tokens`, payload });

describe('a session', () => {
  it.each([
    ['a page', 'key-page', undefined, 201],
    ['a page, with an empty word', 'key-page', { attributes: {} }, 201],
    ['a page that claims something', 'key-page', { attributes: { last_category: 'shoes' } }, 403],
    ['a renderer', 'key-shop', undefined, 201],
    ['a renderer that claims something', 'key-shop', { attributes: { last_category: 'shoes' } }, 403],
    ['who writes data', 'key-crm', { attributes: { last_category: 'shoes' } }, 201],
    ['nobody', undefined, undefined, 401],
  ])('may be begun, or not, by %s', async (_who, key, payload, status) => {
    expect((await begin(await startService({ apiKeys }), key, payload)).status).toBe(status);
  });

  it('that a page has begun selects nothing above segment for it, and no page may write to it', async () => {
    const service = await startService({ apiKeys });
    const { sessionId } = (await begin(service, 'key-page')).json();
    const attributes = { last_category: 'shoes' };
    const patch = { method: 'PATCH', url: `/v1/sessions/${sessionId}`, payload: { attributes } } as const;
    expect((await call(service, { ...patch, key: 'key-page' })).status).toBe(403);
    expect((await call(service, { ...patch, key: 'key-crm' })).status).toBe(204);
    const asked = { zones: ['hero'], identity: { sessionId }, consent: { useCases: { content_personalization: 'granted' } } };
    const tierFor = async (key: string) =>
      (await call(service, { method: 'POST', url: '/v1/decide', key, payload: asked })).json().zones[0].tier;
    expect([await tierFor('key-page'), await tierFor('key-shop')]).not.toContain('user');
    expect(await tierFor('key-shop')).toBe('session');
    expect(['segment', 'anonymous']).toContain(await tierFor('key-page'));
  });

  it('may be begun by pages with one key so often and no more, whoever else has another key', async () => {
    const service = await startService({ apiKeys });
    const answers = await Promise.all(Array.from({ length: pageSessionSize.tokensMax + 1 }, () => begin(service, 'key-page')));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(1);
    expect(refused[0]?.headers['retry-after']).toBe('1');
    expect((await begin(service, 'key-other')).status).toBe(201);
    expect((await begin(service, 'key-crm')).status).toBe(201);
    service.clock.advance(1000);
    expect((await begin(service, 'key-page')).status).toBe(201);
  });
});

describe('the tokens of a session', () => {
  it('need no key, are the same within a window, and say where they are good and until when', async () => {
    const service = await startService({ apiKeys });
    const { sessionId } = (await begin(service, 'key-page')).json();
    const first = await tokensOf(service, sessionId);
    expect([first.status, first.headers['cache-control']]).toEqual([200, 'private, no-store']);
    const { stream, artefact } = sessionTokens.parse(first.json());
    expect([stream.requestUri, artefact.requestUri]).toEqual([`/ofrep/v1/stream?t=${stream.token}`, `/v1/artefact?t=${artefact.token}`]);
    expect(Date.parse(stream.expiresAt) - service.clock.nowMs()).toBeGreaterThan(visitorTokenWindowMs);
    expect((await tokensOf(service, sessionId, {})).text).toBe(first.text);
    expect(first.text).not.toContain(sessionId);
  });

  it('are not given for a session that has ended, is forged, or never was', async () => {
    const service = await startService({ apiKeys });
    const { sessionId } = (await begin(service, 'key-page')).json();
    await call(service, { method: 'DELETE', url: `/v1/sessions/${sessionId}` });
    for (const id of [sessionId, `${sessionId}x`, 's1.none']) {
      const { status, text } = await tokensOf(service, id);
      expect([status, JSON.parse(text).code]).toEqual([404, 'no_such_record']);
    }
  });

  it('are still given, and still good, when consent was taken back: to hear of changes is no use of anything', async () => {
    const service = await startService({ apiKeys });
    const { sessionId } = (await begin(service, 'key-page')).json();
    const before = (await tokensOf(service, sessionId)).json();
    await call(service, { method: 'POST', url: `/v1/sessions/${sessionId}/withdrawals` });
    expect((await tokensOf(service, sessionId)).json()).toEqual(before);
    expect((await call(service, { url: before.artefact.requestUri })).status).toBe(200);
  });

  it.each([
    ['a field', { purpose: 'stream' }],
    ['a list', []],
  ])('are not asked for with %s', async (_what, payload) => {
    const service = await startService({ apiKeys });
    const { sessionId } = (await begin(service, 'key-page')).json();
    expect((await tokensOf(service, sessionId, payload)).status).toBe(400);
  });

  it('are given a session as often as it may write, and no more', async () => {
    const service = await startService({ apiKeys });
    const { sessionId } = (await begin(service, 'key-page')).json();
    const answers = await Promise.all(Array.from({ length: 101 }, () => tokensOf(service, sessionId)));
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(1);
  });
});
