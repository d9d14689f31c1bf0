/** What a rung may read of whom, and what a visitor may be shown of what is sensitive, to the second. */
import { describe, expect, test } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { type Evidence, noEvidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import { clearanceOf, weigh } from '../../src/decision/standing.ts';
import { plainQuestion } from './asked.ts';

const nowMs = 1_800_000_000_000;
const own = { source: null, onFailure: null };
const artefactWith = (source: string | null): Artefact =>
  ({
    consent: { path: 'vendor', vendorId: null, maxAgeDays: 180, regimes: {}, purposeOneCountries: [] },
    sensitiveCategories: ['health'],
    dependencies: { audience: { source }, identity: own, consent: own, profile: own, session: own, model: own },
  }) as unknown as Artefact;
const question: Question = { ...plainQuestion, nowMs, request: { country: 'DE' }, audiences: ['newsletter'] };
const profile = { attributes: { loyalty: 'gold' }, audiences: ['lapsed'] };
const session = { attributes: { views: 3 } };
const evidence: Evidence = {
  ...noEvidence,
  profile: { state: 'known', value: profile },
  session: { state: 'known', value: session },
  audience: { state: 'known', value: ['loyal'] },
};

describe('what a rung may read', () => {
  const scopes = (changes: Partial<Evidence> = {}, asked: Partial<Question> = {}, source: string | null = null) =>
    weigh(artefactWith(source), { ...question, ...asked }, { ...evidence, ...changes }).scopes;
  const low = {
    request: { country: 'DE' },
    session: undefined,
    profile: undefined,
    audiences: ['newsletter'],
    audiencesOpen: false,
    nowMs,
  };

  test('is the request on the lower rungs, the session above them and everything on the highest', () => {
    expect(scopes()).toEqual({
      anonymous: low,
      segment: low,
      session: { ...low, session: session.attributes },
      user: { ...low, session: session.attributes, profile: profile.attributes, audiences: ['newsletter', 'lapsed'] },
    });
  });

  test('is no audience where none was given, but those of the profile', () => {
    const { segment, session: ofSession, user } = scopes({}, { audiences: null });
    expect([segment.audiences, ofSession.audiences, user.audiences]).toEqual([undefined, undefined, ['lapsed']]);
  });

  test('is the audiences of their own source where there is one, whatever the profile says', () => {
    expect(scopes({}, {}, 'http').user).toMatchObject({ audiences: ['newsletter', 'loyal'], audiencesOpen: false });
    expect(scopes({ profile: { state: 'absent' } }, { audiences: null }, 'http').user).toMatchObject({ audiences: ['loyal'] });
  });

  test.each(['absent', 'late', 'failed', 'refused'] as const)('is nothing of a fact that is %s, whatever stands beside that', (state) => {
    const fact = { state, value: profile } as never;
    const { user, session: ofSession } = scopes({ profile: fact, session: fact });
    expect(user).toEqual({ ...low, audiencesOpen: true });
    expect(ofSession).toEqual(low);
    const apart = scopes({ audience: { state, value: ['loyal'] } as never }, { audiences: null }, 'http').user;
    expect(apart).toMatchObject({ audiences: undefined, audiencesOpen: true });
  });
});

describe('what ran late or failed', () => {
  test('is told in its order', () => {
    const late = { state: 'late' } as const;
    const found = weigh(artefactWith(null), question, {
      ...evidence,
      model: late,
      session: { state: 'failed' },
      profile: late,
    }).unreadFacts;
    expect(found.map(({ dependency, failure }) => [dependency, failure.reason])).toEqual([
      ['profile', 'profile_timeout'],
      ['session', 'session_failed'],
      ['model', 'model_timeout'],
    ]);
    expect(weigh(artefactWith(null), question, evidence).unreadFacts).toEqual([]);
  });
});

describe('what a visitor may be shown', () => {
  const token = {
    state: 'verified',
    subject: 'person-1',
    method: 'deterministic',
    expired: false,
    authTimeSeconds: nowMs / 1000,
    generation: null,
    binding: 'proved',
  } as const;
  const withToken = (changes: object): Evidence => ({
    ...evidence,
    identity: {
      ...noEvidence.identity,
      token: { ...token, ...changes } as typeof token,
      generation: { state: 'known', value: 0 },
      tokenRevoked: { state: 'known', value: false },
    },
    consent: {
      ...noEvidence.consent,
      stored: { state: 'known', value: { useCases: { offers: 'granted', 'category:health': 'granted' }, recordedAtMs: nowMs } },
    },
  });
  const clearance = (changes: object, kind: 'content' | 'offer' = 'offer') =>
    clearanceOf(weigh(artefactWith(null), question, withToken(changes)), 'user', kind);

  test('is of the policy, the record, the holder and the hour', () => {
    expect(clearance({})).toEqual({
      tier: 'user',
      beyondRequestFacts: true,
      enabledCategories: ['health'],
      explicit: { useCases: { offers: 'granted', 'category:health': 'granted' }, recordedAtMs: nowMs },
      holderProved: true,
      authenticatedRecently: true,
    });
    expect(clearance({}, 'content').beyondRequestFacts).toBe(false);
  });

  test.each(['none', 'unproved', 'late', 'failed'])('is not what asks for a holder where the proof is %s', (binding) => {
    expect(clearance({ binding }).holderProved).toBe(false);
  });

  test.each([
    [null, false],
    [0, true],
    [-900, true],
    [-901, false],
    [5, true],
    [6, false],
    [-nowMs / 1000, false],
  ])('of a person who authenticated %s seconds from now, what asks for that: %s', (seconds, expected) => {
    const authTimeSeconds = seconds === null ? null : nowMs / 1000 + seconds;
    expect(clearance({ authTimeSeconds }).authenticatedRecently).toBe(expected);
  });

  test('is nothing that asks for a person where there is no token', () => {
    const nobody = clearanceOf(weigh(artefactWith(null), question, evidence), 'anonymous', 'content');
    expect(nobody).toMatchObject({ explicit: null, holderProved: false, authenticatedRecently: false, beyondRequestFacts: false });
    const early = { ...question, nowMs: 0 };
    expect(clearanceOf(weigh(artefactWith(null), early, evidence), 'user', 'content').authenticatedRecently).toBe(false);
  });
});
