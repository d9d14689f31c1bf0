/**
 * The writes. Every personal record has an expiry; a write and the tombstone that forbids it are checked in one step, or, where they are
 * different slots', so that no write outlasts a tombstone before it. What a write touches is not trusted from before it until after it.
 */
import { decodeProfile, decodeSession, encodeSession } from '../records/codec.ts';
import {
  generationKey,
  type KeyNames,
  linksKey,
  presence,
  profileKey,
  proofKey,
  revokedTokenKey,
  sessionKey,
  tombstoneKey,
} from '../records/keys.ts';
import { batchChunkMax, generationTtlMs, instantOf, proofLifeOf } from '../records/limits.ts';
import type { Store, StoredProfile, StoreWrite, WriteOutcome } from '../records/store.ts';
import { StoreError } from '../records/store-error.ts';
import { mergedSession, type PreparedWrite, prepare } from '../records/writes.ts';
import type { Connection } from './connection.ts';
import { consentWriter, createConsentChanges } from './consent-write.ts';
import { createEraser } from './erasure.ts';
import { inGroups } from './in-groups.ts';
import { createLinkIndex } from './link-index.ts';
import type { Naming } from './naming.ts';
import { textOf, textsOf } from './read.ts';
import type { Reply, ScriptCall } from './reply.ts';
import { getProfileScript, putScript, raiseScript, replaceScript, revokeScript } from './scripts.ts';

/** How often a patch is tried again when others change the session meanwhile. */
const patchAttemptsMax = 8;

export type Writer = Omit<Store, 'kind' | 'read' | 'announce' | 'listen' | 'ping' | 'close'>;

export interface WriterParts {
  /** For what is looked at before and after a write. */
  readonly reading: Connection;
  readonly writing: Connection;
  readonly naming: Naming;
  readonly nowMs: () => number;
  /** Hears the key of whatever is about to change, and of what has. */
  readonly onChange: (key: string) => void;
}

