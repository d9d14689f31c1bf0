/**
 * Every attack on a token, over HTTP: each is a decision about nobody with its reason, never an error, never told from any other by its
 * answer, and never kept or repeated anywhere. What is too long for a body is the caller's mistake.
 */
import { describe, expect, it } from 'vitest';
import type { AppDependencies } from '../../src/app.ts';
import { bodyBytesMax } from '../../src/http/plugins/json-body.ts';
import { createTokenVerifier } from '../../src/identity/token.ts';
import { attacks, claims, good, header, key, nowMs, nowSeconds, withClaims } from '../identity/attacks.ts';
import { audience, headerOf, issuer, keysOf, newKey, signed, subject } from '../identity/issuer.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { startService } from './service.ts';

const granted = { content_personalization: 'granted', profile_activation_content: 'granted' };
const es256 = newKey('key-2', 'ES256');

async function shop(changes: Partial<AppDependencies> = {}) {
  const keySet = await keysOf(key, es256);
  const service = await startService({
    verifier: createTokenVerifier({ keySet, issuer, audience, clock: new VirtualClock() }),
    tokenIssuer: issuer,
    ...changes,
  });
  await service.store.putProfile(subject, { attributes: { loyalty: 'gold' }, audiences: [] }, 600);
  const decide = async (identity: object) => {
    const payload = { zones: ['hero'], identity, consent: { useCases: granted } };
    const response = await service.app.inject({ method: 'POST', url: '/v1/decide', payload });
    const [zone] = response.statusCode === 200 ? response.json().zones : [];
    return { response, state: response.json().identity?.state, reason: zone?.downgrade?.reason ?? null, tier: zone?.tier };
  };
  return { ...service, keySet, decide };
}

describe('over HTTP a token is as if it were not there when it', () => {
  const sendable = attacks.filter(({ token }) => token !== '' && Buffer.byteLength(JSON.stringify(token)) < bodyBytesMax - 1024);

  it.each(sendable)('$what', async ({ token }) => {
    const { decide } = await shop();
    const { response, ...decided } = await decide({ token });
    expect(response.statusCode).toBe(200);
    expect(decided).toEqual({ state: 'anonymous', reason: 'identity_token_invalid', tier: 'anonymous' });
    expect(response.headers['cache-control']).toBe('private, no-store');
    if (token.length > 20) expect(response.body + JSON.stringify(response.headers)).not.toContain(token);
  });

  it('is longer than a body may be: that is said, and nothing is verified', async () => {
    const { decide } = await shop();
    const tooLong = attacks.filter(({ token }) => Buffer.byteLength(token) > bodyBytesMax);
    expect(tooLong.length).toBeGreaterThan(1);
    for (const { what, token } of tooLong) expect((await decide({ token })).response.statusCode, what).toBe(413);
  });

  it('would be seen to be taken: the good one is', async () => {
    const { decide } = await shop();
    expect(await decide({ token: good })).toMatchObject({ state: 'high_confidence', reason: null, tier: 'user' });
  });
});

describe('over HTTP a token that verifies proves no present person when it', () => {
  const doubts: readonly (readonly [string, string, string, string])[] = [
    ['has expired', withClaims({ iat: nowSeconds - 400, exp: nowSeconds - 100 }), 'partial', 'identity_token_expired'],
    [
      'expired more than thirty days ago',
      withClaims({ iat: nowSeconds - 2_592_400, exp: nowSeconds - 2_592_100 }),
      'anonymous',
      'identity_token_expired',
    ],
    ['is only probable', withClaims({ idm: 'probabilistic' }), 'partial', 'identity_partial'],
    ['is bound and nobody proved it', withClaims({ cnf: { jkt: 'x'.repeat(43) } }), 'partial', 'identity_unbound'],
    ['is bound in a way we do not know', withClaims({ cnf: { 'x5t#S256': 'x' } }), 'partial', 'identity_unbound'],
  ];
  it.each(doubts)('%s', async (_, token, state, reason) => {
    const { decide } = await shop();
    expect(await decide({ token })).toMatchObject({ state, reason });
  });

  it('is of a generation that was raised since, or of none', async () => {
    const { decide, store } = await shop();
    expect((await decide({ token: good })).state).toBe('high_confidence');
    await store.raiseGeneration(subject);
    expect(await decide({ token: good })).toMatchObject({ state: 'partial', reason: 'identity_revoked' });
    expect((await decide({ token: withClaims({ gen: 1 }) })).state).toBe('high_confidence');
  });
});

