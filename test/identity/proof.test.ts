/** A holder's proof: what it proves, and everything that looks like one and is none. */
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { calculateJwkThumbprint, compactVerify, importJWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { createHolder } from '../../src/identity/mint.ts';
import { thumbprintOf } from '../../src/identity/proof.ts';
import { proofTargetsOf } from '../../src/identity/proof-targets.ts';
import { createTokenVerifier, type TokenResult, type TokenVerifierSettings } from '../../src/identity/token.ts';
import { proofTargetOf } from '../../src/records/proof-target.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import {
  audience,
  claimsAt,
  headerOf,
  holderJwk,
  issuer,
  jktOf,
  keysOf,
  newKey,
  proofClaimsAt,
  proofHeaderOf,
  proofTarget,
  signed,
  type TestKey,
} from './issuer.ts';

const clock = new VirtualClock();
const nowMs = clock.nowMs();
const nowSeconds = Math.floor(nowMs / 1000);
const key = newKey('key-1');
const holder = newKey('holder');
const token = boundTo(holder);
const header = proofHeaderOf(holder);
const claims = proofClaimsAt(nowMs, token);
const good = signed(holder, header, claims);
const targets = proofTargetsOf([proofTarget]);

function boundTo(to: TestKey, changes: Record<string, unknown> = {}): string {
  return signed(key, headerOf(key), { ...claimsAt(nowMs), cnf: { jkt: jktOf(to) }, ...changes });
}

function withClaims(changes: Record<string, unknown>): string {
  return signed(holder, header, { ...claims, ...changes });
}

function withHeader(changes: Record<string, unknown>): string {
  return signed(holder, { ...header, ...changes }, claims);
}

function without(name: string): string {
  const { [name]: _, ...rest } = claims;
  return signed(holder, header, rest);
}

async function present(proof: string, presented = token, settings: Partial<TokenVerifierSettings> = {}): Promise<TokenResult> {
  const verifier = createTokenVerifier({ keySet: await keysOf(key), issuer, audience, clock, proofTargets: targets, ...settings });
  return verifier.verify(presented, { proof, nowMs });
}

const unproved = { evidence: { state: 'verified', binding: 'unproved' }, proof: null };

describe('a good proof', () => {
  it('is to be claimed under holder and jti, for as long as anybody might take it', async () => {
    const result = await present(good);
    // Until it is claimed it proves nothing.
    expect(result.evidence).toMatchObject({ state: 'verified', binding: 'unproved' });
    expect(result.proof).toEqual({ id: `${jktOf(holder)}\nproof-1`, lifeMs: 120_000 });
  });

  it.each(['Ed25519', 'EdDSA', 'ES256'] as const)('may be signed with %s', async (alg) => {
    const other = newKey('other', alg);
    const bound = boundTo(other);
    expect((await present(signed(other, proofHeaderOf(other), proofClaimsAt(nowMs, bound)), bound)).proof).not.toBeNull();
  });

  const taken: readonly (readonly [string, string])[] = [
    ['a minute old to the second', withClaims({ iat: nowSeconds - 60 })],
    ['a minute ahead to the second', withClaims({ iat: nowSeconds + 60 })],
    ['in another spelling of the address', withClaims({ htu: 'HTTPS://Decide.Example:443/v1/decide' })],
    ['with claims we do not know', withClaims({ nonce: 'n' })],
    ['of a key that says more of itself', withHeader({ jwk: { ...holderJwk(holder), kid: 'k', use: 'sig', alg: 'EdDSA' } })],
  ];
  it.each(taken)('may be one %s', async (_, proof) => {
    expect((await present(proof)).proof).not.toBeNull();
  });

  it('lives until nobody would take it, whichever way its clock is wrong', async () => {
    expect((await present(withClaims({ iat: nowSeconds - 60 }))).proof?.lifeMs).toBe(60_000);
    expect((await present(withClaims({ iat: nowSeconds + 60 }))).proof?.lifeMs).toBe(180_000);
  });

  it('of the development holder is one too', async () => {
    const developer = await createHolder();
    const bound = signed(key, headerOf(key), { ...claimsAt(nowMs), cnf: { jkt: developer.thumbprint } });
    const proof = await developer.prove({ token: bound, target: proofTarget, nowMs });
    expect((await present(proof, bound)).proof).not.toBeNull();
  });
});

