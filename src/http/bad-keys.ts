/**
 * How often one address may come with a key that is none. Who has a valid key is never held up by it: behind one proxy stand many
 * callers, and one of them must not be able to shut out the others.
 */
import { isIPv6 } from 'node:net';
import type { Clock } from '../time/clock.ts';
import { createBucketTable } from './bucket-table.ts';
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

/** One household or machine has a whole IPv6 network of 64 bits to choose addresses from. */
function placeOf(address = ''): string {
  if (address.startsWith('::ffff:')) return address.slice('::ffff:'.length);
  return isIPv6(address) ? networkOf(address) : address;
}

function networkOf(address: string): string {
  const [head = '', tail] = address.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0');
  return [...front, ...zeros, ...back].slice(0, 4).join(':');
}
