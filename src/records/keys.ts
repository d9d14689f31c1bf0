/**
 * Every key name of both stores, in one place. No raw subject, device, session or token id appears in a name: ids are hashed,
 * which also bounds their length and their alphabet. A subject's keys share one hash tag `{…}`, hence one cluster slot.
 */
import { hash } from 'node:crypto';

/** Base64url characters kept of a SHA-256: 132 bits. */
export const tagLength = 22;

/** The name of an id inside keys and records. Of its UTF-16, so that no two ids share one, not even ill-formed ones. */
export function tagOf(id: string): string {
  return hash('sha256', Buffer.from(id, 'utf16le'), 'base64url').slice(0, tagLength);
}

/** The tag of an identity: the length keeps `a` + `bc` and `ab` + `c` apart. */
export function identityTag(namespace: string, value: string): string {
  return tagOf(`${namespace.length}:${namespace}:${value}`);
}

/** The namespace of `identity.deviceId`. */
export const deviceNamespace = 'device';

export const profileKey = (subjectTag: string): string => `sw:{${subjectTag}}:profile`;
export const consentKey = (subjectTag: string): string => `sw:{${subjectTag}}:consent`;
export const generationKey = (subjectTag: string): string => `sw:{${subjectTag}}:generation`;
/** While it stands, the subject reads as one never seen and nothing is written for it. */
export const tombstoneKey = (subjectTag: string): string => `sw:{${subjectTag}}:tombstone`;
export const identityKey = (tag: string): string => `sw:identity:${tag}`;
export const sessionKey = (sessionTag: string): string => `sw:session:${sessionTag}`;
/** A revoked token; the key's existence is the whole record. */
export const revokedTokenKey = (tokenTag: string): string => `sw:revoked:${tokenTag}`;

export interface KeyParts {
  readonly kind: 'profile' | 'consent' | 'generation' | 'tombstone' | 'identity' | 'session' | 'revoked';
  readonly tag: string;
}

/** What a key is the key of; null for a name that none of the functions above makes. */
export function keyParts(key: string): KeyParts | null {
  const [, ofSubject, subjectKind, kind, tag] =
    /^sw:(?:\{([\w-]{22})\}:(profile|consent|generation|tombstone)|(identity|session|revoked):([\w-]{22}))$/.exec(key) ?? [];
  const parts = { kind: subjectKind ?? kind, tag: ofSubject ?? tag };
  return parts.tag === undefined ? null : (parts as KeyParts);
}

/** What every key begins with. */
export const keyPrefix = 'sw:';

/** What stands in keys that say all by existing. */
export const presence = '1';
