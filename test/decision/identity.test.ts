/** Who is asking, piece by piece: what each piece of evidence that is missing, wrong or late takes away, and the reason it gives. */
import { describe, expect, test } from 'vitest';
import type { IdentityEvidence } from '../../src/decision/facts.ts';
import { isHandedOver, provenUntilMs, weighIdentity } from '../../src/decision/identity.ts';

const token = {
  state: 'verified',
  subject: 'person-1',
  method: 'deterministic',
  expired: false,
  issuedAtSeconds: 1_000,
  authTimeSeconds: null,
  generation: null,
  binding: 'none',
} as const;
const link = { subject: 'person-1', method: 'deterministic', confidencePpm: 900_000 } as const;
const proved: IdentityEvidence = {
  token,
  session: { state: 'verified', id: 'session-1' },
  device: { state: 'known', value: link },
  generation: { state: 'known', value: 0 },
  tokenRevoked: { state: 'known', value: false },
};

interface Told {
  readonly state: string;
  readonly user: string | null;
  readonly session: string | null;
  readonly unread: string | null;
}

function told(changes: object, onlyProved = false): Told {
  const { state, userFailure, sessionFailure, unread } = weighIdentity({ ...proved, ...changes } as IdentityEvidence, onlyProved);
  const reason = (failure: typeof userFailure) => failure?.reason ?? null;
  return { state, user: reason(userFailure), session: reason(sessionFailure), unread: reason(unread) };
}

const high: Told = { state: 'high_confidence', user: null, session: null, unread: null };
const noDevice = { state: 'refused' } as const;
const none = { token: { state: 'none' }, device: noDevice } as const;
const noSession = { session: { state: 'none' } } as const;

