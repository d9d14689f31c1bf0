/**
 * A token issuer for development: it makes keys and signs tokens, so that a reader can see the user tier in the first minute.
 * A deployment has an issuer of its own; nothing here is on the path of a decision.
 */
import { hash, randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { makeDataDirectory } from '../files/data-directory.ts';
import { keptText } from '../files/kept-text.ts';
import { thumbprintOf } from './proof.ts';

export interface IssuerKeys {
  readonly kid: string;
  readonly privateJwk: JWK;
  readonly jwks: { readonly keys: readonly JWK[] };
}

export async function generateIssuerKeys(): Promise<IssuerKeys> {
  const { privateKey } = await generateKeyPair('Ed25519', { extractable: true });
  const kid = randomBytes(9).toString('base64url');
  return issuerKeysOf({ ...(await exportJWK(privateKey)), kid, alg: 'Ed25519', use: 'sig' });
}

function issuerKeysOf(privateJwk: JWK): IssuerKeys {
  const { d, ...publicJwk } = privateJwk;
  if (typeof d !== 'string' || typeof privateJwk.kid !== 'string') throw new TypeError('the issuer key must be a private JWK with a `kid`');
  return { kid: privateJwk.kid, privateJwk, jwks: { keys: [publicJwk] } };
}

export interface MintedTokenClaims {
  readonly privateJwk: JWK;
  readonly kid: string;
  readonly issuer: string;
  readonly audience: string;
  readonly subject: string;
  readonly nowMs: number;
  readonly lifetimeSeconds: number;
  /** More claims, or others in place of these. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export async function mintToken({
  privateJwk,
  kid,
  issuer,
  audience,
  subject,
  nowMs,
  lifetimeSeconds,
  claims,
}: MintedTokenClaims): Promise<string> {
  const issuedAtSeconds = Math.floor(nowMs / 1000);
  const payload = {
    iss: issuer,
    aud: audience,
    sub: subject,
    iat: issuedAtSeconds,
    exp: issuedAtSeconds + lifetimeSeconds,
    jti: randomUUID(),
    ...claims,
  };
  const alg = privateJwk.crv === 'P-256' ? 'ES256' : 'Ed25519';
  return new SignJWT(payload).setProtectedHeader({ alg, typ: 'decide+jwt', kid }).sign(await importJWK(privateJwk, alg));
}

/** Who holds the key that a token is bound to: in development, whoever made it a moment ago. */
export interface Holder {
  /** For the token's `cnf.jkt`. */
  readonly thumbprint: string;
  /** Good once, for one presentation of this token to this address. */
  prove(presentation: { readonly token: string; readonly target: string; readonly nowMs: number }): Promise<string>;
}

export async function createHolder(): Promise<Holder> {
  const { privateKey, publicKey } = await generateKeyPair('Ed25519', { extractable: true });
  const { kty, crv, x } = await exportJWK(publicKey);
  if (kty === undefined || crv === undefined || x === undefined) throw new TypeError('an Ed25519 key has `kty`, `crv` and `x`');
  return {
    thumbprint: thumbprintOf({ kty, crv, x }),
    prove: ({ token, target, nowMs }) =>
      new SignJWT({
        htm: 'POST',
        htu: target,
        iat: Math.floor(nowMs / 1000),
        jti: randomUUID(),
        ath: hash('sha256', token, 'base64url'),
      })
        .setProtectedHeader({ alg: 'Ed25519', typ: 'dpop+jwt', jwk: { kty, crv, x } })
        .sign(privateKey),
  };
}

/** What a demo token and a service that trusts it agree on without configuration. */
export const demoParties = { issuer: 'stepwell-demo', audience: 'stepwell' } as const;

export interface DemoIssuer extends IssuerKeys {
  mint(token: { subject: string; nowMs: number; lifetimeSeconds: number; claims?: Readonly<Record<string, unknown>> }): Promise<string>;
}

/** The key that is kept is not fit for use. The message says what to do, and never shows the key. */
export class IssuerKeyError extends Error {
  override readonly name = 'IssuerKeyError';
}

/**
 * Keeps its key in `demo-issuer.json` of the directory, readable by its owner only, and makes one where there is none. Rejects with
 * an `IssuerKeyError`, or with the system's error where the directory cannot be used.
 */
export async function createDemoIssuer(directory: string): Promise<DemoIssuer> {
  makeDataDirectory(directory);
  const path = join(directory, 'demo-issuer.json');
  const keys = readKeys(await keptText(path, async () => `${JSON.stringify((await generateIssuerKeys()).privateJwk)}\n`));
  if (keys === null) throw new IssuerKeyError(`the demo issuer's key in \`${path}\` is damaged: delete it, and a new one is made`);
  return { ...keys, mint: (token) => mintToken({ ...keys, ...demoParties, ...token }) };
}

/** Null where it is no private key. Without a cause: the parser's message would quote the key. */
function readKeys(text: string): IssuerKeys | null {
  try {
    return issuerKeysOf(JSON.parse(text));
  } catch {
    return null;
  }
}
