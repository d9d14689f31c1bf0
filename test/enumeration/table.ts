/**
 * The table of the gates: which tier a zone may have in an abstract state, and the reason of every rung above it. Written from the
 * rules in words alone, apart from the core, with which it shares no line and no helper. Each rule stands under its sentence, in
 * quotation marks. Where the words are silent the comment says so, and what was chosen.
 */
import type { Cause, Reason } from '../../src/decision/reasons.ts';
import type { ConsentState, Dependency, IdentityState, Render, Scope, Tier, UseCase } from '../../src/decision/vocabulary.ts';
import {
  type AbstractRule,
  type AbstractZone,
  type CappedDependency,
  type Class,
  type DataFact,
  maxAgeDays,
  type RecordFact,
  type Request,
  type Says,
  type Settings,
  type State,
  type Token,
  type Trouble,
} from './state.ts';

export interface Expectation {
  readonly tier: Tier;
  readonly steps: readonly { readonly tier: Tier; readonly reason: Reason }[];
  readonly dependency: Dependency | null;
  readonly cause: Cause | null;
  readonly render: Render;
  readonly degraded: boolean;
  readonly scope: Scope;
}

export interface Person {
  readonly identity: IdentityState;
  readonly consent: Readonly<{ [U in UseCase]: ConsentState }>;
  readonly honored: readonly UseCase[];
}

/** What is the same for all zones of a state. */
export interface Judgement extends Person {
  /** Why nobody is `high_confidence`; null where somebody is. */
  readonly unproved: Failure | null;
  readonly hidden: Trouble | null;
  readonly isChild: boolean;
  readonly categoryGranted: boolean;
}

interface Failure {
  readonly reason: Reason;
  readonly dependency: Dependency | null;
}

const order = ['user', 'session', 'segment'] as const;
const height = { user: 3, session: 2, segment: 1, anonymous: 0 } as const;

// ---------------------------------------------------------------------------------------------------------------------- facts

function isTrouble(state: string): state is Trouble {
  return state === 'late' || state === 'too_short' || state === 'failed' || state === 'circuit_open' || state === 'overload';
}

/** `late`, `failed`, and what is worse is said more exactly. */
function troubleReason(trouble: Trouble, dependency: 'identity' | 'consent' | 'profile' | 'session'): Reason {
  if (trouble === 'late') return `${dependency}_timeout`;
  if (trouble === 'failed') return `${dependency}_failed`;
  return trouble === 'too_short' ? 'deadline_too_short' : trouble;
}

/** "consent_timeout, consent_failed": what is late is named before what failed. */
function firstTrouble(states: readonly string[]): Trouble | null {
  const found = states.filter(isTrouble);
  const isTime = (trouble: Trouble) => trouble === 'late' || trouble === 'too_short';
  return found.find(isTime) ?? found[0] ?? null;
}

// ------------------------------------------------------------------------------------------------------------------- identity

/** "a verified, fresh token for this audience with a deterministic method, generation current"; a holder-bound one with its proof. */
function isHighConfidence({ token, device }: State): boolean {
  return (
    token.is === 'verified' &&
    !token.expired &&
    !token.probabilistic &&
    (token.binding === 'none' || token.binding === 'proved') &&
    token.generation === 'current' &&
    token.revoked === 'no' &&
    // A link that did not come might name somebody else: less evidence must not raise.
    (device === 'none' || device === 'unlinked' || device === 'same' || (device === 'taken_over' && token.authenticated === 'now'))
  );
}

/** "token revoked": as if it were not there. While the denylist was not read, it is taken for what lowers, not for proof. */
function isThere(token: Token): token is Extract<Token, { is: 'verified' }> {
  return token.is === 'verified' && token.revoked !== 'yes';
}

function identityOf(state: State): IdentityState {
  if (isHighConfidence(state)) return 'high_confidence';
  if (isThere(state.token) || isLinked(state)) return 'partial';
  return state.sessionId === 'verified' ? 'session_known' : 'anonymous';
}

function isLinked({ device }: State): boolean {
  return device === 'same' || device === 'taken_over' || device === 'other';
}

const ofNobody = {
  anonymous: 'identity_anonymous',
  session_known: 'identity_session_only',
  partial: 'identity_partial',
} as const;

