/**
 * From the wire to the stores' records, for the data routes and for `load` alike: names and types are held against the policy
 * before anything is written.
 */
import type { Artefact, AttributeDeclaration } from '../decision/artefact.ts';
import { grantsCountUntilMs } from '../decision/consent.ts';
import type { IdentityLink, Profile, Session } from '../decision/facts.ts';
import type { Attributes } from '../decision/value.ts';
import { personalUseCases } from '../decision/vocabulary.ts';
import type { ConsentSource, ConsentWrite } from '../records/consent-record.ts';
import { idLengthMax } from '../records/limits.ts';
import { faultOfIdentifier, faultOfSubject, type IdFault } from '../records/nobody.ts';
import { lastEndMs, type ProfileRecord } from '../records/retention.ts';
import type { StoreWrite } from '../records/store.ts';
import { parseRecordedMs } from '../time/instant.ts';
import { dayMs, daySeconds } from '../time/units.ts';
import { audiencePlaces, readAttributes } from './attributes.ts';
import { invalidRequest, ProblemError, type ProblemPlace, pointerOf } from './problem.ts';
import { consentSchema, identitySchema, profileSchema, revocationSchema, sessionPatchSchema, sessionSchema } from './schemas.ts';
import { validatorOf } from './validate.ts';
import { instantWanted } from './wording.ts';

/** Ninety days: long enough for a returning visitor, short enough that what nobody renews is gone. */
const profileTtlDefaultSeconds = 90 * daySeconds;
/** Four hundred days, the longest any browser keeps a device's cookie. */
const identityTtlSeconds = 400 * daySeconds;
/** Five years: a denial does not age, so its record must outlive every profile; a grant's own age is the policy's matter. */
export const consentTtlSeconds = 5 * 365 * daySeconds;

const readProfileWrite = validatorOf(profileSchema);
const readIdentityWrite = validatorOf(identitySchema);
const readConsentWrite = validatorOf(consentSchema);
const readSessionWrite = validatorOf(sessionSchema);
const readSessionPatch = validatorOf(sessionPatchSchema);
const readRevocationWrite = validatorOf(revocationSchema);

type WriteOf<K extends StoreWrite['kind']> = Extract<StoreWrite, { kind: K }>;

export function toProfileWrite(subject: string, body: unknown, artefact: Artefact, nowMs: number): WriteOf<'profile'> {
  checkId(subject, 'subject');
  const { attributes = {}, audiences = [], ttlSeconds = profileTtlDefaultSeconds } = readProfileWrite(body);
  const wrong = audiencePlaces(audiences, Object.keys(artefact.audiences), '/audiences');
  const profile: Profile = {
    attributes: checkedAttributes(attributes, artefact.attributes.profile, wrong),
    audiences: [...new Set(audiences)],
  };
  const kept = withEnds(profile, artefact, nowMs);
  const lastMs = lastEndMs(kept);
  // A record outlives nothing that is in it.
  const lifeSeconds = lastMs === null ? ttlSeconds : Math.min(ttlSeconds, Math.ceil((lastMs - nowMs) / 1000));
  return { kind: 'profile', subject, profile: kept, ttlSeconds: lifeSeconds };
}

/** Each attribute and audience that the policy keeps for so many days ends so many days from now. */
function withEnds(profile: Profile, { attributes, audiences }: Artefact, nowMs: number): ProfileRecord {
  const endsOf = (names: readonly string[], declared: Readonly<Record<string, { readonly retentionDays?: number }>>) =>
    Object.fromEntries(
      names.flatMap((name) => {
        const { retentionDays } = declared[name] ?? {};
        return retentionDays === undefined ? [] : [[name, nowMs + retentionDays * dayMs] as const];
      }),
    );
  const ends = {
    attributes: endsOf(Object.keys(profile.attributes), attributes.profile),
    audiences: endsOf(profile.audiences, audiences),
  };
  return Object.keys(ends.attributes).length + Object.keys(ends.audiences).length === 0 ? profile : { ...profile, ends };
}

export function toIdentityWrite(id: { readonly namespace: string; readonly value: string }, body: unknown): WriteOf<'identity'> {
  if (!/^[a-z][a-z0-9_-]{0,31}$/.test(id.namespace)) {
    throw invalidRequest([
      { in: 'path', pointer: '/namespace', detail: 'write a lower-case letter, then up to 31 lower-case letters, digits, `_` or `-`' },
    ]);
  }
  checkId(id.value, 'value', faultOfIdentifier);
  const { subject, method, confidencePpm = 1_000_000 } = readIdentityWrite(body);
  checkSubjectOfBody(subject);
  const link: IdentityLink = { subject, method, confidencePpm };
  return { kind: 'identity', ...id, link, ttlSeconds: identityTtlSeconds };
}

