/**
 * Short-lived tokens that a visitor's page carries in an address, because what opens a stream there cannot send headers: each good for one
 * purpose, and until the end of its window. Within a window one visitor's token is one text, so that an answer which names it has one ETag.
 * What stands in it tells nobody who the visitor is, nor that two windows' tokens are one visitor's. It keeps no list: who must ask whether a
 * token was taken back does so by its marks.
 *
 * `v1.<1 byte of purpose, 6 of expiry, 16 of the subject's mark, 16 of the session's, 16 of the subject's sign-in>.<32 bytes of
 * HMAC-SHA-256>`, each in base64url.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../time/clock.ts';

export interface VisitorTokens {
  /** The same text for the same visitor until the window ends. It lives on through the window after that one. */
  mint(visitor: Visitor): MintedVisitorToken;
  /** Total: any string has an answer. Null: not of ours, not for this purpose, or over. */
  verify(token: string): VisitorTokenContent | null;
}

/** A person, a visit, both or neither. Of a session the random part of its id, as `SessionIds` tells it. */
export interface Visitor {
  readonly subject: string | null;
  readonly sessionId: string | null;
  /** Of the subject's sign-in: a token made out before it was raised is another one than after. Absent: 0. */
  readonly generation?: number;
}

export interface MintedVisitorToken {
  readonly token: string;
  readonly marks: readonly string[];
  readonly expiresAtMs: number;
}

export interface VisitorTokenContent {
  /** Of whom it is made out to, one for each that was named; none for a token that anybody may have. */
  readonly marks: readonly string[];
  /** Under which the token is taken back: of the session its mark, of the subject that of the sign-in, another after every sign-out everywhere. */
  readonly revocationMarks: readonly string[];
  readonly expiresAtMs: number;
}

/** Which names a change is about: the same in every process with this secret, and nobody else's to make. */
export interface VisitorNames {
  subject(id: string): string;
  session(id: string): string;
  /** The marks that stand for a name in tokens which may still be alive, each with the end of the last of them. */
  marksOf(name: string, nowMs: number): readonly LivingMark[];
  /** The name under which a subject's tokens of one generation are taken back. */
  signIn(id: string, generation: number): string;
}

export interface LivingMark {
  readonly mark: string;
  readonly untilMs: number;
}

