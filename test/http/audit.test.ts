/** The record of writes as a service keeps it: every route that writes, who wrote, how it went, and nothing about whom. */
import { type AddressInfo, connect } from 'node:net';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { AuditEntry, AuditLog } from '../../src/files/audit-log.ts';
import { isRecorded } from '../../src/http/plugins/audit.ts';
import type { Store } from '../../src/records/store.ts';
import { StoreError } from '../../src/records/store-error.ts';
import { until } from '../support/redis-deployments.ts';
import { type Call, call, keyOf } from './callers.ts';
import { startService } from './service.ts';

function listening(): { readonly audit: AuditLog; readonly entries: AuditEntry[] } {
  const entries: AuditEntry[] = [];
  return { entries, audit: { tell: (entry) => void entries.push(entry), flush: async () => {}, dispose() {}, waiting: 0, lost: 0 } };
}

const apiKeys = [keyOf('crm', ['profiles']), keyOf('edge', ['decide'], { requestsPerSecond: 1 })];

describe('a write', () => {
  it.each<[Omit<Call, 'key'>, Partial<AuditEntry>]>([
    [
      { method: 'PUT', url: '/v1/profiles/canary-ada', payload: { attributes: { loyalty: 'gold' } } },
      { action: 'PUT /v1/profiles/:subject', outcome: 'done', count: 1 },
    ],
    [
      { method: 'PUT', url: '/v1/profiles/canary-ada', payload: { attributes: { shoe: 44 } } },
      { action: 'PUT /v1/profiles/:subject', outcome: 'refused', count: 0 },
    ],
    [
      { method: 'DELETE', url: '/v1/profiles/canary-ada' },
      { action: 'DELETE /v1/profiles/:subject', outcome: 'refused', count: 0 },
    ],
    [
      { method: 'PUT', url: '/v1/identities/device/canary-d', payload: { subject: 'canary-ada', method: 'deterministic' } },
      { action: 'PUT /v1/identities/:namespace/:value', outcome: 'done' },
    ],
    [
      { method: 'POST', url: '/v1/sessions', payload: {} },
      { action: 'POST /v1/sessions', outcome: 'done' },
    ],
    [
      { method: 'POST', url: '/v1/revocations', payload: { subject: 'canary-ada' } },
      { action: 'POST /v1/revocations', outcome: 'done' },
    ],
    [
      { method: 'POST', url: '/v1/revocations' },
      { action: 'POST /v1/revocations', outcome: 'refused' },
    ],
  ])('%j is recorded as %j', async (asked, expected) => {
    const { audit, entries } = listening();
    const service = await startService({ apiKeys, audit });
    const { headers } = await call(service, { ...asked, key: 'key-crm' });
    expect(entries).toEqual(
      [{ count: 0, ...expected, atMs: service.clock.nowMs(), requestId: headers['stepwell-request-id'], keyId: 'crm' }].map((entry) => ({
        ...entry,
        count: entry.outcome === 'done' ? 1 : 0,
      })),
    );
    expect(JSON.stringify(entries)).not.toMatch(/canary|gold|shoe/);
  });

  it('that the store could not take is recorded as failed, and one by a key without the scope as refused', async () => {
    const { audit, entries } = listening();
    const store = { kind: 'embedded', putProfile: async () => Promise.reject(new StoreError('disconnected', 'gone')) };
    const service = await startService({ apiKeys, audit, store: store as never });
    await call(service, { method: 'PUT', url: '/v1/profiles/ada', payload: {}, key: 'key-crm' });
    await call(service, { method: 'PUT', url: '/v1/profiles/ada', payload: {}, key: 'key-edge' });
    expect(entries.map(({ keyId, outcome, count }) => [keyId, outcome, count])).toEqual([
      ['crm', 'failed', 0],
      ['edge', 'refused', 0],
    ]);
  });

  it('by somebody on this machine, where there are no keys, is recorded without a key', async () => {
    const { audit, entries } = listening();
    await call(await startService({ audit }), { method: 'PUT', url: '/v1/profiles/ada', payload: {} });
    expect(entries).toMatchObject([{ keyId: null, outcome: 'done' }]);
  });
});

describe('what visitors write with their session id alone', () => {
  it('is one line a second for each kind, with how many there were', async () => {
    const { audit, entries } = listening();
    const service = await startService({ apiKeys, audit });
    const made = await call(service, { method: 'POST', url: '/v1/sessions', key: 'key-crm', payload: {} });
    const url = `/v1/sessions/${made.json().sessionId}/withdrawals`;
    for (let times = 0; times < 3; times += 1) expect((await call(service, { method: 'POST', url })).status).toBe(204);
    expect((await call(service, { method: 'POST', url: '/v1/sessions/canary/withdrawals' })).status).toBe(404);
    expect(entries.splice(0)).toMatchObject([{ action: 'POST /v1/sessions', keyId: 'crm' }]);
    service.clock.advance(1_000);
    const action = 'POST /v1/sessions/:sessionId/withdrawals';
    expect(entries.splice(0)).toMatchObject([{ action, keyId: null, requestId: null, outcome: 'done', count: 3 }]);
    await call(service, { method: 'POST', url });
    await service.app.close();
    expect(entries).toMatchObject([{ action, count: 1 }]);
  });
});

