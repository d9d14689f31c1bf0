/**
 * The gates of a rung: consent, identity, class, facts, in this order; the first that fails is the step's reason. Nothing here
 * opens a gate for want of evidence.
 */
import type { Zone } from './artefact.ts';
import { type ConsentView, deniedByGpc } from './consent.ts';
import type { Fact } from './facts.ts';
import { failure, type GateFailure, unread } from './gate-failure.ts';
import { type PreparedRung, readsOf } from './reading.ts';
import type { Reason } from './reasons.ts';
import { classLoss } from './sensitivity.ts';
import { clearanceOf, type Standing } from './standing.ts';
import { type Dependency, type Kind, type Tier, tierHeight, useCasesOfKind } from './vocabulary.ts';

/** The first gate that fails; null when all hold. The anonymous rung has no gates. */
export function gateFailure(standing: Standing, zone: Zone, prepared: PreparedRung): GateFailure | null {
  const { tier } = prepared.rung;
  if (tier === 'anonymous') return null;
  if (tier === 'segment') return segmentConsentFailure(standing, zone.kind) ?? caps(standing, tier);
  return (
    consentFailure(standing.consent, zone.kind, tier) ??
    // No cap of consent's here: while a record has not come nothing is granted, so the gate before has failed.
    (tier === 'user' ? standing.identity.userFailure : standing.identity.sessionFailure) ??
    cap(standing, 'identity', standing.identity.unread, tier) ??
    zoneClassFailure(standing, zone, tier) ??
    factCaps(standing, tier) ??
    factsFailure(standing, prepared)
  );
}

/** In the order of the contract: a denial is named before a silence, and what hides a denial before plain silence. */
function consentFailure({ states, child, gpc, unread: hidden }: ConsentView, kind: Kind, tier: Tier): GateFailure | null {
  const { select, activation } = useCasesOfKind[kind];
  const selecting = states[select];
  const activating = tier === 'user' ? states[activation] : null;
  if (child) return failure('child');
  if (gpc && (deniedByGpc(select) || (activating === 'denied' && deniedByGpc(activation)))) return failure('gpc');
  if (selecting === 'denied') return failure('consent_denied');
  if (activating === 'denied') return failure('activation_denied');
  if (selecting === 'unavailable') return hidden ?? failure('consent_unavailable');
  return activating === 'unavailable' ? (hidden ?? failure('activation_unavailable')) : null;
}

function segmentConsentFailure({ artefact, consent }: Standing, kind: Kind): GateFailure | null {
  const { contextual, select } = useCasesOfKind[kind];
  if (consent.states[contextual] === 'denied') return failure('consent_denied');
  const open = consent.states[select] === 'granted' || consent.states[contextual] === 'granted' || artefact.contextualWithoutSignal;
  return open ? null : (consent.unread ?? failure('consent_unavailable'));
}

/** While a dependency is late or failed, `onFailure` keeps every zone at or below a tier. */
function cap(standing: Standing, dependency: Dependency, missing: GateFailure | null, tier: Tier): GateFailure | null {
  return isCapped(standing, dependency, tier) ? missing : null;
}

function isCapped({ artefact }: Standing, dependency: Dependency, tier: Tier): boolean {
  const { onFailure, source } = artefact.dependencies[dependency];
  // Where nobody is asked for audiences or a model, nobody can keep anybody waiting.
  if ((dependency === 'audience' || dependency === 'model') && source === null) return false;
  return !(onFailure === null || tierHeight(tier) <= tierHeight(onFailure));
}

function factCaps(standing: Standing, tier: Tier): GateFailure | null {
  for (const { dependency, failure } of standing.unreadFacts) if (isCapped(standing, dependency, tier)) return failure;
  return null;
}

function caps(standing: Standing, tier: Tier): GateFailure | null {
  return (
    cap(standing, 'consent', standing.consent.unread, tier) ??
    cap(standing, 'identity', standing.identity.unread, tier) ??
    factCaps(standing, tier)
  );
}

/**
 * Only a zone that itself declares a sensitive class says why its class was not met; for anything else the reason would tell
 * that something sensitive was there.
 */
function zoneClassFailure(standing: Standing, zone: Zone, tier: Tier): GateFailure | null {
  const loss = classLoss(zone.sensitivity, clearanceOf(standing, tier, zone.kind));
  return loss === 'identity_unbound' || loss === 'step_up_required' || loss === 'explicit_consent_missing' ? failure(loss) : null;
}

function factsFailure({ question, evidence }: Standing, prepared: PreparedRung): GateFailure | null {
  const reads = readsOf(prepared, question.nowMs);
  if (prepared.rung.tier !== 'user') return reads.session ? missing(evidence.session, 'session', 'session_absent') : null;
  return (
    (reads.profile ? missing(evidence.profile, 'profile', 'profile_absent') : null) ??
    (reads.audience ? missing(evidence.audience, 'audience', 'audience_absent') : null) ??
    (reads.model ? missing(evidence.model, 'model', 'model_unavailable') : null)
  );
}

function missing(fact: Fact<unknown>, dependency: Dependency, nothing: Reason): GateFailure | null {
  return fact.state === 'known' ? null : (unread(fact, dependency) ?? failure(nothing));
}
