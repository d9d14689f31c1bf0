/**
 * An erasure and its receipt. The receipt is what the tombstone holds: when it was asked for and done, and nothing of whom it is about but
 * the name that its own key has already.
 */
import { tagLength } from './keys.ts';
import { tombstoneLifeMs } from './limits.ts';

export interface Erasure {
  readonly id: string;
  readonly requestedAtMs: number;
  /** Null: links of the subject may still be there. They read as if they were not. */
  readonly completedAtMs: number | null;
  readonly tombstoneUntilMs: number;
}

export interface ErasureRequest {
  readonly atMs: number;
  /** The caller's own word for this request: said again, it answers the receipt that stands. Null: it says none. */
  readonly requestId: string | null;
}

/** `running`: links that name the subject are left, and without its tombstone they would count again. `absent`: no such erasure stood. */
export type Lifting = 'lifted' | 'running' | 'absent';

export type ErasureKey = { readonly id: string } | { readonly subject: string };

/** A link to the subject, as far as it can be told: the id itself is stored nowhere. */
export interface HeldLink {
  readonly name: string;
  readonly method: 'deterministic' | 'probabilistic';
  readonly confidencePpm: number;
  readonly expiresAtMs: number;
}

/** INVARIANT: the scripts read the header and the request's name by their positions, and that what runs ends with `runningEnd`. */
export const tombstoneHeader = 'e1';
export const requestTagFrom = tombstoneHeader.length + tagLength;
export const runningEnd = '|';
const noRequest = '.'.repeat(tagLength);

export interface Tombstone {
  readonly subjectTag: string;
  /** Null: the request has no name. */
  readonly requestTag: string | null;
  readonly requestedAtMs: number;
  readonly completedAtMs: number | null;
}

export function encodeTombstone({ subjectTag, requestTag, requestedAtMs, completedAtMs }: Tombstone): string {
  return `${tombstoneHeader}${subjectTag}${requestTag ?? noRequest}${requestedAtMs}${runningEnd}${completedAtMs ?? ''}`;
}

/** Null for what no erasure wrote. */
export function decodeTombstone(subjectTag: string, text: string): Tombstone | null {
  if (!text.startsWith(tombstoneHeader + subjectTag)) return null;
  const [, requestTag, requestedAt, completedAt] = /^([\w-]{22}|\.{22})(\d{1,15})\|(\d{0,15})$/.exec(text.slice(requestTagFrom)) ?? [];
  if (requestTag === undefined || completedAt === undefined) return null;
  return {
    subjectTag,
    requestTag: requestTag === noRequest ? null : requestTag,
    requestedAtMs: Number(requestedAt),
    completedAtMs: completedAt === '' ? null : Number(completedAt),
  };
}

/** An erasure is named as its tombstone's key is, which says nothing to who has not the secret. */
export function erasureOf({ subjectTag, requestedAtMs, completedAtMs }: Tombstone): Erasure {
  return { id: subjectTag, requestedAtMs, completedAtMs, tombstoneUntilMs: requestedAtMs + tombstoneLifeMs };
}

export function isErasureId(id: string): boolean {
  return /^[\w-]{22}$/.test(id);
}
