/**
 * Every key name of both stores, in one place. No raw subject, device, session or token id appears in a name, nor anything that who
 * knows an id could find the name by: ids are put through an HMAC under a secret, which also bounds their length and their alphabet.
 * A subject's keys share one hash tag `{…}`, hence one cluster slot.
 */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';

/** Base64url characters kept of an HMAC-SHA-256: 132 bits. */
export const tagLength = 22;

/** The names of ids inside keys and records, under one secret. An id that is two things has two names, which nobody can bring together. */
export interface KeyNames {
  /** Tells which secret it is to who has it, and nothing of the secret or of any name to anybody else. */
  readonly fingerprint: string;
  subject(id: string): string;
  session(id: string): string;
  token(id: string): string;
  proof(id: string): string;
  identity(namespace: string, value: string): string;
  /** A caller's own word for a request. */
  request(id: string): string;
}

/** What `randomKeySecret` makes. */
export const keySecretPattern = /^[\w-]{43}$/;

export function randomKeySecret(): string {
  return randomBytes(32).toString('base64url');
}

/** With another secret every name is another, and what is stored under the old ones is out of reach. */
export function keyNames(secret: string): KeyNames {
  const key = createSecretKey(secret, 'utf8');
  // Of its UTF-16, so that no two ids share a name, not even ill-formed ones.
  const tagOf = (text: string): string =>
    createHmac('sha256', key).update(Buffer.from(text, 'utf16le')).digest('base64url').slice(0, tagLength);
  return {
    fingerprint: tagOf('fingerprint'),
    subject: (id) => tagOf(`subject:${id}`),
    session: (id) => tagOf(`session:${id}`),
    token: (id) => tagOf(`token:${id}`),
    request: (id) => tagOf(`request:${id}`),
    proof: (id) => tagOf(`proof:${id}`),
    // The length keeps `a` + `bc` and `ab` + `c` apart.
    identity: (namespace, value) => tagOf(`identity:${namespace.length}:${namespace}:${value}`),
  };
}

/** The namespace of `identity.deviceId`. */
export const deviceNamespace = 'device';

export const profileKey = (subjectTag: string): string => `sw:{${subjectTag}}:profile`;
export const consentKey = (subjectTag: string): string => `sw:{${subjectTag}}:consent`;
export const generationKey = (subjectTag: string): string => `sw:{${subjectTag}}:generation`;
/** While it stands, the subject reads as one never seen and nothing is written for it. */
export const tombstoneKey = (subjectTag: string): string => `sw:{${subjectTag}}:tombstone`;
/** Which identities were linked to the subject, so that an erasure finds them. No read looks at it. */
export const linksKey = (subjectTag: string): string => `sw:{${subjectTag}}:links`;
export const identityKey = (tag: string): string => `sw:identity:${tag}`;
export const sessionKey = (sessionTag: string): string => `sw:{${sessionTag}}:session`;
/** What the visitor withdrew in it. */
export const sessionConsentKey = (sessionTag: string): string => `sw:{${sessionTag}}:session-consent`;
/** A revoked token; the key's existence is the whole record. */
export const revokedTokenKey = (tokenTag: string): string => `sw:revoked:${tokenTag}`;

/** A holder's proof that was presented; the key's existence is the whole record. No read looks at it. */
export const proofKey = (proofTag: string): string => `sw:proof:${proofTag}`;

export interface KeyParts {
  readonly kind: 'profile' | 'consent' | 'generation' | 'tombstone' | 'session' | 'session-consent' | 'identity' | 'revoked';
  readonly tag: string;
}

/** What a key is the key of; null for a name that none of the functions above makes. */
export function keyParts(key: string): KeyParts | null {
  const [, ofSubject, subjectKind, kind, tag] =
    /^sw:(?:\{([\w-]{22})\}:(profile|consent|generation|tombstone|session|session-consent)|(identity|revoked):([\w-]{22}))$/.exec(key) ??
    [];
  const parts = { kind: subjectKind ?? kind, tag: ofSubject ?? tag };
  return parts.tag === undefined ? null : (parts as KeyParts);
}

/** Under which a fleet keeps in Redis the secret that it made, or of a configured one the fingerprint. */
export const secretKey = 'sw:names';

/** What every key begins with. */
export const keyPrefix = 'sw:';

/** What stands in keys that say all by existing. */
export const presence = '1';
