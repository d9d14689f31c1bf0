/**
 * Verifies an issuer's token and says what it proves. A token that fails is an answer, never an exception, and no answer,
 * error or cache entry carries the token itself.
 *
 * Accepted: a compact JWS of type `decide+jwt` or `at+jwt`, signed with Ed25519 or ES256 by a key of the set. Revocation,
 * generation and device links are the store's to say and the core's to weigh.
 */
import { hash, randomBytes } from 'node:crypto';
import { compactVerify, errors } from 'jose';
import type { TokenEvidence } from '../decision/facts.ts';
import type { Clock } from '../time/clock.ts';
import { daySeconds } from '../time/units.ts';
import { type Claims, claimsOf, type ExpectedParties } from './claims.ts';
import type { KeySet, VerificationKey } from './key-set.ts';
import { parseStrictObject } from './strict-json.ts';

export interface TokenVerifier {
  /** At once where the token has been seen or fails before its signature is checked; else a promise that never rejects. */
  verify(token: string, presentation?: TokenPresentation): TokenResult | Promise<TokenResult>;
}

export interface TokenPresentation {
  /** The holder's proof. SEAM: not verified yet, so a bound token stays `unproved`. */
  readonly proof?: string | undefined;
  /** Wall time to judge by; the clock's when it is not given. */
  readonly nowMs?: number | undefined;
}

export interface TokenResult {
  readonly evidence: TokenEvidence;
  /** Issuer and `jti` joined by a newline, for the denylist; null unless verified. Never the token's own bytes: those are malleable. */
  readonly tokenId: string | null;
}

export interface TokenVerifierSettings {
  /** Null, like an absent issuer or audience: nothing can be verified, so every token is invalid. */
  readonly keySet: KeySet | null;
  readonly issuer: string | null;
  readonly audience: string | null;
  readonly clock: Clock;
  readonly cacheEntriesMax?: number;
}

export const tokenLengthMax = 4096;
const defaultCacheEntriesMax = 10_000;
const clockToleranceSeconds = 5;
/** An expired token is remembered for so long as a hint of who it was; after that it says nothing. */
const rememberedSeconds = 30 * daySeconds;

const headerNames: readonly string[] = ['alg', 'typ', 'kid'];
const types: readonly unknown[] = ['decide+jwt', 'at+jwt'];
/** `EdDSA` on an Ed25519 key is Ed25519 under its older name. */
const algorithmOfName: ReadonlyMap<unknown, VerificationKey['algorithm']> = new Map([
  ['EdDSA', 'Ed25519'],
  ['Ed25519', 'Ed25519'],
  ['ES256', 'ES256'],
]);

const invalid: TokenResult = { evidence: { state: 'invalid' }, tokenId: null };
const failed: TokenResult = { evidence: { state: 'failed' }, tokenId: null };
const longExpired: TokenResult = { evidence: { state: 'expired' }, tokenId: null };

export function createTokenVerifier(settings: TokenVerifierSettings): TokenVerifier {
  const { keySet, issuer, audience, clock, cacheEntriesMax = defaultCacheEntriesMax } = settings;
  if (keySet === null || !issuer || !audience) return { verify: () => invalid };
  const keys = keySet;
  const expected: ExpectedParties = { issuer, audience };
  const cache = createClaimsCache(keys, cacheEntriesMax);

  function verify(token: string, { nowMs = clock.nowMs() }: TokenPresentation = {}): TokenResult | Promise<TokenResult> {
    if (token.length > tokenLengthMax) return invalid;
    const cacheKey = cache.keyOf(token);
    const seen = cache.get(cacheKey);
    if (seen !== undefined) return judge(seen, nowMs);
    const parsed = parseToken(token);
    const key = parsed === null ? undefined : keys.find(parsed.kid);
    if (parsed === null || key === undefined || key.algorithm !== algorithmOfName.get(parsed.alg)) return invalid;
    return verifySigned({ token, parsed, key, cacheKey, nowMs });
  }

  async function verifySigned({ token, parsed, key, cacheKey, nowMs }: SignedToken): Promise<TokenResult> {
    const { revision } = keys;
    try {
      await compactVerify(token, key.key, { algorithms: [parsed.alg] });
    } catch (error) {
      return error instanceof errors.JOSEError ? invalid : failed;
    }
    const claims = types.includes(parsed.typ) ? claimsOf(parseStrictObject(parsed.payload), expected) : null;
    if (claims === null) return invalid;
    cache.put(cacheKey, claims, revision);
    return judge(claims, nowMs);
  }

  return { verify };
}

