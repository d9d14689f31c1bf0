/**
 * A stored consent record: what is said, since when, by whom, and how often it was written. What a put and a withdrawal make of the
 * record that stood before is worked out here, for both stores.
 *
 * It holds no raw signal and nothing of who sent it: the evidence of a consent is kept where it was collected.
 */
import type { StoredConsent } from '../decision/facts.ts';
import { type ConsentState, type PersonalUseCase, personalUseCases } from '../decision/vocabulary.ts';

/** `api` and `load` are the site's own systems, `withdrawal` speaks for a person, `session` for a visitor. */
export const consentSources = ['api', 'load', 'withdrawal', 'session'] as const;
export type ConsentSource = (typeof consentSources)[number];

export type StoredUseCase = PersonalUseCase | `category:${string}`;

export const noticeVersionCharsMax = 64;

/** Special categories in one record: more than any policy names, few enough that nobody fills a store with them. */
export const categoriesMax = 64;

export interface ConsentWrite extends StoredConsent {
  /** Absent: the API. */
  readonly source?: ConsentSource;
  /** Of the notice that was shown. */
  readonly noticeVersion?: string;
}

export interface ConsentRecord extends StoredConsent {
  /** Raised by every write. */
  readonly generation: number;
  /** The generation of the last withdrawal; 0: there was none. */
  readonly withdrawnGeneration: number;
  readonly source: ConsentSource;
  readonly noticeVersion?: string;
  /** Of a session: it is over, and its id is as if it had expired. */
  readonly ended?: true;
}

/** What a decision is told of a session's record. */
export type SessionConsent = StoredConsent & Pick<ConsentRecord, 'ended'>;

export interface HeldConsent extends ConsentRecord {
  readonly expiresAtMs: number;
}

export interface Withdrawal {
  /** Null: everything. */
  readonly useCases: readonly StoredUseCase[] | null;
  /** Of a session: that it is over. Nothing takes that back. */
  readonly ends?: true;
  readonly atMs: number;
  readonly ttlSeconds: number;
}

/** A put replaces all that was said. Null: something was withdrawn after the generation `since`, which the writer cannot have known of. */
export function recordAfterPut(before: ConsentRecord | null, write: ConsentWrite, since: number | null): ConsentRecord | null {
  if (since !== null && before !== null && before.withdrawnGeneration > since) return null;
  const { source = 'api', ...said } = write;
  return { ...said, source, generation: (before?.generation ?? 0) + 1, withdrawnGeneration: before?.withdrawnGeneration ?? 0 };
}

/**
 * Denies what is withdrawn and leaves the rest as it was. Of a record that cannot be read nothing is left, so everything is denied; the
 * same where a visitor names more categories than a record holds.
 */
export function recordAfterWithdrawal(
  before: ConsentRecord | 'unreadable' | null,
  { useCases, ends, atMs }: Withdrawal,
  source: ConsentSource,
): ConsentRecord {
  const known = before === 'unreadable' ? null : before;
  const said = new Map<string, ConsentState>(Object.entries(known?.useCases ?? {}) as [string, ConsentState][]);
  const isAll = useCases === null || before === 'unreadable';
  for (const useCase of isAll ? [...personalUseCases, ...said.keys()] : useCases) said.set(useCase, 'denied');
  const roomForCategories = Math.max(categoriesMax, categoriesIn(known?.useCases ?? {}));
  if (categoriesIn(Object.fromEntries(said)) > roomForCategories) for (const useCase of personalUseCases) said.set(useCase, 'denied');
  const grantedAtMs = known?.grantedAtMs ?? known?.recordedAtMs;
  // A clock that was set back makes no denial older.
  const recordedAtMs = Math.max(atMs, known?.recordedAtMs ?? atMs);
  const generation = (known?.generation ?? 0) + 1;
  return {
    useCases: withinBounds(said, roomForCategories) as StoredConsent['useCases'],
    recordedAtMs,
    ...(grantedAtMs === undefined || grantedAtMs === recordedAtMs || !grantsAnything(said) ? {} : { grantedAtMs }),
    generation,
    withdrawnGeneration: generation,
    source,
    ...(known?.noticeVersion === undefined ? {} : { noticeVersion: known.noticeVersion }),
    ...(ends || known?.ended ? { ended: true as const } : {}),
  };
}

/** Whether what a session has learned may go: nothing that selects content by it will be allowed any more. */
export function endsSessionData({ useCases, ends }: Withdrawal): boolean {
  return ends === true || useCases === null || useCases.includes('content_personalization');
}

function grantsAnything(said: ReadonlyMap<string, ConsentState>): boolean {
  return [...said.values()].includes('granted');
}

function categoriesIn(useCases: Readonly<Record<string, unknown>>): number {
  return Object.keys(useCases).filter((name) => name.startsWith('category:')).length;
}

function withinBounds(said: ReadonlyMap<string, ConsentState>, roomForCategories: number): Readonly<Record<string, ConsentState>> {
  const kept: Record<string, ConsentState> = Object.create(null);
  let categories = 0;
  for (const [name, state] of said) {
    const isCategory = name.startsWith('category:');
    if (isCategory && categories >= roomForCategories) continue;
    if (isCategory) categories += 1;
    kept[name] = state;
  }
  return kept;
}
