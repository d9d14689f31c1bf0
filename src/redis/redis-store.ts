/**
 * The store on Redis (6.2 or later, or Valkey), whatever its shape. A read is one command and one round trip, whatever the plan names;
 * in a cluster it is one for each slot, side by side (`cluster-read.ts`). Every personal record has an expiry; writes and the tombstone
 * that forbids them are checked in one step, or, where they are different slots', so that no write outlasts a tombstone before it.
 */
import { decodeProfile, decodeSession, encodeSession } from '../records/codec.ts';
import {
  consentKey,
  generationKey,
  identityKey,
  presence,
  profileKey,
  revokedTokenKey,
  sessionKey,
  tagOf,
  tombstoneKey,
} from '../records/keys.ts';
import { batchChunkMax, generationTtlMs, instantOf } from '../records/limits.ts';
import { mayReadSession } from '../records/permission.ts';
import {
  consentFrom,
  emptyReading,
  generationFrom,
  linkFrom,
  type PlanTags,
  profileFrom,
  refused,
  sessionFrom,
  tagsOf,
} from '../records/reading.ts';
import type { ReadPlan, Store, StoredProfile, StoreReading, StoreWrite, WriteOutcome } from '../records/store.ts';
import { StoreError } from '../records/store-error.ts';
import { mergedSession, type PreparedWrite, prepare } from '../records/writes.ts';
import { type Ask, readAcross } from './cluster-read.ts';
import { type ConnectionOptions, connect } from './connection.ts';
import type { Reply, Script, ScriptCall } from './reply.ts';
import {
  existsScript,
  getProfileScript,
  permissionText,
  putScript,
  raiseScript,
  readScript,
  replaceScript,
  revokeScript,
} from './scripts.ts';

export interface RedisStore extends Store {
  readonly kind: 'redis';
  /** True once connected, false if that took longer than `withinMs`. Nothing needs to wait for it: reads reject until then. */
  connected(withinMs: number): Promise<boolean>;
}

/** How often a patch is tried again when others change the session meanwhile. */
const patchAttemptsMax = 8;
/** Links of a batch that are written at once in a cluster. */
const linksAtOnceMax = 32;

