/** The bounds that writers are held to, to the last number that is let through and the first that is not. */
import { describe, expect, it } from 'vitest';
import { backupHorizonDays, instantOf, proofLifeOf, tombstoneLifeMs, ttlMsOf } from '../../src/records/limits.ts';

const refused = expect.objectContaining({ code: 'invalid' });
const hundredYearsSeconds = 36_525 * 86_400;

describe('a lifetime', () => {
  it.each([1, 60, hundredYearsSeconds])('of %d seconds is that many milliseconds', (seconds) => {
    expect(ttlMsOf(seconds)).toBe(seconds * 1000);
  });

  it.each([0, -1, 0.5, 1.5, hundredYearsSeconds + 1, Number.NaN, Number.POSITIVE_INFINITY])('of %d seconds is none', (seconds) => {
    expect(() => ttlMsOf(seconds)).toThrow(refused);
  });

  it.each([1, 120_000, 3_600_000])('of a proof may be %d ms', (ms) => {
    expect(proofLifeOf(ms)).toBe(ms);
  });

  it.each([0, -1, 0.5, 3_600_001, Number.NaN, Number.POSITIVE_INFINITY])('of a proof is not %d ms', (ms) => {
    expect(() => proofLifeOf(ms)).toThrow(refused);
  });

  it('of a tombstone is as long as any backup may be old', () => {
    expect(tombstoneLifeMs).toBe(backupHorizonDays * 86_400_000);
    expect(backupHorizonDays).toBeGreaterThanOrEqual(45);
  });
});

describe('the end of a revocation', () => {
  it('is the next whole millisecond, so that none is short', () => {
    expect([10, 10.1, 10.9, -0.5, Number.MAX_SAFE_INTEGER].map(instantOf)).toEqual([10, 11, 11, -0, Number.MAX_SAFE_INTEGER]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53, -(2 ** 53)])('is not %d', (untilMs) => {
    expect(() => instantOf(untilMs)).toThrow(refused);
  });
});
