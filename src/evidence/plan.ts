/**
 * What one decision asks the store, and after it the HTTP sources: no more than its rules can use, and nothing that the request itself
 * already forbids. Pure. Each dependency is `asked`, `too_short` (no time was left to ask it) or `refused` (consent, identity or the
 * rules rule it out).
 */
import type { Artefact } from '../decision/artefact.ts';
import { deniedByGpc, grantsCountFromMs, grantsCountUntilMs, supersedesBeforeMs } from '../decision/consent.ts';
import type { ConsentSignal, Fact, IdentityLink, RequestConsent, TokenEvidence } from '../decision/facts.ts';
import { provenUntilMs } from '../decision/identity.ts';
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
  readonly sessionConsent: Asking;
  readonly profile: Asking;
  readonly session: Asking;
  readonly audience: Asking;
  readonly model: Asking;
  /** Null: the store is not to be asked at all. */
  readonly plan: ReadPlan | null;
  /** Null: nobody is to be asked when the store has answered. */
  readonly afterStore: AfterStore | null;
}

/** HTTP sources that are asked about a person: only once the store has proved who it is, and what consent allows. */
export const personSources = ['profile', 'audience', 'model'] as const;
export type PersonSource = (typeof personSources)[number];

/** What each of them may be asked under; null where it is not to be asked. */
export type AfterStore = Readonly<Record<PersonSource, Permission | null>>;

export interface Asker {
  readonly artefact: Artefact;
  readonly needs: Needs;
  readonly consent: RequestConsent;
  readonly token: TokenEvidence;
  readonly tokenId: string | null;
  readonly deviceId: string | null;
  /** Whom the device is linked to, as a resolver of its own said or failed to say; null where the store looks it up. */
  readonly resolved: Fact<IdentityLink> | null;
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
  const { artefact, needs, token, resolved } = asker;
  const hasDevice = asker.deviceId !== null && (resolved === null || resolved.state === 'known');
  // Behind a link that did not come may stand a denial, so with it nothing is granted, whatever else may come.
  const hidesDenial = resolved !== null && resolved.state !== 'known' && resolved.state !== 'absent';
  const subject = token.state === 'verified' ? token.subject : null;
  const asking = (dependency: StoreDependency, isWanted: boolean): Asking =>
    !isWanted ? 'refused' : asker.hasTime(dependency) ? 'asked' : 'too_short';
  const facts = {
    token: asking('identity', needs.identity && subject !== null),
    device: asking('identity', needs.identity && hasDevice),
    stored: asking('consent', needs.consent && subject !== null),
    linked: asking('consent', needs.consent && hasDevice),
    sessionConsent: asking('consent', needs.consent && asker.sessionId !== null),
  };
  // Without the token's standing and the stored records nobody is proved.
  const isProvable = facts.token === 'asked' && facts.stored === 'asked';
  // A stored record may hold a denial, so with no time for one that counts nothing is granted. For all of them there is time, or for none.
  const isHeard = facts.sessionConsent === 'asked' && (!hasDevice || facts.device === 'asked');
  const mayBeProved = mayBeHighConfidence(token);
  const ofPerson = hidesDenial || !mayBeProved ? nothingPersonal : personPermissions(asker);
  const ofSession = hidesDenial ? null : sessionPermission(asker, mayBeProved);
  const ofSessionNow = mayBeProved && !isProvable ? sessionPermission(asker, false) : ofSession;

