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
import { type CompactJws, parseCompactJws } from './compact-jws.ts';
import type { KeySet, VerificationKey } from './key-set.ts';
import { type UnclaimedProof, verifyProof } from './proof.ts';
import { noProofTargets, type ProofTargets } from './proof-targets.ts';
import { parseStrictObject } from './strict-json.ts';

export interface TokenVerifier {
  /** At once where the token has been seen or fails before its signature is checked; else a promise that never rejects. */
  verify(token: string, presentation?: TokenPresentation): TokenResult | Promise<TokenResult>;
}

export interface TokenPresentation {
  /** The holder's proof; without effect on a token that is bound to nobody. */
  readonly proof?: string | undefined;
  /** Wall time to judge by; the clock's when it is not given. */
  readonly nowMs?: number | undefined;
}

export interface TokenResult {
  readonly evidence: TokenEvidence;
  /** Issuer and `jti` joined by a newline, for the denylist; null unless verified. Never the token's own bytes: those are malleable. */
  readonly tokenId: string | null;
  /**
   * The holder proved it, if nobody presented this proof before: whoever claims it first may take the token for `proved`. Until then
   * `evidence` says `unproved`, so that forgetting to claim proves nobody.
   */
  readonly proof: UnclaimedProof | null;
}

export interface TokenVerifierSettings {
  /** Null, like an absent issuer or audience: nothing can be verified, so every token is invalid. */
  readonly keySet: KeySet | null;
  readonly issuer: string | null;
  readonly audience: string | null;
  /** Absent: no proof is accepted. */
  readonly proofTargets?: ProofTargets;
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

const invalid: TokenResult = { evidence: { state: 'invalid' }, tokenId: null, proof: null };
const failed: TokenResult = { evidence: { state: 'failed' }, tokenId: null, proof: null };
const keysStale: TokenResult = { evidence: { state: 'keys_stale' }, tokenId: null, proof: null };
const longExpired: TokenResult = { evidence: { state: 'expired' }, tokenId: null, proof: null };

export function createTokenVerifier(settings: TokenVerifierSettings): TokenVerifier {
  const { keySet, issuer, audience, proofTargets = noProofTargets, clock, cacheEntriesMax = defaultCacheEntriesMax } = settings;
  if (keySet === null || !issuer || !audience) return { verify: () => invalid };
  const keys = keySet;
  const expected: ExpectedParties = { issuer, audience };
  const cache = createClaimsCache(keys, cacheEntriesMax);

  function verify(token: string, { proof, nowMs = clock.nowMs() }: TokenPresentation = {}): TokenResult | Promise<TokenResult> {
    if (token.length > tokenLengthMax) return invalid;
    const isStale = keys.isStale(nowMs);
    const cacheKey = cache.keyOf(token);
    const seen = isStale ? undefined : cache.get(cacheKey);
    if (seen !== undefined) return withProof(judge(seen, nowMs), seen, { token, proof, nowMs });
    const parsed = parseToken(token);
    if (parsed === null) return invalid;
    // A set so old may lack the key, or hold one that was taken back: of neither anything can be said.
    if (isStale) return keysStale;
    const key = keys.find(parsed.kid);
    if (key === undefined) keys.missed();
    return key === undefined || key.algorithm !== parsed.algorithm ? invalid : verifySigned({ token, proof, parsed, key, cacheKey, nowMs });
  }

  async function verifySigned({ token, proof, parsed, key, cacheKey, nowMs }: SignedToken): Promise<TokenResult> {
    const { revision } = keys;
    try {
      await compactVerify(token, key.key, { algorithms: [parsed.alg] });
    } catch (error) {
      return error instanceof errors.JOSEError ? invalid : failed;
    }
    const claims = types.includes(parsed.header.typ) ? claimsOf(parseStrictObject(parsed.payload), expected) : null;
    if (claims === null) return invalid;
    cache.put(cacheKey, claims, revision);
    return withProof(judge(claims, nowMs), claims, { token, proof, nowMs });
  }

  /** Of a token that proves nobody as it is, no proof is looked at. */
  function withProof(result: TokenResult, { thumbprint }: Claims, presented: Presented): TokenResult | Promise<TokenResult> {
    const { evidence } = result;
    if (evidence.state !== 'verified' || evidence.expired || thumbprint === null || !presented.proof) return result;
    return verifyProof(presented.proof, { ...presented, thumbprint, targets: proofTargets }).then((proof): TokenResult => {
      if (proof === 'failed') return { ...result, evidence: { ...evidence, binding: 'failed' } };
      return proof === 'invalid' ? result : { ...result, proof };
    });
  }

  return { verify };
}

interface Presented {
  readonly token: string;
  readonly proof: string | undefined;
  readonly nowMs: number;
}

interface SignedToken extends Presented {
  readonly parsed: ParsedToken;
  readonly key: VerificationKey;
  readonly cacheKey: string;
}

/** What only time can change about a token, so it is asked every time, of a cached one too. */
function judge(claims: Claims, nowMs: number): TokenResult {
  const nowSeconds = nowMs / 1000;
  const latestSeconds = nowSeconds + clockToleranceSeconds;
  if (claims.issuedAtSeconds > latestSeconds || (claims.notBeforeSeconds ?? 0) > latestSeconds) return invalid;
  const expiredForSeconds = nowSeconds - claims.expiresAtSeconds;
  if (expiredForSeconds > rememberedSeconds) return longExpired;
  const { subject, method, issuedAtSeconds, generation, bound, tokenId } = claims;
  // Nobody has authenticated tomorrow: such a time proves nothing, and else it would outlast whatever is compared with it.
  const isAuthTimeToCome = (claims.authTimeSeconds ?? 0) > latestSeconds;
  const authTimeSeconds = isAuthTimeToCome ? null : claims.authTimeSeconds;
  const expired = expiredForSeconds >= clockToleranceSeconds;
  const binding = bound ? 'unproved' : 'none';
  return {
    evidence: { state: 'verified', subject, method, expired, issuedAtSeconds, authTimeSeconds, generation, binding },
    tokenId,
    proof: null,
  };
}

interface ParsedToken extends CompactJws {
  readonly kid: string;
}

/** The shape alone: a `kid` is ours to look up in a map, never a path, an address or a key's name. */
function parseToken(token: string): ParsedToken | null {
  const parsed = parseCompactJws(token, headerNames);
  const kid = parsed?.header.kid;
  return parsed === null || typeof kid !== 'string' || kid === '' ? null : { ...parsed, kid };
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