describe('who is asking', () => {
  test.each<[string, object, Partial<Told>]>([
    ['a fresh token proves', {}, {}],
    ['a fresh token proves without a device', { device: noDevice }, {}],
    ['a fresh token proves on a device nobody is linked to', { device: { state: 'absent' } }, {}],
    ['a proved holder', { token: { ...token, binding: 'proved' } }, {}],
    ['a token of the current generation', { token: { ...token, generation: 2 }, generation: { state: 'known', value: 2 } }, {}],
    ['a token of a later generation', { token: { ...token, generation: 3 }, generation: { state: 'known', value: 2 } }, {}],
    ['a token without a session', noSession, { session: 'session_absent' }],
    ['a token with a bad session id', { session: { state: 'invalid' } }, { session: 'identity_session_invalid' }],
    ['a token that ran out', { token: { ...token, expired: true } }, { state: 'partial', user: 'identity_token_expired' }],
    ['a generation that is behind', { generation: { state: 'known', value: 1 } }, { state: 'partial', user: 'identity_revoked' }],
    [
      'a generation that is behind one claimed',
      { token: { ...token, generation: 2 }, generation: { state: 'known', value: 3 } },
      { state: 'partial', user: 'identity_revoked' },
    ],
    ['no proof of the holder', { token: { ...token, binding: 'unproved' } }, { state: 'partial', user: 'identity_unbound' }],
    [
      'a proof of which it is late to know',
      { token: { ...token, binding: 'late' } },
      { state: 'partial', user: 'identity_timeout', unread: 'identity_timeout' },
    ],
    [
      'a proof of which it could not be known',
      { token: { ...token, binding: 'failed' } },
      { state: 'partial', user: 'identity_failed', unread: 'identity_failed' },
    ],
    ['a method that guesses', { token: { ...token, method: 'probabilistic' } }, { state: 'partial', user: 'identity_partial' }],
    [
      'another person on the device',
      { device: { state: 'known', value: { ...link, subject: 'person-2' } } },
      { state: 'partial', user: 'identity_partial' },
    ],
    [
      'a device handed over since',
      { device: { state: 'known', value: { ...link, sharedSinceMs: 1_005_001 } } },
      { state: 'partial', user: 'identity_partial' },
    ],
    ['a device handed over before', { device: { state: 'known', value: { ...link, sharedSinceMs: 1_005_000 } } }, {}],
    [
      'a generation that is late',
      { generation: { state: 'late' } },
      { state: 'partial', user: 'identity_timeout', unread: 'identity_timeout' },
    ],
    [
      'a generation that failed',
      { generation: { state: 'failed' } },
      { state: 'partial', user: 'identity_failed', unread: 'identity_failed' },
    ],
    ['a generation that was not read', { generation: { state: 'refused' } }, { state: 'partial', user: 'identity_failed' }],
    ['a generation that is not there', { generation: { state: 'absent' } }, { state: 'partial', user: 'identity_failed' }],
    [
      'a generation that only seems to have come',
      { generation: { state: 'late', value: 7 } },
      { state: 'partial', user: 'identity_timeout', unread: 'identity_timeout' },
    ],
    [
      'a denylist that is late',
      { tokenRevoked: { state: 'late' } },
      { state: 'partial', user: 'identity_timeout', unread: 'identity_timeout' },
    ],
    ['a denylist that was not read', { tokenRevoked: { state: 'refused' } }, { state: 'partial', user: 'identity_failed' }],
    [
      'a denylist that only seems to have come',
      { tokenRevoked: { state: 'failed', value: true } },
      { state: 'partial', user: 'identity_failed', unread: 'identity_failed' },
    ],
    ['a device that is late', { device: { state: 'late' } }, { state: 'partial', user: 'identity_timeout', unread: 'identity_timeout' }],
    ['a device that failed', { device: { state: 'failed' } }, { state: 'partial', user: 'identity_failed', unread: 'identity_failed' }],
    [
      'a revoked token',
      { tokenRevoked: { state: 'known', value: true }, device: noDevice },
      { state: 'session_known', user: 'identity_revoked' },
    ],
    [
      'a revoked token that ran out',
      { token: { ...token, expired: true }, tokenRevoked: { state: 'known', value: true }, device: noDevice },
      { state: 'session_known', user: 'identity_token_expired' },
    ],
    [
      'a revoked token whose generation is late',
      { tokenRevoked: { state: 'known', value: true }, generation: { state: 'late' }, device: noDevice },
      { state: 'session_known', user: 'identity_revoked' },
    ],
    [
      'a revoked token and a linked device',
      { tokenRevoked: { state: 'known', value: true } },
      { state: 'partial', user: 'identity_revoked' },
    ],
    ['no token, but a session', none, { state: 'session_known', user: 'identity_session_only' }],
    ['no token, but a linked device', { token: { state: 'none' } }, { state: 'partial', user: 'identity_partial' }],
    ['nothing', { ...none, ...noSession }, { state: 'anonymous', user: 'identity_anonymous', session: 'session_absent' }],
    [
      'no token, and a generation that is late',
      { ...none, generation: { state: 'late' } },
      { state: 'session_known', user: 'identity_session_only' },
    ],
    [
      'no token, and a device that is late',
      { token: { state: 'none' }, device: { state: 'late' } },
      { state: 'session_known', user: 'identity_session_only', unread: 'identity_timeout' },
    ],
    ['a token that is none', { ...none, token: { state: 'invalid' } }, { state: 'session_known', user: 'identity_token_invalid' }],
    ['a token that ran out long ago', { ...none, token: { state: 'expired' } }, { state: 'session_known', user: 'identity_token_expired' }],
    ['keys that are stale', { ...none, token: { state: 'keys_stale' } }, { state: 'session_known', user: 'identity_keys_stale' }],
    [
      'a token verified too late',
      { ...none, token: { state: 'late' } },
      { state: 'session_known', user: 'identity_timeout', unread: 'identity_timeout' },
    ],
    [
      'a token that could not be verified',
      { ...none, token: { state: 'failed' } },
      { state: 'session_known', user: 'identity_failed', unread: 'identity_failed' },
    ],
    [
      'a token that could not be verified for load',
      { token: { state: 'failed', why: 'overload' }, device: { state: 'late' } },
      { state: 'session_known', user: 'overload', unread: 'overload' },
    ],
  ])('%s', (_piece, changes, expected) => {
    expect(told(changes)).toEqual({ ...high, ...expected });
  });

  test('where only the proved count, the session asks for the person too', () => {
    expect(told({}, true)).toEqual(high);
    expect(told(noSession, true).session).toBe('session_absent');
    expect(told(none, true).session).toBe('identity_session_only');
    expect(told({ token: { ...token, binding: 'unproved' } }, true).session).toBe('identity_unbound');
  });

  test('is the token that may speak, and the session id that verified', () => {
    expect(weighIdentity(proved)).toMatchObject({ token, sessionId: 'session-1' });
    const revoked = weighIdentity({ ...proved, ...noSession, tokenRevoked: { state: 'known', value: true } });
    expect(revoked).toMatchObject({ token: null, sessionId: null });
  });
});

describe('a device that changed hands', () => {
  test('proves until the person was seen, with the tolerance of every clock', () => {
    expect(provenUntilMs({ authTimeSeconds: 20, issuedAtSeconds: 1_000 })).toBe(25_000);
    expect(provenUntilMs({ authTimeSeconds: null, issuedAtSeconds: 1_000 })).toBe(1_005_000);
    expect(provenUntilMs({ authTimeSeconds: null })).toBe(5_000);
  });

  test('is handed over when that was later', () => {
    expect(isHandedOver(link, 0)).toBe(false);
    expect(isHandedOver({ ...link, sharedSinceMs: 7 }, 7)).toBe(false);
    expect(isHandedOver({ ...link, sharedSinceMs: 8 }, 7)).toBe(true);
    expect(isHandedOver({ ...link, sharedSinceMs: -1 }, -2)).toBe(true);
  });
});
