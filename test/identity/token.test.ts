import fc from 'fast-check';
import { compactVerify, importJWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { createTokenVerifier, type TokenResult, type TokenVerifier, type TokenVerifierSettings } from '../../src/identity/token.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { attacks, claims, daySeconds, good, header, key, nowMs, nowSeconds, withClaims } from './attacks.ts';
import { audience, headerOf, issuer, keysOf, newKey, signed, subject, type TestKey } from './issuer.ts';

const clock = new VirtualClock();
const invalid: TokenResult = { evidence: { state: 'invalid' }, tokenId: null, proof: null };

async function verifierOf(settings: Partial<TokenVerifierSettings> = {}): Promise<TokenVerifier> {
  return createTokenVerifier({ keySet: await keysOf(key), issuer, audience, clock, ...settings });
}

async function verify(token: string): Promise<TokenResult> {
  return (await verifierOf()).verify(token);
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

describe('a time of authentication that is yet to come', () => {
  it.each([
    { after: 5, kept: true },
    { after: 6, kept: false },
    { after: 3600, kept: false },
  ])('is as good as none beyond the five seconds that clocks may differ ($after s)', async ({ after, kept }) => {
    const verifier = await verifierOf();
    const authTime = nowSeconds + after;
    const token = withClaims({ auth_time: authTime });
    const expected = { state: 'verified', authTimeSeconds: kept ? authTime : null };
    expect((await verifier.verify(token)).evidence).toMatchObject(expected);
    expect((await verifier.verify(token)).evidence).toMatchObject(expected);
  });
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
