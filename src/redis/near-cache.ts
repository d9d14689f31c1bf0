/**
 * Records in the memory of this process, bounded in bytes. Being held proves nothing: a record is used because a server said just now
 * that it still has the version held, or because what it says was proved a moment ago and every change since would have been heard of.
 *
 * Knows nothing of Redis, and no plan; every instant in it is the given clock's.
 */
import type { IdentityLink, Session, StoredConsent } from '../decision/facts.ts';
import type { SessionConsent } from '../records/consent-record.ts';
import {
  consentKey,
  generationKey,
  identityKey,
  keyParts,
  profileKey,
  revokedTokenKey,
  sessionConsentKey,
  sessionKey,
  tombstoneKey,
} from '../records/keys.ts';
import type { ProfileRecord } from '../records/retention.ts';

export interface NearCacheOptions {
  /** 0: nothing is held. */
  readonly bytesMax: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

export interface Held<T> {
  readonly value: T;
  /** Empty where what is held is that there is nothing, or a record that has no version. */
  readonly version: string;
  /** When the read was sent that proved it last; -Infinity where a change may have come since. */
  readonly provedAtMs: number;
}

export interface Finding<T> {
  readonly value: T;
  readonly version?: string;
  /** Of the stored text. */
  readonly chars?: number;
  /** When the read was sent that found it; null: nobody is to trust it without asking. */
  readonly sentAtMs: number | null;
}

/** What a record costs beside its value: keys, objects and the tables that hold them. */
export const entryBytes = 256;
/** JavaScript keeps two bytes of a character where one is not enough. */
const bytesPerChar = 2;
/** One that is larger would push out too many others. */
const recordShareMax = 1 / 16;
/** What nobody asks about for so long is let go of, so that nobody's data stays here for days because nobody else's came. */
export const idleMaxMs = 600_000;
/** Changes that are remembered for the reads that were under way when they came. */
const changesMax = 4_096;

export const countedRecords = ['profile', 'session', 'link', 'all'] as const;
export const readOutcomes = ['validated', 'trusted', 'fetched'] as const;
type ReadCounts = Record<(typeof countedRecords)[number], Record<(typeof readOutcomes)[number], number>>;

export interface NearCacheFigures {
  /** Of each record, how often the one held was used, after asking for its version or without asking, and how often its text was fetched. */
  readonly reads: Readonly<Record<(typeof countedRecords)[number], Readonly<Record<(typeof readOutcomes)[number], number>>>>;
  readonly bytes: number;
  /** Records let go of because there was no room. */
  readonly evictions: number;
}

export class NearCache {
  readonly profiles: Shelf<ProfileRecord | null>;
  readonly sessions: Shelf<Session | null>;
  readonly links: Shelf<IdentityLink | null>;
  readonly consents: Shelf<StoredConsent | null>;
  readonly sessionConsents: Shelf<SessionConsent | null>;
  readonly generations: Shelf<number>;
  readonly tombstones: Shelf<boolean>;
  readonly revocations: Shelf<boolean>;
  /** Changed by whoever reads. */
  readonly reads: ReadCounts = { profile: noReads(), session: noReads(), link: noReads(), all: noReads() };
  readonly now: () => number;
  readonly #room: Room;
  readonly #changes: Changes;

  constructor({ bytesMax, now = () => performance.now() }: NearCacheOptions) {
    this.now = now;
    this.#room = new Room(bytesMax, now);
    this.#changes = new Changes();
    const shelf = <T>(keyOf: (tag: string) => string): Shelf<T> => new Shelf<T>(keyOf, this.#room, this.#changes);
    this.profiles = shelf(profileKey);
    this.sessions = shelf(sessionKey);
    this.links = shelf(identityKey);
    this.consents = shelf(consentKey);
    this.sessionConsents = shelf(sessionConsentKey);
    this.generations = shelf(generationKey);
    this.tombstones = shelf(tombstoneKey);
    this.revocations = shelf(revokedTokenKey);
  }

  get isOn(): boolean {
    return this.#room.bytesMax > 0;
  }

  /** Of whatever is stored under the key, what is held may not be true any more, nor what a read says that is under way. */
  changed(key: string): void {
    const parts = this.isOn ? keyParts(key) : null;
    if (parts === null) return;
    this.#changes.add(key, this.now());
    this.#shelfOf(parts.kind).drop(parts.tag);
    // What is held of an erased subject is that there is nothing; once its tombstone goes, that is not proved any more.
    if (parts.kind === 'tombstone') for (const keyOf of [profileKey, consentKey]) this.changed(keyOf(parts.tag));
  }

  figures(): NearCacheFigures {
    this.#room.releaseIdle();
    return { reads: this.reads, bytes: this.#room.bytes, evictions: this.#room.evictions };
  }

  #shelfOf(kind: NonNullable<ReturnType<typeof keyParts>>['kind']): { drop(tag: string): void } {
    switch (kind) {
      case 'profile':
        return this.profiles;
      case 'session':
        return this.sessions;
      case 'identity':
        return this.links;
      case 'consent':
        return this.consents;
      case 'session-consent':
        return this.sessionConsents;
      case 'generation':
        return this.generations;
      case 'tombstone':
        return this.tombstones;
      case 'revoked':
        return this.revocations;
    }
  }
}

function noReads(): ReadCounts['all'] {
  return { validated: 0, trusted: 0, fetched: 0 };
}

/** One kind of record, by tag. */
export class Shelf<T> {
  readonly keyOf: (tag: string) => string;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #room: Room;
  readonly #changes: Changes;

