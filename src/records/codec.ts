/**
 * Records to text and back. Decoding is total: whatever is stored, it returns a record or null, never throws, never does more work
 * than the size caps allow, and accepts only what encoding writes. Encoding refuses what could not be read back.
 *
 * Every record opens with a header: a letter for its kind, a digit for the schema's version, and the tag of what it belongs to.
 * So an answer that belongs to another subject, session or device is recognised, and a later schema is not misread. In records that are
 * kept in memory a version follows, drawn anew at each encoding: two texts of one version are one text.
 */
import { randomBytes } from 'node:crypto';
import type { IdentityLink, Session, StoredConsent } from '../decision/facts.ts';
import type { Attributes, Value } from '../decision/value.ts';
import { type ConsentState, type PersonalUseCase, personalUseCases } from '../decision/vocabulary.ts';
import { daySeconds } from '../time/units.ts';
import { type ConsentRecord, type ConsentSource, consentSources, noticeVersionCharsMax, type SessionConsent } from './consent-record.ts';
import { type KeyNames, tagLength } from './keys.ts';
import { recordCharsMax, valueDepthMax } from './limits.ts';
import type { Ends, ProfileRecord } from './retention.ts';
import { StoreError } from './store-error.ts';

/** INVARIANT: the Redis script reads headers and consent records by these positions. */
export const headers = { profile: 'p2', consent: 'c2', identity: 'i3', session: 's2' } as const;
export const headerLength = 2 + tagLength;

const versionBytes = 9;
export const versionLength = (versionBytes * 4) / 3;
/** Where the body of a record with a version begins. */
export const versionedLength = headerLength + versionLength;

/** Of a text that one of the decoders accepted. */
export function versionOf(text: string): string {
  return text.slice(headerLength, versionedLength);
}

/** What a store hands to a decoder for a value of a wrong type or an impossible size. No encoder writes it. */
export const unreadable = '';

export function encodeProfile(subjectTag: string, { attributes, audiences, ends }: ProfileRecord): string {
  if (!isListOfStrings(audiences)) throw new StoreError('invalid', 'audiences must be a list of strings');
  if (ends !== undefined && endsFrom([ends.attributes, ends.audiences]) === null)
    throw new StoreError('invalid', 'an end must be a whole number of milliseconds since the epoch');
  const body = [checkedAttributes(attributes), audiences, ...(ends === undefined ? [] : [[ends.attributes, ends.audiences]])];
  return versioned(headers.profile, subjectTag, JSON.stringify(body));
}

/** With what has ended: `livingProfile` leaves it out. */
export function decodeProfile(subjectTag: string, text: string): ProfileRecord | null {
  const body = listBody(headers.profile, subjectTag, text);
  if (body === null || body.length < 2 || body.length > 3) return null;
  const attributes = attributesFrom(body[0]);
  const ends = body.length === 2 ? undefined : endsFrom(body[2]);
  if (attributes === null || !isListOfStrings(body[1]) || ends === null) return null;
  return { attributes, audiences: body[1], ...(ends === undefined ? {} : { ends }) };
}

function endsFrom(parsed: unknown): Ends | null {
  if (!Array.isArray(parsed) || parsed.length !== 2) return null;
  const [attributes, audiences] = parsed.map(instantsFrom);
  return attributes && audiences ? { attributes, audiences } : null;
}

function instantsFrom(parsed: unknown): Readonly<Record<string, number>> | null {
  const instants = attributesFrom(parsed);
  return instants !== null && Object.values(instants).every((instant) => typeof instant === 'number')
    ? (instants as Readonly<Record<string, number>>)
    : null;
}

export function encodeSession(sessionTag: string, session: Session): string {
  return versioned(headers.session, sessionTag, JSON.stringify([checkedAttributes(session.attributes)]));
}

export function decodeSession(sessionTag: string, text: string): Session | null {
  const body = listBody(headers.session, sessionTag, text);
  if (body === null || body.length !== 1) return null;
  const attributes = attributesFrom(body[0]);
  return attributes === null ? null : { attributes };
}

/** The subject's tag stands first, so that the Redis script finds that subject's consent without decoding. */
export function encodeIdentity(identityTag: string, link: IdentityLink, names: KeyNames): string {
  if (!isConfidence(link.confidencePpm)) throw new StoreError('invalid', 'a confidence must be a whole number of parts per million');
  const body = JSON.stringify([link.subject, link.method, link.confidencePpm]);
  return versioned(
    headers.identity,
    identityTag,
    names.subject(link.subject) + instantText(0) + instantText(link.sharedSinceMs ?? 0) + body,
  );
}

/**
 * The text as it is to be stored: with the instant of the write and, where the identity was another's not long ago, since when it is this
 * one's. Of whose it was, nothing is kept. The put script says the same in Lua.
 */
