/**
 * What one decision asks the store: no more than its rules can use, and nothing that the request itself already forbids. Pure.
 * Each dependency is `asked`, `too_short` (no time was left to ask it) or `refused` (consent, identity or the rules rule it out).
 */
import type { Artefact } from '../decision/artefact.ts';
import { deniedByGpc, grantsCountFromMs, grantsCountUntilMs } from '../decision/consent.ts';
import type { ConsentSignal, RequestConsent, TokenEvidence } from '../decision/facts.ts';
import type { Needs } from '../decision/needs.ts';
import { type Kind, type PersonalUseCase, type UseCase, useCasesOfKind } from '../decision/vocabulary.ts';
import type { Alternative, AskedUseCase, Permission, ReadPlan } from '../records/store.ts';

/** The dependencies that one round trip to the store serves. */
export const storeDependencies = ['identity', 'consent', 'profile', 'session'] as const;
export type StoreDependency = (typeof storeDependencies)[number];

export type Asking = 'asked' | 'too_short' | 'refused';

/** A fact each, not a dependency each: a device link and a generation are both identity's, and one may be asked without the other. */
export interface Reading {
  readonly token: Asking;
  readonly device: Asking;
  readonly stored: Asking;
  readonly linked: Asking;
  readonly profile: Asking;
  readonly session: Asking;
  /** Null: the store is not to be asked at all. */
  readonly plan: ReadPlan | null;
}

export interface Asker {
  readonly artefact: Artefact;
  readonly needs: Needs;
  readonly consent: RequestConsent;
  readonly token: TokenEvidence;
  readonly tokenId: string | null;
  readonly deviceId: string | null;
  /** The random part of a verified session id. */
  readonly sessionId: string | null;
  readonly nowMs: number;
  /** Whether an answer of this dependency could still come in time. */
  hasTime(dependency: StoreDependency): boolean;
}

/** What the rungs that read a record ask for: the profile's the select and the activation use case, the session's the select alone. */
const askedForProfile = {
  content: [useCasesOfKind.content.select, useCasesOfKind.content.activation],
  offer: [useCasesOfKind.offer.select, useCasesOfKind.offer.activation],
} as const satisfies AskedOfKind;
const askedForSession = {
  content: [useCasesOfKind.content.select],
  offer: [useCasesOfKind.offer.select],
} as const satisfies AskedOfKind;
type AskedOfKind = Readonly<Record<Kind, readonly PersonalUseCase[]>>;

export function readingFor(asker: Asker): Reading {
  const { needs, token, deviceId } = asker;
  const subject = token.state === 'verified' ? token.subject : null;
  const asking = (dependency: StoreDependency, isWanted: boolean): Asking =>
    !isWanted ? 'refused' : asker.hasTime(dependency) ? 'asked' : 'too_short';
  const facts = {
    token: asking('identity', needs.identity && subject !== null),
    device: asking('identity', needs.identity && deviceId !== null),
    stored: asking('consent', needs.consent && subject !== null),
    linked: asking('consent', needs.consent && deviceId !== null),
  };
  // Without the token's standing and the stored record nobody is proved.
  const isProvable = facts.token === 'asked' && facts.stored === 'asked';
  // A stored record may hold a denial, so with no time for one that counts nothing is granted.
  const isHeard =
    (subject === null || facts.stored === 'asked') && (deviceId === null || (facts.device === 'asked' && facts.linked === 'asked'));
  const mayBeProved = mayBeHighConfidence(token);
  const ofProfile = profilePermission(asker);
  const ofSession = sessionPermission(asker, mayBeProved);
  const ofSessionNow = mayBeProved && !isProvable ? sessionPermission(asker, false) : ofSession;

  const profile = ofProfile === null ? 'refused' : isProvable ? asking('profile', true) : 'too_short';
  const session = ofSession === null ? 'refused' : isHeard && ofSessionNow !== null ? asking('session', true) : 'too_short';
  const permissions = { profile: profile === 'asked' ? ofProfile : null, session: session === 'asked' ? ofSessionNow : null };
  return { ...facts, profile, session, plan: planOf(asker, facts, permissions) };
}

