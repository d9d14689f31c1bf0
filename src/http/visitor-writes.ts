/**
 * How often a visitor may write with no more than a session id, for each write is one that the store keeps. It goes by the session and
 * never by the address: behind one proxy stand many visitors, and none of them may keep another from taking consent back.
 */
import type { Clock } from '../time/clock.ts';
import { type BucketTable, createBucketTable } from './bucket-table.ts';
import type { BucketSize } from './token-bucket.ts';

/** Far more than a person has to say, who finds a switch for each use case and turns all of them. */
export const visitorWriteSize: BucketSize = { perSecond: 10, tokensMax: 100 };
export const visitorSessionsMax = 4096;

export function createVisitorWrites(clock: Pick<Clock, 'monotonicMs'>): BucketTable {
  return createBucketTable(clock, visitorWriteSize, visitorSessionsMax);
}