interface SignedToken {
  readonly token: string;
  readonly parsed: ParsedToken;
  readonly key: VerificationKey;
  readonly cacheKey: string;
  readonly nowMs: number;
}

/** What only time can change about a token, so it is asked every time, of a cached one too. */
function judge(claims: Claims, nowMs: number): TokenResult {
  const nowSeconds = nowMs / 1000;
  const latestSeconds = nowSeconds + clockToleranceSeconds;
  if (claims.issuedAtSeconds > latestSeconds || (claims.notBeforeSeconds ?? 0) > latestSeconds) return invalid;
  const expiredForSeconds = nowSeconds - claims.expiresAtSeconds;
  if (expiredForSeconds > rememberedSeconds) return longExpired;
  const { subject, method, authTimeSeconds, generation, bound, tokenId } = claims;
  const expired = expiredForSeconds >= clockToleranceSeconds;
  const binding = bound ? 'unproved' : 'none';
  return { evidence: { state: 'verified', subject, method, expired, authTimeSeconds, generation, binding }, tokenId };
}

interface ParsedToken {
  readonly alg: string;
  readonly kid: string;
  readonly typ: unknown;
  readonly payload: Uint8Array;
}

/** The shape alone. Everything jose would let pass is refused here: other header members, padding, second spellings. */
function parseToken(token: string): ParsedToken | null {
  const parts = token.split('.', 4);
  if (parts.length !== 3) return null;
  const [header, payload, signature] = parts.map(decodeCanonical);
  if (!header || !payload || !signature) return null;
  const members = parseStrictObject(header);
  if (members === null || !Object.keys(members).every((name) => headerNames.includes(name))) return null;
  const { alg, kid, typ } = members;
  if (typeof alg !== 'string' || !algorithmOfName.has(alg) || typeof kid !== 'string' || kid === '') return null;
  return { alg, kid, typ, payload };
}

const base64url = /^[A-Za-z0-9_-]+$/;

/** Null unless this is the one spelling of its bytes: no padding, no whitespace, no stray bits in the last character. */
function decodeCanonical(part: string): Uint8Array | null {
  if (!base64url.test(part)) return null;
  const bytes = Buffer.from(part, 'base64url');
  return bytes.toString('base64url') === part ? bytes : null;
}

interface ClaimsCache {
  keyOf(token: string): string;
  get(key: string): Claims | undefined;
  put(key: string, claims: Claims, revision: number): void;
}

/**
 * Claims of tokens whose signature verified, the longest unused leaving first. The key is a hash with a secret of this process, so
 * a copy of the memory's keys is of no use elsewhere. Emptied when the key set changes.
 */
function createClaimsCache(keySet: KeySet, entriesMax: number): ClaimsCache {
  const secret = randomBytes(32).toString('base64');
  const entries = new Map<string, Claims>();
  let { revision } = keySet;

  function forgetOldKeys(): void {
    if (revision === keySet.revision) return;
    entries.clear();
    revision = keySet.revision;
  }

  return {
    // INVARIANT: UTF-8, because one byte per character would let another string pass for a cached token.
    keyOf: (token) => hash('sha256', `${secret}${token}`, 'base64'),
    get(key) {
      forgetOldKeys();
      const claims = entries.get(key);
      if (claims === undefined) return undefined;
      entries.delete(key);
      entries.set(key, claims);
      return claims;
    },
    put(key, claims, verifiedUnder) {
      forgetOldKeys();
      if (verifiedUnder !== revision || entriesMax < 1) return;
      const eldest = entries.size >= entriesMax ? entries.keys().next().value : undefined;
      if (eldest !== undefined) entries.delete(eldest);
      entries.set(key, claims);
    },
  };
}
