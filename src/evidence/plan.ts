/**
 * What one decision asks the store: no more than its rules can use, and nothing that the request itself already forbids. Pure.
 * Each dependency is `asked`, `too_short` (no time was left to ask it) or `refused` (consent, identity or the rules rule it out).
 */
import type { Artefact } from '../decision/artefact.ts';
import type { ConsentSignal, TokenEvidence } from '../decision/facts.ts';
import type { Needs } from '../decision/needs.ts';
import { gpcUseCases, type Kind, type PersonalUseCase, type UseCase, useCasesOfKind } from '../decision/vocabulary.ts';
import type { ProfilePermission, ReadPlan } from '../records/store.ts';

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

/** What the request itself says about consent. */
export interface RequestConsent {
  readonly signals: readonly ConsentSignal[];
  readonly gpc: boolean;
}

const dayMs = 86_400_000;

export function readingFor(asker: Asker): Reading {
  const { needs, token, deviceId, sessionId } = asker;
  const subject = token.state === 'verified' ? token.subject : null;
  const permission = needs.profileKinds.length === 0 ? null : profilePermission(asker);
  const asking = (dependency: StoreDependency, isWanted: boolean): Asking =>
    !isWanted ? 'refused' : asker.hasTime(dependency) ? 'asked' : 'too_short';

  const tokenAsked = asking('identity', needs.identity && subject !== null);
  const storedAsked = asking('consent', needs.consent && subject !== null);
  const isProvable = tokenAsked === 'asked' && storedAsked === 'asked';
  const facts = {
    token: tokenAsked,
    device: asking('identity', needs.identity && deviceId !== null),
    stored: storedAsked,
    linked: asking('consent', needs.consent && deviceId !== null),
    // Without the token's standing and the stored record nobody may use a profile, so with no time for them it stays shut.
    profile: permission === null || isProvable ? asking('profile', permission !== null) : ('too_short' as const),
    session: asking('session', needs.session && sessionId !== null && mayReadSession(asker)),
  };
  return { ...facts, plan: Object.values(facts).includes('asked') ? planOf(asker, facts, permission) : null };
}

/** Subject and device go along whenever anything about the person is asked: the store's own checks on the profile need both. */
function planOf(asker: Asker, facts: Omit<Reading, 'plan'>, permission: ProfilePermission | null): ReadPlan {
  const { token, tokenId, deviceId, sessionId } = asker;
  const { session, ...personal } = facts;
  const isPersonal = Object.values(personal).includes('asked');
  const verified = isPersonal && token.state === 'verified' ? token : null;
  return {
    subject: verified?.subject ?? null,
    tokenId: verified === null ? null : tokenId,
    tokenGeneration: verified?.generation ?? 0,
    deviceId: isPersonal ? deviceId : null,
    sessionId: session === 'asked' ? sessionId : null,
    consent: facts.stored === 'asked' || facts.linked === 'asked',
    profile: facts.profile === 'asked' ? permission : null,
  };
}

/**
 * Null: whatever the store says, no user rung could open, so the profile stays shut. The store finishes the check with what only
 * it knows: the stored record, the generation, the denylist and the device link.
 */
function profilePermission({ artefact, needs, token, consent, nowMs }: Asker): ProfilePermission | null {
  if (!mayBeHighConfidence(token) || forbidsEverything(consent)) return null;
  const alternatives = needs.profileKinds
    .map((kind) => useCasesOfKind[kind])
    .filter(({ select, activation }) => !isDenied(consent, select) && !isDenied(consent, activation))
    .map(({ select, activation }) => ({
      select,
      activation,
      selectGranted: isGranted(consent, select),
      activationGranted: isGranted(consent, activation),
    }));
  return alternatives.length === 0 ? null : { alternatives, grantsCountFromMs: nowMs - artefact.consent.maxAgeDays * dayMs };
}

/** A stored grant counts for a proved person only; anybody else's session needs a grant in the request itself. */
function mayReadSession({ token, consent }: Asker): boolean {
  if (forbidsEverything(consent)) return false;
  const kinds: readonly Kind[] = ['content', 'offer'];
  return kinds.some((kind) => {
    const { select } = useCasesOfKind[kind];
    return !isDenied(consent, select) && (isGranted(consent, select) || mayBeHighConfidence(token));
  });
}

function mayBeHighConfidence(token: TokenEvidence): boolean {
  return token.state === 'verified' && !token.expired && token.method === 'deterministic' && token.binding !== 'unproved';
}

/** A signal that did not decode may hide a denial, and a known child denies everything: no grant can come of either. */
function forbidsEverything({ signals }: RequestConsent): boolean {
  return signals.some((signal) => signal.state === 'invalid' || signal.child === true);
}

function isDenied({ signals, gpc }: RequestConsent, useCase: PersonalUseCase): boolean {
  return (gpc && (gpcUseCases as readonly UseCase[]).includes(useCase)) || says(signals, useCase, 'denied');
}

function isGranted({ signals }: RequestConsent, useCase: PersonalUseCase): boolean {
  return says(signals, useCase, 'granted');
}

function says(signals: readonly ConsentSignal[], useCase: UseCase, what: 'granted' | 'denied'): boolean {
  return signals.some((signal) => signal.state === 'valid' && signal.useCases[useCase] === what);
}