/** Never throws for a Redis that is not there, only for an address that makes no sense. */
export function openRedisStore(options: ConnectionOptions): RedisStore {
  const connection = connect(options);
  // Redis holds back all of a connection behind one write that it may not do yet, as in every planned failover; reads must not wait for that.
  const writing = connect({ ...options, onState: undefined });
  let reads = 0;

  /** Not async itself: a promise around a promise costs every read two turns. */
  function read(plan: ReadPlan): Promise<StoreReading> {
    const tags = tagsOf(plan);
    if (tags.subject !== null || tags.device !== null || tags.token !== null || tags.resolved !== null)
      return connection.isCluster ? readAcross(plan, tags, ask) : readByScript(plan, tags);
    if (tags.session === null || !mayReadSession(plan, emptyReading)) return Promise.resolve(emptyReading);
    return readSession(tags.session);
  }

  async function readSession(tag: string): Promise<StoreReading> {
    return { ...emptyReading, session: sessionFrom(tag, await getText(sessionKey(tag))) };
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

  async function readByScript(plan: ReadPlan, tags: PlanTags): Promise<StoreReading> {
    const answer = await ask(readScript, keysOf(tags), argumentsOf(plan, tags));
    const [link, generation, revoked, consent, linkedConsent, profileAllowed, profile, sessionAllowed, session, erased] = answer;
    const identityLink = plan.resolvedLink === null ? linkFrom(tags.device, link ?? null) : link === presence ? plan.resolvedLink : null;
    const linkedTag = identityLink === null || identityLink.subject === plan.subject ? null : tagOf(identityLink.subject);
    const ownRecord = consentFrom(tags.subject, consent ?? null);
    const linkedRecord = consentFrom(linkedTag, linkedConsent ?? null);
    return {
      erased: erased === presence,
      link: identityLink,
      generation: generationFrom(generation ?? null),
      tokenRevoked: revoked === presence,
      consent: plan.consent ? ownRecord : null,
      linkedConsent: plan.consent ? linkedRecord : null,
      profile: profileAllowed === presence && tags.subject !== null ? profileFrom(tags.subject, profile ?? null) : refused,
      session: sessionAllowed === presence && tags.session !== null ? sessionFrom(tags.session, session ?? null) : refused,
    };
  }

  /** Null for a value of another type: there is no such record. */
  async function getText(key: string): Promise<string | null> {
    try {
      const reply = await connection.command('GET', key, []);
      return typeof reply === 'string' ? reply : null;
    } catch (error) {
      if (error instanceof StoreError && error.code === 'refused' && error.message.endsWith('WRONGTYPE')) return null;
      throw error;
    }
  }

  async function write(one: StoreWrite): Promise<WriteOutcome> {
    const prepared = prepare(one);
    return isApart(one) ? writeApart(prepared) : outcomeOf(await writing.run(putScript, ...partsOf(putCall(prepared))));
  }

  /** A link is one slot's and its subject's tombstone another's. */
  function isApart(one: StoreWrite): boolean {
    return connection.isCluster && one.kind === 'identity';
  }

  /** Looks for the tombstone again after writing: one that came in between is seen then, and one that comes later has its own sweep. */
  async function writeApart(prepared: PreparedWrite): Promise<WriteOutcome> {
    const { subjectTag, key, text, ttlMs } = prepared;
    if (await isErased(subjectTag)) return 'erased';
    const outcome = outcomeOf(await writing.run(putScript, [key], [text, ttlMs]));
    if (!(await isErased(subjectTag))) return outcome;
    await writing.command('UNLINK', key, []);
    return 'erased';
  }

  async function isErased(subjectTag: string | null): Promise<boolean> {
    return subjectTag !== null && (await ask(existsScript, [tombstoneKey(subjectTag)], []))[0] === presence;
  }

  async function writeBatch(writes: readonly StoreWrite[]): Promise<readonly WriteOutcome[]> {
    const prepared = writes.map((one) => ({ one: prepare(one), isApart: isApart(one) }));
    const outcomes: WriteOutcome[] = [];
    for (let from = 0; from < prepared.length; from += batchChunkMax) {
      const chunk = prepared.slice(from, from + batchChunkMax);
      const together = await writing.runAll(
        putScript,
        chunk.filter((each) => !each.isApart).map(({ one }) => putCall(one)),
      );
      const apart = await writeAllApart(chunk.filter((each) => each.isApart).map(({ one }) => one));
      const [ofTogether, ofApart] = [together.map(outcomeOf).values(), apart.values()];
      for (const each of chunk) outcomes.push((each.isApart ? ofApart : ofTogether).next().value ?? 'erased');
    }
    return outcomes;
  }

  async function writeAllApart(links: readonly PreparedWrite[]): Promise<readonly WriteOutcome[]> {
    const outcomes: WriteOutcome[] = [];
    for (let from = 0; from < links.length; from += linksAtOnceMax) {
      outcomes.push(...(await Promise.all(links.slice(from, from + linksAtOnceMax).map(writeApart))));
    }
    return outcomes;
  }

  return {
    kind: 'redis',
    read,
    putProfile: (subject, profile, ttlSeconds) => write({ kind: 'profile', subject, profile, ttlSeconds }),
    putIdentity: (namespace, value, link, ttlSeconds) => write({ kind: 'identity', namespace, value, link, ttlSeconds }),
    putConsent: (subject, consent, ttlSeconds) => write({ kind: 'consent', subject, consent, ttlSeconds }),
    putSession: async (sessionId, session, ttlSeconds) => {
      await write({ kind: 'session', sessionId, session, ttlSeconds });
    },

    async getProfile(subject): Promise<StoredProfile | null> {
      const tag = tagOf(subject);
      const [text, expiresAt] = textsOf(await connection.run(getProfileScript, [profileKey(tag), tombstoneKey(tag)], [])) ?? [];
      const profile = typeof text === 'string' ? decodeProfile(tag, text) : null;
      return profile === null ? null : { ...profile, expiresAtMs: Number(expiresAt) };
    },

    deleteProfile: async (subject) => (await writing.command('UNLINK', profileKey(tagOf(subject)), [])) === 1,

    async patchSession(sessionId, session) {
      const tag = tagOf(sessionId);
      const key = sessionKey(tag);
      for (let attempt = 0; attempt < patchAttemptsMax; attempt += 1) {
        const text = await getText(key);
        const before = text === null ? null : decodeSession(tag, text);
        if (text === null || before === null) return false;
        const after = encodeSession(tag, mergedSession(before, session));
        if ((await writing.run(replaceScript, [key], [text, after])) === 1) return true;
      }
      throw new StoreError('contended', 'others kept changing the session');
    },

    async raiseGeneration(subject) {
      return Number(await writing.run(raiseScript, [generationKey(tagOf(subject))], [generationTtlMs]));
    },

    async revokeToken(tokenId, untilMs) {
      const until = instantOf(untilMs);
      if (until > 0) await writing.run(revokeScript, [revokedTokenKey(tagOf(tokenId))], [presence, until]);
    },

    writeBatch,
    ping: connection.ping,
    connected: async (withinMs) =>
      (await Promise.all([connection.connected(withinMs), writing.connected(withinMs)])).every((isThere) => isThere),
    close: async () => {
      await Promise.all([connection.close(), writing.close()]);
    },
  };
}

/** In the order that the read script expects. Where the plan names nothing, a name that no record has: every key is ours. */
function keysOf(tags: PlanTags): string[] {
  const { subject, token, device, session } = tags;
  return [
    device === null ? noKey : identityKey(device),
    token === null ? noKey : revokedTokenKey(token),
    session === null ? noKey : sessionKey(session),
    subject === null ? noKey : tombstoneKey(subject),
    subject === null ? noKey : generationKey(subject),
    subject === null ? noKey : consentKey(subject),
    subject === null ? noKey : profileKey(subject),
  ];
}

const noKey = 'sw:-';

function argumentsOf(plan: ReadPlan, tags: PlanTags): (string | number)[] {
  return [
    tags.subject ?? '',
    tags.device ?? '',
    plan.consent ? 1 : 0,
    plan.tokenGeneration,
    permissionText(plan.profile),
    permissionText(tags.session === null ? null : plan.session),
    tags.token === null ? 0 : 1,
    tags.resolved ?? '',
  ];
}

function putCall(prepared: PreparedWrite): ScriptCall {
  const keys = prepared.subjectTag === null ? [prepared.key] : [prepared.key, tombstoneKey(prepared.subjectTag)];
  return { keys, args: [prepared.text, prepared.ttlMs] };
}

function partsOf({ keys, args }: ScriptCall): readonly [ScriptCall['keys'], ScriptCall['args']] {
  return [keys, args];
}

const outcomes = ['created', 'replaced', 'erased'] as const satisfies readonly WriteOutcome[];

function outcomeOf(reply: Reply): WriteOutcome {
  const outcome = typeof reply === 'number' ? outcomes[reply] : undefined;
  if (outcome === undefined) throw new StoreError('misrouted', 'an answer of Redis belonged to another question');
  return outcome;
}

/** A flat list of texts and nulls, or null for anything else. */
function textsOf(reply: Reply): readonly (string | null)[] | null {
  return Array.isArray(reply) && reply.every((item) => item === null || typeof item === 'string') ? reply : null;
}
