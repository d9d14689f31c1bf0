/** Erasures and exports between the wire and the stores: who is meant, and what a receipt and an export say. */
import type { Artefact } from '../decision/artefact.ts';
import type { HeldConsent } from '../records/consent-record.ts';
import type { Erasure, ErasureRequest, HeldLink } from '../records/erasure.ts';
import { backupHorizonDays } from '../records/limits.ts';
import { livingProfile } from '../records/retention.ts';
import type { StoredProfile } from '../records/store.ts';
import { writtenAttributes } from './attributes.ts';
import { consentAnswer } from './consents.ts';
import { instantText } from './instant-text.ts';
import { invalidRequest } from './problem.ts';
import { checkSubjectOfBody } from './records.ts';
import { erasureSchema } from './schemas.ts';
import { validatorOf } from './validate.ts';

const readErasure = validatorOf(erasureSchema);

export interface AskedErasure extends ErasureRequest {
  readonly subject: string;
}

export function toErasure(body: unknown, idempotencyKey: unknown, nowMs: number): AskedErasure {
  const { subject } = readErasure(body);
  checkSubjectOfBody(subject);
  return { subject, atMs: nowMs, requestId: requestIdOf(idempotencyKey) };
}

function requestIdOf(header: unknown): string | null {
  if (header === undefined) return null;
  if (typeof header === 'string' && /^[A-Za-z0-9._:-]{1,64}$/.test(header)) return header;
  const detail = 'write one word of 1 to 64 letters, digits, `.`, `_`, `:` or `-`';
  throw invalidRequest([{ in: 'header', pointer: '/idempotency-key', detail }]);
}

export function erasureAnswer({ id, requestedAtMs, completedAtMs, tombstoneUntilMs }: Erasure) {
  return {
    id,
    state: completedAtMs === null ? ('running' as const) : ('completed' as const),
    requestedAt: instantText(requestedAtMs),
    completedAt: completedAtMs === null ? null : instantText(completedAtMs),
    tombstoneUntil: instantText(tombstoneUntilMs),
    backupHorizonDays,
  };
}

export interface Held {
  readonly subject: string;
  readonly profile: StoredProfile | null;
  readonly consent: HeldConsent | null;
  readonly links: readonly HeldLink[];
  readonly generation: number;
  readonly erasure: Erasure | null;
}

/** All that is stored of one person. What names a device or another system's record is not stored, so it cannot be told. */
export function exportAnswer(
  { subject, profile, consent, links, generation, erasure }: Held,
  { attributes: declared }: Artefact,
  nowMs: number,
) {
  return {
    subject,
    profile: profile === null ? null : profileAnswer(profile, declared.profile, nowMs),
    consent: consent === null ? null : consentAnswer(consent),
    identities: links.map(({ name, method, confidencePpm, expiresAtMs }) => ({
      name,
      method,
      confidencePpm,
      expiresAt: instantText(expiresAtMs),
    })),
    generation,
    erasure: erasure === null ? null : erasureAnswer(erasure),
  };
}

function profileAnswer(stored: StoredProfile, declared: Artefact['attributes']['profile'], nowMs: number) {
  const { attributes, audiences } = livingProfile(stored, nowMs);
  const { expiresAtMs } = stored;
  return { attributes: writtenAttributes(attributes, declared), audiences, expiresAt: instantText(expiresAtMs) };
}
