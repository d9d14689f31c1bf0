/** API keys: what each may do, when it ends, how it is replaced, and what one that anybody can read may show. */
import { describe, expect, it } from 'vitest';
import type { ApiKey } from '../../src/contract/key-scopes.ts';
import { keyScopes } from '../../src/contract/key-scopes.ts';
import { badKeyAddressesMax, badKeySize, createBadKeys } from '../../src/http/bad-keys.ts';
import { createAuthority, type Scopes } from '../../src/http/plugins/keys.ts';
import { noTelemetry } from '../../src/telemetry/telemetry.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { call, keyOf } from './callers.ts';
import { startService, type TestService } from './service.ts';

const allGranted = {
  content_personalization: 'granted',
  offers: 'granted',
  profile_activation_content: 'granted',
  profile_activation_offer: 'granted',
};

describe('a scope', () => {
  function mayWith(scopes: readonly string[], anyOf: Scopes, bounds: Partial<ApiKey> = {}): boolean {
    const clock = new VirtualClock();
    const key = keyOf('k', scopes, bounds);
    const authority = createAuthority({
      keys: [key],
      clock,
      limits: { take: () => null },
      badKeys: createBadKeys(clock),
      metrics: noTelemetry.metrics,
    });
    try {
      authority.demand({ caller: null, headers: { authorization: 'Bearer key-k' }, socket: {} } as never, ...anyOf);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'scope_missing' });
      return false;
    }
  }

  it.each<[string[], Scopes, boolean]>([
    [['consents'], ['profiles', 'consents'], true],
    [['profiles'], ['profiles', 'consents'], true],
    [['erasures'], ['profiles', 'consents'], false],
    [['consents'], ['profiles'], false],
    [['erasures'], ['profiles', 'erasures'], true],
    [['decide', 'explain'], ['profiles', 'consents'], false],
    [[], ['decide'], false],
  ])('%j opens what takes any of %j: %s', (scopes, anyOf, expected) => {
    expect(mayWith(scopes, anyOf)).toBe(expected);
  });

  it('of the administrator opens everything', () => {
    for (const scope of keyScopes) expect(mayWith(['admin'], [scope])).toBe(true);
  });

  it('of a publishable key is `decide`, whatever else it was given', () => {
    const opened = keyScopes.filter((scope) => mayWith(['admin', ...keyScopes], [scope], { publishable: true }));
    expect(opened).toEqual(['decide']);
  });
});

describe('keys', () => {
  it('are two at once while callers change over, and the old one ends at its instant', async () => {
    const clock = new VirtualClock();
    const old = keyOf('edge-1', ['decide'], { notAfterMs: clock.nowMs() + 60_000 });
    const service = await startService({ apiKeys: [old, keyOf('edge-2', ['decide'])], clock });
    const statusOf = async (key: string) => (await call(service, { url: '/v1/decide?page=home', key })).status;
    expect([await statusOf('key-edge-1'), await statusOf('key-edge-2')]).toEqual([200, 200]);
    clock.advance(60_000);
    expect([await statusOf('key-edge-1'), await statusOf('key-edge-2')]).toEqual([401, 200]);
    expect((await call(service, { url: '/v1/decide?page=home', key: 'key-edge-1' })).json().detail).toBe('the API key has expired');
  });

  it('are replaced while the service runs', async () => {
    let keys = [keyOf('old', ['decide'])];
    const service = await startService({ apiKeys: () => keys });
    const statusOf = async (key: string) => (await call(service, { url: '/v1/decide?page=home', key })).status;
    expect([await statusOf('key-old'), await statusOf('key-new')]).toEqual([200, 401]);
    keys = [keyOf('new', ['decide'])];
    expect([await statusOf('key-old'), await statusOf('key-new')]).toEqual([401, 200]);
  });
});

describe('a bad key', () => {
  const bad = { url: '/v1/decide?page=home', key: 'key-wrong' };

  it('is told so 20 times at once from one address, then to wait; a valid one from there, and others, are served', async () => {
    const clock = new VirtualClock();
    const service = await startService({ apiKeys: [keyOf('edge', ['decide'])], clock });
    for (let tries = 0; tries < badKeySize.tokensMax; tries += 1) {
      // Anybody may write such a header.
      const headers = { 'x-forwarded-for': `192.0.2.${tries}`, forwarded: `for=192.0.2.${tries}` };
      expect((await call(service, { ...bad, headers })).status).toBe(401);
    }
    const refused = await call(service, bad);
    expect(refused.status).toBe(429);
    expect(refused.headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'private, no-store' });
    expect(refused.json()).toMatchObject({ code: 'rate_limited' });
    expect((await call(service, { ...bad, key: 'key-edge' })).status).toBe(200);
    expect((await call(service, { ...bad, from: '192.0.2.7' })).status).toBe(401);
    clock.advance(100);
    expect((await call(service, bad)).status).toBe(401);
    expect((await call(service, bad)).status).toBe(429);
  });

  it('is one too where its time has passed, and where it is malformed', async () => {
    const service = await startService({ apiKeys: [keyOf('past', ['decide'], { notAfterMs: 0 })] });
    for (let tries = 0; tries < badKeySize.tokensMax; tries += 1) {
      expect((await call(service, { url: bad.url, key: tries % 2 === 0 ? 'key-past' : 'two words' })).status).toBe(401);
    }
    expect((await call(service, { url: bad.url, key: 'key-past' })).status).toBe(429);
  });

  it('counts for a whole IPv6 network, however its addresses are written', () => {
    const badKeys = createBadKeys(new VirtualClock());
    const addresses = ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:db8:1:2:a:b:c:d'];
    for (let tries = 0; tries < badKeySize.tokensMax; tries += 1) expect(badKeys.from(addresses[tries % 3])).toBeNull();
    for (const address of addresses) expect(badKeys.from(address)).toBe(1);
    expect(badKeys.from('2001:db8:1:3::1')).toBeNull();
    expect(badKeys.addresses).toBe(2);
  });

  it('takes no more room than is set aside, from however many addresses', () => {
    const badKeys = createBadKeys(new VirtualClock());
    for (let index = 0; index < 3 * badKeyAddressesMax; index += 1) badKeys.from(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
    expect(badKeys.addresses).toBe(badKeyAddressesMax);
  });
});

