/**
 * One decision's read where the keys live on several nodes: a script for each slot, all sent in one turn of the event loop, so that
 * together they are one round trip. What only the answers tell is asked afterwards: the record of a device's subject where that is
 * somebody else, and a session whose person may have denied it.
 *
 * INVARIANT: no profile is asked for that its own subject's record does not allow, and no session before every record that may deny
 * it has been heard. The denylist, the device link and the session's record are other slots', so a profile may have come when they say that nobody is
 * proved: then it is dropped here, unread.
 */
import { refused } from '../decision/facts.ts';
import {
  consentKey,
  generationKey,
  identityKey,
  presence,
  profileKey,
  revokedTokenKey,
  sessionConsentKey,
  sessionKey,
  tombstoneKey,
} from '../records/keys.ts';
import { mayReadProfile, mayReadSession, type ReadingSoFar } from '../records/permission.ts';
import { consentFrom, generationFrom, type PlanTags, recordsRead } from '../records/reading.ts';
import type { ReadPlan, StoreReading } from '../records/store.ts';
import type { Recollection } from './recollection.ts';
import { Refusal, type Script } from './reply.ts';
import { existsScript, getScript, notToBeTouched, permissionText, readScript } from './scripts.ts';

/** Runs a script about one slot and answers what it says, once that is proved to be the answer to this very question. */
export type Ask = (script: Script, keys: readonly string[], args: readonly (string | number)[]) => Promise<readonly (string | null)[]>;

interface SubjectAnswer {
  readonly generation: string | null;
  readonly consent: string | null;
  readonly mayReadProfile: boolean;
  readonly profile: string | null;
  readonly isErased: boolean;
}

const nobody: SubjectAnswer = { generation: null, consent: null, mayReadProfile: false, profile: null, isErased: false };

export interface Asking {
  readonly ask: Ask;
  readonly known: Recollection;
}

export async function readAcross(plan: ReadPlan, tags: PlanTags, { ask, known }: Asking): Promise<StoreReading> {
  const looked = recordsRead(plan, tags);
  const askLinked = (tag: string) => askSubject(ask, tag, { asksRecord: looked.linked, plan: null, profileVersion: '' });
  const isKnownAnother = tags.resolved !== null && tags.resolved !== tags.subject;
  const [subject, isRevoked, linkText, knownLinked, visitText] = await Promise.all([
    tags.subject === null ? nobody : askSubject(ask, tags.subject, { asksRecord: looked.own, plan, profileVersion: known.profile.version }),
    tags.token === null ? false : ask(existsScript, [revokedTokenKey(tags.token)], []).then(([there]) => there === presence),
    tags.device === null ? null : ask(getScript, [identityKey(tags.device)], [known.link.beginning]).then(([text]) => text ?? null),
    isKnownAnother && tags.resolved !== null ? askLinked(tags.resolved) : null,
    tags.session === null ? null : ask(getScript, [sessionConsentKey(tags.session)], ['']).then(([text]) => text ?? null),
  ]);
  const named = plan.resolvedLink ?? (tags.device === null ? null : known.linkFound(linkText));
  const isAnother = named !== null && named.subject !== plan.subject;
  const linkedTag = isAnother ? tags.names.subject(named.subject) : null;
  const linked = linkedTag === null ? nobody : (knownLinked ?? (await askLinked(linkedTag)));
  const isStanding = named !== null && !(isAnother ? linked : subject).isErased;
  const link = isStanding ? named : null;
  if (named !== null && !isStanding) known.linkErased();
  const heard: ReadingSoFar = {
    link,
    generation: generationFrom(subject.generation),
    tokenRevoked: isRevoked,
    consent: consentFrom(tags.subject, subject.consent),
    linkedConsent: link === null ? null : consentFrom(linkedTag, linked.consent),
    sessionConsent: consentFrom(tags.session, visitText),
  };
  known.erased(tags.subject, subject.isErased);
  known.erased(linkedTag, linked.isErased);
  known.generation(tags.subject, heard.generation);
  known.revoked(tags.token, isRevoked);
  if (looked.own) known.consent(tags.subject, heard.consent, subject.consent);
  if (looked.linked && !linked.isErased) known.consent(linkedTag, heard.linkedConsent, linked.consent);
  known.sessionConsent(tags.session, heard.sessionConsent, visitText);
  const mayProfile = subject.mayReadProfile && mayReadProfile(plan, heard);
  const session =
    mayReadSession(plan, heard) && tags.session !== null
      ? await ask(getScript, [sessionKey(tags.session)], [known.session.beginning])
      : null;
  return known.end({
    ...heard,
    erased: subject.isErased,
    consent: plan.consent ? heard.consent : null,
    linkedConsent: plan.consent ? heard.linkedConsent : null,
    sessionConsent: plan.consent ? heard.sessionConsent : null,
    profile: mayProfile ? known.profile.found(subject.profile) : refused,
    session: session === null ? refused : known.sessionFound(session[0] ?? null),
  });
}

interface SubjectQuestion {
  readonly asksRecord: boolean;
  /** Null: of somebody else, of whom nothing but the record is anybody's business. */
  readonly plan: ReadPlan | null;
  /** Of the profile that is held; empty where none is. */
  readonly profileVersion: string;
}

async function askSubject(ask: Ask, tag: string, question: SubjectQuestion): Promise<SubjectAnswer> {
  try {
    return await askTogether(ask, tag, question);
  } catch (error) {
    const isMoving = error instanceof Refusal && error.reason === 'TRYAGAIN';
    if (!isMoving) throw error;
    return askOneByOne(ask, tag, question);
  }
}

async function askTogether(ask: Ask, tag: string, { asksRecord, plan, profileVersion }: SubjectQuestion): Promise<SubjectAnswer> {
  const tombstone = tombstoneKey(tag);
  const keys = [tombstone, tombstone, tombstone, tombstone, generationKey(tag), consentKey(tag), profileKey(tag), tombstone];
  const profile = permissionText(plan?.profile ?? null);
  const args = [tag, '', asksRecord ? 1 : 0, plan?.tokenGeneration ?? 0, profile, notToBeTouched, 0, '', '', profileVersion, '', '', 0];
  const [, generation, , consent, , allowed, text, , , erased] = await ask(readScript, keys, args);
  return {
    generation: generation ?? null,
    consent: consent ?? null,
    mayReadProfile: allowed === presence,
    profile: text ?? null,
    isErased: erased === presence,
  };
}

/** While a slot is on its way, its records are on two nodes and no script reaches all of them: they are read singly, the profile last. */
async function askOneByOne(ask: Ask, tag: string, { asksRecord, plan }: SubjectQuestion): Promise<SubjectAnswer> {
  const get = async (key: string, isWanted: boolean): Promise<string | null> =>
    isWanted ? ((await ask(getScript, [key], ['']))[0] ?? null) : null;
  const [isErased, generation, consent] = await Promise.all([
    ask(existsScript, [tombstoneKey(tag)], []).then(([there]) => there === presence),
    get(generationKey(tag), plan !== null),
    get(consentKey(tag), asksRecord),
  ]);
  const said = isErased ? null : consent;
  const heard: ReadingSoFar = {
    link: null,
    generation: generationFrom(generation),
    tokenRevoked: false,
    consent: consentFrom(tag, said),
    linkedConsent: null,
    sessionConsent: null,
  };
  const isAllowed = plan !== null && mayReadProfile(plan, heard);
  const profile = await get(profileKey(tag), isAllowed);
  return { generation, consent: said, mayReadProfile: isAllowed, profile: isErased ? null : profile, isErased };
}
