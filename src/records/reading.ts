/**
 * What a plan names, by tag, and how stored text becomes a `StoreReading`: the same for both stores.
 *
 * A link, a generation or a consent record that we cannot read might say *no*. It is never taken for absent: the whole read is
 * rejected as `unreadable`. A profile or a session that we cannot read can only say *yes*: it is `failed`, or not there.
 */
import { absent, type Fact, type IdentityLink, refused, type Session, type StoredConsent } from '../decision/facts.ts';
import { decodeConsent, decodeConsentRecord, decodeGeneration, decodeIdentity, decodeProfile, decodeSession } from './codec.ts';
import type { HeldConsent, SessionConsent } from './consent-record.ts';
import { deviceNamespace, type KeyNames } from './keys.ts';
import { mayReadProfile, mayReadSession } from './permission.ts';
import type { ProfileRecord } from './retention.ts';
import type { ReadPlan, StoreReading } from './store.ts';
import { StoreError } from './store-error.ts';

export interface PlanTags {
  readonly names: KeyNames;
  readonly subject: string | null;
  readonly token: string | null;
  readonly device: string | null;
  /** The subject of a link that was found out elsewhere. */
  readonly resolved: string | null;
  readonly session: string | null;
}

export function tagsOf(plan: ReadPlan, names: KeyNames): PlanTags {
  return {
    names,
    subject: plan.subject === null ? null : names.subject(plan.subject),
    token: plan.tokenId === null ? null : names.token(plan.tokenId),
    device: plan.deviceId === null || plan.resolvedLink !== null ? null : names.identity(deviceNamespace, plan.deviceId),
    resolved: plan.resolvedLink === null ? null : names.subject(plan.resolvedLink.subject),
    session: plan.sessionId === null ? null : names.session(plan.sessionId),
  };
}

/** Which consent records a plan has read, of a person who is not erased, and of a device's subject who is another. */
export function recordsRead(plan: ReadPlan, tags: PlanTags): { readonly own: boolean; readonly linked: boolean } {
  const linked = plan.consent || (plan.session !== null && tags.session !== null);
  return { own: linked || plan.profile !== null, linked };
}

/** What is stored, one thing at a time. None is asked for that the plan does not need, or that consent does not allow. */
export interface Lookups {
  isErased(subjectTag: string): boolean;
  link(deviceTag: string): IdentityLink | null;
  generation(subjectTag: string): number;
  isRevoked(tokenTag: string): boolean;
  consent(subjectTag: string): StoredConsent | null;
  sessionConsent(sessionTag: string): SessionConsent | null;
  profile(subjectTag: string): Fact<ProfileRecord>;
  session(sessionTag: string): Fact<Session>;
}

/** What a store says that can look things up one after the other, at one instant. The Redis script does the same in Lua. */
export function readingBy(plan: ReadPlan, tags: PlanTags, look: Lookups): StoreReading {
  const { subject } = tags;
  const erased = subject !== null && look.isErased(subject);
  const named = plan.resolvedLink ?? (tags.device === null ? null : look.link(tags.device));
  const namedTag = named === null ? null : (tags.resolved ?? tags.names.subject(named.subject));
  const isStanding = namedTag !== null && !(namedTag === subject ? erased : look.isErased(namedTag));
  const link = isStanding ? named : null;
  const read = recordsRead(plan, tags);
  // Looked up for somebody erased, too, where there is nothing any more: who was never seen takes no other time.
  const storedConsent = read.own && subject !== null ? look.consent(subject) : null;
  const heard = {
    link,
    generation: subject === null ? 0 : look.generation(subject),
    tokenRevoked: tags.token !== null && look.isRevoked(tags.token),
    consent: erased ? null : storedConsent,
    linkedConsent: read.linked && namedTag !== null && isStanding && namedTag !== subject ? look.consent(namedTag) : null,
    sessionConsent: tags.session === null ? null : look.sessionConsent(tags.session),
  };
  const stored = subject !== null && mayReadProfile(plan, heard) ? look.profile(subject) : refused;
  const profile = erased && stored.state !== 'refused' ? absent : stored;
  const session = tags.session !== null && mayReadSession(plan, heard) ? look.session(tags.session) : refused;
  return {
    ...heard,
    erased,
    consent: plan.consent ? heard.consent : null,
    linkedConsent: plan.consent ? heard.linkedConsent : null,
    sessionConsent: plan.consent ? heard.sessionConsent : null,
    profile,
    session,
  };
}

/** What a store says to a plan that names nothing, or of which nothing is stored. */
export const emptyReading: StoreReading = {
  erased: false,
  link: null,
  generation: 0,
  tokenRevoked: false,
  consent: null,
  linkedConsent: null,
  sessionConsent: null,
  profile: refused,
  session: refused,
};

export function linkFrom(tag: string | null, text: string | null, names: KeyNames): IdentityLink | null {
  return tag === null || text === null ? null : readable(decodeIdentity(tag, text, names), 'identity link');
}

export function generationFrom(text: string | null): number {
  return text === null ? 0 : readable(decodeGeneration(text), 'generation');
}

/** Of a subject or of a session. */
export function consentFrom(tag: string | null, text: string | null): SessionConsent | null {
  return tag === null || text === null ? null : readable(decodeConsent(tag, text), 'consent record');
}

/** With its end, which is after `expiresAtMs` is over. */
export function heldConsentFrom(tag: string, text: string, expiresAtMs: number): HeldConsent {
  return { ...readable(decodeConsentRecord(tag, text), 'consent record'), expiresAtMs };
}

/** Of a profile that might be read: `absent`, `known`, or `failed` where what is stored is another's, or nobody's. */
export function profileFrom(subjectTag: string, text: string | null): Fact<ProfileRecord> {
  if (text === null) return absent;
  const value = decodeProfile(subjectTag, text);
  return value === null ? { state: 'failed' } : { state: 'known', value };
}

/** Of a session that might be read. */
export function sessionFrom(tag: string, text: string | null): Fact<Session> {
  const value = text === null ? null : decodeSession(tag, text);
  return value === null ? absent : { state: 'known', value };
}

function readable<T>(record: T | null, kind: string): T {
  if (record === null) throw new StoreError('unreadable', `a stored ${kind} is not what was written`);
  return record;
}