export function toConsentWrite(subject: string, body: unknown, nowMs: number, source: ConsentSource = 'api'): WriteOf<'consent'> {
  checkId(subject, 'subject');
  const { useCases, recordedAt, noticeVersion } = readConsentWrite(body);
  const names = Object.keys(useCases);
  const wrong = names.flatMap((name): ProblemPlace[] =>
    isStoredUseCase(name) ? [] : [bodyPlace(['useCases', name], storedUseCaseSentence)],
  );
  const recordedAtMs = parseRecordedMs(recordedAt);
  if (recordedAtMs === null) wrong.push(bodyPlace(['recordedAt'], instantSentence));
  // A grant from the future would outlive what the policy allows, and nothing said later could supersede a denial from there.
  else if (recordedAtMs > grantsCountUntilMs(nowMs)) wrong.push(bodyPlace(['recordedAt'], futureSentence));
  // No sentence about anybody: only a name that a ledger knows.
  if (noticeVersion !== undefined && !/^[\w.:+-]+$/.test(noticeVersion)) wrong.push(bodyPlace(['noticeVersion'], noticeSentence));
  if (recordedAtMs === null || wrong.length > 0) throw invalidRequest(wrong);
  const consent: ConsentWrite = { useCases, recordedAtMs, source, ...(noticeVersion === undefined ? {} : { noticeVersion }) };
  return { kind: 'consent', subject, consent, ttlSeconds: consentTtlSeconds };
}

/** A session may be made without a body: it is known and empty. */
export function toSession(body: unknown, artefact: Artefact): Session {
  const { attributes = {} } = readSessionWrite(body === undefined ? {} : body);
  return { attributes: checkedAttributes(attributes, artefact.attributes.session, []) };
}

export function toSessionPatch(body: unknown, artefact: Artefact): Session {
  return { attributes: checkedAttributes(readSessionPatch(body).attributes, artefact.attributes.session, []) };
}

export type Revocation = { readonly subject: string } | { readonly jti: string; readonly untilMs: number };

export function toRevocation(body: unknown): Revocation {
  const { subject, jti, until } = readRevocationWrite(body);
  if (subject !== undefined && jti === undefined && until === undefined) {
    checkSubjectOfBody(subject);
    return { subject };
  }
  const untilMs = until === undefined ? null : parseRecordedMs(until);
  if (subject !== undefined || jti === undefined || until === undefined) {
    throw invalidRequest([bodyPlace([], 'these fields do not belong together: write either { "subject" }, or { "jti", "until" }')]);
  }
  if (untilMs === null) throw invalidRequest([bodyPlace(['until'], instantSentence)]);
  return { jti, untilMs };
}

export function checkId(id: string, name: string, faultOf: (id: string) => IdFault | null = faultOfSubject): void {
  const place = { in: 'path', pointer: `/${name}` } as const;
  if (id.length < 1 || id.length > idLengthMax) throw invalidRequest([{ ...place, detail: `write 1 to ${idLengthMax} characters` }]);
  const fault = faultOf(id);
  if (fault !== null) throw invalidRequest([{ ...place, detail: sentenceOfFault[fault] }]);
}

/** Its length the schema has checked. */
export function checkSubjectOfBody(subject: string): void {
  const fault = faultOfSubject(subject);
  if (fault !== null) throw invalidRequest([bodyPlace(['subject'], sentenceOfFault[fault])]);
}

export function noSuchRecord(): ProblemError {
  return new ProblemError('no_such_record');
}

const sentenceOfFault = {
  nobody:
    'this stands for nobody, and would make one of all who send it: write the id of one person or one device, and make no call without one',
  contact:
    'this is an e-mail address or a telephone number, and says who somebody is: write a random id that only you can tell from another',
  short: 'this is too short to be one device’s alone: write at least 2 characters, and of a number at least 6 digits',
  monotonous: 'this is what a placeholder looks like: write an id of at least 3 different characters',
} as const satisfies Record<IdFault, string>;
const instantSentence = `this is no timestamp: write ${instantWanted}`;
const futureSentence =
  'this is more than 5 minutes ahead of the clock here: write when it was said, and check your clock and its time zone';
const noticeSentence = 'this is no version: write letters, digits, `_`, `.`, `:`, `+` or `-`';
export const storedUseCaseSentence = `a record does not hold this: write one of ${personalUseCases.join(', ')} and category:<name>`;

export function isStoredUseCase(name: string): boolean {
  return (personalUseCases as readonly string[]).includes(name) || /^category:[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(name);
}

function checkedAttributes(
  given: { readonly [name: string]: unknown },
  declarations: Readonly<Record<string, AttributeDeclaration>>,
  wrongAlready: readonly ProblemPlace[],
): Attributes {
  const { attributes, places } = readAttributes(given, declarations, '/attributes');
  if (places.length + wrongAlready.length > 0) throw invalidRequest([...places, ...wrongAlready]);
  return attributes;
}

function bodyPlace(path: readonly string[], detail: string): ProblemPlace {
  return { pointer: pointerOf(path), detail };
}
