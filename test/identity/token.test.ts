import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { compactVerify, importJWK } from 'jose';
import { describe, expect, it } from 'vitest';
import {
  createTokenVerifier,
  type TokenResult,
  type TokenVerifier,
  type TokenVerifierSettings,
  tokenLengthMax,
} from '../../src/identity/token.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { audience, claimsAt, headerOf, issuer, keysOf, newKey, signed, subject, type TestKey } from './issuer.ts';

const clock = new VirtualClock();
const nowMs = clock.nowMs();
const nowSeconds = Math.floor(nowMs / 1000);
const daySeconds = 86_400;
const key = newKey('key-1');
const claims = claimsAt(nowMs);
const header = headerOf(key);
const good = signed(key, header, claims);
const invalid: TokenResult = { evidence: { state: 'invalid' }, tokenId: null, proof: null };

async function verifierOf(settings: Partial<TokenVerifierSettings> = {}): Promise<TokenVerifier> {
  return createTokenVerifier({ keySet: await keysOf(key), issuer, audience, clock, ...settings });
}

async function verify(token: string): Promise<TokenResult> {
  return (await verifierOf()).verify(token);
}

function withClaims(changes: Record<string, unknown>): string {
  return signed(key, header, { ...claims, ...changes });
}

function without(name: string): string {
  const { [name]: _, ...rest } = claims;
  return signed(key, header, rest);
}

describe('a good token', () => {
  it('proves its subject, and its id is issuer and jti', async () => {
    expect(await verify(good)).toEqual({
      evidence: {
        state: 'verified',
        subject,
        method: 'deterministic',
        expired: false,
        issuedAtSeconds: nowSeconds - 10,
        authTimeSeconds: null,
        generation: null,
        binding: 'none',
      },
      tokenId: `${issuer}\ntoken-1`,
      proof: null,
    });
  });

  it.each(['Ed25519', 'EdDSA', 'ES256'] as const)('may be signed with %s', async (alg) => {
    const other = newKey('other', alg);
    const verifier = await verifierOf({ keySet: await keysOf(key, other) });
    expect((await verifier.verify(signed(other, headerOf(other), claims))).evidence.state).toBe('verified');
  });

  const accepted: readonly { readonly what: string; readonly token: string; readonly evidence: object }[] = [
    { what: 'of type at+jwt', token: signed(key, { ...header, typ: 'at+jwt' }, claims), evidence: {} },
    { what: 'with our audience as a list of one', token: withClaims({ aud: [audience] }), evidence: {} },
    { what: 'with a method it names', token: withClaims({ idm: 'probabilistic' }), evidence: { method: 'probabilistic' } },
    { what: 'with a generation', token: withClaims({ gen: 3 }), evidence: { generation: 3 } },
    {
      what: 'with a time of authentication',
      token: withClaims({ auth_time: nowSeconds - 60 }),
      evidence: { authTimeSeconds: nowSeconds - 60 },
    },
    { what: 'bound to a key nobody proved yet', token: withClaims({ cnf: { jkt: 'x'.repeat(43) } }), evidence: { binding: 'unproved' } },
    { what: 'bound in a way we cannot check', token: withClaims({ cnf: { 'x5t#S256': 'x' } }), evidence: { binding: 'unproved' } },
    { what: 'with claims we do not know', token: withClaims({ scope: 'read', acr: '2' }), evidence: {} },
    { what: 'that lives for exactly an hour', token: withClaims({ exp: nowSeconds + 3590 }), evidence: {} },
    { what: 'made five seconds ahead of our clock', token: withClaims({ iat: nowSeconds + 5 }), evidence: {} },
    { what: 'valid from five seconds ahead of our clock', token: withClaims({ nbf: nowSeconds + 5 }), evidence: {} },
    { what: 'that ended within the tolerance', token: withClaims({ exp: nowSeconds - 1 }), evidence: { expired: false } },
    { what: 'that ended beyond the tolerance', token: withClaims({ exp: nowSeconds - 5 }), evidence: { expired: true } },
    { what: 'that ended 29 days ago', token: ended(29 * daySeconds), evidence: { expired: true } },
    { what: 'that ended 30 days ago to the second', token: ended(30 * daySeconds), evidence: { expired: true } },
  ];
  it.each(accepted)('may be one $what', async ({ token, evidence }) => {
    const result = await verify(token);
    expect(result.evidence).toMatchObject({ state: 'verified', ...evidence });
    expect(result.tokenId).toBe(`${issuer}\ntoken-1`);
  });

  it('says that it ran out when that was over 30 days ago, and proves nobody', async () => {
    for (const seconds of [30 * daySeconds + 1, 31 * daySeconds]) {
      expect(await verify(ended(seconds))).toEqual({ evidence: { state: 'expired' }, tokenId: null, proof: null });
    }
  });

  function ended(secondsAgo: number): string {
    return signed(key, header, { ...claims, iat: nowSeconds - secondsAgo - 300, exp: nowSeconds - secondsAgo });
  }
});