describe('a publishable key', () => {
  const apiKeys = [keyOf('page', ['decide'], { publishable: true }), keyOf('edge', ['decide', 'explain']), keyOf('crm', ['profiles'])];

  async function sceneOf(): Promise<TestService & { readonly sessionId: string; readonly token: string }> {
    const service = await startService({ apiKeys });
    await service.store.putProfile('ada', { attributes: { loyalty: 'gold' }, audiences: [] }, 600);
    const made = await call(service, {
      method: 'POST',
      url: '/v1/sessions',
      key: 'key-crm',
      payload: { attributes: { last_category: 'shoes' } },
    });
    return { ...service, sessionId: made.json().sessionId, token: await service.tokenOf('ada') };
  }

  async function zonesOf(service: TestService, key: string, identity: object) {
    const payload = { zones: ['hero'], identity, consent: { useCases: allGranted }, context: { country: 'DE' } };
    const answer = await call(service, { method: 'POST', url: '/v1/decide', key, payload });
    expect(answer.status).toBe(200);
    return answer.json();
  }

  it('shows a visit that we know nothing above segment, where a key of our own shows the session', async () => {
    const scene = await sceneOf();
    const { sessionId } = scene;
    expect((await zonesOf(scene, 'key-edge', { sessionId })).zones[0]).toMatchObject({ tier: 'session', variant: 'hero-shoes' });
    const seen = await zonesOf(scene, 'key-page', { sessionId });
    expect(seen.identity.state).toBe('session_known');
    expect(seen.zones[0]).toMatchObject({
      tier: 'segment',
      intendedTier: 'user',
      variant: 'hero-dach',
      downgrade: {
        from: 'user',
        to: 'segment',
        reason: 'identity_session_only',
        cause: 'identity',
        dependency: null,
        steps: [
          { tier: 'user', reason: 'identity_session_only' },
          { tier: 'session', reason: 'identity_session_only' },
        ],
      },
    });
  });

  it('shows nobody at all nothing above segment', async () => {
    const { zones } = await zonesOf(await sceneOf(), 'key-page', {});
    expect(zones[0]).toMatchObject({ tier: 'segment', variant: 'hero-dach' });
    expect(zones[0].downgrade.steps.map(({ reason }: { reason: string }) => reason)).toEqual(['identity_anonymous', 'identity_anonymous']);
  });

  it('shows a person who is proved all that consent allows, session and user', async () => {
    const scene = await sceneOf();
    const { token, sessionId } = scene;
    expect((await zonesOf(scene, 'key-page', { token })).zones[0]).toMatchObject({ tier: 'user', variant: 'hero-gold', downgrade: null });
    await scene.store.deleteProfile('ada');
    expect((await zonesOf(scene, 'key-page', { token, sessionId })).zones[0]).toMatchObject({ tier: 'session', variant: 'hero-shoes' });
  });

  it.each<[string, (scene: Awaited<ReturnType<typeof sceneOf>>) => Promise<object>, string]>([
    ['a broken token', async ({ token, sessionId }) => ({ token: `${token}x`, sessionId }), 'identity_token_invalid'],
    [
      'a token of a generation that is over',
      async (scene) => {
        await scene.store.raiseGeneration('ada');
        return { token: scene.token, sessionId: scene.sessionId };
      },
      'identity_revoked',
    ],
    [
      'a device that is linked',
      async (scene) => {
        await scene.store.putIdentity('device', 'd-one-1', { subject: 'ada', method: 'deterministic', confidencePpm: 1_000_000 }, 600);
        return { deviceId: 'd-one-1', sessionId: scene.sessionId };
      },
      'identity_partial',
    ],
  ])('shows %s nothing above segment', async (_, identityOf, reason) => {
    const scene = await sceneOf();
    const identity = await identityOf(scene);
    const { zones } = await zonesOf(scene, 'key-page', identity);
    expect(zones[0]).toMatchObject({ tier: 'segment', downgrade: { reason } });
    expect(zones[0].downgrade.steps.map((step: { reason: string }) => step.reason)).toEqual([reason, reason]);
  });

  it('explains nothing, writes nothing but the beginning of an empty session, and reads nothing', async () => {
    const service = await sceneOf();
    const statusOf = async (method: 'POST' | 'PUT' | 'GET', url: string, payload?: object) =>
      (await call(service, { method, url, key: 'key-page', payload })).status;
    expect(await statusOf('POST', '/v1/decide', { page: 'home', explain: true })).toBe(403);
    expect(await statusOf('PUT', '/v1/profiles/ada', {})).toBe(403);
    expect(await statusOf('GET', '/v1/profiles/ada')).toBe(403);
    expect(await statusOf('POST', '/v1/sessions', { attributes: { last_category: 'shoes' } })).toBe(403);
    expect(await statusOf('POST', '/v1/sessions')).toBe(201);
    expect(await statusOf('POST', '/v1/revocations', { subject: 'ada' })).toBe(403);
    expect(await statusOf('GET', '/v1/decide?page=home')).toBe(200);
  });
});
