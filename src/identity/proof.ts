/**
 * Verifies that whoever presents a token holds the key it is bound to (DPoP, RFC 9449). It proves that the holder signed this proof
 * for this token and this service a moment ago; that it was not presented before is the store's to say.
 */
import { hash } from 'node:crypto';
import { compactVerify, errors, importJWK } from 'jose';
import { decodeCanonical, parseCompactJws } from './compact-jws.ts';
import type { KeyAlgorithm } from './key-set.ts';
import type { ProofTargets } from './proof-targets.ts';
import { isObject, parseStrictObject } from './strict-json.ts';

export interface ExpectedProof {
  /** The very bytes of the token that is presented with it. */
  readonly token: string;
  /** The token's `cnf.jkt`. */
  readonly thumbprint: string;
  readonly targets: ProofTargets;
  readonly nowMs: number;
}

/** To be claimed before anything is proved: whoever claims it second has replayed it. */
export interface UnclaimedProof {
  /** Of holder and `jti`: what a copy in another spelling shares with it. */
  readonly id: string;
  /** For so long it could be presented again, by anybody's clock. */
  readonly lifeMs: number;
}

export type ProofFinding = UnclaimedProof | 'invalid' | 'failed';

const proofLengthMax = 2048;
const identifierLengthMax = 256;
const proofAgeMaxSeconds = 60;
/** Clocks of a fleet differ: a claim outlives the proof by this. */
const fleetSkewMs = 60_000;
const method = 'POST';

const headerNames: readonly string[] = ['alg', 'typ', 'jwk'];
/** What a public key may say of itself; `d` and `k` are nobody's to send. */
const keyNames: readonly string[] = ['kty', 'crv', 'x', 'y', 'alg', 'kid', 'use', 'key_ops', 'ext'];

export async function verifyProof(proof: string, { token, thumbprint, targets, nowMs }: ExpectedProof): Promise<ProofFinding> {
  if (proof.length > proofLengthMax) return 'invalid';
  const parsed = parseCompactJws(proof, headerNames);
  if (parsed === null || parsed.header.typ !== 'dpop+jwt') return 'invalid';
  const key = holderKeyOf(parsed.header.jwk, parsed.algorithm);
  // Before anything that costs: only who knows the holder's public key gets as far as a signature.
  if (key === null || thumbprintOf(key) !== thumbprint) return 'invalid';
  const claims = parseStrictObject(parsed.payload);
  if (claims === null || !isFor(claims, token, targets, nowMs)) return 'invalid';
  try {
    await compactVerify(proof, await importJWK(key, parsed.algorithm), { algorithms: [parsed.alg] });
  } catch (error) {
    return error instanceof errors.JOSEError || isUnusableKey(error) ? 'invalid' : 'failed';
  }
  return { id: `${thumbprint}\n${claims.jti}`, lifeMs: lifeMsOf(claims.iat, nowMs) };
}

/** RFC 7638: the members a key is made of, in their order, without spaces. */
export function thumbprintOf({ kty, crv, x, y }: HolderKey): string {
  return hash('sha256', JSON.stringify(y === undefined ? { crv, kty, x } : { crv, kty, x, y }), 'base64url');
}

interface HolderKey {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly y?: string;
}

/** Only the public parts go on, in their one spelling: the thumbprint is over their text. */
function holderKeyOf(jwk: unknown, algorithm: KeyAlgorithm): HolderKey | null {
  if (!isObject(jwk) || !Object.keys(jwk).every((name) => keyNames.includes(name))) return null;
  const { kty, crv, x, y } = jwk;
  if (!isCoordinate(x)) return null;
  if (algorithm === 'Ed25519') return kty === 'OKP' && crv === 'Ed25519' && y === undefined ? { kty, crv, x } : null;
  return kty === 'EC' && crv === 'P-256' && isCoordinate(y) ? { kty, crv, x, y } : null;
}

function isCoordinate(value: unknown): value is string {
  return typeof value === 'string' && value.length === 43 && decodeCanonical(value) !== null;
}

type ProofClaims = Readonly<Record<string, unknown>> & { readonly jti: string; readonly iat: number };

function isFor(claims: Readonly<Record<string, unknown>>, token: string, targets: ProofTargets, nowMs: number): claims is ProofClaims {
  const { htm, htu, iat, jti, ath } = claims;
  if (typeof jti !== 'string' || jti === '' || jti.length > identifierLengthMax || !jti.isWellFormed()) return false;
  if (typeof iat !== 'number' || Math.abs(nowMs / 1000 - iat) > proofAgeMaxSeconds) return false;
  return htm === method && typeof htu === 'string' && targets.has(htu) && ath === hash('sha256', token, 'base64url');
}

/** Rounded up: a claim that ends early lets a replay in. */
function lifeMsOf(iatSeconds: number, nowMs: number): number {
  return Math.ceil((iatSeconds + proofAgeMaxSeconds) * 1000 - nowMs) + fleetSkewMs;
}

/** The platform's error for coordinates that are no point of the curve. */
function isUnusableKey(error: unknown): boolean {
  return error instanceof Error && ['DataError', 'OperationError', 'NotSupportedError'].includes(error.name);
}
