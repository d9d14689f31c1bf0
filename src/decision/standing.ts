/** Where a visitor stands: identity, consent and facts weighed once, for every zone of the question. */
import type { Artefact } from './artefact.ts';
import { type ConsentView, weighConsent } from './consent.ts';
import type { Scope } from './evaluate.ts';
import type { Evidence } from './facts.ts';
import { type IdentityView, weighIdentity } from './identity.ts';
import type { Question } from './question.ts';
import { type Clearance, stepUpMaxAgeSeconds } from './sensitivity.ts';
import { type Tier, tierHeight, useCasesOfKind } from './vocabulary.ts';

export interface Standing {
  readonly artefact: Artefact;
  readonly question: Question;
  readonly evidence: Evidence;
  readonly identity: IdentityView;
  readonly consent: ConsentView;
}

/** Clock tolerance for `auth_time`, the same as for a token's other times. */
const authTimeSkewSeconds = 5;

export function weigh(artefact: Artefact, question: Question, evidence: Evidence): Standing {
  const identity = weighIdentity(evidence.identity);
  const consent = weighConsent(artefact.consent, evidence, identity, question.nowMs);
  return { artefact, question, evidence, identity, consent };
}

/** What a rung may read: never more than its tier allows, whatever has come. */
export function scopeOf({ question, evidence }: Standing, tier: Tier): Scope {
  const session = tierHeight(tier) >= tierHeight('session') && evidence.session.state === 'known' ? evidence.session.value : undefined;
  const profile = tier === 'user' && evidence.profile.state === 'known' ? evidence.profile.value : undefined;
  const edge = question.audiences ?? undefined;
  return {
    request: question.request,
    session: session?.attributes,
    profile: profile?.attributes,
    audiences: profile === undefined ? edge : [...new Set([...(edge ?? []), ...profile.audiences])],
    // INVARIANT: with the profile missing, absence from the caller's list proves nothing, or `!("x" in audiences)` would raise a tier.
    audiencesOpen: tier === 'user' && profile === undefined,
    nowMs: question.nowMs,
  };
}

export function clearanceOf({ artefact, question, identity, consent }: Standing, tier: Tier, kind: 'content' | 'offer'): Clearance {
  const selectGranted = question.audience === 'personal' && consent.states[useCasesOfKind[kind].select] === 'granted';
  const authTimeSeconds = identity.token?.authTimeSeconds ?? null;
  const ageSeconds = authTimeSeconds === null ? null : question.nowMs / 1000 - authTimeSeconds;
  return {
    tier,
    beyondRequestFacts: tier === 'user' || tier === 'session' || (tier === 'segment' && selectGranted),
    enabledCategories: artefact.sensitiveCategories,
    grantedCategories: consent.grantedCategories,
    holderProved: identity.token?.binding === 'proved',
    authenticatedRecently: ageSeconds !== null && ageSeconds <= stepUpMaxAgeSeconds && ageSeconds >= -authTimeSkewSeconds,
  };
}
