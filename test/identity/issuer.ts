/** An issuer that signs whatever it is told, spelled as it is told: the attacks are in the bytes. */
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type KeySet, keySetOf, type ReplaceableKeySet } from '../../src/identity/key-set.ts';

export const issuer = 'https://issuer.example';
export const audience = 'stepwell';
export const subject = 'person-7f3a9c';

export interface TestKey {
  readonly kid: string;
  readonly alg: 'Ed25519' | 'EdDSA' | 'ES256';
  readonly privateKey: KeyObject;
  readonly publicJwk: Record<string, unknown>;
}

export function newKey(kid: string, alg: TestKey['alg'] = 'Ed25519'): TestKey {
  const { privateKey, publicKey } = alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  return { kid, alg, privateKey, publicJwk: { ...publicKey.export({ format: 'jwk' }), kid } };
}

export function keysOf(...keys: readonly TestKey[]): Promise<ReplaceableKeySet & KeySet> {
  return keySetOf({ keys: keys.map(({ publicJwk }) => publicJwk) });
}

export function headerOf(key: TestKey): Record<string, unknown> {
  return { alg: key.alg, typ: 'decide+jwt', kid: key.kid };
}

export function claimsAt(nowMs: number): Record<string, unknown> {
  const nowSeconds = Math.floor(nowMs / 1000);
  return { iss: issuer, aud: audience, sub: subject, iat: nowSeconds - 10, exp: nowSeconds + 290, jti: 'token-1' };
}

/** A holder's key, as a proof names it. */
export function holderJwk({ publicJwk }: TestKey): Record<string, unknown> {
  const { kid: _, ...jwk } = publicJwk;
  return jwk;
}

/** RFC 7638, written down a second time. */
export function jktOf(key: TestKey): string {
  const { crv, kty, x, y } = key.publicJwk;
  return createHash('sha256')
    .update(JSON.stringify({ crv, kty, x, ...(y === undefined ? {} : { y }) }))
    .digest('base64url');
}

export const proofTarget = 'https://decide.example/v1/decide';

export function proofHeaderOf(holder: TestKey): Record<string, unknown> {
  return { alg: holder.alg, typ: 'dpop+jwt', jwk: holderJwk(holder) };
}

export function proofClaimsAt(nowMs: number, token: string): Record<string, unknown> {
  const ath = createHash('sha256').update(token).digest('base64url');
  return { htm: 'POST', htu: proofTarget, iat: Math.floor(nowMs / 1000), jti: 'proof-1', ath };
}

/** Header and payload as objects, or as the very JSON text to sign. */
export function signed(key: TestKey, header: object | string, payload: object | string): string {
  const encode = (part: object | string) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${signatureOf(key, input).toString('base64url')}`;
}

function signatureOf({ alg, privateKey }: TestKey, input: string): Buffer {
  return alg === 'ES256'
    ? sign('sha256', Buffer.from(input), {
        key: createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' })),
        dsaEncoding: 'ieee-p1363',
      })
    : sign(null, Buffer.from(input), privateKey);
}