interface TokenParts {
  readonly secret: Uint8Array;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** A token lives for the rest of its window and one more: 5 to 10 minutes. */
export const visitorTokenWindowMs = 300_000;
const windowMs = visitorTokenWindowMs;

const purposes = { stream: 1, artefact: 2 } as const;
type Purpose = keyof typeof purposes;

const version = 'v1';
const expiryLength = 6;
const markLength = 16;
const marksFrom = 1 + expiryLength;
const bodyLength = marksFrom + 3 * markLength;
const macLength = 32;
const shape = new RegExp(`^${version}\\.(${base64urlOf(bodyLength)})\\.(${base64urlOf(macLength)})$`);
const nobody = Buffer.alloc(markLength);

/** The API document says the same of tokens; this folder cannot be imported there, so a test holds it to tokens that were minted. */
function base64urlOf(bytes: number): string {
  return `[A-Za-z0-9_-]{${Math.ceil((bytes * 4) / 3)}}`;
}

/** All that a service needs to give visitors tokens and to take them back. */
export interface VisitorTokenSet {
  readonly stream: VisitorTokens;
  readonly artefact: VisitorTokens;
  readonly names: VisitorNames;
}

export function createVisitorTokenSet(parts: TokenParts): VisitorTokenSet {
  return { stream: createStreamTokens(parts), artefact: createArtefactTokens(parts), names: createVisitorNames(parts) };
}

/** Whether it has the form of one: what nothing else that a caller may send has. */
export function isVisitorToken(text: string): boolean {
  return shape.test(text);
}

/** To hear that something changed. */
export function createStreamTokens(parts: TokenParts): VisitorTokens {
  return createTokens('stream', parts);
}

/** To fetch what a device decides by. */
export function createArtefactTokens(parts: TokenParts): VisitorTokens {
  return createTokens('artefact', parts);
}

export function createVisitorNames({ secret }: Pick<TokenParts, 'secret'>): VisitorNames {
  const key = keyFor('name', secret);
  const nameOf = (text: string): string => createHmac('sha256', key).update(Buffer.from(text, 'utf16le')).digest('base64url');
  return {
    subject: (id) => nameOf(`subject:${id}`),
    session: (id) => nameOf(`session:${id}`),
    // Tokens that are alive, and other processes, know it by this word.
    signIn: (id, generation) => nameOf(`standing:${generation}:${id}`),
    marksOf: (name, nowMs) => {
      const endMs = windowEndMs(nowMs);
      // Tokens of the window before this one, of this one, and of the next, in which another process's clock may already be.
      return [endMs, endMs + windowMs, endMs + 2 * windowMs].map((untilMs) => ({
        mark: markOf(name, untilMs).toString('base64url'),
        untilMs,
      }));
    },
  };
}

function createTokens(purpose: Purpose, { secret, clock }: TokenParts): VisitorTokens {
  const key = keyFor('token', secret);
  const names = createVisitorNames({ secret });

  function mint({ subject, sessionId, generation = 0 }: Visitor): MintedVisitorToken {
    const expiresAtMs = windowEndMs(clock.nowMs()) + windowMs;
    const body = Buffer.alloc(bodyLength);
    body.writeUInt8(purposes[purpose], 0);
    body.writeUIntBE(expiresAtMs, 1, expiryLength);
    if (subject !== null) {
      markOf(names.subject(subject), expiresAtMs).copy(body, marksFrom);
      markOf(names.signIn(subject, generation), expiresAtMs).copy(body, marksFrom + 2 * markLength);
    }
    if (sessionId !== null) markOf(names.session(sessionId), expiresAtMs).copy(body, marksFrom + markLength);
    const signed = `${version}.${body.toString('base64url')}`;
    return { token: `${signed}.${macOf(key, signed)}`, marks: marksIn(body).marks, expiresAtMs };
  }

  function verify(token: string): VisitorTokenContent | null {
    const [, encoded = '', mac = ''] = shape.exec(token) ?? [];
    if (encoded === '' || !isSame(mac, macOf(key, `${version}.${encoded}`))) return null;
    const body = Buffer.from(encoded, 'base64url');
    const expiresAtMs = body.readUIntBE(1, expiryLength);
    if (body[0] !== purposes[purpose] || clock.nowMs() >= expiresAtMs) return null;
    return { ...marksIn(body), expiresAtMs };
  }

  return { mint, verify };
}

function marksIn(body: Buffer): Pick<VisitorTokenContent, 'marks' | 'revocationMarks'> {
  const [subject, session, signIn] = [0, 1, 2].map((place) => {
    const mark = body.subarray(marksFrom + place * markLength, marksFrom + (place + 1) * markLength);
    return mark.equals(nobody) ? [] : [mark.toString('base64url')];
  }) as [string[], string[], string[]];
  return { marks: [...subject, ...session], revocationMarks: [...signIn, ...session] };
}

function windowEndMs(nowMs: number): number {
  return (Math.floor(nowMs / windowMs) + 1) * windowMs;
}

/** Another one in every window: who reads addresses cannot follow a visitor from one to the next. */
function markOf(name: string, untilMs: number): Buffer {
  return createHmac('sha256', name).update(String(untilMs)).digest().subarray(0, markLength);
}

/** One key for each use, so that nothing which the secret signs elsewhere passes for a token, nor a token's parts for each other. */
function keyFor(use: 'token' | 'name', secret: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(`stepwell visitor ${use}\n`).digest();
}

function macOf(key: Uint8Array, signed: string): string {
  return createHmac('sha256', key).update(signed).digest('base64url');
}

/** The encoded forms are compared: decoding would take several spellings of one signature for the same. */
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(given, 'latin1'), Buffer.from(expected, 'latin1'));
}
