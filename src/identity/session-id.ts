/**
 * Session ids of our own: random, signed, and with their end inside, so that a replica knows a living one from a forged or an
 * expired one without asking anybody. It keeps nothing and knows nothing of what a session holds.
 *
 * `s1.<24 bytes: 18 random, 6 of expiry>.<32 bytes of HMAC-SHA-256>`, each in base64url. The version leads, so that another form can
 * follow without guessing.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { SessionIdEvidence } from '../decision/facts.ts';
import type { Clock } from '../time/clock.ts';
import { daySeconds } from '../time/units.ts';

export interface SessionIds {
  /** `id` is the random part alone: what the store files the session under. */
  mint(ttlSeconds: number): MintedSessionId;
  /** Total: any string has an answer. `nowMs` is wall time and defaults to the clock's. */
  verify(sessionId: string, nowMs?: number): VerifiedSessionId;
}

export interface MintedSessionId {
  readonly sessionId: string;
  readonly id: string;
  readonly expiresAtMs: number;
}

export type VerifiedSessionId =
  | { readonly state: 'invalid' }
  | (Extract<SessionIdEvidence, { state: 'verified' }> & { readonly expiresAtMs: number });

/** A session is one visit: nobody's lasts longer than a day, however busy. */
export const sessionLifeMaxSeconds = daySeconds;
/** Below this a secret could be searched for, and with it every session id forged. */
const sessionSecretMinBytes = 16;

const version = 's1';
const randomLength = 18;
const expiryLength = 6;
const shape = /^s1\.([A-Za-z0-9_-]{32})\.([A-Za-z0-9_-]{43})$/;
const invalid: VerifiedSessionId = { state: 'invalid' };

export function createSessionIds({ secret, clock }: { secret: Uint8Array; clock: Clock }): SessionIds {
  if (secret.byteLength < sessionSecretMinBytes) throw new RangeError(`the session secret must be at least ${sessionSecretMinBytes} bytes`);
  const key = Uint8Array.from(secret);

  function mint(ttlSeconds: number): MintedSessionId {
    if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > sessionLifeMaxSeconds) {
      throw new RangeError(`a session lives 1 to ${sessionLifeMaxSeconds} whole seconds`);
    }
    const expiresAtMs = Math.trunc(clock.nowMs()) + ttlSeconds * 1000;
    const body = Buffer.alloc(randomLength + expiryLength);
    randomBytes(randomLength).copy(body);
    body.writeUIntBE(expiresAtMs, randomLength, expiryLength);
    const signed = `${version}.${body.toString('base64url')}`;
    return { sessionId: `${signed}.${macOf(key, signed)}`, id: idOf(body), expiresAtMs };
  }

  function verify(sessionId: string, nowMs = clock.nowMs()): VerifiedSessionId {
    const match = shape.exec(sessionId);
    if (match === null) return invalid;
    const [, encoded = '', mac = ''] = match;
    if (!isSame(mac, macOf(key, `${version}.${encoded}`))) return invalid;
    const body = Buffer.from(encoded, 'base64url');
    const expiresAtMs = body.readUIntBE(randomLength, expiryLength);
    return nowMs < expiresAtMs ? { state: 'verified', id: idOf(body), expiresAtMs } : invalid;
  }

  return { mint, verify };
}

function idOf(body: Buffer): string {
  return body.toString('base64url', 0, randomLength);
}

/** The purpose is part of what is signed, so that the same secret can sign other things without one passing for the other. */
function macOf(key: Uint8Array, signed: string): string {
  return createHmac('sha256', key).update(`stepwell session id\n${signed}`).digest('base64url');
}

/**
 * The encoded forms are compared, not the bytes: 43 characters carry two bits more than 32 bytes, and decoding would take four
 * spellings of one signature for the same.
 */
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(given, 'latin1'), Buffer.from(expected, 'latin1'));
}
