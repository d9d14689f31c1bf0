/**
 * What one read knows beforehand from the near cache, and what it leaves there: the versions to ask with, the records that stand for
 * an answer of "still the same", and the proofs, where the plan lets later reads trust them.
 */
import { absent, type Fact, type IdentityLink, type Session, type StoredConsent } from '../decision/facts.ts';
import { decodeProfile, decodeSession, headers, versionOf } from '../records/codec.ts';
import type { SessionConsent } from '../records/consent-record.ts';
import type { KeyNames } from '../records/keys.ts';
import { linkFrom, type PlanTags } from '../records/reading.ts';
import type { ProfileRecord } from '../records/retention.ts';
import type { ReadPlan, StoreReading } from '../records/store.ts';
import type { Held, NearCache, Shelf } from './near-cache.ts';
import { sameVersion } from './scripts.ts';

export class Recollection {
  readonly link: Recalled<IdentityLink>;
  readonly profile: Recalled<ProfileRecord>;
  readonly session: Recalled<Session>;
  readonly #cache: NearCache;
  readonly #names: KeyNames;
  /** Null: whatever is found, nobody may trust it later. */
  readonly #sentAtMs: number | null;

  constructor(cache: NearCache, { freshnessMaxMs }: ReadPlan, { names, device, subject, session }: PlanTags) {
    this.#cache = cache;
    this.#names = names;
    const sentAtMs = freshnessMaxMs > 0 ? cache.now() : null;
    this.#sentAtMs = sentAtMs;
    this.link = new Recalled({
      shelf: cache.links,
      tag: device,
      header: headers.identity,
      decode: (tag, text) => linkFrom(tag, text, names),
      sentAtMs,
    });
    this.profile = new Recalled({ shelf: cache.profiles, tag: subject, header: headers.profile, decode: decodeProfile, sentAtMs });
    this.session = new Recalled({ shelf: cache.sessions, tag: session, header: headers.session, decode: decodeSession, sentAtMs });
  }

  /** Rejects what cannot be read: it may name somebody who said no. */
  linkFound(text: string | null): IdentityLink | null {
    const found = this.link.found(text);
    return found.state === 'known' ? found.value : null;
  }

  sessionFound(text: string | null): Fact<Session> {
    const found = this.session.found(text);
    return found.state === 'failed' ? absent : found;
  }

  /**
   * Whoever the stored link names is erased. That may be another than the one held names, so nothing is proved of anybody here; to let
   * go of what is held of somebody who is not erased costs one fetch.
   */
  linkErased(): void {
    const held = this.link.forget();
    if (held !== null) this.#forget(this.#names.subject(held.subject));
  }

  erased(subjectTag: string | null, value: boolean): void {
    if (value && subjectTag !== null) this.#forget(subjectTag);
    this.#prove(this.#cache.tombstones, subjectTag, value);
  }

  generation(subjectTag: string | null, value: number): void {
    this.#prove(this.#cache.generations, subjectTag, value);
  }

  revoked(tokenTag: string | null, value: boolean): void {
    this.#prove(this.#cache.revocations, tokenTag, value);
  }

  consent(subjectTag: string | null, value: StoredConsent | null, text: string | null): void {
    this.#prove(this.#cache.consents, subjectTag, value, text?.length);
  }

  sessionConsent(sessionTag: string | null, value: SessionConsent | null, text: string | null): void {
    this.#prove(this.#cache.sessionConsents, sessionTag, value, text?.length);
  }

  /** To be called once, with what the store hands back. */
  end(reading: StoreReading): StoreReading {
    const { reads } = this.#cache;
    const counted = { link: this.link, profile: this.profile, session: this.session } as const;
    let all: 'validated' | 'fetched' = 'validated';
    for (const record in counted) {
      const { outcome } = counted[record as keyof typeof counted];
      if (outcome !== null) reads[record as keyof typeof counted][outcome] += 1;
      if (outcome === 'fetched') all = 'fetched';
    }
    reads.all[all] += 1;
    return reading;
  }

  #forget(subjectTag: string): void {
    this.#cache.profiles.drop(subjectTag);
    this.#cache.consents.drop(subjectTag);
  }

  #prove<T>(shelf: Shelf<T>, tag: string | null, value: T, chars = 0): void {
    if (this.#sentAtMs !== null && tag !== null) shelf.keep(tag, { value, chars, sentAtMs: this.#sentAtMs });
  }
}

interface RecalledParts<T> {
  readonly shelf: Shelf<T | null>;
  /** Null: the plan names none. */
  readonly tag: string | null;
  readonly header: string;
  readonly decode: (tag: string, text: string) => T | null;
  readonly sentAtMs: number | null;
}

class Recalled<T> {
  /** Of what is held; empty where nothing is. */
  readonly version: string;
  /** Null: nothing was found, or nobody looked. */
  outcome: 'validated' | 'fetched' | null = null;
  readonly #parts: RecalledParts<T>;
  readonly #held: Held<T | null> | null;

  constructor(parts: RecalledParts<T>) {
    this.#parts = parts;
    this.#held = parts.tag === null ? null : parts.shelf.get(parts.tag);
    this.version = this.#held?.version ?? '';
  }

  /** With which words the stored text begins where it is the one held; empty where none is. */
  get beginning(): string {
    return this.version === '' ? '' : this.#parts.header + this.#parts.tag + this.version;
  }

  /** Nothing of it stays. Returns what was held. */
  forget(): T | null {
    const { shelf, tag } = this.#parts;
    if (tag !== null) shelf.drop(tag);
    return this.#held?.value ?? null;
  }

  /** Of a record that might be read: what the server's answer stands for. */
  found(text: string | null): Fact<T> {
    const { shelf, tag, decode, sentAtMs } = this.#parts;
    if (tag === null) return absent;
    if (text === null) {
      // What is gone from Redis does not stay here.
      if (sentAtMs === null) shelf.drop(tag);
      else shelf.keep(tag, { value: null, sentAtMs });
      return absent;
    }
    const held = this.#held;
    if (text === sameVersion && held !== null && held.value !== null) {
      shelf.renew(tag, held, sentAtMs);
      this.outcome = 'validated';
      return { state: 'known', value: held.value };
    }
    const value = decode(tag, text);
    if (value === null) return { state: 'failed' };
    this.outcome = 'fetched';
    shelf.keep(tag, { value, version: versionOf(text), chars: text.length, sentAtMs });
    return { state: 'known', value };
  }
}