export function createWriter({ reading, writing, naming, nowMs, onChange }: WriterParts): Writer {
  function namesNow(): KeyNames {
    if (naming.names === null) throw naming.unknown();
    return naming.names;
  }

  const links = createLinkIndex(reading, writing);
  const consents = createConsentChanges({ reading, writing, changing });

  /** A read that is under way at the same time may see either, so it counts as sent too early until the write has ended. */
  async function changing<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    for (const key of keys) onChange(key);
    try {
      return await work();
    } finally {
      for (const key of keys) onChange(key);
    }
  }

  async function write(one: StoreWrite): Promise<WriteOutcome> {
    const prepared = prepare(one, namesNow());
    return changing([prepared.key], async () =>
      isApart(one) ? writeApart(prepared) : outcomeOf(await writing.run(putScript, ...partsOf(putCall(prepared)))),
    );
  }

  /** A link is one slot's and its subject's tombstone another's. */
  function isApart(one: StoreWrite): boolean {
    return writing.isCluster && one.kind === 'identity';
  }

  /** Looks for the tombstone again after writing: one that came in between is seen then, and one that comes later has its own sweep. */
  async function writeApart({ subjectTag, key, text, ttlMs, linkTag }: PreparedWrite): Promise<WriteOutcome> {
    const link = { tag: linkTag ?? '', subjectTag: subjectTag ?? '', ttlMs };
    const indexing = await links.add(link);
    if (indexing !== 'added') return indexing;
    const outcome = outcomeOf(await writing.run(putScript, [key], [text ?? '', ttlMs, link.tag]));
    if ((await links.confirm(link)) !== 'erased') return outcome;
    await writing.command('UNLINK', key, []);
    return 'erased';
  }

  async function writeBatch(writes: readonly StoreWrite[]): Promise<readonly WriteOutcome[]> {
    const names = namesNow();
    const prepared = writes.map((one) => ({ one: prepare(one, names), isApart: isApart(one) }));
    const outcomes: WriteOutcome[] = [];
    for (let from = 0; from < prepared.length; from += batchChunkMax) {
      const chunk = prepared.slice(from, from + batchChunkMax);
      const keys = chunk.map(({ one }) => one.key);
      outcomes.push(...(await changing(keys, () => writeChunk(chunk))));
    }
    return outcomes;
  }

  async function writeChunk(chunk: readonly ChunkPart[]): Promise<readonly WriteOutcome[]> {
    const wayOf = ({ one, isApart }: ChunkPart): Way => (isApart ? 'apart' : one.text === null ? 'consents' : 'together');
    const those = (way: Way) => chunk.filter((each) => wayOf(each) === way).map(({ one }) => one);
    const together = await writing.runAll(putScript, those('together').map(putCall));
    const written: Record<Way, Iterator<WriteOutcome>> = {
      together: together.map(outcomeOf).values(),
      apart: (await inGroups(those('apart'), writeApart)).values(),
      consents: (await consents.putAll(those('consents'))).values(),
    };
    return chunk.map((each) => written[wayOf(each)].next().value ?? 'erased');
  }

  return {
    putProfile: (subject, profile, ttlSeconds) => write({ kind: 'profile', subject, profile, ttlSeconds }),
    putIdentity: (namespace, value, link, ttlSeconds) => write({ kind: 'identity', namespace, value, link, ttlSeconds }),
    ...consentWriter(consents, namesNow),
    ...createEraser({ reading, writing, changing, names: namesNow, nowMs }),
    putSession: async (sessionId, session, ttlSeconds) => {
      await write({ kind: 'session', sessionId, session, ttlSeconds });
    },

    async getProfile(subject): Promise<StoredProfile | null> {
      const tag = namesNow().subject(subject);
      const [text, expiresAt] = textsOf(await reading.run(getProfileScript, [profileKey(tag), tombstoneKey(tag)], [])) ?? [];
      const profile = typeof text === 'string' ? decodeProfile(tag, text) : null;
      return profile === null ? null : { ...profile, expiresAtMs: Number(expiresAt) };
    },

    async deleteProfile(subject) {
      const key = profileKey(namesNow().subject(subject));
      return changing([key], async () => (await writing.command('UNLINK', key, [])) === 1);
    },

    async patchSession(sessionId, session) {
      const tag = namesNow().session(sessionId);
      const key = sessionKey(tag);
      for (let attempt = 0; attempt < patchAttemptsMax; attempt += 1) {
        const text = await textOf(reading, key);
        const before = text === null ? null : decodeSession(tag, text);
        if (text === null || before === null) return false;
        const after = encodeSession(tag, mergedSession(before, session));
        if ((await changing([key], () => writing.run(replaceScript, [key], [text, after]))) === 1) return true;
      }
      throw new StoreError('contended', 'others kept changing the session');
    },

    async raiseGeneration(subject) {
      const key = generationKey(namesNow().subject(subject));
      return Number(await changing([key], () => writing.run(raiseScript, [key], [generationTtlMs])));
    },

    async revokeToken(tokenId, untilMs) {
      const until = instantOf(untilMs);
      const key = revokedTokenKey(namesNow().token(tokenId));
      if (until > 0) await changing([key], () => writing.run(revokeScript, [key], [presence, until]));
    },

    async claimProof(proofId, lifeMs) {
      const key = proofKey(namesNow().proof(proofId));
      return (await writing.command('SET', key, [presence, 'NX', 'PX', proofLifeOf(lifeMs)])) === 'OK';
    },

    writeBatch,
  };
}

/** What may be sent with the others, a link of a cluster, and what depends on the record that stood before. */
type Way = 'together' | 'apart' | 'consents';

interface ChunkPart {
  readonly one: PreparedWrite;
  readonly isApart: boolean;
}

function putCall(prepared: PreparedWrite): ScriptCall {
  const keys = prepared.subjectTag === null ? [prepared.key] : [prepared.key, tombstoneKey(prepared.subjectTag)];
  const { linkTag } = prepared;
  const text = prepared.text ?? '';
  if (linkTag === undefined) return { keys, args: [text, prepared.ttlMs] };
  return { keys: [...keys, linksKey(prepared.subjectTag ?? '')], args: [text, prepared.ttlMs, linkTag] };
}

function partsOf({ keys, args }: ScriptCall): readonly [ScriptCall['keys'], ScriptCall['args']] {
  return [keys, args];
}

const outcomes = ['created', 'replaced', 'erased', 'too_many_links'] as const satisfies readonly WriteOutcome[];

function outcomeOf(reply: Reply): WriteOutcome {
  const outcome = typeof reply === 'number' ? outcomes[reply] : undefined;
  if (outcome === undefined) throw new StoreError('misrouted', 'an answer of Redis belonged to another question');
  return outcome;
}
