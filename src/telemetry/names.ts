/**
 * Every name that telemetry shows the outside, in one place: dashboards and alerts hold on to these, so a change here is a
 * change of the public surface.
 */
export const metricNames = {
  decisions: 'stepwell_decisions_total',
  decisionDuration: 'stepwell_decision_duration_milliseconds',
  dependencyDuration: 'stepwell_dependency_duration_milliseconds',
  decisionsInFlight: 'stepwell_decisions_in_flight',
  deadlineOvershoot: 'stepwell_deadline_overshoot_milliseconds',
  facts: 'stepwell_facts_total',
  consentSignals: 'stepwell_consent_signals_total',
  requestsShed: 'stepwell_requests_shed_total',
  requestsLimited: 'stepwell_requests_limited_total',
  repliesAbandoned: 'stepwell_replies_abandoned_total',
  approvalsExpired: 'stepwell_approvals_expired',
  approvalNextExpiry: 'stepwell_approval_next_expiry_seconds',
  policyStale: 'stepwell_policy_stale',
  policyLoads: 'stepwell_policy_loads_total',
  dependencyAsks: 'stepwell_dependency_asks_total',
  dependencyCalls: 'stepwell_dependency_calls_total',
  nearCacheReads: 'stepwell_near_cache_reads_total',
  nearCacheBytes: 'stepwell_near_cache_bytes',
  nearCacheEvictions: 'stepwell_near_cache_evictions_total',
  auditWaiting: 'stepwell_audit_lines_waiting',
  auditLost: 'stepwell_audit_lines_lost_total',
  changeStreamsOpen: 'stepwell_change_streams_open',
} as const;

/** Gauges that each process tells of itself alone: several processes' are added up. */
export const gaugesAddedUp: ReadonlySet<string> = new Set([
  metricNames.decisionsInFlight,
  metricNames.auditWaiting,
  metricNames.changeStreamsOpen,
]);

/** What a label says where there is nothing to say: an absent label and an empty one are easily mistaken for a bug. */
export const nothing = 'none';

export const spanNames = {
  decide: 'decide',
  identity: 'identity',
  consent: 'consent',
  gather: 'gather',
  arbitrate: 'arbitrate',
  /** One request to an HTTP source. */
  call: 'call',
} as const;

/** Attributes of the `decide` span, and of `call`. Those of zones are lists of one length, in the order of the answer. */
export const attributeKeys = {
  route: 'stepwell.route',
  page: 'stepwell.page',
  revision: 'stepwell.revision',
  scope: 'stepwell.scope',
  overshootMs: 'stepwell.overshoot_ms',
  status: 'http.response.status_code',
  zone: 'stepwell.zone',
  tier: 'stepwell.tier',
  intendedTier: 'stepwell.intended_tier',
  reason: 'stepwell.reason',
  cause: 'stepwell.cause',
  dependency: 'stepwell.dependency',
  /** Followed by the dependency's name. */
  factPrefix: 'stepwell.fact.',
  called: 'stepwell.called',
  fault: 'stepwell.fault',
} as const;

/** Milliseconds. Fine where budgets lie: a decision takes fractions of one, a store a few, a deadline tens. */
export const durationBucketsMs = [
  0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 250, 500, 1000,
];
export const overshootBucketsMs = [0.25, 0.5, 1, 2, 3, 5, 10, 20, 50, 100, 250, 1000];