/** Subject and device go along whenever anything about the person is asked: the store's own checks need both. */
function planOf(asker: Asker, facts: Pick<Reading, 'token' | 'device' | 'stored' | 'linked'>, permissions: Permissions): ReadPlan | null {
  const { artefact, token, tokenId, deviceId, sessionId } = asker;
  const { profile, session } = permissions;
  const consent = facts.stored === 'asked' || facts.linked === 'asked';
  const isPersonal = consent || facts.token === 'asked' || facts.device === 'asked' || profile !== null;
  if (!isPersonal && session === null) return null;
  const verified = isPersonal && token.state === 'verified' ? token : null;
  return {
    subject: verified?.subject ?? null,
    tokenId: verified === null ? null : tokenId,
    tokenGeneration: verified?.generation ?? 0,
    deviceId: isPersonal ? deviceId : null,
    resolvedLink: null,
    sessionId: session === null ? null : sessionId,
    consent,
    profile,
    session,
    freshnessMaxMs: artefact.freshnessMaxMs,
  };
}

type Permissions = Pick<ReadPlan, 'profile' | 'session'>;

/**
 * Null: whatever the store says, no user rung could open, so the profile stays shut. The store finishes the check with what only
 * it knows: the stored record, the generation, the denylist and the device link.
 */
function profilePermission(asker: Asker): Permission | null {
  return mayBeHighConfidence(asker.token) ? permissionFor(asker, asker.needs.profileKinds, askedForProfile, true) : null;
}

/**
 * Null: no rung that reads the session could open. A stored grant counts for a proved person only; anybody else's session needs a
 * grant in the request itself. A token of which nothing could be found out may be that of somebody who denied.
 */
function sessionPermission(asker: Asker, storedMayGrant: boolean): Permission | null {
  if (asker.sessionId === null || asker.token.state === 'failed') return null;
  return permissionFor(asker, asker.needs.sessionKinds, askedForSession, storedMayGrant);
}

function permissionFor(
  { artefact, consent, nowMs }: Asker,
  kinds: readonly Kind[],
  askedOf: AskedOfKind,
  storedMayGrant: boolean,
): Permission | null {
  if (kinds.length === 0 || forbidsEverything(consent)) return null;
  const alternatives: Alternative[] = [];
  for (const kind of kinds) {
    const alternative = alternativeFor(consent, askedOf[kind], storedMayGrant);
    if (alternative !== null) alternatives.push(alternative);
  }
  if (alternatives.length === 0) return null;
  return {
    alternatives,
    grantsCountFromMs: grantsCountFromMs(artefact.consent, nowMs),
    grantsCountUntilMs: grantsCountUntilMs(nowMs),
  };
}

/** Null: the request itself denies one of the use cases, or nothing that counts could grant it. */
function alternativeFor(consent: RequestConsent, asked: readonly PersonalUseCase[], storedMayGrant: boolean): Alternative | null {
  const alternative: AskedUseCase[] = [];
  for (const useCase of asked) {
    const granted = says(consent.signals, useCase, 'granted');
    if ((!granted && !storedMayGrant) || isDenied(consent, useCase)) return null;
    alternative.push({ useCase, granted });
  }
  return alternative;
}

function mayBeHighConfidence(token: TokenEvidence): boolean {
  return token.state === 'verified' && !token.expired && token.method === 'deterministic' && token.binding !== 'unproved';
}

/** A signal that did not decode may hide a denial, and a known child denies everything: no grant can come of either. */
function forbidsEverything({ signals }: RequestConsent): boolean {
  return signals.some((signal) => signal.state === 'invalid' || signal.child === true);
}

function isDenied({ signals, gpc }: RequestConsent, useCase: PersonalUseCase): boolean {
  return (gpc && deniedByGpc(useCase)) || says(signals, useCase, 'denied');
}

function says(signals: readonly ConsentSignal[], useCase: UseCase, what: 'granted' | 'denied'): boolean {
  return signals.some((signal) => signal.state === 'valid' && signal.useCases[useCase] === what);
}