  constructor(keyOf: (tag: string) => string, room: Room, changes: Changes) {
    this.keyOf = keyOf;
    this.#room = room;
    this.#changes = changes;
  }

  get(tag: string): Held<T> | null {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return null;
    this.#room.touch(entry);
    return entry;
  }

  keep(tag: string, { value, version = '', chars = 0, sentAtMs }: Finding<T>): void {
    const before = this.#entries.get(tag);
    // Of two reads that were under way together the one sent later knows better.
    if (before !== undefined && sentAtMs !== null && before.provedAtMs > sentAtMs) return;
    const provedAtMs = this.#provedAtMs(tag, sentAtMs);
    if (before !== undefined) this.drop(tag);
    if (version === '' && provedAtMs === Number.NEGATIVE_INFINITY) return;
    const bytes = entryBytes + chars * bytesPerChar;
    if (bytes > this.#room.bytesMax * recordShareMax) return;
    // Many decisions share it, and one that changed it would change it for the next visitor.
    const entry: Entry<T> = {
      home: this.#entries,
      tag,
      value: frozen(value),
      version,
      provedAtMs,
      bytes,
      usedAtMs: 0,
      newer: null,
      older: null,
    };
    this.#entries.set(tag, entry);
    this.#room.add(entry);
  }

  /** A server said to a read sent at that instant that it has what is held. */
  renew(tag: string, held: Held<T>, sentAtMs: number | null): void {
    const entry = this.#entries.get(tag);
    if (entry !== undefined && entry === held) entry.provedAtMs = Math.max(entry.provedAtMs, this.#provedAtMs(tag, sentAtMs));
  }

  drop(tag: string): void {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return;
    this.#entries.delete(tag);
    this.#room.remove(entry);
  }

  #provedAtMs(tag: string, sentAtMs: number | null): number {
    return sentAtMs === null || this.#changes.mayHaveCome(this.keyOf(tag), sentAtMs) ? Number.NEGATIVE_INFINITY : sentAtMs;
  }
}

interface Entry<T> extends Held<T> {
  readonly home: { delete(tag: string): unknown };
  readonly tag: string;
  readonly bytes: number;
  usedAtMs: number;
  provedAtMs: number;
  newer: Entry<unknown> | null;
  older: Entry<unknown> | null;
}

/** The bound, and in which order what is held was used last. */
class Room {
  readonly bytesMax: number;
  readonly #now: () => number;
  bytes = 0;
  evictions = 0;
  #newest: Entry<unknown> | null = null;
  #oldest: Entry<unknown> | null = null;

  constructor(bytesMax: number, now: () => number) {
    this.bytesMax = bytesMax;
    this.#now = now;
  }

  add(entry: Entry<unknown>): void {
    entry.usedAtMs = this.#now();
    this.#link(entry);
    this.bytes += entry.bytes;
    while (this.bytes > this.bytesMax && this.#oldest !== null) {
      this.#release(this.#oldest);
      this.evictions += 1;
    }
    this.releaseIdle();
  }

  releaseIdle(): void {
    const idleSinceMs = this.#now() - idleMaxMs;
    while (this.#oldest !== null && this.#oldest.usedAtMs < idleSinceMs) this.#release(this.#oldest);
  }

  remove(entry: Entry<unknown>): void {
    this.#unlink(entry);
    this.bytes -= entry.bytes;
  }

  touch(entry: Entry<unknown>): void {
    if (entry !== this.#newest) {
      this.#unlink(entry);
      this.#link(entry);
    }
    entry.usedAtMs = this.#now();
  }

  #release(entry: Entry<unknown>): void {
    entry.home.delete(entry.tag);
    this.remove(entry);
  }

  #link(entry: Entry<unknown>): void {
    entry.older = this.#newest;
    entry.newer = null;
    if (this.#newest === null) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  #unlink(entry: Entry<unknown>): void {
    if (entry.newer === null) this.#newest = entry.older;
    else entry.newer.older = entry.older;
    if (entry.older === null) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
  }
}

/** What was changed lately, for reads that were sent before they could see it. Bounded: of what is forgotten, any key may have been. */
class Changes {
  /** In the order in which they came. */
  readonly #atMs = new Map<string, number>();
  #forgottenAtMs = Number.NEGATIVE_INFINITY;

  add(key: string, atMs: number): void {
    this.#atMs.delete(key);
    this.#atMs.set(key, atMs);
    if (this.#atMs.size <= changesMax) return;
    for (const [oldest, forgottenAtMs] of this.#atMs) {
      this.#atMs.delete(oldest);
      this.#forgottenAtMs = forgottenAtMs;
      return;
    }
  }

  /** In the same instant counts as afterwards. */
  mayHaveCome(key: string, sentAtMs: number): boolean {
    return this.#forgottenAtMs >= sentAtMs || (this.#atMs.get(key) ?? Number.NEGATIVE_INFINITY) >= sentAtMs;
  }
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}
