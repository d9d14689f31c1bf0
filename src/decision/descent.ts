/**
 * The way down a ladder: which rungs failed, and why. Most visitors of a page come down the same few ways, so the same failures in
 * the same order are one object, made once; there are no more of them than closed reasons allow.
 */
import type { Downgrade, Step } from './decision.ts';
import type { GateFailure } from './gate-failure.ts';
import { causeOf, type Reason } from './reasons.ts';
import type { Tier } from './vocabulary.ts';

export interface Descent {
  /** Every rung above, in order; empty at the top. */
  readonly steps: readonly Step[];
  /** A better answer may come in a moment: something ran late, broke or was shed. */
  readonly mayRecover: boolean;
  /** Consent has not been heard yet. */
  readonly awaitsConsent: boolean;
  /** The way on when the rung of this tier fails. */
  past(tier: Tier, failure: GateFailure): Descent;
  /** Null at the top: what was intended is served. */
  downgradeTo(tier: Tier): Downgrade | null;
}

export const topOfLadder: Descent = descent([], null);

function descent(steps: readonly Step[], first: GateFailure | null): Descent {
  const ways = new Map<GateFailure, Map<Tier, Descent>>();
  const downgrades = new Map<Tier, Downgrade | null>();
  return {
    steps,
    mayRecover: steps.some(({ reason }) => passes(reason)),
    awaitsConsent: steps.some(({ reason }) => reason === 'consent_unavailable' || reason === 'activation_unavailable'),
    past(tier, failure) {
      let byTier = ways.get(failure);
      if (byTier === undefined) {
        byTier = new Map();
        ways.set(failure, byTier);
      }
      let way = byTier.get(tier);
      if (way === undefined) {
        way = descent([...steps, { tier, reason: failure.reason }], first ?? failure);
        byTier.set(tier, way);
      }
      return way;
    },
    downgradeTo(tier) {
      let downgrade = downgrades.get(tier);
      if (downgrade === undefined) {
        downgrade = downgradeOf(steps, first, tier);
        downgrades.set(tier, downgrade);
      }
      return downgrade;
    },
  };
}

function passes(reason: Reason): boolean {
  const cause = causeOf(reason);
  return cause === 'time' || cause === 'fault' || cause === 'load';
}

function downgradeOf(steps: readonly Step[], first: GateFailure | null, to: Tier): Downgrade | null {
  const from = steps[0]?.tier;
  if (from === undefined || first === null) return null;
  return { from, to, reason: first.reason, cause: causeOf(first.reason), dependency: first.dependency, steps };
}
