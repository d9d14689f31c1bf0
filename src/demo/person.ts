/**
 * One demo person and the records that a shop would hold about them. Attribute and audience names are those of
 * `examples/retail.yaml`; nobody here exists.
 */
import type { IdentityLink } from '../decision/facts.ts';
import type { Attributes } from '../decision/value.ts';
import { type ConsentState, type PersonalUseCase, personalUseCases } from '../decision/vocabulary.ts';
import type { StoreWrite } from '../records/store.ts';
import { dayMs } from '../time/units.ts';

export interface Person {
  readonly subject: string;
  readonly attributes: Attributes;
  readonly audiences: readonly string[];
  /** Null: nobody ever asked this person, so nothing is on record. */
  readonly consent: PersonConsent | null;
  /** Devices that are linked to this person. */
  readonly devices: readonly { readonly id: string; readonly method: IdentityLink['method']; readonly confidencePpm: number }[];
}

export interface PersonConsent {
  readonly useCases: Readonly<Partial<Record<PersonalUseCase | `category:${string}`, ConsentState>>>;
  readonly ageDays: number;
}

/** A year: demo records end by themselves, as everything personal must. */
const ttlSeconds = 31_536_000;

export function everyUseCase(state: ConsentState): Readonly<Record<PersonalUseCase, ConsentState>> {
  return Object.fromEntries(personalUseCases.map((useCase) => [useCase, state])) as Record<PersonalUseCase, ConsentState>;
}

export function* writesOf(person: Person, nowMs: number): Iterable<StoreWrite> {
  const { subject, attributes, audiences, consent, devices } = person;
  yield { kind: 'profile', subject, profile: { attributes, audiences }, ttlSeconds };
  if (consent !== null) {
    const recordedAtMs = nowMs - consent.ageDays * dayMs;
    yield { kind: 'consent', subject, consent: { useCases: consent.useCases, recordedAtMs }, ttlSeconds };
  }
  for (const { id, method, confidencePpm } of devices) {
    yield { kind: 'identity', namespace: 'device', value: id, link: { subject, method, confidencePpm }, ttlSeconds };
  }
}

/** A `timestamp` attribute: the day that lies `days` after `nowMs`, at midnight UTC. */
export function dayAfter(nowMs: number, days: number): string {
  const day = new Date(nowMs + days * dayMs).toISOString().slice(0, 10);
  return `${day}T00:00:00Z`;
}
