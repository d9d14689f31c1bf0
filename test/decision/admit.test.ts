/** The door of the core, piece by piece: what is well formed comes in as it is, and what is not as the weakest state of its kind. */
import { describe, expect, test } from 'vitest';
import { admitEvidence, admitQuestion } from '../../src/decision/admit.ts';
import type { Evidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';

const token = {
  state: 'verified',
  subject: 'person-1',
  method: 'deterministic',
  expired: false,
  issuedAtSeconds: 1_800_000_000,
  authTimeSeconds: 1_800_000_001,
  generation: 3,
  binding: 'proved',
} as const;
const link = { subject: 'person-1', method: 'deterministic', confidencePpm: 900_000, sharedSinceMs: 5 } as const;
const stored = { useCases: { offers: 'granted' }, recordedAtMs: 7, grantedAtMs: 6 } as const;

const whole: Evidence = {
  identity: {
    token,
    session: { state: 'verified', id: 'session-1' },
    device: { state: 'known', value: link },
    generation: { state: 'known', value: 3 },
    tokenRevoked: { state: 'known', value: false },
  },
  consent: {
    signals: [{ state: 'valid', useCases: { offers: 'granted' } }],
    gpc: false,
    stored: { state: 'known', value: stored },
    linked: { state: 'known', value: stored },
    session: { state: 'known', value: stored },
  },
  profile: { state: 'known', value: { attributes: { loyalty: 'gold' }, audiences: ['lapsed'] } },
  session: { state: 'known', value: { attributes: { views: 3 } } },
  audience: { state: 'known', value: ['lapsed'] },
  model: { state: 'known', value: { low: 0, high: 1_000_000 } },
};

type Json = { readonly [key: string]: unknown };

/** `given` with what stands at a path such as `consent.stored` replaced. */
function withAt(given: unknown, path: string, replacement: unknown): Json {
  const [first = '', ...rest] = path.split('.');
  const record = given as Json;
  return { ...record, [first]: rest.length === 0 ? replacement : withAt(record[first], rest.join('.'), replacement) };
}

function at(given: unknown, path: string): unknown {
  return path.split('.').reduce((inner, name) => (inner as Json)[name], given);
}

const shapeless: readonly unknown[] = [undefined, null, 0, 1, '', 'known', true, false, [], ['known'], {}, { state: 'odd' }, { state: 7 }];

const factPaths = [
  'identity.device',
  'identity.generation',
  'identity.tokenRevoked',
  'consent.stored',
  'consent.linked',
  'profile',
  'session',
] as const;

describe('evidence', () => {
  test('that is well formed comes in as it is', () => {
    expect(admitEvidence(whole)).toStrictEqual(whole);
  });

  test.each([...shapeless, { identity: null, consent: [], profile: 'x' }])(
    'that is none is a visitor of whom nothing could be read: %j',
    (given) => {
      const failed = { state: 'failed' };
      expect(admitEvidence(given)).toStrictEqual({
        identity: { token: failed, session: { state: 'invalid' }, device: failed, generation: failed, tokenRevoked: failed },
        consent: { signals: [{ state: 'invalid' }], gpc: true, stored: failed, linked: failed },
        profile: failed,
        session: failed,
        audience: { state: 'refused' },
        model: { state: 'refused' },
      });
    },
  );

  describe.each([...factPaths, 'consent.session', 'audience', 'model'])('the fact %s', (path) => {
    test.each([
      { state: 'absent' },
      { state: 'late', why: 'deadline_too_short' },
      { state: 'failed', why: 'overload' },
      { state: 'refused' },
    ])('may have no value: %j', (fact) => {
      expect(admitEvidence(withAt(whole, path, fact))).toStrictEqual(withAt(whole, path, fact));
    });

    test.each([null, ...shapeless.filter((one) => one !== undefined), { state: 'known' }, { state: 'known', value: null }])(
      'failed where it is no fact: %j',
      (fact) => {
        expect(at(admitEvidence(withAt(whole, path, fact)), path)).toStrictEqual({ state: 'failed' });
      },
    );
  });

  test.each(factPaths)('the fact %s failed where it is missing', (path) => {
    expect(at(admitEvidence(withAt(whole, path, undefined)), path)).toStrictEqual({ state: 'failed' });
  });

  test.each(['audience', 'model'])('the fact %s was not asked for where it is missing', (path) => {
    expect(at(admitEvidence(withAt(whole, path, undefined)), path)).toStrictEqual({ state: 'refused' });
  });

  test('a record of the session that nobody keeps stays away', () => {
    expect(admitEvidence(withAt(whole, 'consent.session', undefined)).consent).not.toHaveProperty('session');
  });

  const optional: readonly (readonly [string, unknown])[] = [
    ['identity.device', { subject: 'person-1' }],
    ['identity.tokenRevoked', true],
    ['identity.generation', 0],
    ['consent.stored', { useCases: {}, recordedAtMs: 0 }],
    ['consent.stored', { useCases: {}, recordedAtMs: -1, grantedAtMs: -2 }],
    ['profile', { attributes: {}, audiences: [] }],
    ['session', { attributes: {} }],
    ['audience', []],
    ['model', {}],
    ['model', { one: 1 }],
  ];

  test.each(optional)('the value of %s may be %j', (path, value) => {
    const fact = { state: 'known', value };
    expect(at(admitEvidence(withAt(whole, path, fact)), path)).toStrictEqual(fact);
  });

  const damaged: readonly (readonly [string, unknown])[] = [
    ['identity.device', { ...link, subject: 7 }],
    ['identity.device', { ...link, subject: undefined }],
    ['identity.device', { ...link, sharedSinceMs: 1.5 }],
    ['identity.device', { ...link, sharedSinceMs: null }],
    ['identity.device', 'person-1'],
    ['identity.generation', 1.5],
    ['identity.generation', '3'],
    ['identity.tokenRevoked', 0],
    ['identity.tokenRevoked', 'false'],
    ...['consent.stored', 'consent.linked', 'consent.session'].flatMap((path): (readonly [string, unknown])[] => [
      [path, { ...stored, useCases: undefined }],
      [path, { ...stored, useCases: ['offers'] }],
      [path, { ...stored, recordedAtMs: undefined }],
      [path, { ...stored, recordedAtMs: Number.NaN }],
      [path, { ...stored, grantedAtMs: 0.5 }],
      [path, { ...stored, grantedAtMs: null }],
      [path, ['offers']],
    ]),
    ['profile', { attributes: {} }],
    ['profile', { attributes: {}, audiences: 'lapsed' }],
    ['profile', { attributes: {}, audiences: ['lapsed', 7] }],
    ['profile', { attributes: [], audiences: [] }],
    ['profile', { audiences: [] }],
    ['session', {}],
    ['session', { attributes: null }],
    ['session', { attributes: ['views'] }],
    ['audience', 'lapsed'],
    ['audience', { 0: 'lapsed' }],
    ['audience', ['lapsed', null]],
    ['model', []],
    ['model', { low: 0, high: 1_000_001 }],
    ['model', { low: -1 }],
    ['model', { low: 0.5, high: 1 }],
    ['model', { low: '1', high: 1 }],
  ];

  test.each(damaged)('the fact %s failed where its value is %j', (path, value) => {
    expect(at(admitEvidence(withAt(whole, path, { state: 'known', value })), path)).toStrictEqual({ state: 'failed' });
  });
});

describe('a token', () => {
  const admitted = (given: unknown) => admitEvidence(withAt(whole, 'identity.token', given)).identity.token;

  test.each(['none', 'invalid', 'expired', 'keys_stale', 'late', 'failed'])('that did not verify keeps its state: %s', (state) => {
    expect(admitted({ state })).toStrictEqual({ state });
  });

  test.each(shapeless)('that is nothing we know failed: %j', (given) => {
    expect(admitted(given)).toStrictEqual({ state: 'failed' });
  });

  test.each([
    {},
    { issuedAtSeconds: undefined },
    { authTimeSeconds: null },
    { generation: null },
    { expired: true },
    { binding: 'none' },
    { binding: 'unproved' },
    { binding: 'late' },
    { binding: 'failed' },
  ])('that verified may say %j', (part) => {
    expect(admitted({ ...token, ...part })).toStrictEqual({ ...token, ...part });
  });

  test.each([
    { subject: 7 },
    { subject: undefined },
    { expired: 'false' },
    { expired: undefined },
    { issuedAtSeconds: null },
    { issuedAtSeconds: 0.5 },
    { authTimeSeconds: undefined },
    { authTimeSeconds: '1800000000' },
    { generation: undefined },
    { generation: 1.5 },
    { binding: undefined },
    { binding: 'held' },
  ])('that verified is invalid where it says %j', (part) => {
    expect(admitted({ ...token, ...part })).toStrictEqual({ state: 'invalid' });
  });
});

describe('a session id', () => {
  const admitted = (given: unknown) => admitEvidence(withAt(whole, 'identity.session', given)).identity.session;

  test('is none where there was none', () => {
    expect(admitted({ state: 'none', id: 'session-1' })).toStrictEqual({ state: 'none' });
  });

  test.each([...shapeless, { state: 'invalid' }, { state: 'verified' }, { state: 'verified', id: 7 }, { state: 'known', id: 'session-1' }])(
    'is invalid where it is not verified and a text: %j',
    (given) => {
      expect(admitted(given)).toStrictEqual({ state: 'invalid' });
    },
  );
});

describe('what a request says of consent', () => {
  const admitted = (path: string, given: unknown) => at(admitEvidence(withAt(whole, `consent.${path}`, given)), `consent.${path}`);

  test.each(shapeless.filter((one) => !Array.isArray(one)))('is one invalid signal where it is no list: %j', (given) => {
    expect(admitted('signals', given)).toStrictEqual([{ state: 'invalid' }]);
  });

  test('may be nothing at all', () => {
    expect(admitted('signals', [])).toStrictEqual([]);
  });

  test('is signal by signal what it is, or invalid', () => {
    const valid = { state: 'valid', child: true, day: 3, useCases: {} };
    const given = [valid, null, 'valid', [], {}, { state: 'valid' }, { state: 'valid', useCases: [] }, { state: 'odd', useCases: {} }];
    expect(admitted('signals', given)).toStrictEqual([valid, ...given.slice(1).map(() => ({ state: 'invalid' }))]);
  });

  test.each([
    [false, false],
    [true, true],
    [undefined, true],
    [null, true],
    [0, true],
    ['', true],
  ])('has Global Privacy Control unless it says that it has not: %j', (given, expected) => {
    expect(admitted('gpc', given)).toBe(expected);
  });
});

describe('a question', () => {
  const question: Question = {
    nowMs: 1_800_000_000_000,
    audience: 'personal',
    page: 'home',
    zones: ['hero', 'rail'],
    shownOffers: ['one'],
    request: { country: 'DE' },
    audiences: ['newsletter'],
    explain: true,
    onlyProved: true,
  };
  const empty = { nowMs: 0, audience: 'shared', page: null, zones: [], shownOffers: [], request: {}, audiences: null, explain: false };

  test('that is well formed comes in as it is', () => {
    expect(admitQuestion(question)).toStrictEqual(question);
    const { onlyProved: _left, ...anybody } = { ...question, page: null, audiences: null, explain: false };
    expect(admitQuestion(anybody)).toStrictEqual(anybody);
    expect(admitQuestion({ ...anybody, audience: 'shared' })).toStrictEqual({ ...anybody, audience: 'shared' });
  });

  test.each(shapeless)('that is none asks for nothing: %j', (given) => {
    expect(admitQuestion(given as Question)).toStrictEqual(empty);
  });

  test('breaks ties by a word of the caller, unless its answer is for everybody', () => {
    expect(admitQuestion({ ...question, tieBreak: 'anna' })).toStrictEqual({ ...question, tieBreak: 'anna' });
    expect(admitQuestion({ ...question, audience: 'shared', tieBreak: 'anna' })).toStrictEqual({ ...question, audience: 'shared' });
    expect(admitQuestion({ ...question, tieBreak: 7 } as never)).toStrictEqual(question);
  });

  const parts: readonly (readonly [Json, Json])[] = [
    [{ nowMs: 1.5 }, { nowMs: 0 }],
    [{ nowMs: '7' }, { nowMs: 0 }],
    [{ audience: 'anybody' }, { audience: 'shared' }],
    [{ page: 7 }, { page: null }],
    [{ zones: 'hero' }, { zones: [] }],
    [{ zones: ['hero', 7, null, 'rail'] }, { zones: ['hero', 'rail'] }],
    [{ shownOffers: { one: true } }, { shownOffers: [] }],
    [{ shownOffers: [[], 'one'] }, { shownOffers: ['one'] }],
    [{ request: [] }, { request: {} }],
    [{ request: 'DE' }, { request: {} }],
    [{ audiences: 'newsletter' }, { audiences: null }],
    [{ audiences: ['newsletter', 7] }, { audiences: ['newsletter'] }],
    [{ explain: 'true' }, { explain: false }],
    // Whatever stands there, somebody meant to be careful.
    [{ onlyProved: false }, { onlyProved: true }],
  ];

  test.each(parts)('in which %j stands has %j', (given, expected) => {
    expect(admitQuestion({ ...question, ...given } as never)).toStrictEqual({ ...question, ...expected });
  });
});