const [goodHeader = '', goodPayload = '', goodSignature = ''] = good.split('.');
const [tokenHeader = '', tokenPayload = '', tokenSignature = ''] = token.split('.');
const privateJwk = { ...holderJwk(holder), d: holder.privateKey.export({ format: 'jwk' }).d };
const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

function hmacWithPublicKey(): string {
  const input = `${encoded({ ...header, alg: 'HS256' })}.${goodPayload}`;
  const secret = Buffer.from(String(holder.publicJwk.x), 'base64url');
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

/** `passesJose`: the library alone takes it, so our own check is what refuses it. */
const attacks: readonly { readonly what: string; readonly proof: string; readonly passesJose?: true }[] = [
  { what: 'is no proof', proof: 'hello' },
  { what: 'is very long', proof: 'a'.repeat(100_000) },
  { what: 'is over the limit', proof: withClaims({ pad: 'x'.repeat(2048) }), passesJose: true },
  { what: 'is the token itself', proof: token },
  { what: 'is of type JWT', proof: withHeader({ typ: 'JWT' }), passesJose: true },
  { what: 'is of no type', proof: signed(holder, { alg: holder.alg, jwk: holderJwk(holder) }, claims), passesJose: true },
  { what: 'says alg none', proof: `${encoded({ ...header, alg: 'none' })}.${goodPayload}.` },
  { what: 'is HS256 keyed with the public key', proof: hmacWithPublicKey() },
  { what: 'names another algorithm than its key has', proof: withHeader({ alg: 'ES256' }) },
  { what: 'has no key', proof: signed(holder, { alg: holder.alg, typ: 'dpop+jwt' }, claims), passesJose: true },
  { what: 'has a key that is no object', proof: withHeader({ jwk: 'key' }), passesJose: true },
  { what: 'gives its private key away', proof: withHeader({ jwk: privateJwk }), passesJose: true },
  { what: 'has a symmetric key', proof: withHeader({ jwk: { kty: 'oct', k: 'c2VjcmV0' } }), passesJose: true },
  { what: 'has an RSA key', proof: withHeader({ jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB' } }), passesJose: true },
  { what: 'spells its key otherwise', proof: withHeader({ jwk: { ...holderJwk(holder), x: `${holder.publicJwk.x}=` } }), passesJose: true },
  { what: 'says where its key is', proof: withHeader({ jku: 'https://evil.example/keys' }), passesJose: true },
  { what: 'names a key of ours', proof: withHeader({ kid: key.kid }), passesJose: true },
  { what: 'has a crit header', proof: withHeader({ crit: ['x'], x: 1 }) },
  { what: 'is of another holder', proof: signed(newKey('thief'), proofHeaderOf(newKey('thief')), claims) },
  { what: 'names the holder’s key and is signed by another', proof: signed(newKey('thief'), header, claims) },
  { what: 'is for another method', proof: withClaims({ htm: 'GET' }), passesJose: true },
  { what: 'is for another method in small letters', proof: withClaims({ htm: 'post' }), passesJose: true },
  { what: 'is for another address', proof: withClaims({ htu: 'https://decide.example/v1/profiles' }), passesJose: true },
  { what: 'is for another host', proof: withClaims({ htu: 'https://decide.example.evil.example/v1/decide' }), passesJose: true },
  { what: 'is for another scheme', proof: withClaims({ htu: 'http://decide.example/v1/decide' }), passesJose: true },
  { what: 'is for an address with a query', proof: withClaims({ htu: `${proofTarget}?a=b` }), passesJose: true },
  { what: 'is for an address with an empty query', proof: withClaims({ htu: `${proofTarget}?` }), passesJose: true },
  { what: 'is for an address with a fragment', proof: withClaims({ htu: `${proofTarget}#a` }), passesJose: true },
  { what: 'is for an address with a user', proof: withClaims({ htu: 'https://a@decide.example/v1/decide' }), passesJose: true },
  { what: 'is for an address with a newline', proof: withClaims({ htu: `${proofTarget}\n` }), passesJose: true },
  { what: 'is for a list of addresses', proof: withClaims({ htu: [proofTarget] }), passesJose: true },
  {
    what: 'is for another token',
    proof: signed(holder, header, proofClaimsAt(nowMs, boundTo(holder, { jti: 'other' }))),
    passesJose: true,
  },
  { what: 'is for a malleated copy of the token', proof: signed(holder, header, proofClaimsAt(nowMs, `${token}=`)), passesJose: true },
  { what: 'is older than a minute', proof: withClaims({ iat: nowSeconds - 61 }), passesJose: true },
  { what: 'is from the future', proof: withClaims({ iat: nowSeconds + 61 }), passesJose: true },
  { what: 'is of a time that is a string', proof: withClaims({ iat: String(nowSeconds) }), passesJose: true },
  {
    what: 'is of no finite time',
    proof: signed(holder, header, JSON.stringify(claims).replace(/"iat":\d+/, '"iat":1e999')),
    passesJose: true,
  },
  ...['htm', 'htu', 'iat', 'jti', 'ath'].map((name) => ({ what: `has no ${name}`, proof: without(name), passesJose: true as const })),
  { what: 'has an empty jti', proof: withClaims({ jti: '' }), passesJose: true },
  { what: 'has a jti that is a number', proof: withClaims({ jti: 1 }), passesJose: true },
  { what: 'has an endless jti', proof: withClaims({ jti: 'x'.repeat(257) }), passesJose: true },
  { what: 'repeats a claim', proof: signed(holder, header, `${JSON.stringify(claims).slice(0, -1)},"htm":"POST"}`), passesJose: true },
  { what: 'has a changed claim', proof: `${goodHeader}.${encoded({ ...claims, jti: 'proof-2' })}.${goodSignature}` },
  { what: 'has an empty signature', proof: `${goodHeader}.${goodPayload}.` },
  { what: 'has padding', proof: `${good}==`, passesJose: true },
  { what: 'has a newline after it', proof: `${good}\n`, passesJose: true },
  { what: 'wears the token’s parts', proof: `${goodHeader}.${tokenPayload}.${tokenSignature}` },
  { what: 'wears the token’s header', proof: `${tokenHeader}.${goodPayload}.${goodSignature}` },
];

describe('a bound token stays unproved when its proof', () => {
  it.each(attacks)('$what', async ({ proof }) => {
    expect(await present(proof)).toMatchObject(unproved);
  });

  it('is presented with a token of another holder', async () => {
    const others = boundTo(newKey('other'));
    expect(await present(signed(holder, header, proofClaimsAt(nowMs, others)), others)).toMatchObject(unproved);
  });

  it('is by a key that is no point of its curve', async () => {
    const elliptic = newKey('elliptic', 'ES256');
    const jwk = { ...holderJwk(elliptic), y: elliptic.publicJwk.x };
    const offCurve = { ...elliptic, publicJwk: { ...jwk, kid: 'elliptic' } };
    const bound = boundTo(offCurve);
    const proof = signed(elliptic, { alg: 'ES256', typ: 'dpop+jwt', jwk }, proofClaimsAt(nowMs, bound));
    expect(await present(proof, bound)).toMatchObject(unproved);
  });

  it('is any other string, and none throws', async () => {
    const mutation = fc.record({ at: fc.nat(good.length - 1), to: fc.string({ unit: 'binary', maxLength: 3 }) });
    const strings = fc.oneof(
      fc.string({ unit: 'binary' }),
      mutation.map(({ at, to }) => good.slice(0, at) + to + good.slice(at + 1)),
    );
    const verifier = createTokenVerifier({ keySet: await keysOf(key), issuer, audience, clock, proofTargets: targets });
    await fc.assert(
      fc.asyncProperty(strings, async (proof) => {
        fc.pre(proof !== good);
        expect(await verifier.verify(token, { proof, nowMs })).toMatchObject(unproved);
      }),
      { numRuns: 500 },
    );
  });

  it('holds any claims but the right ones, and none throws', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...Object.keys(claims)), fc.jsonValue(), { minKeys: 1 }), async (changes) => {
        const { evidence } = await present(withClaims(changes));
        expect(evidence).toMatchObject({ state: 'verified', binding: 'unproved' });
      }),
      { numRuns: 200 },
    );
  });

  it('may name no address at all', async () => {
    expect(await present(good, token, { proofTargets: proofTargetsOf([]) })).toMatchObject(unproved);
    const verifier = createTokenVerifier({ keySet: await keysOf(key), issuer, audience, clock });
    expect(await verifier.verify(token, { proof: good })).toMatchObject(unproved);
  });

  /** The planted fault is our own checks being gone. */
  it.each(attacks.filter(({ passesJose }) => passesJose))('$what, which the library alone would take', async ({ proof }) => {
    const holderKey = await importJWK({ ...holderJwk(holder), kty: 'OKP' }, 'Ed25519');
    await expect(compactVerify(proof, holderKey, { algorithms: ['Ed25519'] })).resolves.toBeDefined();
  });
});

