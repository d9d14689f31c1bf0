/** Where a visitor stands: identity, consent and facts weighed once, for every zone of the question. */
import type { Artefact } from './artefact.ts';
import { type ConsentView, weighConsent } from './consent.ts';
import type { Scope } from './evaluate.ts';
import type { Evidence } from './facts.ts';
import { type GateFailure, unread } from './gate-failure.ts';
import { type IdentityView, weighIdentity } from './identity.ts';
import type { Question } from './question.ts';
import { type Clearance, stepUpMaxAgeSeconds } from './sensitivity.ts';
import { type Dependency, type Tier, useCasesOfKind } from './vocabulary.ts';

export interface Standing {
  readonly artefact: Artefact;
  readonly question: Question;
  readonly evidence: Evidence;
  readonly identity: IdentityView;
  readonly consent: ConsentView;
  /** What about the visitor ran late or failed, in the order in which it is named. */
  readonly unreadFacts: readonly UnreadFact[];
  /** What a rung may read: never more than its tier allows, whatever has come. */
  readonly scopes: Readonly<Record<Tier, Scope>>;
}

interface UnreadFact {
  readonly dependency: Dependency;
  readonly failure: GateFailure;
}

const facts = ['profile', 'session', 'audience', 'model'] as const;

/** Clock tolerance for `auth_time`, the same as for a token's other times. */
const authTimeSkewSeconds = 5;

export function weigh(artefact: Artefact, question: Question, evidence: Evidence): Standing {
  const identity = weighIdentity(evidence.identity, question.onlyProved);
  const consent = weighConsent(artefact.consent, evidence, identity, question.nowMs);
  return {
    artefact,
    question,
    evidence,
    identity,
    consent,
    unreadFacts: unreadFactsOf(evidence),
    scopes: scopesOf(artefact, question, evidence),
  };
}

function unreadFactsOf(evidence: Evidence): readonly UnreadFact[] {
  const found: UnreadFact[] = [];
  for (const dependency of facts) {
    const failure = unread(evidence[dependency], dependency);
    if (failure !== null) found.push({ dependency, failure });
  }
  return found;
}

function scopesOf(artefact: Artefact, { request, audiences: given, nowMs }: Question, evidence: Evidence): Standing['scopes'] {
  const edge = given ?? undefined;
  const profile = evidence.profile.state === 'known' ? evidence.profile.value : undefined;
  const memberships = membershipsOf(artefact, evidence);
  const session = evidence.session.state === 'known' ? evidence.session.value.attributes : undefined;
  const lower = { request, session: undefined, profile: undefined, audiences: edge, audiencesOpen: false, nowMs };
  return {
    anonymous: lower,
    segment: lower,
    session: { request, session, profile: undefined, audiences: edge, audiencesOpen: false, nowMs },
    user: {
      request,
      session,
      profile: profile?.attributes,
      audiences: memberships === undefined || edge === undefined ? (memberships ?? edge) : [...new Set([...edge, ...memberships])],
      // INVARIANT: where memberships are missing, absence from the caller's list proves nothing, or `!("x" in audiences)` would raise a tier.
      audiencesOpen: memberships === undefined,
      nowMs,
    },
  };
}

/** From the source of their own where the policy names one: what is stored with the profile does not count then. */
function membershipsOf(artefact: Artefact, { audience, profile }: Evidence): readonly string[] | undefined {
  if (artefact.dependencies.audience.source !== null) return audience.state === 'known' ? audience.value : undefined;
  return profile.state === 'known' ? profile.value.audiences : undefined;
}

export function clearanceOf({ artefact, question, identity, consent }: Standing, tier: Tier, kind: 'content' | 'offer'): Clearance {
  const authTimeSeconds = identity.token?.authTimeSeconds ?? null;
  const ageMs = authTimeSeconds === null ? null : question.nowMs - authTimeSeconds * 1000;
  return {
    tier,
    beyondRequestFacts: consent.states[useCasesOfKind[kind].select] === 'granted',
    enabledCategories: artefact.sensitiveCategories,
    explicit: consent.explicit,
    holderProved: identity.token?.binding === 'proved',
    authenticatedRecently: ageMs !== null && ageMs <= stepUpMaxAgeSeconds * 1000 && ageMs >= -authTimeSkewSeconds * 1000,
  };
}
