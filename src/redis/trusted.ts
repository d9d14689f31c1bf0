/**
 * A reading from memory, without a round trip: where everything that the plan would touch, absence included, was proved by a read sent
 * no longer ago than the plan allows, and every change since would have been heard of. The same permission functions decide.
 */
import { absent, type Fact } from '../decision/facts.ts';
import { type Lookups, type PlanTags, readingBy } from '../records/reading.ts';
import type { ReadPlan, StoreReading } from '../records/store.ts';
import type { NearCache, Shelf } from './near-cache.ts';

/** Since when every change of what is stored under the key has been heard of, without a gap; Infinity where none is. */
export type HeardSince = (key: string) => number;

/** Null: not everything is proved. */
export function trustedReading(
  plan: ReadPlan,
  tags: PlanTags,
  { cache, heardSince }: { readonly cache: NearCache; readonly heardSince: HeardSince },
): StoreReading | null {
  const proofs = new Proofs(cache, heardSince, cache.now() - plan.freshnessMaxMs);
  const reading = readingBy(plan, tags, proofs);
  if (!proofs.areComplete) return null;
  const { reads } = cache;
  reads.all.trusted += 1;
  if (tags.device !== null && reading.link !== null) reads.link.trusted += 1;
  if (reading.profile.state === 'known') reads.profile.trusted += 1;
  if (reading.session.state === 'known') reads.session.trusted += 1;
  return { ...reading, fromMemory: true };
}

class Proofs implements Lookups {
  areComplete = true;
  readonly #cache: NearCache;
  readonly #heardSince: HeardSince;
  readonly #provedSinceMs: number;

  constructor(cache: NearCache, heardSince: HeardSince, provedSinceMs: number) {
    this.#cache = cache;
    this.#heardSince = heardSince;
    this.#provedSinceMs = provedSinceMs;
  }

  isErased(tag: string): boolean {
    return this.#proved(this.#cache.tombstones, tag, false);
  }

  link(tag: string) {
    return this.#proved(this.#cache.links, tag, null);
  }

  generation(tag: string): number {
    return this.#proved(this.#cache.generations, tag, 0);
  }

  isRevoked(tag: string): boolean {
    return this.#proved(this.#cache.revocations, tag, false);
  }

  consent(tag: string) {
    return this.#proved(this.#cache.consents, tag, null);
  }

  sessionConsent(tag: string) {
    return this.#proved(this.#cache.sessionConsents, tag, null);
  }

  profile(tag: string) {
    return factOf(this.#proved(this.#cache.profiles, tag, null));
  }

  session(tag: string) {
    return factOf(this.#proved(this.#cache.sessions, tag, null));
  }

  /** Once something is not proved, the rest does not matter any more. */
  #proved<T>(shelf: Shelf<T>, tag: string, otherwise: T): T {
    if (!this.areComplete) return otherwise;
    const held = shelf.get(tag);
    // In the same instant as the connection that hears of changes counts as before it.
    if (held !== null && held.provedAtMs >= this.#provedSinceMs && held.provedAtMs > this.#heardSince(shelf.keyOf(tag))) return held.value;
    this.areComplete = false;
    return otherwise;
  }
}

function factOf<T>(value: T | null): Fact<T> {
  return value === null ? absent : { state: 'known', value };
}
