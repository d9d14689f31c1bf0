/** A consent record says when something was said, and nothing was said in the future. */
import { expect, it } from 'vitest';
import { ProblemError } from '../../src/contract/problem.ts';
import { toConsentWrite } from '../../src/contract/records.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');

function pointersOf(recordedAt: string): readonly string[] {
  try {
    toConsentWrite('ada', { useCases: { offers: 'denied' }, recordedAt }, nowMs);
    return [];
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    expect(error.code).toBe('invalid_request');
    return error.errors.map(({ pointer, detail }) => `${pointer} ${detail}`);
  }
}

it.each(['2026-11-21T12:05:00Z', '2026-11-21T13:05:00+01:00', '2026-11-21T12:00:00Z', '1999-01-01T00:00:00Z'])(
  'takes a record of %s at noon: a clock may be five minutes ahead',
  (recordedAt) => expect(pointersOf(recordedAt)).toEqual([]),
);

it.each(['2026-11-21T12:05:00.001Z', '2026-11-21T12:05:01Z', '2026-11-21T12:00:00-01:00', '9999-12-31T23:59:59Z'])(
  'refuses a record of %s at noon, and says so',
  (recordedAt) =>
    expect(pointersOf(recordedAt)).toEqual([
      '/recordedAt this is more than 5 minutes ahead of the clock here: write when it was said, and check your clock and its time zone',
    ]),
);
