/**
 * Whether a profile or a session may be touched, given what was read before it. Pure. The embedded store calls it; the Redis script
 * says the same in Lua, and the contract suite compares both with these functions.
 *
 * It says no only where no rung that reads the record could open whatever the record says, so no decision turns on it.
 */
import { denies } from '../decision/consent.ts';
import type { StoredConsent } from '../decision/facts.ts';
import { isHandedOver } from '../decision/identity.ts';
import type { AskedUseCase, Permission, ReadPlan, StoreReading } from './store.ts';

/** The consent records here are what is stored, whether or not the plan asks to be told of them. */
export type ReadingSoFar = Pick<StoreReading, 'link' | 'generation' | 'tokenRevoked' | 'consent' | 'linkedConsent' | 'sessionConsent'>;

/** A profile is a proved person's only. */
export function mayReadProfile(plan: ReadPlan, reading: ReadingSoFar): boolean {
  return plan.profile !== null && isProved(plan, reading) && holds(plan.profile, plan, reading);
}

/** A session is read for anybody whose consent allows it. */
export function mayReadSession(plan: ReadPlan, reading: ReadingSoFar): boolean {
  return plan.session !== null && plan.sessionId !== null && holds(plan.session, plan, reading);
}

function holds(permission: Permission, plan: ReadPlan, reading: ReadingSoFar): boolean {
  const denying = countsOwnDenials(plan, reading) ? reading.consent : null;
  const alsoDenying = isLinkedToAnother(plan, reading) ? reading.linkedConsent : null;
  const granting = isProved(plan, reading) && isYoung(reading.consent, permission) ? reading.consent : null;
  return permission.alternatives.some((alternative) =>
    alternative.every(
      (asked) =>
        !isDenied(denying, asked) &&
        !isDenied(alsoDenying, asked) &&
        !isDenied(reading.sessionConsent, asked) &&
        (asked.granted || grants(granting, asked)),
    ),
  );
}

/** As far as a store can tell: whether the token itself proves somebody, the plan has seen to. */
function isProved(plan: ReadPlan, reading: ReadingSoFar): boolean {
  return (
    plan.subject !== null &&
    !reading.tokenRevoked &&
    reading.generation <= plan.tokenGeneration &&
    (reading.link === null || (reading.link.subject === plan.subject && !isHandedOver(reading.link, plan.provenUntilMs ?? 0)))
  );
}

/** A revoked token is as if it were not there, and its subject's record with it, unless the device names the same person. */
function countsOwnDenials({ subject }: ReadPlan, { link, tokenRevoked }: ReadingSoFar): boolean {
  return !tokenRevoked || link?.subject === subject;
}

function isLinkedToAnother({ subject }: ReadPlan, { link }: ReadingSoFar): boolean {
  return link !== null && link.subject !== subject;
}

/** A stored grant ages, and one from the future says nothing; a stored denial does neither. */
function isYoung(consent: StoredConsent | null, { grantsCountFromMs, grantsCountUntilMs }: Permission): boolean {
  if (consent === null) return false;
  const { grantedAtMs = consent.recordedAtMs } = consent;
  return grantedAtMs >= grantsCountFromMs && grantedAtMs <= grantsCountUntilMs;
}

function grants(consent: StoredConsent | null, { useCase }: AskedUseCase): boolean {
  return consent !== null && consent.useCases[useCase] === 'granted';
}

function isDenied(consent: StoredConsent | null, { useCase, supersedesBeforeMs }: AskedUseCase): boolean {
  return consent !== null && denies(consent, useCase, supersedesBeforeMs);
}