  // Whether there is time for a source is found out when the store has answered.
  const askingSource = (permission: Permission | null): Asking => (permission === null ? 'refused' : isProvable ? 'asked' : 'too_short');
  const isProfileStored = artefact.dependencies.profile.source === null;
  const isProfileSought = askingSource(ofPerson.profile);
  const profile = isProfileStored && isProfileSought === 'asked' ? asking('profile', true) : isProfileSought;
  const audience = askingSource(ofPerson.audience);
  const model = askingSource(ofPerson.model);
  const session = ofSession === null ? 'refused' : isHeard && ofSessionNow !== null ? asking('session', true) : 'too_short';
  const permissions = {
    profile: profile === 'asked' && isProfileStored ? ofPerson.profile : null,
    session: session === 'asked' ? ofSessionNow : null,
  };
  const isSourced = (profile === 'asked' && !isProfileStored) || audience === 'asked' || model === 'asked';
  const afterStore = isSourced ? { ...ofPerson, profile: isProfileStored ? null : ofPerson.profile } : null;
  return { ...facts, profile, session, audience, model, plan: planOf(asker, facts, permissions), afterStore };
}

const nothingPersonal: AfterStore = { profile: null, audience: null, model: null };

/**
 * Null: whatever the store says, no user rung could open, so what is known of a person stays shut. The check is finished with what only
 * the store knows: the stored record, the generation, the denylist and the device link.
 */
function personPermissions(asker: Asker): AfterStore {
  const { needs, artefact } = asker;
  const { audience, model } = artefact.dependencies;
  return {
    profile: permissionFor(asker, needs.profileKinds, askedForProfile, true),
    audience: audience.source === null ? null : permissionFor(asker, needs.audienceKinds, askedForProfile, true),
    model: model.source === null ? null : permissionFor(asker, needs.modelKinds, askedForProfile, true),
  };
}

/** Subject and device go along whenever anything about the person is asked: the store's own checks need both. */
function planOf(asker: Asker, facts: AskedFacts, permissions: Permissions): ReadPlan | null {
  const { artefact, token, tokenId, deviceId, resolved, sessionId } = asker;
  const { profile, session } = permissions;
  const asksSessionConsent = facts.sessionConsent === 'asked';
  const asksPersonsConsent = facts.stored === 'asked' || facts.linked === 'asked';
  const isPersonal = asksPersonsConsent || facts.token === 'asked' || facts.device === 'asked' || profile !== null;
  if (!isPersonal && session === null && !asksSessionConsent) return null;
  const verified = isPersonal && token.state === 'verified' ? token : null;
  return {
    subject: verified?.subject ?? null,
    tokenId: verified === null ? null : tokenId,
    tokenGeneration: verified?.generation ?? 0,
    ...(verified === null ? {} : { provenUntilMs: provenUntilMs(verified) }),
    deviceId: isPersonal && resolved === null ? deviceId : null,
    resolvedLink: isPersonal && resolved?.state === 'known' ? resolved.value : null,
    sessionId: session === null && !asksSessionConsent ? null : sessionId,
    consent: asksPersonsConsent || asksSessionConsent,
    profile,
    session,
    freshnessMaxMs: artefact.freshnessMaxMs,
  };
}

type AskedFacts = Pick<Reading, 'token' | 'device' | 'stored' | 'linked' | 'sessionConsent'>;
type Permissions = Pick<ReadPlan, 'profile' | 'session'>;

/**
 * Null: no rung that reads the session could open. A stored grant counts for a proved person only; anybody else's session needs a
 * grant in the request itself, and none at all where only the proved see what it holds. A token of which nothing could be found out may be
 * that of somebody who denied.
 */
function sessionPermission(asker: Asker, isProved: boolean): Permission | null {
  if (asker.sessionId === null || asker.token.state === 'failed') return null;
  if (asker.needs.onlyProved && !isProved) return null;
  return permissionFor(asker, asker.needs.sessionKinds, askedForSession, isProved);
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
    alternative.push({ useCase, granted, supersedesBeforeMs: supersedesBeforeMs(consent.signals, useCase) });
  }
  return alternative;
}

function mayBeHighConfidence(token: TokenEvidence): boolean {
  return (
    token.state === 'verified' &&
    !token.expired &&
    token.method === 'deterministic' &&
    (token.binding === 'none' || token.binding === 'proved')
  );
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
