/** What a class asks for, condition by condition: each missing alone closes it, and the first that is missing is named. */
import { describe, expect, test } from 'vitest';
import type { Sensitivity } from '../../src/decision/artefact.ts';
import { type Clearance, classLoss, combined, isEnabled, stepUpMaxAgeSeconds } from '../../src/decision/sensitivity.ts';

const of = (ofClass: Sensitivity['class'], categories: readonly string[] = [], uncategorised = false): Sensitivity => ({
  class: ofClass,
  categories,
  uncategorised,
});

const cleared: Clearance = {
  tier: 'user',
  beyondRequestFacts: true,
  enabledCategories: ['health', 'debt'],
  explicit: { useCases: { 'category:health': 'granted', 'category:debt': 'denied' }, recordedAtMs: 0 },
  holderProved: true,
  authenticatedRecently: true,
};

describe('a class', () => {
  const inherited = Object.create({ 'category:health': 'granted' }) as object;

  test.each<[string, Sensitivity, Partial<Clearance>, string | null]>([
    ['S0 needs nothing', of('S0'), { beyondRequestFacts: false, holderProved: false, authenticatedRecently: false, explicit: null }, null],
    ['S0 needs nothing on the segment rung', of('S0'), { tier: 'segment', beyondRequestFacts: false }, null],
    ['S1 is shown to who may be selected by behaviour', of('S1'), { tier: 'segment' }, null],
    ['S1 is not shown to others', of('S1'), { tier: 'segment', beyondRequestFacts: false }, 'class_not_allowed'],
    ['S1 needs no proof', of('S1'), { holderProved: false, authenticatedRecently: false, explicit: null }, null],
    ['S1 is shown to everybody on the last rung', of('S1'), { tier: 'anonymous', beyondRequestFacts: false }, null],
    ['S2 is shown to a proved holder', of('S2'), { explicit: null, enabledCategories: [] }, null],
    ['S2 is of the user rung', of('S2'), { tier: 'session' }, 'class_not_allowed'],
    ['S2 is not of the segment rung', of('S2'), { tier: 'segment' }, 'class_not_allowed'],
    ['S2 asks for the holder', of('S2'), { holderProved: false }, 'identity_unbound'],
    ['S2 asks for a step up', of('S2'), { authenticatedRecently: false }, 'step_up_required'],
    ['S2 names the holder before the step up', of('S2'), { holderProved: false, authenticatedRecently: false }, 'identity_unbound'],
    ['S3 is shown to who granted it', of('S3', ['health']), {}, null],
    ['S3 is of the user rung', of('S3', ['health']), { tier: 'session' }, 'class_not_allowed'],
    ['S3 asks for the holder', of('S3', ['health']), { holderProved: false }, 'identity_unbound'],
    ['S3 asks for a step up', of('S3', ['health']), { authenticatedRecently: false }, 'step_up_required'],
    ['S3 asks for a record', of('S3', ['health']), { explicit: null }, 'explicit_consent_missing'],
    ['S3 is not open to who denied it', of('S3', ['debt']), {}, 'explicit_consent_missing'],
    ['S3 asks for every category', of('S3', ['health', 'debt']), {}, 'explicit_consent_missing'],
    ['S3 asks for a grant of its own', of('S3', ['health']), { explicit: { useCases: {}, recordedAtMs: 0 } }, 'explicit_consent_missing'],
    ['S3 asks the record itself', of('S3', ['health']), { explicit: { useCases: inherited, recordedAtMs: 0 } }, 'explicit_consent_missing'],
    ['S3 must be switched on', of('S3', ['health']), { enabledCategories: ['debt'] }, 'class_not_enabled'],
    ['S3 must be switched on for every category', of('S3', ['health', 'union']), {}, 'class_not_enabled'],
    ['S3 without a category is never shown', of('S3'), {}, 'class_not_enabled'],
    ['S3 of which a part has no category is never shown', of('S3', ['health'], true), {}, 'class_not_enabled'],
    ['S3 that is not switched on says so first', of('S3'), { holderProved: false, explicit: null }, 'class_not_enabled'],
    ['a class nobody knows is never shown', of('S9' as 'S3', ['health']), {}, 'class_not_allowed'],
  ])('%s', (_claim, sensitivity, missing, expected) => {
    expect(classLoss(sensitivity, { ...cleared, ...missing })).toBe(expected);
  });

  test('asks for an authentication of at most a quarter of an hour ago', () => {
    expect(stepUpMaxAgeSeconds).toBe(15 * 60);
  });
});

describe('what the policy switches on', () => {
  test.each<[Sensitivity, readonly string[], boolean]>([
    [of('S0'), [], true],
    [of('S1'), [], true],
    [of('S2', ['health'], true), [], true],
    [of('S3', ['health']), ['health'], true],
    [of('S3', ['health']), [], false],
    [of('S3', ['health', 'debt']), ['health'], false],
    [of('S3', []), ['health'], false],
    [of('S3', ['health'], true), ['health'], false],
  ])('%j with %j: %j', (sensitivity, enabled, expected) => {
    expect(isEnabled(sensitivity, enabled)).toBe(expected);
  });
});

describe('two things together', () => {
  test.each<[Sensitivity, Sensitivity, Sensitivity]>([
    [of('S0'), of('S0'), of('S0')],
    [of('S0'), of('S2'), of('S2')],
    [of('S3', ['health']), of('S0'), of('S3', ['health'])],
    [of('S1'), of('S3', ['health']), of('S3', ['health'])],
    [of('S3', ['health']), of('S3', ['debt', 'health']), of('S3', ['debt', 'health'])],
    [of('S3', [], true), of('S3', ['health']), of('S3', ['health'], true)],
    [of('S3', ['health']), of('S3', [], true), of('S3', ['health'], true)],
    [of('S0', ['health']), of('S1'), of('S1', ['health'])],
  ])('%j and %j are %j', (a, b, expected) => {
    expect(combined(a, b)).toEqual(expected);
  });
});