/** The order of P-256: of an ES256 signature (r, s), (r, order - s) is another over the same bytes. */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

function otherSignature(token: string): string {
  const [head = '', payload = '', signature = ''] = token.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  const s = BigInt(`0x${bytes.toString('hex', 32)}`);
  const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex')]);
  return `${head}.${payload}.${other.toString('base64url')}`;
}

describe('a revoked token', () => {
  it('stays revoked in every other spelling, also in one whose signature verifies', async () => {
    const { app, clock, decide } = await shop();
    const token = signed(es256, headerOf(es256), claims);
    const twin = otherSignature(token);
    const again = signed(es256, headerOf(es256), { ...claims, more: 1 });
    expect(twin).not.toBe(token);
    for (const each of [token, twin, again]) expect((await decide({ token: each })).state).toBe('high_confidence');
    const until = new Date(clock.nowMs() + 3_600_000).toISOString();
    expect((await app.inject({ method: 'POST', url: '/v1/revocations', payload: { jti: claims.jti, until } })).statusCode).toBe(204);
    for (const each of [token, twin, again]) {
      expect(await decide({ token: each })).toMatchObject({ state: 'anonymous', reason: 'identity_revoked', tier: 'anonymous' });
    }
    for (const each of [`${token}=`, `${token}\n`, ` ${token}`, `${token.slice(0, -1)}`]) {
      expect((await decide({ token: each })).reason).toBe('identity_token_invalid');
    }
  });

  it('of one issuer is none of another’s', async () => {
    const { store, decide } = await shop();
    await store.revokeToken(`https://other.example\n${claims.jti}`, nowMs + 3_600_000);
    expect((await decide({ token: good })).state).toBe('high_confidence');
  });
});

it('a token of a key that was taken back is none, though it was verified a moment ago', async () => {
  const { keySet, decide } = await shop();
  expect((await decide({ token: good })).state).toBe('high_confidence');
  await keySet.replace({ keys: [es256.publicJwk] });
  expect(await decide({ token: good })).toMatchObject({ state: 'anonymous', reason: 'identity_token_invalid' });
});

it('a token while the key set is too old to judge by proves nobody, and that is said', async () => {
  const keySet = { ...(await keysOf(key)), isStale: () => true };
  const { decide } = await shop({ verifier: createTokenVerifier({ keySet, issuer, audience, clock: new VirtualClock() }) });
  expect(await decide({ token: good })).toMatchObject({ state: 'anonymous', reason: 'identity_keys_stale', tier: 'anonymous' });
  expect(await decide({ token: signed(newKey('other'), header, claims) })).toMatchObject({ reason: 'identity_keys_stale' });
  expect(await decide({ token: 'hello' })).toMatchObject({ reason: 'identity_token_invalid' });
});

it('a caller may lower who somebody is, and raise it by nothing that is said', async () => {
  const { app } = await shop();
  for (const claim of [
    { identity_state: 'high_confidence' },
    { state: 'high_confidence' },
    { score: 1 },
    { subject },
    { verified: true },
  ]) {
    const payload = { zones: ['hero'], identity: claim, consent: { useCases: granted } };
    const response = await app.inject({ method: 'POST', url: '/v1/decide', payload });
    expect(response.statusCode, JSON.stringify(claim)).toBe(400);
    expect(response.body).not.toContain(subject);
  }
});
