/**
 * How long the parts of a profile are kept. Each attribute and audience whose policy names a retention carries the instant at which it
 * ends, set when it was written: no policy that comes later can keep it longer.
 */
import type { Fact, Profile } from '../decision/facts.ts';
import type { Value } from '../decision/value.ts';

/** By name, in milliseconds since the epoch; what is not named ends with its record. */
export interface Ends {
  readonly attributes: Readonly<Record<string, number>>;
  readonly audiences: Readonly<Record<string, number>>;
}

export interface ProfileRecord extends Profile {
  readonly ends?: Ends;
}

/** What is left of it at that instant: what has ended is as if it had never been written. */
export function livingProfile(record: ProfileRecord, nowMs: number): Profile {
  const { ends } = record;
  if (ends === undefined) return record;
  const lives = (name: string, endsAtMs: Readonly<Record<string, number>>): boolean =>
    !Object.hasOwn(endsAtMs, name) || nowMs < (endsAtMs[name] ?? nowMs);
  // A null prototype: an attribute may have any name.
  const attributes: Record<string, Value> = Object.create(null);
  for (const [name, value] of Object.entries(record.attributes)) if (lives(name, ends.attributes)) attributes[name] = value;
  return { attributes, audiences: record.audiences.filter((name) => lives(name, ends.audiences)) };
}

export function livingFact(fact: Fact<ProfileRecord>, nowMs: number): Fact<Profile> {
  return fact.state === 'known' ? { state: 'known', value: livingProfile(fact.value, nowMs) } : fact;
}

/** When the last of it ends; null where something in it has no end of its own. */
export function lastEndMs({ attributes, audiences, ends }: ProfileRecord): number | null {
  const names = Object.keys(attributes);
  if (ends === undefined || names.length + audiences.length === 0) return null;
  const endings = [...names.map((name) => ends.attributes[name]), ...audiences.map((name) => ends.audiences[name])];
  return endings.some((end) => end === undefined) ? null : Math.max(...endings.map((end) => end ?? 0));
}
