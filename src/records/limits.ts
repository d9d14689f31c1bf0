/** The numbers both stores keep to, and the checks that hold writers to them. */
import { daySeconds } from '../time/units.ts';
import { StoreError } from './store-error.ts';

/** UTF-16 units of one stored record. What is larger is neither written nor read. */
export const recordCharsMax = 65_536;

/** UTF-16 units of a subject, of an identity's value and of a token's id. */
export const idLengthMax = 256;

/** How deep lists may nest inside an attribute. */
export const valueDepthMax = 8;

/** A hundred years: a bound against overflow, not a retention rule. */
const recordLifeSecondsMax = 36_525 * daySeconds;

const tenYearsMs = 315_576_000_000;

/**
 * How long a raised generation is remembered after the last raise. It must outlive every issuer's memory of it: were it to lapse,
 * the next revocation would count from one again and miss the tokens that carry a higher one. Ten years; it holds no attribute.
 */
export const generationTtlMs = tenYearsMs;

/** As long, and for the same reason: without it nothing that is stored would be found again. */
export const keySecretTtlMs = tenYearsMs;

/** Backups that are older must not be restored without erasing again: the receipt says so. */
export const backupHorizonDays = 45;

/** How long nothing is written for somebody who was erased: longer than any backup, any queue of late events and any replica's delay. */
export const tombstoneLifeMs = backupHorizonDays * daySeconds * 1000;

/** Identities that are linked to one subject: an erasure and an export go through all of them. What has ended or moved on does not count. */
export const linksPerSubjectMax = 256;

/** Writes that share one pipeline or one transaction. */
export const batchChunkMax = 256;

export function ttlMsOf(ttlSeconds: number): number {
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > recordLifeSecondsMax) {
    throw new StoreError('invalid', `a lifetime must be a whole number of seconds from 1 to ${recordLifeSecondsMax}`);
  }
  return ttlSeconds * 1000;
}

/** An hour: a proof is good for two minutes, and nothing of it need outlive a clock set wrong by more. */
const proofLifeMsMax = 3_600_000;

export function proofLifeOf(lifeMs: number): number {
  if (!Number.isInteger(lifeMs) || lifeMs < 1 || lifeMs > proofLifeMsMax) {
    throw new StoreError('invalid', `a proof lives a whole number of milliseconds from 1 to ${proofLifeMsMax}`);
  }
  return lifeMs;
}

export function instantOf(untilMs: number): number {
  if (!Number.isFinite(untilMs) || Math.abs(untilMs) > Number.MAX_SAFE_INTEGER) {
    throw new StoreError('invalid', 'an end of revocation must be a number of milliseconds since the epoch');
  }
  return Math.ceil(untilMs);
}
