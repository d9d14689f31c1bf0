/**
 * Bodies of the data routes, and lines of a load file → records of the store. One place, so that a profile means the same over
 * HTTP and from a file.
 */
import { z } from 'zod';
import type { Artefact } from '../decision/artefact.ts';
import type { IdentityLink, Profile, Session, StoredConsent } from '../decision/facts.ts';
import { parseTimestampMs } from '../policy/instant.ts';
import type { StoreWrite } from '../records/store.ts';
import { readAttributes } from './attributes.ts';
import { invalidRequest, type ProblemPlace } from './problem.ts';
import { consentSchema, identitySchema, profileSchema, sessionSchema, subjectSchema } from './schemas.ts';
import { validatorOf } from './validate.ts';

/** How long records live where the writer does not say: nothing personal is kept without an end. */
export const defaultTtlSeconds = {
  profile: 2_592_000,
  identity: 34_128_000,
  /** Long, because a stored denial does not age; grants in it end much earlier by the policy's `maxAgeDays`. */
  consent: 157_680_000,
  session: 86_400,
} as const;

/** A record may be dated this far ahead of our clock. */
const clockSkewMs = 300_000;

const checkedProfile = validatorOf(profileSchema);
const checkedIdentity = validatorOf(identitySchema);
const checkedConsent = validatorOf(consentSchema);
const checkedSession = validatorOf(sessionSchema);

export interface ProfileWrite {
  readonly profile: Profile;
  readonly ttlSeconds: number;
}

export function profileWriteOf(body: unknown, artefact: Artefact): ProfileWrite {
  const { attributes: given = {}, audiences = [], ttlSeconds = defaultTtlSeconds.profile } = checkedProfile(body);
  const { attributes, places } = readAttributes(given, artefact.attributes.profile, '/attributes');
  const unknown = audiences.flatMap((audience, index): ProblemPlace[] =>
    Object.hasOwn(artefact.audiences, audience) ? [] : [{ pointer: `/audiences/${index}`, detail: `must be a declared audience: ${Object.keys(artefact.audiences).join(', ') || 'the policy declares none'}` }],
  );
  if (places.length + unknown.length > 0) throw invalidRequest([...places, ...unknown]);
  return { profile: { attributes, audiences: [...new Set(audiences)] }, ttlSeconds };
}

export function identityLinkOf(body: unknown): IdentityLink {
  const { subject, method, confidencePpm = method === 'deterministic' ? 1_000_000 : 0 } = checkedIdentity(body);
  return { subject, method, confidencePpm };
}

export function storedConsentOf(body: unknown, nowMs: number): StoredConsent {
  const { useCases, recordedAt } = checkedConsent(body);
  const recordedAtMs = recordedAt === undefined ? nowMs : parseTimestampMs(recordedAt);
  if (recordedAtMs === null) throw invalidRequest([{ pointer: '/recordedAt', detail: 'must be a timestamp of RFC 3339' }]);
  if (recordedAtMs > nowMs + clockSkewMs) throw invalidRequest([{ pointer: '/recordedAt', detail: 'must not lie in the future' }]);
  return { useCases, recordedAtMs };
}

export function sessionOf(body: unknown, artefact: Artefact): Session {
  const { attributes: given = {} } = checkedSession(body);
  const { attributes, places } = readAttributes(given, artefact.attributes.session, '/attributes');
  if (places.length > 0) throw invalidRequest(places);
  return { attributes };
}

const loadKind = z.looseObject({ kind: z.enum(['profile', 'identity', 'consent', 'session']) });
const checkedKind = validatorOf(loadKind);
const checkedNamed = {
  subject: validatorOf(z.looseObject({ subject: subjectSchema })),
  identity: validatorOf(z.looseObject({ namespace: z.string().min(1).max(64), value: z.string().min(1).max(256) })),
  session: validatorOf(z.looseObject({ sessionId: z.string().min(1).max(512) })),
};

/** One line of a load file. A session's line names a session id of ours; `randomPartOf` verifies it and takes the stored part. */
export function storeWriteOf(line: unknown, artefact: Artefact, nowMs: number, randomPartOf: (sessionId: string) => string | null): StoreWrite {
  const { kind, ...rest } = checkedKind(line);
  switch (kind) {
    case 'profile': {
      const { subject, ...body } = checkedNamed.subject(rest);
      return { kind, subject, ...profileWriteOf(body, artefact) };
    }
    case 'consent': {
      const { subject, ...body } = checkedNamed.subject(rest);
      return { kind, subject, consent: storedConsentOf(body, nowMs), ttlSeconds: defaultTtlSeconds.consent };
    }
    case 'identity': {
      const { namespace, value, ...body } = checkedNamed.identity(rest);
      return { kind, namespace, value, link: identityLinkOf(body), ttlSeconds: defaultTtlSeconds.identity };
    }
    case 'session': {
      const { sessionId, ...body } = checkedNamed.session(rest);
      const id = randomPartOf(sessionId);
      if (id === null) throw invalidRequest([{ pointer: '/sessionId', detail: 'must be a session id that `POST /v1/sessions` answered, not yet expired' }]);
      return { kind, sessionId: id, session: sessionOf(body, artefact), ttlSeconds: defaultTtlSeconds.session };
    }
  }
}