export function stampedIdentity(text: string, before: string | null, nowMs: number): string {
  const isKnown = before?.startsWith(text.slice(0, headerLength)) === true;
  const isSame = isKnown && subjectTagOfIdentity(before) === subjectTagOfIdentity(text);
  const isRecent = isKnown && nowMs - (instantIn(before, 0) ?? 0) <= sharedWithinMs;
  const sharedSinceMs = isSame ? (instantIn(before, 1) ?? 0) : isRecent ? nowMs : 0;
  return text.slice(0, stampsFrom) + instantText(nowMs) + instantText(sharedSinceMs) + text.slice(stampedLength);
}

/** INVARIANT: the put script writes and the read script reads them at these positions: of the write, then of the hand-over; 0: none. */
export const stampLength = 13;
export const stampsFrom = versionedLength + tagLength;
export const stampedLength = stampsFrom + 2 * stampLength;
/** A second person within so long shares the identity; later they have taken it over. */
export const sharedWithinMs = 30 * daySeconds * 1000;

function instantText(ms: number): string {
  return String(Math.trunc(ms)).padStart(stampLength, '0');
}

/** Null where there is none. */
function instantIn(text: string, position: 0 | 1): number | null {
  const from = stampsFrom + position * stampLength;
  const digits = text.slice(from, from + stampLength);
  return /^\d{13}$/.test(digits) ? Number(digits) : null;
}

/** Of a link's text. */
export function subjectTagOfIdentity(text: string): string {
  return text.slice(versionedLength, versionedLength + tagLength);
}

export function decodeIdentity(identityTag: string, text: string, names: KeyNames): IdentityLink | null {
  if (!isVersioned(headers.identity, identityTag, text)) return null;
  const [subject, method, confidencePpm, ...more] = parsedList(text.slice(stampedLength)) ?? [];
  if (typeof subject !== 'string' || names.subject(subject) !== subjectTagOfIdentity(text)) return null;
  const sharedSinceMs = instantIn(text, 1);
  if (sharedSinceMs === null || instantIn(text, 0) === null) return null;
  if ((method !== 'deterministic' && method !== 'probabilistic') || !isConfidence(confidencePpm) || more.length > 0) return null;
  return { subject, method, confidencePpm, ...(sharedSinceMs === 0 ? {} : { sharedSinceMs }) };
}

const letterOf = { unavailable: 'u', denied: 'd', granted: 'g' } as const satisfies Record<ConsentState, string>;
const stateOf = new Map<unknown, ConsentState>([
  ['u', 'unavailable'],
  ['d', 'denied'],
  ['g', 'granted'],
]);
/** The record says nothing about the use case. */
export const unsaid = '.';
const categoryPrefix = 'category:';

const letterOfSource = { api: 'a', load: 'l', withdrawal: 'w', session: 's' } as const satisfies Record<ConsentSource, string>;
/** In the place of the source: a session that is over. */
const letterOfEnd = 'e';
const sourceOf = new Map<string, ConsentSource>([
  ...consentSources.map((source): [string, ConsentSource] => [letterOfSource[source], source]),
  [letterOfEnd, 'session'],
]);

/**
 * One letter for each of `personalUseCases`, in their order; the instants of what is denied and of what is granted; the generations of
 * the last write and of the last withdrawal; the source; the notice's version and the categories, where there are any.
 */
export function encodeConsent(tag: string, consent: StoredConsent & Partial<ConsentRecord>): string {
  const { recordedAtMs, grantedAtMs = recordedAtMs, generation = 1, withdrawnGeneration = 0, source = 'api', noticeVersion } = consent;
  const said = new Map(Object.entries(consent.useCases));
  const letters = personalUseCases.map((useCase) => letterFor(take(said, useCase))).join('');
  if (!Number.isSafeInteger(recordedAtMs) || !Number.isSafeInteger(grantedAtMs))
    throw new StoreError('invalid', 'a consent must say when it was recorded');
  if (![generation, withdrawnGeneration].every((count) => Number.isSafeInteger(count) && count >= 0))
    throw new StoreError('invalid', 'a generation must be a whole number');
  if (noticeVersion !== undefined && noticeVersion.length > noticeVersionCharsMax)
    throw new StoreError('invalid', `a notice's version must not be longer than ${noticeVersionCharsMax} characters`);
  const categories: [string, string][] = [];
  for (const [name, state] of said) {
    if (!name.startsWith(categoryPrefix))
      throw new StoreError('invalid', 'a stored consent speaks only for personal use cases and categories');
    if (state !== undefined) categories.push([name.slice(categoryPrefix.length), letterFor(state)]);
  }
  const provenance = `${generation}|${withdrawnGeneration}|${consent.ended ? letterOfEnd : letterOfSource[source]}`;
  const more = noticeVersion === undefined && categories.length === 0 ? '' : JSON.stringify([noticeVersion ?? null, categories]);
  return sealed(headers.consent, tag, `${letters}|${recordedAtMs}|${grantedAtMs}|${provenance}|${more}`);
}

/** What a decision is told of it. */
export function decodeConsent(tag: string, text: string): SessionConsent | null {
  const record = decodeConsentRecord(tag, text);
  if (record === null) return null;
  const { useCases, recordedAtMs, grantedAtMs, ended } = record;
  return { useCases, recordedAtMs, ...(grantedAtMs === undefined ? {} : { grantedAtMs }), ...(ended ? { ended } : {}) };
}

