/** What a token must claim, whatever the time. Times are compared with the clock elsewhere, on every use. */
import { faultOfSubject } from '../records/nobody.ts';
import { isObject } from './strict-json.ts';

export interface Claims {
  readonly tokenId: string;
  readonly subject: string;
  readonly issuedAtSeconds: number;
  readonly expiresAtSeconds: number;
  readonly notBeforeSeconds: number | null;
  readonly authTimeSeconds: number | null;
  readonly generation: number | null;
  readonly method: 'deterministic' | 'probabilistic';
  /** Only its holder may use it: by key thumbprint, or by a means we do not know and so cannot see proved. */
  readonly bound: boolean;
  /** `cnf.jkt`; null where it is not bound, or by a means we do not know. */
  readonly thumbprint: string | null;
}

export interface ExpectedParties {
  readonly issuer: string;
  readonly audience: string;
}

const identifierLengthMax = 256;
const lifeMaxSeconds = 3600;

/** Null when a claim is missing, of the wrong type, or not for us. */
export function claimsOf(payload: Readonly<Record<string, unknown>> | null, { issuer, audience }: ExpectedParties): Claims | null {
  if (payload === null || payload.iss !== issuer || !isAudience(payload.aud, audience)) return null;
  const { sub, jti, iat, exp, nbf, auth_time: authTime, gen, idm = 'deterministic', cnf } = payload;
  if (!isSubject(sub) || !isIdentifier(jti)) return null;
  if (!isTime(iat) || !isTime(exp) || exp - iat > lifeMaxSeconds) return null;
  if (!isOptional(nbf, isTime) || !isOptional(authTime, isTime) || !isOptional(gen, isGeneration)) return null;
  if (idm !== 'deterministic' && idm !== 'probabilistic') return null;
  if (!isOptional(cnf, isConfirmation)) return null;
  return {
    tokenId: `${issuer}\n${jti}`,
    subject: sub,
    // The core works in integers; rounding down can only make an instant older than it is.
    issuedAtSeconds: Math.floor(iat),
    expiresAtSeconds: exp,
    notBeforeSeconds: nbf ?? null,
    authTimeSeconds: authTime === undefined ? null : Math.floor(authTime),
    generation: gen ?? null,
    method: idm,
    bound: cnf !== undefined,
    thumbprint: cnf?.jkt ?? null,
  };
}

/** A token for several audiences could be replayed to us by any of them. */
function isAudience(given: unknown, audience: string): boolean {
  return given === audience || (Array.isArray(given) && given.length === 1 && given[0] === audience);
}

function isSubject(value: unknown): value is string {
  return isIdentifier(value) && faultOfSubject(value) === null;
}

function isIdentifier(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= identifierLengthMax && value.isWellFormed();
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function isGeneration(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isConfirmation(value: unknown): value is { readonly jkt?: string } {
  return isObject(value) && (value.jkt === undefined || (typeof value.jkt === 'string' && value.jkt !== ''));
}

function isOptional<T>(value: unknown, is: (value: unknown) => value is T): value is T | undefined {
  return value === undefined || is(value);
}
