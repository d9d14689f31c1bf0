/** What a write comes to, worked out before any store is asked: which key, which text, how long, and whose tombstone forbids it. */
import type { Session } from '../decision/facts.ts';
import type { Attributes, Value } from '../decision/value.ts';
import { decodeConsentRecord, encodeConsent, encodeIdentity, encodeProfile, encodeSession } from './codec.ts';
import {
  type ConsentRecord,
  type ConsentSource,
  type ConsentWrite,
  recordAfterPut,
  recordAfterWithdrawal,
  type Withdrawal,
} from './consent-record.ts';
import { consentKey, identityKey, type KeyNames, profileKey, sessionKey } from './keys.ts';
import { ttlMsOf } from './limits.ts';
import type { StoreWrite } from './store.ts';

export interface PreparedWrite {
  /** Null for a session, which belongs to nobody. */
  readonly subjectTag: string | null;
  readonly key: string;
  /** The same whatever stood there before; null: see `textAfter`. */
  readonly text: string | null;
  /** What to put in the place of the text that stands there. */
  textAfter(before: string | null): string;
  readonly ttlMs: number;
  /** Of a link: under which name its subject's index has to know it. Its text is stamped when it is written. */
  readonly linkTag?: string;
}

/** Throws a `StoreError` where the record is outside the bounds: nothing of a batch is written then. */
export function prepare(write: StoreWrite, names: KeyNames): PreparedWrite {
  const ttlMs = ttlMsOf(write.ttlSeconds);
  switch (write.kind) {
    case 'profile': {
      const tag = names.subject(write.subject);
      return { subjectTag: tag, key: profileKey(tag), ...always(encodeProfile(tag, write.profile)), ttlMs };
    }
    case 'consent': {
      const tag = names.subject(write.subject);
      // Thrown now, not halfway through a batch.
      encodeConsent(tag, write.consent);
      const textAfter = (before: string | null) => consentTextAfterPut(tag, before, write.consent, null) ?? '';
      return { subjectTag: tag, key: consentKey(tag), text: null, textAfter, ttlMs };
    }
    case 'identity': {
      const tag = names.identity(write.namespace, write.value);
      return {
        subjectTag: names.subject(write.link.subject),
        key: identityKey(tag),
        ...always(encodeIdentity(tag, write.link, names)),
        ttlMs,
        linkTag: tag,
      };
    }
    case 'session': {
      const tag = names.session(write.sessionId);
      return { subjectTag: null, key: sessionKey(tag), ...always(encodeSession(tag, write.session)), ttlMs };
    }
  }
}

function always(text: string): Pick<PreparedWrite, 'text' | 'textAfter'> {
  return { text, textAfter: () => text };
}

/** Null: something was withdrawn after the generation `since`. What cannot be read is replaced like any record. */
export function consentTextAfterPut(tag: string, before: string | null, write: ConsentWrite, since: number | null): string | null {
  const record = recordAfterPut(before === null ? null : decodeConsentRecord(tag, before), write, since);
  return record === null ? null : encodeConsent(tag, record);
}

export interface Withdrawn {
  readonly record: ConsentRecord;
  readonly text: string;
}

export function consentAfterWithdrawal(tag: string, before: string | null, withdrawal: Withdrawal, source: ConsentSource): Withdrawn {
  const known = before === null ? null : (decodeConsentRecord(tag, before) ?? 'unreadable');
  const record = recordAfterWithdrawal(known, withdrawal, source);
  return { record, text: encodeConsent(tag, record) };
}

/** How often a consent record was written; 0 where there is none, or none that can be read. */
export function consentGenerationIn(tag: string, text: string | null): number {
  return (text === null ? null : decodeConsentRecord(tag, text))?.generation ?? 0;
}

/** The patch wins, attribute by attribute. */
export function mergedSession(before: Session, patch: Session): Session {
  const attributes: Record<string, Value> = Object.create(null);
  for (const source of [before.attributes, patch.attributes] satisfies Attributes[]) {
    for (const [name, value] of Object.entries(source)) attributes[name] = value;
  }
  return { attributes };
}
