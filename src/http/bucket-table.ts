/** Buckets by name, of which a bounded number is remembered: how often each of many callers may do something. */
import type { Clock } from '../time/clock.ts';
import { type BucketSize, fullBucket, type TokenBucket, takeToken } from './token-bucket.ts';

export interface BucketTable {
  /** Null where that one may once more; else how long it may not, in seconds. */
  take(name: string): number | null;
  /** Of how many something is remembered. */
  readonly names: number;
}

/** Beyond `namesMax` the one heard of longest ago is forgotten first: that is a new chance for it, and no room for an attacker to take. */
export function createBucketTable(clock: Pick<Clock, 'monotonicMs'>, size: BucketSize, namesMax: number): BucketTable {
  const buckets = new Map<string, TokenBucket>();
  return {
    take(name) {
      const nowMs = clock.monotonicMs();
      const bucket = buckets.get(name) ?? fullBucket(size, nowMs);
      // To the end of the order.
      buckets.delete(name);
      buckets.set(name, bucket);
      if (buckets.size > namesMax) {
        for (const oldest of buckets.keys()) {
          buckets.delete(oldest);
          break;
        }
      }
      const waitMs = takeToken(bucket, size, nowMs);
      return waitMs === null ? null : Math.max(1, Math.ceil(waitMs / 1000));
    },
    get names() {
      return buckets.size;
    },
  };
}