describe('a proof beside', () => {
  it('a token that is bound to nobody changes nothing', async () => {
    const unbound = signed(key, headerOf(key), claimsAt(nowMs));
    expect(await present(signed(holder, header, proofClaimsAt(nowMs, unbound)), unbound)).toMatchObject({
      evidence: { binding: 'none' },
      proof: null,
    });
  });

  it('an expired token is not looked at', async () => {
    const expired = boundTo(holder, { iat: nowSeconds - 400, exp: nowSeconds - 100 });
    expect(await present(signed(holder, header, proofClaimsAt(nowMs, expired)), expired)).toMatchObject({
      evidence: { expired: true, binding: 'unproved' },
      proof: null,
    });
  });

  it('a token in the cache is verified anew each time', async () => {
    const verifier = createTokenVerifier({ keySet: await keysOf(key), issuer, audience, clock, proofTargets: targets });
    expect((await verifier.verify(token, { proof: good })).proof).not.toBeNull();
    expect((await verifier.verify(token, { proof: `${good}=` })).proof).toBeNull();
    expect((await verifier.verify(token, { proof: good, nowMs: nowMs + 61_000 })).proof).toBeNull();
  });
});

it('has the thumbprint of RFC 7638', async () => {
  for (const alg of ['Ed25519', 'ES256'] as const) {
    const jwk = holderJwk(newKey('k', alg)) as { kty: string; crv: string; x: string };
    expect(thumbprintOf(jwk)).toBe(await calculateJwkThumbprint(jwk));
  }
});

it('has one form for each address, and none for what is no address', () => {
  const forms = {
    'https://a.example/v1/decide': 'https://a.example/v1/decide',
    'https://A.example:443/v1/../v1/decide': 'https://a.example/v1/decide',
    'http://127.0.0.1:8080': 'http://127.0.0.1:8080/',
    'ftp://a.example/': null,
    'https://a.example/?': null,
    'https://a.example\\v1': null,
    'https://a.example/ä': null,
    '/v1/decide': null,
  };
  for (const [text, form] of Object.entries(forms)) expect(proofTargetOf(text), text).toBe(form);
});
