/**
 * Writes of consent records. What a record becomes depends on the one that stood before, so it is read, changed here and written only
 * where it is still the same; where others were quicker, the change is made again upon theirs.
 */
import { encodeConsent } from '../records/codec.ts';
import { type ConsentRecord, endsSessionData, type Withdrawal } from '../records/consent-record.ts';
import { consentKey, type KeyNames, sessionConsentKey, sessionKey, tombstoneKey } from '../records/keys.ts';
import { ttlMsOf } from '../records/limits.ts';
import { heldConsentFrom } from '../records/reading.ts';
import type { Store, WriteOutcome } from '../records/store.ts';
import { StoreError } from '../records/store-error.ts';
import { consentAfterWithdrawal, consentGenerationIn, consentTextAfterPut, type PreparedWrite } from '../records/writes.ts';
import type { Connection } from './connection.ts';
import { textOf, textsOf } from './read.ts';
import type { Reply } from './reply.ts';
import { getConsentScript, getScript, replaceConsentScript, withdrawInSessionScript } from './scripts.ts';

/** Somebody else succeeds whenever one of us does not, so only a storm of writes about one person comes near. */
const attemptsMax = 64;

const outcomes = ['created', 'replaced', 'erased', 'changed'] as const;

export interface ConsentChangesParts {
  readonly reading: Connection;
  readonly writing: Connection;
  changing<T>(keys: readonly string[], work: () => Promise<T>): Promise<T>;
}

export interface ConsentChanges {
  readonly reading: Connection;
  /** `textAfter`: null where nothing is to be written. */
  change(tag: string, ttlMs: number, textAfter: (before: string | null) => string | null): Promise<WriteOutcome | null>;
  changeInSession(tag: string, withdrawal: Withdrawal): Promise<void>;
  /** Of a batch, under keys that whoever calls has said are changing. */
  putAll(writes: readonly PreparedWrite[]): Promise<readonly WriteOutcome[]>;
}

export function createConsentChanges({ reading, writing, changing }: ConsentChangesParts): ConsentChanges {
  const readText = (key: string): Promise<string | null> => textOf(reading, key);

  async function again<T>(attempt: () => Promise<T | 'changed'>): Promise<T> {
    for (let attempts = 0; attempts < attemptsMax; attempts += 1) {
      const outcome = await attempt();
      if (outcome !== 'changed') return outcome;
    }
    throw new StoreError('contended', 'others kept changing the consent record');
  }

  async function putOne({ key, subjectTag, ttlMs, textAfter }: PreparedWrite): Promise<WriteOutcome> {
    return again(async () => {
      const before = await readText(key);
      const keys = [key, tombstoneKey(subjectTag ?? '')];
      return outcomeOf(await writing.run(replaceConsentScript, keys, [before ?? '', textAfter(before), ttlMs]));
    });
  }

  return {
    reading,

    change(tag, ttlMs, textAfter) {
      const key = consentKey(tag);
      return changing([key], () =>
        again(async () => {
          const before = await readText(key);
          const text = textAfter(before);
          if (text === null) return null;
          return outcomeOf(await writing.run(replaceConsentScript, [key, tombstoneKey(tag)], [before ?? '', text, ttlMs]));
        }),
      );
    },

    async changeInSession(tag, withdrawal) {
      const keys = [sessionConsentKey(tag), sessionKey(tag)] as const;
      const ends = endsSessionData(withdrawal) ? 1 : 0;
      const ttlMs = ttlMsOf(withdrawal.ttlSeconds);
      await changing(keys, () =>
        again(async () => {
          const before = await readText(keys[0]);
          const { text } = consentAfterWithdrawal(tag, before, withdrawal, 'session');
          return outcomeOf(await writing.run(withdrawInSessionScript, keys, [before ?? '', text, ttlMs, ends]));
        }),
      );
    },

    async putAll(writes) {
      const before = await reading.runAll(
        getScript,
        writes.map(({ key }) => ({ keys: [key], args: ['', ''] })),
      );
      const texts = before.map((reply) => textsOf(reply)?.[1] ?? null);
      const replies = await writing.runAll(
        replaceConsentScript,
        writes.map(({ key, subjectTag, ttlMs, textAfter }, index) => ({
          keys: [key, tombstoneKey(subjectTag ?? '')],
          args: [texts[index] ?? '', textAfter(texts[index] ?? null), ttlMs],
        })),
      );
      const written: WriteOutcome[] = [];
      for (const [index, one] of writes.entries()) {
        const outcome = outcomeOf(replies[index] ?? null);
        written.push(outcome === 'changed' ? await putOne(one) : outcome);
      }
      return written;
    },
  };
}

type ConsentWriter = Pick<Store, 'consentGeneration' | 'putConsent' | 'getConsent' | 'withdrawConsent' | 'withdrawSessionConsent'>;

export function consentWriter(changes: ConsentChanges, names: () => KeyNames): ConsentWriter {
  return {
    async consentGeneration(subject) {
      const tag = names().subject(subject);
      return consentGenerationIn(tag, await textOf(changes.reading, consentKey(tag)));
    },

    async putConsent(subject, consent, ttlSeconds, since) {
      const tag = names().subject(subject);
      // Refused before anything is asked.
      encodeConsent(tag, consent);
      const textAfter = (before: string | null) => consentTextAfterPut(tag, before, consent, since ?? null);
      return (await changes.change(tag, ttlMsOf(ttlSeconds), textAfter)) ?? 'withdrawn';
    },

    async getConsent(subject) {
      const tag = names().subject(subject);
      const [text, expiresAt] = textsOf(await changes.reading.run(getConsentScript, [consentKey(tag), tombstoneKey(tag)], [])) ?? [];
      return typeof text === 'string' ? heldConsentFrom(tag, text, Number(expiresAt)) : null;
    },

    async withdrawConsent(subject, withdrawal) {
      const tag = names().subject(subject);
      let record: ConsentRecord | null = null;
      const outcome = await changes.change(tag, ttlMsOf(withdrawal.ttlSeconds), (before) => {
        const withdrawn = consentAfterWithdrawal(tag, before, withdrawal, 'withdrawal');
        record = withdrawn.record;
        return withdrawn.text;
      });
      return outcome === 'erased' ? null : record;
    },

    async withdrawSessionConsent(sessionId, withdrawal) {
      await changes.changeInSession(names().session(sessionId), withdrawal);
    },
  };
}

function outcomeOf(reply: Reply): (typeof outcomes)[number] {
  const outcome = typeof reply === 'number' ? outcomes[reply] : undefined;
  if (outcome === undefined) throw new StoreError('misrouted', 'an answer of Redis belonged to another question');
  return outcome;
}
