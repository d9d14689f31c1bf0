/** The way down a ladder, and the failures that lead down it: told in order, and each made once, whoever comes down the same way. */
import { describe, expect, test } from 'vitest';
import { topOfLadder } from '../../src/decision/descent.ts';
import { absent, type Fact, late, refused, tooShort } from '../../src/decision/facts.ts';
import { failure, unread } from '../../src/decision/gate-failure.ts';
import type { Reason } from '../../src/decision/reasons.ts';

describe('a way down', () => {
  const first = failure('profile_timeout');
  const second = failure('session_absent');

  test('starts where nothing is above and nothing is to be told', () => {
    expect(topOfLadder).toMatchObject({ steps: [], mayRecover: false, awaitsConsent: false });
    for (const tier of ['user', 'session', 'segment', 'anonymous'] as const) expect(topOfLadder.downgradeTo(tier)).toBeNull();
  });

  test('tells every rung above in order, and blames the first', () => {
    const way = topOfLadder.past('user', first).past('session', second);
    const steps = [
      { tier: 'user', reason: 'profile_timeout' },
      { tier: 'session', reason: 'session_absent' },
    ];
    expect(way.steps).toEqual(steps);
    const told = { from: 'user', reason: 'profile_timeout', cause: 'time', dependency: 'profile', steps };
    expect(way.downgradeTo('segment')).toEqual({ ...told, to: 'segment' });
    expect(way.downgradeTo('anonymous')).toEqual({ ...told, to: 'anonymous' });
  });

  test('is one object for all who come down it, and another for every other way', () => {
    const way = topOfLadder.past('user', first);
    expect(topOfLadder.past('user', first)).toBe(way);
    expect(way.past('session', second)).toBe(topOfLadder.past('user', first).past('session', second));
    expect(way.downgradeTo('session')).toBe(way.downgradeTo('session'));
    const others = [topOfLadder, topOfLadder.past('session', first), topOfLadder.past('user', second), way.past('session', second)];
    for (const other of others) expect(other).not.toBe(way);
    expect(topOfLadder.past('user', first)).toBe(way);
    expect(topOfLadder.past('session', first)).toBe(others[1]);
  });

  test.each<[Reason, { readonly mayRecover: boolean; readonly awaitsConsent: boolean }]>([
    ['profile_timeout', { mayRecover: true, awaitsConsent: false }],
    ['profile_failed', { mayRecover: true, awaitsConsent: false }],
    ['overload', { mayRecover: true, awaitsConsent: false }],
    ['profile_absent', { mayRecover: false, awaitsConsent: false }],
    ['consent_denied', { mayRecover: false, awaitsConsent: false }],
    ['consent_unavailable', { mayRecover: false, awaitsConsent: true }],
    ['activation_unavailable', { mayRecover: false, awaitsConsent: true }],
    ['no_eligible_offer', { mayRecover: false, awaitsConsent: false }],
  ])('past %s: %o, wherever on it that was', (reason, expected) => {
    expect(topOfLadder.past('user', failure(reason))).toMatchObject(expected);
    expect(topOfLadder.past('user', failure(reason)).past('session', failure('session_absent'))).toMatchObject(expected);
    expect(topOfLadder.past('user', failure('identity_partial')).past('session', failure(reason))).toMatchObject(expected);
  });
});

describe('a failure', () => {
  test('is one object for each reason and dependency', () => {
    expect(failure('profile_timeout')).toEqual({ reason: 'profile_timeout', dependency: 'profile' });
    expect(failure('profile_timeout', 'profile')).toBe(failure('profile_timeout'));
    const opened = failure('circuit_open', 'session');
    expect(opened).toEqual({ reason: 'circuit_open', dependency: 'session' });
    expect(failure('circuit_open', 'profile')).toEqual({ reason: 'circuit_open', dependency: 'profile' });
    expect(failure('circuit_open', 'session')).toBe(opened);
    expect(failure('deadline_too_short', 'session')).toEqual({ reason: 'deadline_too_short', dependency: 'session' });
  });

  test.each<[Fact<unknown>, Reason | null, string | null]>([
    [{ state: 'known', value: 1 }, null, null],
    [absent, null, null],
    [refused, null, null],
    [late, 'session_timeout', 'session'],
    [tooShort, 'deadline_too_short', 'session'],
    [{ state: 'failed' }, 'session_failed', 'session'],
    [{ state: 'failed', why: 'circuit_open' }, 'circuit_open', 'session'],
    [{ state: 'failed', why: 'overload' }, 'overload', null],
  ])('of %o is %s', (fact, reason, dependency) => {
    expect(unread(fact, 'session')).toEqual(reason === null ? null : { reason, dependency });
  });

  test('of a model is that there is none', () => {
    expect(unread({ state: 'failed' }, 'model')).toEqual({ reason: 'model_unavailable', dependency: 'model' });
    expect(unread(late, 'model')).toEqual({ reason: 'model_timeout', dependency: 'model' });
  });
});
