/**
 * Whether a profile may be touched, given what was read before it. Pure. The embedded store calls it; the Redis script says the
 * same in Lua, and the contract suite compares both with this function.
 */
import type { StoredConsent } from '../decision/facts.ts';
import type { PersonalUseCase } from '../decision/vocabulary.ts';
import type { ReadPlan, StoreReading } from './store.ts';

export type ReadingSoFar = Pick<StoreReading, 'link' | 'generation' | 'tokenRevoked' | 'consent'>;

export function mayReadProfile(plan: ReadPlan, reading: ReadingSoFar): boolean {
  const { profile, subject } = plan;
  if (profile === null || subject === null) return false;
  if (reading.tokenRevoked || reading.generation > plan.tokenGeneration) return false;
  if (reading.link !== null && reading.link.subject !== subject) return false;
  const allows = (useCase: PersonalUseCase, granted: boolean): boolean =>
    recordAllows(reading.consent, useCase, granted, profile.grantsCountFromMs);
  return profile.alternatives.some(
    (alternative) => allows(alternative.select, alternative.selectGranted) && allows(alternative.activation, alternative.activationGranted),
  );
}

/** A stored denial wins over everything and never ages; a stored grant counts only if it is young enough. */
function recordAllows(
  consent: StoredConsent | null,
  useCase: PersonalUseCase,
  grantedByRequest: boolean,
  grantsCountFromMs: number,
): boolean {
  const stored = consent?.useCases[useCase];
  if (stored === 'denied') return false;
  return grantedByRequest || (stored === 'granted' && consent !== null && consent.recordedAtMs >= grantsCountFromMs);
}
