/** What `decide` answers. The wire shows the same objects, so their members keep the wire's names and order. */
import type { Cause, Reason } from './reasons.ts';
import type { Json } from './value.ts';
import type { ConsentState, Dependency, IdentityState, Render, Scope, Tier, UseCase } from './vocabulary.ts';

export interface Decision {
  readonly identity: { readonly state: IdentityState };
  readonly consent: ConsentAnswer;
  readonly zones: readonly ZoneDecision[];
}

export type ConsentAnswer = Readonly<Record<UseCase, ConsentState>> & {
  readonly gpc: { readonly received: boolean; readonly honored: readonly UseCase[] };
};

export interface ZoneDecision {
  readonly zone: string;
  readonly tier: Tier;
  readonly intendedTier: Tier;
  /** Null only when the zone is suppressed. */
  readonly variant: string | null;
  readonly offer: string | null;
  readonly content: Json;
  readonly render: Render;
  /** Null exactly when the intended tier was served. */
  readonly downgrade: Downgrade | null;
  readonly cache: CacheAnswer;
  readonly holdout: string | null;
  readonly propensityPpm: number | null;
  readonly explain?: Explanation;
}

export interface Downgrade {
  readonly from: Tier;
  readonly to: Tier;
  readonly reason: Reason;
  readonly cause: Cause;
  /** Named for the causes data, time and fault; else null. */
  readonly dependency: Dependency | null;
  /** Every rung above the served one, in order, each with the first gate that failed. */
  readonly steps: readonly Step[];
}

export interface Step {
  readonly tier: Tier;
  readonly reason: Reason;
}

export interface CacheAnswer {
  readonly scope: Scope;
  readonly maxAgeSeconds: number;
  readonly key: string | null;
  readonly tags: readonly string[];
  readonly degraded: boolean;
}

/** Why, for the author of a policy. Holds ids, reasons, numbers and states; never an attribute's value. */
export interface Explanation {
  readonly rungs: readonly { readonly tier: Tier; readonly gate: Reason | null }[];
  readonly candidates: readonly Candidate[];
  readonly facts: Readonly<Record<Dependency, string>>;
}

export interface Candidate {
  readonly tier: Tier;
  /** Exactly one of the two: an offer's id, or the variant of a `choose` rule. */
  readonly offer: string | null;
  readonly variant: string;
  /** Null for the one that was chosen. */
  readonly lost: LossReason | null;
  /** The factors of an offer that reached arbitration; null otherwise. */
  readonly score: Score | null;
}

export const lossReasons = [
  'condition_false',
  'condition_unknown',
  'class_not_allowed',
  'class_not_enabled',
  'identity_unbound',
  'step_up_required',
  'explicit_consent_missing',
  'outside_window',
  'below_lowest_tier',
  'already_on_page',
  'group_on_page',
  'zero_priority',
  'lower_priority',
  'not_reached',
] as const;
export type LossReason = (typeof lossReasons)[number];

export interface Score {
  readonly propensityPpm: number;
  readonly value: number;
  readonly contextPerMille: number;
  readonly leversPerMille: number;
  readonly priority: number;
}
