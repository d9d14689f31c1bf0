/**
 * Who is asking, from verified evidence only. Every piece that is missing can lower the state and none can raise it: a token
 * whose generation, denylist or device link could not be read proves nobody.
 */
import type { Fact, IdentityEvidence, IdentityLink, TokenEvidence } from './facts.ts';
import { failure, type GateFailure, unread } from './gate-failure.ts';
import type { IdentityState } from './vocabulary.ts';

export interface IdentityView {
  readonly state: IdentityState;
  /** Why the user rung is out of reach; null exactly when the state is `high_confidence`. */
  readonly userFailure: GateFailure | null;
  /** Why the session rung is; null when a session id verified and, where only the proved count, the person is. */
  readonly sessionFailure: GateFailure | null;
  /** The late or failed fact among identity's, if any: what `onFailure` asks about. */
  readonly unread: GateFailure | null;
  /** A token that may speak for its subject (perhaps only as `partial`); null when there is none, or it was revoked. */
  readonly token: VerifiedToken | null;
  readonly sessionId: string | null;
}

export type VerifiedToken = TokenEvidence & { readonly state: 'verified' };

export function weighIdentity(evidence: IdentityEvidence, onlyProved = false): IdentityView {
  const token = standingToken(evidence);
  const tokenDoubt = token === null ? tokenFailure(evidence) : doubtAbout(token, evidence);
  const sessionId = evidence.session.state === 'verified' ? evidence.session.id : null;
  const state = stateOf(token, tokenDoubt, evidence.device, sessionId);
  const userFailure = state === 'high_confidence' ? null : (tokenDoubt ?? failure(reasonOfState[state]));
  return {
    state,
    userFailure,
    sessionFailure: (onlyProved ? userFailure : null) ?? sessionFailureOf(evidence.session, sessionId),
    unread: unreadIdentity(token, evidence),
    token,
    sessionId,
  };
}

function sessionFailureOf({ state }: IdentityEvidence['session'], sessionId: string | null): GateFailure | null {
  if (sessionId !== null) return null;
  return failure(state === 'invalid' ? 'identity_session_invalid' : 'session_absent');
}

const reasonOfState = {
  anonymous: 'identity_anonymous',
  session_known: 'identity_session_only',
  partial: 'identity_partial',
} as const;

function stateOf(
  token: VerifiedToken | null,
  doubt: GateFailure | null,
  device: IdentityEvidence['device'],
  sessionId: string | null,
): IdentityState {
  if (token !== null) return doubt === null ? 'high_confidence' : 'partial';
  if (device.state === 'known') return 'partial';
  return sessionId !== null ? 'session_known' : 'anonymous';
}

/** A revoked token is as if it were not there. */
function standingToken({ token, tokenRevoked }: IdentityEvidence): VerifiedToken | null {
  if (token.state !== 'verified') return null;
  return tokenRevoked.state === 'known' && tokenRevoked.value ? null : token;
}

function tokenFailure({ token }: IdentityEvidence): GateFailure | null {
  switch (token.state) {
    case 'none':
      return null;
    case 'expired':
      return failure('identity_token_expired');
    case 'keys_stale':
      return failure('identity_keys_stale');
    case 'late':
    case 'failed':
      return unread(token, 'identity');
    case 'verified':
      return failure(token.expired ? 'identity_token_expired' : 'identity_revoked');
    default:
      return failure('identity_token_invalid');
  }
}

/** Why a token that verified is not proof of a present person: what it says itself first, then what the store said. */
function doubtAbout(token: VerifiedToken, { device, generation, tokenRevoked }: IdentityEvidence): GateFailure | null {
  if (token.expired) return failure('identity_token_expired');
  if (generation.state === 'known' && generation.value > (token.generation ?? 0)) return failure('identity_revoked');
  if (token.binding === 'unproved') return failure('identity_unbound');
  if (token.method !== 'deterministic') return failure('identity_partial');
  if (device.state === 'known' && (device.value.subject !== token.subject || isHandedOver(device.value, provenUntilMs(token))))
    return failure('identity_partial');
  return notProved(generation) ?? notProved(tokenRevoked) ?? unsettledProof(token) ?? unread(device, 'identity');
}

/** The same tolerance as for a token's times. */
const handOverSkewSeconds = 5;

/** A device that passed from somebody else to the person after this instant may be in that person's hands, or still in the other's. */
export function provenUntilMs({
  authTimeSeconds,
  issuedAtSeconds = 0,
}: Pick<VerifiedToken, 'authTimeSeconds' | 'issuedAtSeconds'>): number {
  return ((authTimeSeconds ?? issuedAtSeconds) + handOverSkewSeconds) * 1000;
}

export function isHandedOver({ sharedSinceMs }: IdentityLink, provenMs: number): boolean {
  return (sharedSinceMs ?? Number.NEGATIVE_INFINITY) > provenMs;
}

function unsettledProof({ binding }: VerifiedToken): GateFailure | null {
  if (binding === 'late') return failure('identity_timeout');
  return binding === 'failed' ? failure('identity_failed') : null;
}

/** A store always answers these two, so `absent` is no answer either. */
function notProved(fact: Fact<unknown>): GateFailure | null {
  return fact.state === 'known' ? null : (unread(fact, 'identity') ?? failure('identity_failed'));
}

function unreadIdentity(token: VerifiedToken | null, evidence: IdentityEvidence): GateFailure | null {
  if (evidence.token.state === 'late' || evidence.token.state === 'failed') return unread(evidence.token, 'identity');
  const aboutToken =
    token === null ? null : (unread(evidence.generation, 'identity') ?? unread(evidence.tokenRevoked, 'identity') ?? unsettledProof(token));
  return aboutToken ?? unread(evidence.device, 'identity');
}