const consentBody = /^([.udg]{6})\|(-?\d{1,16})\|(-?\d{1,16})\|(\d{1,16})\|(\d{1,16})\|([alwse])\|(.*)$/s;

export function decodeConsentRecord(tag: string, text: string): ConsentRecord | null {
  if (!isSealed(headers.consent, tag, text)) return null;
  const [, letters = '', ...fields] = consentBody.exec(text.slice(headerLength)) ?? [];
  const [recordedAtMs, grantedAtMs, generation, withdrawnGeneration] = fields.slice(0, 4).map(wholeNumberIn);
  const source = sourceOf.get(fields[4] ?? '');
  const more = fields[5] === undefined ? null : fields[5] === '' ? noMore : parsedList(fields[5]);
  if (source === undefined || more === null || more.length !== 2 || !Array.isArray(more[1])) return null;
  if (recordedAtMs == null || grantedAtMs == null || generation == null || withdrawnGeneration == null) return null;
  const [noticeVersion, categories]: readonly unknown[] = more;
  if (noticeVersion !== null && (typeof noticeVersion !== 'string' || noticeVersion.length > noticeVersionCharsMax)) return null;
  const useCases: Partial<Record<PersonalUseCase | `category:${string}`, ConsentState>> = Object.create(null);
  personalUseCases.forEach((useCase, position) => {
    const state = stateOf.get(letters[position]);
    if (state !== undefined) useCases[useCase] = state;
  });
  for (const entry of categories as readonly unknown[]) {
    if (!Array.isArray(entry) || entry.length !== 2) return null;
    const [name, letter] = entry;
    const state = stateOf.get(letter);
    if (typeof name !== 'string' || state === undefined) return null;
    useCases[`category:${name}`] = state;
  }
  return {
    useCases,
    recordedAtMs,
    ...(grantedAtMs === recordedAtMs ? {} : { grantedAtMs }),
    generation,
    withdrawnGeneration,
    source,
    ...(noticeVersion === null ? {} : { noticeVersion }),
    ...(fields[4] === letterOfEnd ? { ended: true } : {}),
  };
}

const noMore: readonly unknown[] = [null, []];

/** Null where it is not written as a number is. */
function wholeNumberIn(text: string): number | null {
  const value = Number(text);
  return Number.isSafeInteger(value) && String(value) === text ? value : null;
}

/** A counter as Redis keeps it; null when the text is none. */
export function decodeGeneration(text: string): number | null {
  if (!/^(0|[1-9]\d{0,15})$/.test(text)) return null;
  const generation = Number(text);
  return Number.isSafeInteger(generation) ? generation : null;
}

function take(said: Map<string, ConsentState | undefined>, useCase: string): ConsentState | undefined {
  const state = said.get(useCase);
  said.delete(useCase);
  return state;
}

function letterFor(state: ConsentState | undefined): string {
  return state === undefined ? unsaid : letterOf[state];
}

function sealed(header: string, tag: string, body: string): string {
  const text = header + tag + body;
  if (text.length > recordCharsMax) throw new StoreError('invalid', `a record must not be longer than ${recordCharsMax} characters`);
  return text;
}

function versioned(header: string, tag: string, body: string): string {
  return sealed(header, tag, randomBytes(versionBytes).toString('base64url') + body);
}

function isVersioned(header: string, tag: string, text: string): boolean {
  return isSealed(header, tag, text) && /^[\w-]+$/.test(versionOf(text)) && text.length > versionedLength;
}

function isSealed(header: string, tag: string, text: string): boolean {
  return text.length <= recordCharsMax && text.startsWith(header) && text.startsWith(tag, header.length);
}

function listBody(header: string, tag: string, text: string): readonly unknown[] | null {
  return isVersioned(header, tag, text) ? parsedList(text.slice(versionedLength)) : null;
}

function parsedList(json: string): readonly unknown[] | null {
  try {
    const parsed: unknown = JSON.parse(json);
    return Array.isArray(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

/** A null prototype: a stored `__proto__` or `constructor` is a name like any other. */
function attributesFrom(parsed: unknown): Attributes | null {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return null;
  const attributes: Record<string, Value> = Object.create(null);
  for (const [name, value] of Object.entries(parsed)) {
    if (!isValue(value, valueDepthMax)) return null;
    attributes[name] = value;
  }
  return attributes;
}

function checkedAttributes(attributes: Attributes): Attributes {
  for (const value of Object.values(attributes)) {
    if (!isValue(value, valueDepthMax))
      throw new StoreError('invalid', 'an attribute must be a string, a whole number, a boolean or a list of them');
  }
  return attributes;
}

function isValue(value: unknown, depthLeft: number): value is Value {
  if (typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isSafeInteger(value);
  return Array.isArray(value) && depthLeft > 0 && value.every((item) => isValue(item, depthLeft - 1));
}

function isListOfStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isConfidence(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 1_000_000;
}
