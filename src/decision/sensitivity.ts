/**
 * What a class asks for. S0 is request facts, S1 ordinary behaviour; S2 and S3 exist on the user rung only, and there they ask
 * for a person who authenticated a short while ago and holds the key the token is bound to; S3 also for an explicit grant.
 */
import type { Sensitivity } from './artefact.ts';
import { grantsCategory } from './consent.ts';
import type { LossReason } from './decision.ts';
import type { StoredConsent } from './facts.ts';
import { classes, higherClass, type Tier } from './vocabulary.ts';

export const stepUpMaxAgeSeconds = 900;

/** What this visitor may be shown on one rung, as far as classes go. */
export interface Clearance {
  readonly tier: Tier;
  /** Whether more than request facts may select. */
  readonly beyondRequestFacts: boolean;
  readonly enabledCategories: readonly string[];
  /** The stored record whose explicit grants count. */
  readonly explicit: StoredConsent | null;
  readonly holderProved: boolean;
  readonly authenticatedRecently: boolean;
}

/** What both declare: the highest class, and every category of either. */
export function combined(a: Sensitivity, b: Sensitivity): Sensitivity {
  return {
    class: higherClass(a.class, b.class),
    categories: [...new Set([...a.categories, ...b.categories])].sort(),
    uncategorised: a.uncategorised || b.uncategorised,
  };
}

/** Whether the policy switches this on at all, whoever asks. */
export function isEnabled(sensitivity: Sensitivity, enabledCategories: readonly string[]): boolean {
  if (sensitivity.class !== 'S3') return true;
  if (sensitivity.uncategorised || sensitivity.categories.length === 0) return false;
  return sensitivity.categories.every((category) => enabledCategories.includes(category));
}

/** The first condition of its class that is not met; null when it may be shown. */
export function classLoss(sensitivity: Sensitivity, clearance: Clearance): LossReason | null {
  if (sensitivity.class === 'S0') return null;
  // What is shown to everybody is selected by nothing personal, whatever class its zone declares; the compiler holds it below S2.
  if (clearance.tier === 'anonymous') return null;
  if (sensitivity.class === 'S1') return clearance.beyondRequestFacts ? null : 'class_not_allowed';
  if (!classes.includes(sensitivity.class) || clearance.tier !== 'user') return 'class_not_allowed';
  if (!isEnabled(sensitivity, clearance.enabledCategories)) return 'class_not_enabled';
  if (!clearance.holderProved) return 'identity_unbound';
  if (!clearance.authenticatedRecently) return 'step_up_required';
  if (sensitivity.class !== 'S3') return null;
  const { explicit } = clearance;
  const granted = explicit !== null && sensitivity.categories.every((category) => grantsCategory(explicit, category));
  return granted ? null : 'explicit_consent_missing';
}
