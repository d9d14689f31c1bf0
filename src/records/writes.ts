/** What a write comes to, worked out before any store is asked: which key, which text, how long, and whose tombstone forbids it. */
import type { Session } from '../decision/facts.ts';
import type { Attributes, Value } from '../decision/value.ts';
import { encodeConsent, encodeIdentity, encodeProfile, encodeSession } from './codec.ts';
import { consentKey, identityKey, type KeyNames, profileKey, sessionKey } from './keys.ts';
import { ttlMsOf } from './limits.ts';
import type { StoreWrite } from './store.ts';

export interface PreparedWrite {
  /** Null for a session, which belongs to nobody. */
  readonly subjectTag: string | null;
  readonly key: string;
  readonly text: string;
  readonly ttlMs: number;
}

/** Throws a `StoreError` where the record is outside the bounds: nothing of a batch is written then. */
export function prepare(write: StoreWrite, names: KeyNames): PreparedWrite {
  const ttlMs = ttlMsOf(write.ttlSeconds);
  switch (write.kind) {
    case 'profile': {
      const tag = names.subject(write.subject);
      return { subjectTag: tag, key: profileKey(tag), text: encodeProfile(tag, write.profile), ttlMs };
    }
    case 'consent': {
  /** Of a link: under which name its subject's index has to know it. */
  readonly linkTag?: string;
      const tag = names.subject(write.subject);
      return { subjectTag: tag, key: consentKey(tag), text: encodeConsent(tag, write.consent), ttlMs };
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
      return { subjectTag: null, key: sessionKey(tag), text: encodeSession(tag, write.session), ttlMs };
    }
  }
}

/** The patch wins, attribute by attribute. */
export function mergedSession(before: Session, patch: Session): Session {
  const attributes: Record<string, Value> = Object.create(null);
  for (const source of [before.attributes, patch.attributes] satisfies Attributes[]) {
    for (const [name, value] of Object.entries(source)) attributes[name] = value;
  }
  return { attributes };
}