const [goodHeader = '', goodPayload = '', goodSignature = ''] = good.split('.');

function hmacWithPublicKey(): string {
  const input = `${encoded({ ...header, alg: 'HS256' })}.${goodPayload}`;
  const secret = Buffer.from(String(key.publicJwk.x), 'base64url');
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function otherSpelling(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1) ?? '') ^ 1];
}

const attacks: readonly { readonly what: string; readonly token: string; readonly passesJose?: true }[] = [
  { what: 'is empty', token: '' },
  { what: 'is no token', token: 'hello' },
  { what: 'is long', token: 'a'.repeat(100_000) },
  { what: 'is one character over the limit', token: withClaims({ pad: 'x'.repeat(tokenLengthMax) }), passesJose: true },
  { what: 'has two parts', token: `${goodHeader}.${goodPayload}` },
  { what: 'has four parts', token: `${good}.` },
  { what: 'has an empty signature', token: `${goodHeader}.${goodPayload}.` },
  { what: 'has an empty payload', token: `${goodHeader}..${goodSignature}` },
  { what: 'says alg none', token: `${encoded({ ...header, alg: 'none' })}.${goodPayload}.` },
  { what: 'says alg none and keeps a signature', token: signed(key, { ...header, alg: 'none' }, claims) },
  { what: 'is HS256 keyed with the public key', token: hmacWithPublicKey() },
  { what: 'names another algorithm than its key has', token: signed(key, { ...header, alg: 'ES256' }, claims) },
  { what: 'names an algorithm we do not take', token: signed(key, { ...header, alg: 'RS256' }, claims) },
  { what: 'spells the algorithm otherwise', token: signed(key, { ...header, alg: 'ed25519' }, claims) },
  { what: 'has no alg', token: signed(key, { typ: 'decide+jwt', kid: key.kid }, claims) },
  { what: 'has no kid', token: signed(key, { alg: 'Ed25519', typ: 'decide+jwt' }, claims), passesJose: true },
  { what: 'names an unknown kid', token: signed(key, { ...header, kid: 'key-2' }, claims), passesJose: true },
  { what: 'names a kid of the prototype', token: signed(key, { ...header, kid: '__proto__' }, claims), passesJose: true },
  { what: 'has a kid that is no string', token: signed(key, { ...header, kid: 1 }, claims), passesJose: true },
  { what: 'is signed by another key under our kid', token: signed(newKey('key-1'), header, claims) },
  { what: 'embeds its own key', token: signed(key, { ...header, jwk: newKey('x').publicJwk }, claims), passesJose: true },
  { what: 'points to keys elsewhere', token: signed(key, { ...header, jku: 'https://evil.example' }, claims), passesJose: true },
  { what: 'brings a certificate', token: signed(key, { ...header, x5c: ['x'] }, claims), passesJose: true },
  { what: 'has a crit header', token: signed(key, { ...header, crit: ['x'], x: 1 }, claims) },
  { what: 'has an unencoded payload', token: signed(key, { ...header, b64: false, crit: ['b64'] }, claims) },
  {
    what: 'repeats a header name',
    token: signed(key, `{"alg":"Ed25519","typ":"decide+jwt","kid":"key-1","kid":"key-1"}`, claims),
    passesJose: true,
  },
  { what: 'repeats a claim', token: signed(key, header, `${JSON.stringify(claims).slice(0, -1)},"sub":"victim-42"}`), passesJose: true },
  {
    what: 'repeats a claim in another spelling',
    token: signed(key, header, `${JSON.stringify(claims).slice(0, -1)},"s\\u0075b":"victim-42"}`),
    passesJose: true,
  },
  {
    what: 'repeats a name deeper down',
    token: signed(key, header, `${JSON.stringify(claims).slice(0, -1)},"cnf":{"jkt":"a","jkt":"b"}}`),
    passesJose: true,
  },
  { what: 'has a space after it', token: `${good} `, passesJose: true },
  { what: 'has a newline after it', token: `${good}\n`, passesJose: true },
  { what: 'has a space before it', token: ` ${good}` },
  { what: 'has padding', token: `${good}==`, passesJose: true },
  {
    what: 'has another last character of the same bytes',
    token: `${goodHeader}.${goodPayload}.${otherSpelling(goodSignature)}`,
    passesJose: true,
  },
  { what: 'has one more character', token: `${good}A` },
  { what: 'is in plain base64', token: `${goodHeader}.${goodPayload}.${Buffer.from(goodSignature, 'base64url').toString('base64')}` },
  { what: 'has a changed payload', token: `${goodHeader}.${encoded({ ...claims, sub: 'victim-42' })}.${goodSignature}` },
  { what: 'has a payload that is a list', token: signed(key, header, '[]'), passesJose: true },
  { what: 'has a payload that is null', token: signed(key, header, 'null'), passesJose: true },
  { what: 'has a payload that is no JSON', token: signed(key, header, '{'), passesJose: true },
  { what: 'has a byte order mark', token: signed(key, header, `\uFEFF${JSON.stringify(claims)}`), passesJose: true },
  { what: 'is of type JWT', token: signed(key, { ...header, typ: 'JWT' }, claims), passesJose: true },
  { what: 'is a holder proof', token: signed(key, { ...header, typ: 'dpop+jwt' }, claims), passesJose: true },
  { what: 'has no type', token: signed(key, { alg: 'Ed25519', kid: key.kid }, claims), passesJose: true },
  { what: 'comes from another issuer', token: withClaims({ iss: 'https://evil.example' }), passesJose: true },
  { what: 'comes from our issuer and a slash', token: withClaims({ iss: `${issuer}/` }), passesJose: true },
  { what: 'is for another audience', token: withClaims({ aud: 'billing' }), passesJose: true },
  { what: 'is for us and another audience', token: withClaims({ aud: [audience, 'billing'] }), passesJose: true },
  { what: 'is for us twice', token: withClaims({ aud: [audience, audience] }), passesJose: true },
  { what: 'is for no audience', token: withClaims({ aud: [] }), passesJose: true },
  ...['iss', 'aud', 'sub', 'iat', 'exp', 'jti'].map((name) => ({
    what: `has no ${name}`,
    token: without(name),
    passesJose: true as const,
  })),
  ...['', '0', '000-0', '-1', 'null', 'NULL', 'undefined', 'anonymous', ' unknown ', 'x'.repeat(257), 7, null, ['a'], '\ud800'].map(
    (sub) => ({
      what: `names ${typeof sub === 'string' && sub.length > 20 ? 'a subject too long' : JSON.stringify(sub)} as its subject`,
      token: withClaims({ sub }),
      passesJose: true as const,
    }),
  ),
  { what: 'has an empty jti', token: withClaims({ jti: '' }), passesJose: true },
  { what: 'has a jti that is no string', token: withClaims({ jti: 1 }), passesJose: true },
  { what: 'has an exp that is a string', token: withClaims({ exp: String(nowSeconds + 60) }), passesJose: true },
  { what: 'has an endless exp', token: signed(key, header, JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e999')), passesJose: true },
  { what: 'has a negative iat', token: withClaims({ iat: -1 }), passesJose: true },
  { what: 'was made in the future', token: withClaims({ iat: nowSeconds + 6 }), passesJose: true },
  { what: 'is not valid yet', token: withClaims({ nbf: nowSeconds + 6 }), passesJose: true },
  { what: 'has an nbf that is a string', token: withClaims({ nbf: 'now' }), passesJose: true },
  { what: 'lives longer than an hour', token: withClaims({ exp: nowSeconds + 3591 }), passesJose: true },
  { what: 'names an unknown method', token: withClaims({ idm: 'certain' }), passesJose: true },
  { what: 'has a null method', token: withClaims({ idm: null }), passesJose: true },
  ...[-1, 1.5, '1', null, 2 ** 53].map((gen) => ({
    what: `has generation ${JSON.stringify(gen)}`,
    token: withClaims({ gen }),
    passesJose: true as const,
  })),
  { what: 'has a cnf that is no object', token: withClaims({ cnf: 'jkt' }), passesJose: true },
  { what: 'has a thumbprint that is no string', token: withClaims({ cnf: { jkt: 1 } }), passesJose: true },
  { what: 'has an auth_time that is a string', token: withClaims({ auth_time: 'now' }), passesJose: true },
];

describe('a token is as if it were not there when it', () => {
  it.each(attacks)('$what', async ({ token }) => {
    expect(await verify(token)).toEqual(invalid);
  });

  it('meets no keys, issuer or audience', async () => {
    for (const missing of [{ keySet: null }, { issuer: null }, { audience: null }, { issuer: '' }, { audience: '' }]) {
      expect(await (await verifierOf(missing)).verify(good)).toEqual(invalid);
    }
  });

  it('is any other string (the signature is over exactly these bytes)', async () => {
    const verifier = await verifierOf();
    const mutation = fc.record({ at: fc.nat(good.length - 1), to: fc.string({ unit: 'binary', maxLength: 3 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          mutation.map(({ at, to }) => good.slice(0, at) + to + good.slice(at + 1)),
        ),
        async (token) => {
          fc.pre(token !== good);
          await verifier.verify(good);
          expect(await verifier.verify(token)).toEqual(invalid);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('the attack table', () => {
  /** The planted fault is our checks being gone: what the library alone lets pass must be caught by us, or the table is blind. */
  it.each(attacks.filter(({ passesJose }) => passesJose))(
    'holds a token that the signature check alone lets pass: it $what',
    async ({ token }) => {
      const verificationKey = await importJWK({ ...key.publicJwk, kty: 'OKP' }, 'Ed25519');
      await expect(compactVerify(token, verificationKey, { algorithms: ['Ed25519'] })).resolves.toBeDefined();
    },
  );
});

describe('the cache of verified tokens', () => {
  it('answers at once the second time, with the same result', async () => {
    const verifier = await verifierOf();
    const first = verifier.verify(good);
    expect(first).toBeInstanceOf(Promise);
    const verified = await first;
    expect(verifier.verify(good)).toEqual(verified);
  });

  it('checks the times again on every use', async () => {
    const moving = new VirtualClock();
    const verifier = await verifierOf({ clock: moving });
    const stateNow = async () => (await verifier.verify(good)).evidence;
    expect(await stateNow()).toMatchObject({ expired: false });
    moving.advance(295_000);
    expect(await stateNow()).toMatchObject({ state: 'verified', expired: true });
    moving.advance(31 * daySeconds * 1000);
    expect(await stateNow()).toEqual({ state: 'expired' });
    expect(await verifier.verify(good, { nowMs: nowMs - 60_000 })).toEqual(invalid);
  });

  it('is emptied when the key set changes', async () => {
    const keySet = await keysOf(key);
    const verifier = await verifierOf({ keySet });
    await verifier.verify(good);
    await keySet.replace({ keys: [newKey('key-1').publicJwk] });
    expect(await verifier.verify(good)).toEqual(invalid);
  });

  it('would be seen not to be emptied: with a revision that stands still, the old token is still taken', async () => {
    const keySet = await keysOf(key);
    const verifier = await verifierOf({ keySet: { ...keySet, revision: 1 } });
    await verifier.verify(good);
    await keySet.replace({ keys: [newKey('key-1').publicJwk] });
    expect(await verifier.verify(good)).not.toEqual(invalid);
  });

  it('does not keep what was verified under keys that changed meanwhile', async () => {
    const keySet = await keysOf(key);
    const verifier = await verifierOf({ keySet });
    const first = verifier.verify(good);
    await keySet.replace({ keys: [newKey('key-1').publicJwk] });
    await first;
    expect(await verifier.verify(good)).toEqual(invalid);
  });

  it('is bounded: the longest unused token leaves first', async () => {
    const verifier = await verifierOf({ cacheEntriesMax: 2 });
    const [a, b, c] = ['a', 'b', 'c'].map((jti) => withClaims({ jti })) as [string, string, string];
    for (const token of [a, b, a, c]) await verifier.verify(token);
    expect(verifier.verify(a)).not.toBeInstanceOf(Promise);
    expect(verifier.verify(c)).not.toBeInstanceOf(Promise);
    expect(verifier.verify(b)).toBeInstanceOf(Promise);
  });

  it('keeps nothing when it may hold nothing', async () => {
    const verifier = await verifierOf({ cacheEntriesMax: 0 });
    await verifier.verify(good);
    expect(verifier.verify(good)).toBeInstanceOf(Promise);
  });
});

it('never rejects, whatever the header and the claims', async () => {
  const verifier = await verifierOf();
  const signer: TestKey = key;
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.constantFrom(...Object.keys(claims), 'gen', 'idm', 'cnf', 'nbf'), fc.jsonValue()),
      async (changes) => {
        const { evidence, tokenId } = await verifier.verify(signed(signer, header, { ...claims, ...changes }));
        expect(['verified', 'invalid', 'expired']).toContain(evidence.state);
        expect(tokenId === null).toBe(evidence.state !== 'verified');
      },
    ),
    { numRuns: 300 },
  );
});