describe('a write whose caller hangs up before it is answered', () => {
  /** Sends, and is gone, by a reset, before the store has taken what was sent. Resolves once it would have been answered. */
  async function hangingUp(asked: (sessionId: string) => { readonly method: string; readonly url: string; readonly payload?: object }) {
    const { audit, entries } = listening();
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const opened = await startService();
    const slowly = <Given extends unknown[], Result>(take: (...given: Given) => Promise<Result>) => {
      return async (...given: Given): Promise<Result> => {
        reached.resolve();
        await released.promise;
        return take(...given);
      };
    };
    const store: Store = {
      ...opened.store,
      putProfile: slowly(opened.store.putProfile),
      withdrawConsent: slowly(opened.store.withdrawConsent),
      withdrawSessionConsent: slowly(opened.store.withdrawSessionConsent),
    };
    const lines: object[] = [];
    const isOfARequest = (line: string): boolean => JSON.parse(line).msg === 'request';
    const logger = pino({ level: 'trace' }, { write: (line: string) => void (isOfARequest(line) && lines.push(JSON.parse(line))) });
    const service = await startService({ apiKeys, audit, store, clock: opened.clock, logger });
    const { sessionId } = service.parts.sessionIds.mint(600);
    const { method, url, payload = {} } = asked(sessionId);
    await service.app.ready();
    service.app.server.on('request', (_request, response) => response.once('close', released.resolve));
    await service.app.listen({ host: '127.0.0.1', port: 0 });
    const socket = connect((service.app.server.address() as AddressInfo).port, '127.0.0.1');
    const body = JSON.stringify(payload);
    socket.write(
      `${method} ${url} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer key-crm\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await reached.promise;
    expect([entries, lines]).toEqual([[], []]);
    socket.resetAndDestroy();
    await released.promise;
    await until('the request is logged', async () => lines.length > 0);
    return { clock: opened.clock, entries, lines };
  }

  it.each<[string, string, string, object]>([
    ['PUT', '/v1/profiles/ada', 'PUT /v1/profiles/:subject', { attributes: { loyalty: 'gold' } }],
    ['POST', '/v1/consents/ada/withdrawals', 'POST /v1/consents/:subject/withdrawals', {}],
  ])('by %s %s is recorded and logged once, as done', async (method, url, action, payload) => {
    const { entries, lines } = await hangingUp(() => ({ method, url, payload }));
    expect(entries).toMatchObject([{ keyId: 'crm', action, outcome: 'done', count: 1 }]);
    expect(lines).toMatchObject([{ method, route: action.split(' ')[1], problem: null }]);
  });

  it('is counted with the others where a session id was enough', async () => {
    const { clock, entries, lines } = await hangingUp((sessionId) => ({ method: 'POST', url: `/v1/sessions/${sessionId}/withdrawals` }));
    clock.advance(1_000);
    const action = 'POST /v1/sessions/:sessionId/withdrawals';
    expect(entries).toMatchObject([{ action, keyId: null, count: 1 }]);
    expect(lines).toMatchObject([{ route: '/v1/sessions/:sessionId/withdrawals', status: 204 }]);
  });
});

describe('what is not recorded', () => {
  it('is whoever was turned away at the door: strangers could fill the disk', async () => {
    const { audit, entries } = listening();
    const service = await startService({ apiKeys, audit });
    const url = '/v1/profiles/ada';
    await call(service, { method: 'PUT', url, payload: {} });
    await call(service, { method: 'PUT', url, payload: {}, key: 'key-wrong' });
    await call(service, { method: 'PUT', url: '/v1/nowhere', payload: {}, key: 'key-crm' });
    await call(service, { method: 'PATCH', url, payload: {}, key: 'key-crm' });
    // Its one request of this second, then one too many.
    await call(service, { url: '/v1/decide?page=home', key: 'key-edge' });
    expect((await call(service, { method: 'PUT', url, payload: {}, key: 'key-edge' })).status).toBe(429);
    expect(entries).toEqual([]);
  });

  it('is a decision or a read', async () => {
    const { audit, entries } = listening();
    const service = await startService({ audit });
    await call(service, { method: 'POST', url: '/v1/decide', payload: { page: 'home' } });
    await call(service, { url: '/v1/decide?page=home' });
    await call(service, { url: '/v1/profiles/ada' });
    expect(entries).toEqual([]);
  });
});

it('every route that is declared with a method that writes is recorded, but for those that ask', async () => {
  const { app } = await startService({ corsOrigins: ['https://www.shop.example'] });
  const declared = app.printRoutes({ commonPrefix: false }).matchAll(/(\/\S*) \(([A-Z, ]+)\)/g);
  const writes = [...declared].flatMap(([, , methods = '']) =>
    methods.split(', ').filter((method) => !['GET', 'HEAD', 'OPTIONS'].includes(method)),
  );
  expect(writes.length).toBeGreaterThan(5);
  expect(isRecorded('POST', '/v1/decide')).toBe(false);
  expect(isRecorded('POST', '/v1/anything/new')).toBe(true);
  expect(isRecorded('DELETE', '/v1/sessions/:sessionId')).toBe(true);
  expect(isRecorded('GET', '/v1/exports/:subject')).toBe(true);
  expect(isRecorded('GET', '/v1/profiles/:subject')).toBe(false);
});
