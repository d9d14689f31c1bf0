/**
 * The records of a believable shop, to go with `examples/retail.yaml`: a handful of people with names, then as many strangers
 * as asked for. The same seed and time give the same records, and a longer list begins with the shorter one.
 */
import type { StoreWrite } from '../records/store.ts';
import { namedPeople } from './named-people.ts';
import { writesOf } from './person.ts';
import { randomSource } from './random.ts';
import { shopper } from './shopper.ts';

export const demoDefaults = { seed: 1, count: 10_000 } as const;

export interface DemoOptions {
  readonly seed: number;
  /** How many people besides the named ones. Each gives a profile and, mostly, a consent record and device links. */
  readonly count: number;
  /** Consent ages and vouchers are counted from here. */
  readonly nowMs: number;
}

export function* demoWrites({ seed, count, nowMs }: DemoOptions): Iterable<StoreWrite> {
  for (const person of namedPeople(nowMs)) yield* writesOf(person, nowMs);
  for (let index = 1; index <= count; index += 1) {
    const subject = `shopper-${String(index).padStart(5, '0')}`;
    yield* writesOf(shopper(subject, randomSource(seed, index), nowMs), nowMs);
  }
}
