/**
 * How often one address may come with a key that is none. Who has a valid key is never held up by it: behind one proxy stand many
 * callers, and one of them must not be able to shut out the others.
 */
import type { Clock } from '../time/clock.ts';
import { createBucketTable } from './bucket-table.ts';
import { placeOf } from './place-of.ts';
import type { BucketSize } from './token-bucket.ts';

export interface BadKeys {
  /** Counts one more bad key from there. Null, or how long nobody listens to that address' bad keys, in seconds. */
  from(address: string | undefined): number | null;
  /** Of how many addresses something is remembered. */
  readonly addresses: number;
}

export const badKeySize: BucketSize = { perSecond: 10, tokensMax: 20 };
export const badKeyAddressesMax = 4096;

export function createBadKeys(clock: Pick<Clock, 'monotonicMs'>): BadKeys {
  const table = createBucketTable(clock, badKeySize, badKeyAddressesMax);
  return {
    from: (address) => table.take(placeOf(address)),
    get addresses() {
      return table.names;
    },
  };
}
