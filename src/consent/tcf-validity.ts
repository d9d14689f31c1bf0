/**
 * Whether a TC string that decodes may be relied on: it must be for this service, of a policy we know, whole by the rules of its day,
 * and neither from the future nor too old. A string that may not is not silent: it may hide a denial.
 */
import { dayMs } from '../time/units.ts';
import type { ConsentSignalOutcome, SignalContext } from './signal.ts';
import type { TcString } from './tcf.ts';

/** TCF 2.2 and 2.3. A later one may give bits another meaning, so it is not guessed at. */
const policyVersionMin = 4;
const policyVersionMax = 5;
/** From this day on strings are TCF 2.3: they tell which vendors the person was shown. */
const disclosureFromMs = Date.UTC(2026, 2, 1);
const disclosurePolicyVersionMin = 5;
/** Clocks differ, and the day of a string may be another time zone's. */
const aheadMaxMs = dayMs;

export function tcfValidity(tc: TcString, { settings, nowMs }: SignalContext): Exclude<ConsentSignalOutcome, 'absent' | 'malformed'> {
  const mustDisclose = tc.createdMs >= disclosureFromMs;
  if (!tc.isServiceSpecific) return 'not_service_specific';
  if (tc.policyVersion > policyVersionMax) return 'policy_version_unknown';
  if (tc.policyVersion < (mustDisclose ? disclosurePolicyVersionMin : policyVersionMin)) return 'policy_version';
  if (mustDisclose && tc.disclosedVendors === null) return 'disclosed_vendors_missing';
  if (Math.max(tc.createdMs, tc.lastUpdatedMs) > nowMs + aheadMaxMs) return 'future';
  if (tc.lastUpdatedMs < nowMs - settings.maxAgeDays * dayMs) return 'stale';
  return 'valid';
}