/** "Identity reasons at the user rung": in this order. */
function whyUnproved(state: State, identity: IdentityState): Failure | null {
  if (identity === 'high_confidence') return null;
  const failure = (reason: Reason): Failure => ({ reason, dependency: null });
  const troubled = (trouble: Trouble): Failure => ({ reason: troubleReason(trouble, 'identity'), dependency: 'identity' });
  const { token, device } = state;
  if (token.is === 'none') return failure(ofNobody[identity]);
  if (token.is === 'invalid') return failure('identity_token_invalid');
  if (token.is === 'long_expired') return failure('identity_token_expired');
  if (token.is === 'keys_stale') return failure('identity_keys_stale');
  if (token.is !== 'verified') return troubled(token.is);
  if (token.expired) return failure('identity_token_expired');
  if (token.revoked === 'yes' || token.generation === 'behind' || token.generation === 'unsaid') return failure('identity_revoked');
  if (token.binding === 'unproved') return failure('identity_unbound');
  if (token.probabilistic || device === 'other' || device === 'taken_over') {
    // An older authentication on a device that changed hands proves its person no more than a link does.
    const isConflict = token.probabilistic || device === 'other' || token.authenticated !== 'now';
    if (isConflict) return failure('identity_partial');
  }
  const trouble = [token.generation, token.revoked, token.binding, device].find(isTrouble) ?? null;
  if (trouble === null) throw new Error('a person is neither proved nor is there a reason why not');
  return troubled(trouble);
}

// -------------------------------------------------------------------------------------------------------------------- consent

/** The records whose denials count: the token's for high confidence and partial, the link's, the session's own. */
function countedRecords(state: State): readonly RecordFact[] {
  const records: RecordFact[] = [];
  if (isThere(state.token)) records.push(state.stored);
  if (isLinked(state)) records.push(state.linked);
  if (state.sessionId === 'verified') records.push(state.ofSession);
  return records;
}

/** "While a record that might hold a denial could not be read (late, failed), nothing is granted." */
function hiddenDenial(state: State): Trouble | null {
  // Whose record it would be is not known either while the token or the link is not.
  // Of several in trouble alike the words name none first: here the token's, the session's, the link's.
  return firstTrouble([
    state.token.is,
    isThere(state.token) ? state.stored.is : 'absent',
    state.sessionId === 'verified' ? state.ofSession.is : 'absent',
    isLinked(state) ? state.linked.is : 'absent',
    state.device,
  ]);
}

type Aspect = 'select' | 'activation' | 'category';

function recordDenies(record: RecordFact, aspect: Aspect, request: Request): boolean {
  if (record.is !== 'known' || record[aspect] !== 'denied') return false;
  // "A TC string of a later day than a stored denial supersedes it", where the string itself grants; an explicit use case never does.
  const isSuperseded = aspect !== 'category' && request.day !== null && request.day > record.day && request[aspect] === 'granted';
  return !isSuperseded;
}

/** "a stored grant older than maxAgeDays says nothing"; one of tomorrow is no more than a clock gone wrong. */
function recordGrants(record: RecordFact, aspect: Aspect): boolean {
  if (record.is !== 'known' || record[aspect] !== 'granted') return false;
  const day = record.grantedDay ?? record.day;
  return day <= 0 && day >= -maxAgeDays;
}

export function judge(state: State): Judgement {
  const identity = identityOf(state);
  const records = countedRecords(state);
  const hidden = hiddenDenial(state);
  const { request } = state;
  // A record that counts and was not asked for may hold a denial just as well; that is no matter of time or fault.
  const isUnread = records.some(({ is }) => is === 'refused');
  const isChild = request.also === 'child';
  const isInvalid = request.also === 'invalid';
  const countsWhole = identity === 'high_confidence' ? state.stored : null;

  /** "any denial wins; else any invalid signal makes all unavailable; else a grant grants; else unavailable". */
  const personal = (aspect: 'select' | 'activation', isOfGpc: boolean): ConsentState => {
    const isDenied =
      isChild ||
      (request.gpc && isOfGpc) ||
      request[aspect] === 'denied' ||
      (aspect === 'activation' && request.also === 'activation_denied') ||
      records.some((record) => recordDenies(record, aspect, request));
    if (isDenied) return 'denied';
    if (isInvalid || hidden !== null || isUnread) return 'unavailable';
    const isGranted = request[aspect] === 'granted' || (countsWhole !== null && recordGrants(countsWhole, aspect));
    return isGranted ? 'granted' : 'unavailable';
  };
  /** "the two contextual ones can be denied or granted only by the request itself". */
  const contextual = (says: Says): ConsentState => {
    if (isChild || says === 'denied') return 'denied';
    return !isInvalid && says === 'granted' ? 'granted' : 'unavailable';
  };
  const silent: ConsentState = isChild ? 'denied' : 'unavailable';
  return {
    identity,
    unproved: whyUnproved(state, identity),
    hidden,
    isChild,
    consent: {
      contextual_content: contextual(request.contextual),
      contextual_offer: contextual(request.contextual),
      content_personalization: personal('select', false),
      offers: personal('select', true),
      profile_activation_content: personal('activation', true),
      profile_activation_offer: personal('activation', true),
      analytics_content: silent,
      analytics_offer: request.gpc ? 'denied' : silent,
    },
    honored: request.gpc ? ['offers', 'profile_activation_content', 'profile_activation_offer', 'analytics_offer'] : [],
    // A signal against sensitive data of some kind, in kinds that are not our categories, closes them all.
    categoryGranted:
      countsWhole !== null &&
      request.also !== 'sensitive_refused' &&
      recordGrants(countsWhole, 'category') &&
      !records.some((record) => recordDenies(record, 'category', request)),
  };
}

