/**
 * The closed table of downgrade reasons. The OpenAPI enum, `docs/reasons.md` and the metrics' label values are made from it;
 * a new row is a change of the public contract.
 */
import type { Dependency } from './vocabulary.ts';

export const causes = ['consent', 'identity', 'data', 'time', 'fault', 'load', 'policy'] as const;
export type Cause = (typeof causes)[number];

interface Row {
  readonly cause: Cause;
  /** The dependency the reason itself names; null when it names none or the gate supplies it. */
  readonly dependency: Dependency | null;
  readonly sentence: string;
}

export const reasonTable = {
  child: { cause: 'consent', dependency: null, sentence: 'a signal says that the visitor is a known child' },
  gpc: { cause: 'consent', dependency: null, sentence: 'the browser sent Sec-GPC: 1, which denies this use' },
  consent_denied: { cause: 'consent', dependency: null, sentence: 'the use case that selects by behaviour or by request facts is denied' },
  activation_denied: { cause: 'consent', dependency: null, sentence: 'activating the profile for this kind of zone is denied' },
  consent_unavailable: { cause: 'consent', dependency: null, sentence: 'no valid grant was heard for the use case that selects' },
  activation_unavailable: { cause: 'consent', dependency: null, sentence: 'no valid grant was heard for activating the profile' },
  explicit_consent_missing: {
    cause: 'consent',
    dependency: null,
    sentence: 'the zone is of a special category and its explicit consent is not stored',
  },
  identity_anonymous: { cause: 'identity', dependency: null, sentence: 'nothing verified says who the visitor is' },
  identity_session_only: { cause: 'identity', dependency: null, sentence: 'only the session is verified, not the person' },
  identity_partial: { cause: 'identity', dependency: null, sentence: 'the person is remembered or probable, not proved' },
  identity_token_invalid: { cause: 'identity', dependency: null, sentence: 'the token did not verify' },
  identity_token_expired: { cause: 'identity', dependency: null, sentence: 'the token has expired' },
  identity_session_invalid: { cause: 'identity', dependency: null, sentence: 'the session id did not verify or has expired' },
  identity_revoked: { cause: 'identity', dependency: null, sentence: 'the token was revoked or its generation is behind' },
  identity_keys_stale: { cause: 'identity', dependency: null, sentence: 'the key set is too old to verify tokens' },
  identity_unbound: { cause: 'identity', dependency: null, sentence: 'the token has no proof by its holder' },
  step_up_required: { cause: 'identity', dependency: null, sentence: 'the person must authenticate again' },
  profile_absent: { cause: 'data', dependency: 'profile', sentence: 'the store has no profile' },
  profile_stale: { cause: 'data', dependency: 'profile', sentence: 'the profile is older than the policy allows' },
  session_absent: { cause: 'data', dependency: 'session', sentence: 'there is no session' },
  audience_absent: { cause: 'data', dependency: 'audience', sentence: 'audience membership is not known' },
  model_unavailable: { cause: 'data', dependency: 'model', sentence: 'the model is not available' },
  model_stale: { cause: 'data', dependency: 'model', sentence: 'the model is older than the policy allows' },
  identity_timeout: { cause: 'time', dependency: 'identity', sentence: 'identity was not proved in time' },
  consent_timeout: { cause: 'time', dependency: 'consent', sentence: 'the stored consent did not come in time' },
  profile_timeout: { cause: 'time', dependency: 'profile', sentence: 'the profile did not come in time' },
  session_timeout: { cause: 'time', dependency: 'session', sentence: 'the session did not come in time' },
  audience_timeout: { cause: 'time', dependency: 'audience', sentence: 'audience membership did not come in time' },
  model_timeout: { cause: 'time', dependency: 'model', sentence: 'the model did not answer in time' },
  deadline_too_short: { cause: 'time', dependency: null, sentence: 'too little time was left to ask' },
  identity_failed: { cause: 'fault', dependency: 'identity', sentence: 'asking for identity failed' },
  consent_failed: { cause: 'fault', dependency: 'consent', sentence: 'asking for the stored consent failed' },
  profile_failed: { cause: 'fault', dependency: 'profile', sentence: 'asking for the profile failed' },
  session_failed: { cause: 'fault', dependency: 'session', sentence: 'asking for the session failed' },
  audience_failed: { cause: 'fault', dependency: 'audience', sentence: 'asking for audience membership failed' },
  circuit_open: { cause: 'fault', dependency: null, sentence: 'the dependency is being left alone after failures' },
  policy_error: { cause: 'fault', dependency: null, sentence: 'the policy could not be evaluated' },
  overload: { cause: 'load', dependency: null, sentence: 'the service is shedding work' },
  no_eligible_offer: { cause: 'policy', dependency: null, sentence: 'nothing on this rung applies to this visitor' },
  frequency_capped: { cause: 'policy', dependency: null, sentence: 'it has been shown often enough' },
  holdout: { cause: 'policy', dependency: null, sentence: 'the visitor is held out' },
  zone_disabled: { cause: 'policy', dependency: null, sentence: 'the zone is switched off' },
  kill_switch: { cause: 'policy', dependency: null, sentence: 'it was switched off at once' },
  not_in_rollout: { cause: 'policy', dependency: null, sentence: 'the visitor is not in the rollout' },
} as const satisfies Record<string, Row>;

export type Reason = keyof typeof reasonTable;
export const reasons = Object.keys(reasonTable) as readonly Reason[];

export function causeOf(reason: Reason): Cause {
  return reasonTable[reason].cause;
}
