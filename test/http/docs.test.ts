/** Who is shown the demo's credentials in the API document, and how often they are made. */
import { describe, expect, it } from 'vitest';
import { createSessionIds } from '../../src/identity/session-id.ts';
import { createDemoCredentials } from '../../src/start/demo-credentials.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { startService } from './service.ts';

const addresses = ['/openapi.json', '/docs/json', '/docs/yaml'] as const;
const token = 'the-demo-token';
const sessionId = 'the-demo-session';

async function demo() {
  let made = 0;
  const service = await startService({
    demoCredentials: async () => {
      made += 1;
      return { token, sessionId };
    },
  });
  const get = (url: string, remoteAddress: string, headers: Readonly<Record<string, string>> = {}) =>
    service.app.inject({ url, remoteAddress, headers });
  return { get, made: () => made };
}

describe('the document of a demo', () => {
  it.each(addresses)('has credentials in its examples for somebody at this machine: %s', async (url) => {
    const { get } = await demo();
    for (const remoteAddress of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
      const { body, statusCode } = await get(url, remoteAddress);
      expect(statusCode).toBe(200);
      expect(body).toContain(token);
      expect(body).toContain(sessionId);
    }
  });

  it.each(addresses)('has none for anybody else, and makes none: %s', async (url) => {
    const { get, made } = await demo();
    for (const answer of [
      await get(url, '203.0.113.7'),
      await get(url, '127.0.0.1', { 'x-forwarded-for': '203.0.113.7' }),
      await get(url, '127.0.0.1', { forwarded: 'for=203.0.113.7' }),
      await get(url, '127.0.0.1', { host: 'rebound.example' }),
    ]) {
      expect(answer.statusCode).toBe(200);
      expect(answer.body).toContain('/v1/decide');
      expect(answer.body).not.toContain(token);
      expect(answer.body).not.toContain(sessionId);
    }
    expect(made()).toBe(0);
  });

  it('does not show one reader what another was shown', async () => {
    const { get } = await demo();
    await get('/openapi.json', '127.0.0.1');
    expect((await get('/openapi.json', '203.0.113.7')).body).not.toContain(token);
  });

  it('is JSON as `application/json` and YAML as `application/yaml`, never to be stored', async () => {
    const { get } = await demo();
    const [json, copy, yaml] = await Promise.all(addresses.map((url) => get(url, '127.0.0.1')));
    expect(json?.json()).toEqual(copy?.json());
    expect(json?.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(yaml?.headers['content-type']).toBe('application/yaml; charset=utf-8');
    for (const answer of [json, copy, yaml]) expect(answer?.headers['cache-control']).toBe('private, no-store');
  });
});

describe('the demo credentials', () => {
  async function issuing(putSession: () => Promise<void>) {
    const directory = await temporaryDirectory();
    const clock = new VirtualClock();
    const sessionIds = createSessionIds({ secret: Buffer.alloc(32, 7), clock });
    const config = { dataDir: directory.path, tokenIssuer: null, tokenAudience: null };
    const credentials = await createDemoCredentials({ config, store: { putSession } as never, sessionIds, clock });
    return { directory, clock, credentials };
  }

  it('are made once for all who ask within half an hour, and live another half', async () => {
    let sessions = 0;
    const { directory, clock, credentials } = await issuing(async () => {
      sessions += 1;
    });
    await using _ = directory;
    const first = await credentials();
    for (let asked = 0; asked < 1000; asked += 1) expect(await credentials()).toBe(first);
    clock.advance(1_799_999);
    expect(await credentials()).toBe(first);
    const { exp } = JSON.parse(Buffer.from(first.token.split('.')[1] ?? '', 'base64url').toString());
    expect(exp * 1000 - clock.nowMs()).toBeGreaterThanOrEqual(1_800_000);
    clock.advance(1);
    expect(await credentials()).not.toBe(first);
    expect(sessions).toBe(2);
  });

  it('are there without a store', async () => {
    const { directory, credentials } = await issuing(async () => Promise.reject(new Error('gone')));
    await using _ = directory;
    expect(await credentials()).toEqual({ token: expect.any(String), sessionId: expect.any(String) });
  });
});