// ---------------------------------------------------------------------------------------------------------------------- gates

interface Asked {
  readonly zone: AbstractZone;
  readonly state: State;
  readonly settings: Settings;
  readonly judgement: Judgement;
}

/** The states of the three use cases that a zone's kind asks for. */
function consentFor({ zone, judgement }: Asked) {
  const { consent } = judgement;
  return zone.kind === 'content'
    ? { contextual: consent.contextual_content, select: consent.content_personalization, activation: consent.profile_activation_content }
    : { contextual: consent.contextual_offer, select: consent.offers, activation: consent.profile_activation_offer };
}

const none = { dependency: null } as const;

function unavailable(hidden: Trouble | null, reason: 'consent_unavailable' | 'activation_unavailable'): Failure {
  return hidden === null ? { reason, ...none } : { reason: troubleReason(hidden, 'consent'), dependency: 'consent' };
}

function consentGate(tier: 'user' | 'session' | 'segment', asked: Asked): Failure | null {
  const { contextual, select, activation } = consentFor(asked);
  const { state, settings, judgement, zone } = asked;
  if (tier === 'segment') {
    if (contextual === 'denied') return { reason: 'consent_denied', ...none };
    if (select === 'granted' || contextual === 'granted' || settings.contextualWithoutSignal) return null;
    return unavailable(judgement.hidden, 'consent_unavailable');
  }
  const isOpen = select === 'granted' && (tier === 'session' || activation === 'granted');
  if (isOpen) return null;
  if (judgement.isChild) return { reason: 'child', ...none };
  // GPC denies both use cases of an offer, and of content the activation.
  if (state.request.gpc && (tier === 'user' || zone.kind === 'offer')) return { reason: 'gpc', ...none };
  if (select === 'denied') return { reason: 'consent_denied', ...none };
  if (tier === 'user' && activation === 'denied') return { reason: 'activation_denied', ...none };
  return unavailable(judgement.hidden, select === 'unavailable' ? 'consent_unavailable' : 'activation_unavailable');
}

function identityGate(tier: 'user' | 'session' | 'segment', { state, settings, judgement }: Asked): Failure | null {
  if (tier === 'user') return judgement.unproved;
  if (tier === 'segment') return null;
  if (settings.onlyProved && judgement.unproved !== null) return judgement.unproved;
  if (state.sessionId === 'verified') return null;
  return state.sessionId === 'none' ? { reason: 'session_absent', dependency: 'session' } : { reason: 'identity_session_invalid', ...none };
}

/** "the profile known, if any rule of the rung reads it", leaving out what is of a class not enabled. */
function factsGate(tier: 'user' | 'session' | 'segment', rules: readonly AbstractRule[], asked: Asked): Failure | null {
  if (tier === 'segment') return null;
  const dependency = tier === 'user' ? 'profile' : 'session';
  if (!rules.some((rule) => rule.reads === dependency && isEnabled(rule.class))) return null;
  return missing(asked.state[dependency], dependency);
}

function missing(fact: DataFact, dependency: 'profile' | 'session'): Failure | null {
  if (fact === 'matching' || fact === 'other') return null;
  // Refused where all gates held would be a fault of the reader; the words name no reason, and there is nothing.
  return { reason: isTrouble(fact) ? troubleReason(fact, dependency) : `${dependency}_absent`, dependency };
}

function isEnabled(ofClass: Class): boolean {
  return ofClass !== 'S3:finance' && ofClass !== 'S3:none';
}

/** Why what is of this class may not be chosen on this rung; null where it may. */
function classGate(tier: 'user' | 'session' | 'segment', ofClass: Class, asked: Asked): Reason | null {
  if (ofClass === 'S0') return null;
  const { state, judgement } = asked;
  if (ofClass === 'S1') return tier === 'segment' && consentFor(asked).select !== 'granted' ? 'no_eligible_offer' : null;
  // "S2 and S3 exist on the user rung only"; "S3 without a category is never eligible".
  if (tier !== 'user' || !isEnabled(ofClass)) return 'no_eligible_offer';
  const { token } = state;
  if (token.is !== 'verified' || token.binding !== 'proved') return 'identity_unbound';
  if (token.authenticated !== 'now' && token.authenticated !== 'edge') return 'step_up_required';
  return ofClass === 'S3:health' && !judgement.categoryGranted ? 'explicit_consent_missing' : null;
}

