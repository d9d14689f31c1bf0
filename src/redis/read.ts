/**
 * The read of one decision: from memory where the plan lets it be trusted and everything in it is proved, else one command and one
 * round trip, whatever the plan names; in a cluster one for each slot, side by side (`cluster-read.ts`).
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
import { consentFrom, emptyReading, generationFrom, type PlanTags, recordsRead, tagsOf } from '../records/reading.ts';
import type { ReadPlan, StoreReading } from '../records/store.ts';
import { StoreError } from '../records/store-error.ts';
import { type Ask, readAcross } from './cluster-read.ts';
import type { Connection } from './connection.ts';
import type { Naming } from './naming.ts';
import type { NearCache } from './near-cache.ts';
import { Recollection } from './recollection.ts';
import { Refusal, type Reply, type Script } from './reply.ts';
import { permissionText, readScript } from './scripts.ts';
import { trustedReading } from './trusted.ts';

export interface Reader {
  read(plan: ReadPlan): Promise<StoreReading>;
}

export function createReader(connection: Connection, cache: NearCache, naming: Naming): Reader {
  let reads = 0;
  const trust = { cache, heardSince: connection.heardSince };

  /** Not async itself: a promise around a promise costs every read two turns. */
  function read(plan: ReadPlan): Promise<StoreReading> {
    const { names } = naming;
    if (names === null) return Promise.reject(naming.unknown());
    const tags = tagsOf(plan, names);
    const isPersonal = tags.subject !== null || tags.device !== null || tags.token !== null || tags.resolved !== null;
    if (!isPersonal && tags.session === null) return Promise.resolve(emptyReading);
    if (plan.freshnessMaxMs > 0 && cache.isOn) {
      connection.hearChanges(cache);
      const reading = trustedReading(plan, tags, trust);
      if (reading !== null) return Promise.resolve(reading);
    }
    const known = new Recollection(cache, plan, tags);
    if (!connection.isCluster) return readByScript(plan, tags, known);
    return isPersonal ? readAcross(plan, tags, { ask, known }) : readSession(plan, tags, known);
  }

  /** A session's keys are one slot's. While that is on its way no script reaches them together. */
  async function readSession(plan: ReadPlan, tags: PlanTags, known: Recollection): Promise<StoreReading> {
    try {
      return await readByScript(plan, tags, known);
    } catch (error) {
      if (error instanceof Refusal && error.reason === 'TRYAGAIN') return readAcross(plan, tags, { ask, known });
      throw error;
    }
  }

  /** Every question carries a word of its own, and an answer that does not repeat it is another's: never used, like all after it. */
  async function ask(script: Script, keys: readonly string[], args: readonly (string | number)[]): ReturnType<Ask> {
    reads = (reads + 1) % Number.MAX_SAFE_INTEGER;
    const echo = reads.toString(36);
    const [echoed, ...answer] = textsOf(await connection.run(script, keys, [echo, ...args])) ?? [];
    if (echoed === echo) return answer;
    connection.drop(keys[0] ?? '');
    throw new StoreError('misrouted', 'an answer of Redis belonged to another question');
  }

  async function readByScript(plan: ReadPlan, tags: PlanTags, known: Recollection): Promise<StoreReading> {
    const answer = await ask(readScript, keysOf(tags), argumentsOf(plan, tags, known));
    const [linkText = null, generationText = null, revoked, consentText = null, linkedText = null, mayProfile, profile = null, ...rest] =
      answer;
    const [maySession, session = null, erasedText, linkErased, visitText = null] = rest;
    const link = linkAnswered(plan, { linkText, isErased: linkErased === presence, known });
    const linkedTag = link === null ? null : (tags.resolved ?? tags.names.subject(link.subject));
    const erased = erasedText === presence;
    const generation = generationFrom(generationText);
    const consent = consentFrom(tags.subject, consentText);
    const anotherTag = linkedTag === tags.subject ? null : linkedTag;
    const linkedConsent = consentFrom(anotherTag, linkedText);
    const sessionConsent = consentFrom(tags.session, visitText);
    known.erased(tags.subject, erased);
    known.erased(linkErased === presence ? tags.resolved : linkedTag, linkErased === presence);
    known.generation(tags.subject, generation);
    known.revoked(tags.token, revoked === presence);
    const looked = recordsRead(plan, tags);
    if (looked.own) known.consent(tags.subject, consent, consentText);
    if (looked.linked) known.consent(anotherTag, linkedConsent, linkedText);
    known.sessionConsent(tags.session, sessionConsent, visitText);
    return known.end({
      erased,
      link,
      generation,
      tokenRevoked: revoked === presence,
      consent: plan.consent ? consent : null,
      linkedConsent: plan.consent ? linkedConsent : null,
      sessionConsent: plan.consent ? sessionConsent : null,
      profile: mayProfile === presence ? known.profile.found(profile) : refused,
      session: maySession === presence ? known.sessionFound(session) : refused,
    });
  }

  return { read };
}

interface LinkAnswer {
  readonly linkText: string | null;
  /** It may be there, and is as if it were not: nothing of it stays in memory. */
  readonly isErased: boolean;
  readonly known: Recollection;
}

function linkAnswered({ resolvedLink }: ReadPlan, { linkText, isErased, known }: LinkAnswer): StoreReading['link'] {
  if (isErased) {
    known.linkErased();
    return null;
  }
  return resolvedLink === null ? known.linkFound(linkText) : linkText === presence ? resolvedLink : null;
}

/** Null for a value of another type: there is no such record. */
export async function textOf(connection: Connection, key: string): Promise<string | null> {
  try {
    const reply = await connection.command('GET', key, []);
    return typeof reply === 'string' ? reply : null;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'refused' && error.message.endsWith('WRONGTYPE')) return null;
    throw error;
  }
}

/**
 * In the order that the read script expects. Where the plan names nothing, a name that no record has: every key is ours. Where it names
 * a session alone, the session's name, so that in a cluster all are of one slot.
 */
function keysOf(tags: PlanTags): string[] {
  const { subject, token, device, session } = tags;
  const isSessionAlone = session !== null && subject === null && token === null && device === null && tags.resolved === null;
  const noKey = isSessionAlone ? sessionKey(session) : notAKey;
  return [
    device === null ? noKey : identityKey(device),
    token === null ? noKey : revokedTokenKey(token),
    session === null ? noKey : sessionKey(session),
    subject === null ? noKey : tombstoneKey(subject),
    subject === null ? noKey : generationKey(subject),
    subject === null ? noKey : consentKey(subject),
    subject === null ? noKey : profileKey(subject),
    session === null ? noKey : sessionConsentKey(session),
  ];
}

const notAKey = 'sw:-';

function argumentsOf(plan: ReadPlan, tags: PlanTags, { link, profile, session }: Recollection): (string | number)[] {
  return [
    tags.subject ?? '',
    tags.device ?? '',
    plan.consent ? 1 : 0,
    plan.tokenGeneration,
    permissionText(plan.profile),
    permissionText(tags.session === null ? null : plan.session),
    tags.token === null ? 0 : 1,
    tags.resolved ?? '',
    link.version,
    profile.version,
    session.version,
    tags.session ?? '',
    plan.provenUntilMs ?? 0,
  ];
}

/** A flat list of texts and nulls, or null for anything else. */
export function textsOf(reply: Reply): readonly (string | null)[] | null {
  return Array.isArray(reply) && reply.every((item) => item === null || typeof item === 'string') ? reply : null;
}