/**
 * "in an answer only for a zone that itself declares that class". The words do not say where this gate stands; before the facts, so
 * that nobody who may not see a sensitive zone learns whether there is a profile.
 */
function zoneGate(tier: 'user' | 'session' | 'segment', asked: Asked): Failure | null {
  const reason = classGate(tier, asked.zone.class, asked);
  return reason === null ? null : { reason, ...none };
}

function eligibility(tier: 'user' | 'session' | 'segment', rules: readonly AbstractRule[], asked: Asked): Failure | null {
  const applies = (rule: AbstractRule) => rule.reads === 'nothing' || asked.state[rule.reads] === 'matching';
  const isAny = rules.some((rule) => classGate(tier, rule.class, asked) === null && applies(rule));
  return isAny ? null : { reason: 'no_eligible_offer', ...none };
}

/** The words name no place for it among the gates; after those of consent and identity, which say more about the visitor.
 * "A dependency's onFailure caps every zone at that tier while it is late or failed." */
function cap(tier: Tier, { state, settings, judgement }: Asked): Failure | null {
  for (const dependency of ['identity', 'consent', 'profile', 'session'] as const) {
    const highest = settings.onFailure[dependency];
    // Consent is late or failed where a record that counts is, or what would say whose record counts.
    if (highest === undefined || height[tier] <= height[highest]) continue;
    const trouble = dependency === 'consent' ? judgement.hidden : (statesOf(dependency, state).find(isTrouble) ?? null);
    if (trouble !== null) return { reason: troubleReason(trouble, dependency), dependency };
  }
  return null;
}

function statesOf(dependency: Exclude<CappedDependency, 'consent'>, state: State): readonly string[] {
  const { token } = state;
  if (dependency === 'profile') return [state.profile];
  if (dependency === 'session') return [state.session];
  return token.is === 'verified' ? [token.generation, token.revoked, token.binding, state.device] : [token.is, state.device];
}

function firstFailure(tier: 'user' | 'session' | 'segment', rules: readonly AbstractRule[], asked: Asked): Failure | null {
  return (
    consentGate(tier, asked) ??
    identityGate(tier, asked) ??
    cap(tier, asked) ??
    zoneGate(tier, asked) ??
    factsGate(tier, rules, asked) ??
    eligibility(tier, rules, asked)
  );
}

// --------------------------------------------------------------------------------------------------------------------- answer

const timeFaultOrLoad: ReadonlySet<Cause> = new Set<Cause>(['time', 'fault', 'load']);
const unavailableConsent: ReadonlySet<Reason> = new Set<Reason>(['consent_unavailable', 'activation_unavailable']);

export function expect(zone: AbstractZone, state: State, settings: Settings, judgement: Judgement): Expectation {
  const asked = { zone, state, settings, judgement };
  const steps: { tier: Tier; reason: Reason }[] = [];
  let first: Failure | null = null;
  let served: Tier = 'anonymous';
  let isDegraded = false;
  let isLadder = false;
  for (const tier of order) {
    const rules = zone.rungs[tier];
    if (rules === undefined) continue;
    isLadder = true;
    const failure = firstFailure(tier, rules, asked);
    if (failure === null) {
      served = tier;
      break;
    }
    first ??= failure;
    steps.push({ tier, reason: failure.reason });
    isDegraded ||= timeFaultOrLoad.has(causeOf(failure.reason)) || unavailableConsent.has(failure.reason);
  }
  const cause = first === null ? null : causeOf(first.reason);
  const namesDependency = cause === 'data' || cause === 'time' || cause === 'fault';
  return {
    tier: served,
    steps,
    cause,
    dependency: namesDependency ? (first?.dependency ?? null) : null,
    render: cause !== null && timeFaultOrLoad.has(cause) && zone.late !== 'fallback' ? zone.late : 'now',
    degraded: isDegraded,
    scope: isDegraded ? 'none' : isLadder ? 'private' : 'public',
  };
}

/** The table of reasons, by cause. */
function causeOf(reason: Reason): Cause {
  if (reason.startsWith('consent_') || reason.startsWith('activation_')) {
    if (reason === 'consent_timeout') return 'time';
    return reason === 'consent_failed' ? 'fault' : 'consent';
  }
  if (reason === 'child' || reason === 'gpc' || reason === 'explicit_consent_missing') return 'consent';
  if (reason.endsWith('_timeout') || reason === 'deadline_too_short') return 'time';
  if (reason.endsWith('_failed') || reason === 'circuit_open') return 'fault';
  if (reason === 'overload') return 'load';
  if (reason === 'profile_absent' || reason === 'session_absent') return 'data';
  return reason === 'no_eligible_offer' ? 'policy' : 'identity';
}
