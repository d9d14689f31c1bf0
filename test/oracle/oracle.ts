/**
 * A second, independent reading of the contract: what a decision must be, computed naively from the policy as it was authored.
 * It is slow, repeats itself where that is clearer, and shares no code with the core: when the two disagree, one is wrong.
 */
import type { ConsentAnswer, Decision, ZoneDecision } from '../../src/decision/decision.ts';
import type { Evidence, Fact, StoredConsent } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import { causeOf, type Reason } from '../../src/decision/reasons.ts';
import type {
  Class,
  ConsentState,
  Dependency,
  IdentityState,
  Kind,
  LateMode,
  Render,
  Tier,
  UseCase,
} from '../../src/decision/vocabulary.ts';
import {
  everyPart,
  type FactSource,
  type Label,
  type OfferDocument,
  type PolicyDocument,
  type RuleDocument,
  type RungDocument,
  readingOf,
  type When,
  type ZoneDocument,
} from './document.ts';
import { holds, type Surroundings } from './evaluate.ts';

export interface OracleOptions {
  /** Which of several exactly tied offers to take: the contract leaves that to a hash. By default, the first by id. */
  readonly breakTie?: (zone: string, tied: readonly string[]) => string;
}

const heights: Record<Tier, number> = { user: 3, session: 2, segment: 1, anonymous: 0 };
const classOrder: readonly Class[] = ['S0', 'S1', 'S2', 'S3'];
const dayMs = 86_400_000;

export function oracleDecide(document: PolicyDocument, question: Question, evidence: Evidence, options: OracleOptions = {}): Decision {
  const shared = question.audience === 'shared';
  const identity = shared ? nobody : identityOf(evidence);
  const consent = shared ? nothingSaid : consentOf(document, question, evidence, identity);
  const world: World = { document, question, evidence, identity, consent, options };

  const taken = { offers: new Set(question.shownOffers), groups: new Set<string>() };
  for (const shown of question.shownOffers) {
    const group = Object.hasOwn(document.offers, shown) ? document.offers[shown]?.group : undefined;
    if (group !== undefined) taken.groups.add(group);
  }
  const answers = new Map<string, ZoneDecision>();
  for (const zone of choosingOrder(document, question)) {
    const answer = decideZone(world, zone, taken);
    if (answer.offer !== null) {
      taken.offers.add(answer.offer);
      const group = document.offers[answer.offer]?.group;
      if (group !== undefined) taken.groups.add(group);
    }
    answers.set(zone, answer);
  }
  return {
    identity: { state: identity.state },
    consent: consent.answer,
    zones: question.zones.map((zone) => answers.get(zone) as ZoneDecision),
  };
}

/** Criticality first; then the page's order, or the request's where no page is named; zones that are not on the page last. */
function choosingOrder(document: PolicyDocument, question: Question): readonly string[] {
  const page = question.page === null ? null : (document.pages[question.page]?.zones ?? null);
  const place = (zone: string): number => {
    const asked = question.zones.indexOf(zone);
    if (page === null) return asked;
    const onPage = page.indexOf(zone);
    return onPage >= 0 ? onPage : page.length + asked;
  };
  const criticality = (zone: string): number => document.zones[zone]?.criticality ?? 0;
  return [...new Set(question.zones)].sort((a, b) => criticality(b) - criticality(a) || place(a) - place(b));
}

interface World {
  readonly document: PolicyDocument;
  readonly question: Question;
  readonly evidence: Evidence;
  readonly identity: Identity;
  readonly consent: Consent;
  readonly options: OracleOptions;
}

// ---------------------------------------------------------------------------------------------------------------- identity

/** A reason and the dependency it came of. An answer names that only where the cause is data, time or fault. */
interface Failure {
  readonly reason: Reason;
  readonly dependency: Dependency | null;
  /** The model failed: its reason is of cause data, and yet the zone renders as it does for a fault. */
  readonly failedModel?: true;
}

interface Identity {
  readonly state: IdentityState;
  /** Subject of a token that verified and is not revoked. */
  readonly subject: string | null;
  /** Why the user rung is closed; null when the state is `high_confidence`. */
  readonly userRung: Failure | null;
  readonly sessionRung: Failure | null;
  /** Set while asking for identity is late or has failed. */
  readonly trouble: Failure | null;
}

const nobody: Identity = { state: 'anonymous', subject: null, userRung: plain('identity_anonymous'), sessionRung: null, trouble: null };

function plain(reason: Reason): Failure {
  return { reason, dependency: null };
}

function isTrouble<T>(fact: Fact<T>): boolean {
  return fact.state === 'late' || fact.state === 'failed';
}

/** The time or fault form of a reason, for a fact that is late or failed (anything else that is not known counts as failed). */
function troubleOf<T>(fact: Fact<T>, dependency: Dependency): Failure {
  if (fact.state === 'late') return { reason: fact.why === 'deadline_too_short' ? fact.why : `${dependency}_timeout`, dependency };
  if (fact.state === 'failed' && fact.why === 'overload') return { reason: 'overload', dependency };
  if (fact.state === 'failed' && fact.why === 'circuit_open') return { reason: 'circuit_open', dependency };
  if (dependency === 'model') return { reason: 'model_unavailable', dependency, failedModel: true };
  return { reason: `${dependency}_failed`, dependency };
}

function firstTrouble(facts: readonly Fact<unknown>[], dependency: Dependency): Failure | null {
  const fact = facts.find(isTrouble);
  return fact === undefined ? null : troubleOf(fact, dependency);
}

function identityOf(evidence: Evidence): Identity {
  const { token, session, device, generation, tokenRevoked } = evidence.identity;
  const revoked = token.state === 'verified' && tokenRevoked.state === 'known' && tokenRevoked.value;
  const usable = token.state === 'verified' && !revoked ? token : null;

  const asked: Fact<unknown>[] = [];
  if (token.state === 'late' || token.state === 'failed') asked.push(token);
  if (usable !== null) asked.push(generation, tokenRevoked, bindingFact(usable.binding));
  asked.push(device);
  const trouble = firstTrouble(asked, 'identity');

  const sessionRung: Failure | null =
    session.state === 'verified'
      ? null
      : session.state === 'invalid'
        ? plain('identity_session_invalid')
        : { reason: 'session_absent', dependency: 'session' };

  if (usable !== null) {
    const weakness = weaknessOf(usable, device, generation, tokenRevoked);
    return {
      state: weakness === null ? 'high_confidence' : 'partial',
      subject: usable.subject,
      userRung: weakness,
      sessionRung,
      trouble,
    };
  }

  const state: IdentityState = device.state === 'known' ? 'partial' : session.state === 'verified' ? 'session_known' : 'anonymous';
  const byState = { anonymous: 'identity_anonymous', session_known: 'identity_session_only', partial: 'identity_partial' } as const;
  let userRung: Failure = plain(byState[state]);
  if (revoked) userRung = plain(token.expired ? 'identity_token_expired' : 'identity_revoked');
  if (token.state === 'invalid') userRung = plain('identity_token_invalid');
  if (token.state === 'expired') userRung = plain('identity_token_expired');
  if (token.state === 'keys_stale') userRung = plain('identity_keys_stale');
  if (token.state === 'late') userRung = { reason: 'identity_timeout', dependency: 'identity' };
  if (token.state === 'failed') userRung = troubleOf(token, 'identity');
  return { state, subject: null, userRung, sessionRung, trouble };
}

/** Whether a holder's proof could be settled, as if it were a fact of its own. */
function bindingFact(binding: Extract<Evidence['identity']['token'], { state: 'verified' }>['binding']): Fact<unknown> {
  if (binding === 'late') return { state: 'late' };
  return binding === 'failed' ? { state: 'failed' } : { state: 'absent' };
}

/** Why a token that verified proves less than `high_confidence`; null when it proves it. */
function weaknessOf(
  token: Extract<Evidence['identity']['token'], { state: 'verified' }>,
  device: Evidence['identity']['device'],
  generation: Fact<number>,
  tokenRevoked: Fact<boolean>,
): Failure | null {
  if (token.expired) return plain('identity_token_expired');
  if (generation.state === 'known' && generation.value > (token.generation ?? 0)) return plain('identity_revoked');
  if (token.binding === 'unproved') return plain('identity_unbound');
  if (token.method === 'probabilistic') return plain('identity_partial');
  if (device.state === 'known' && device.value.subject !== token.subject) return plain('identity_partial');
  // Five seconds of grace between two clocks.
  const lastSeenSeconds = token.authTimeSeconds ?? token.issuedAtSeconds ?? 0;
  const handedOverMs = device.state === 'known' ? device.value.sharedSinceMs : undefined;
  if (handedOverMs !== undefined && lastSeenSeconds * 1000 < handedOverMs - 5000) return plain('identity_partial');
  const unproved: Fact<unknown>[] = [];
  if (generation.state !== 'known') unproved.push(generation);
  if (tokenRevoked.state !== 'known') unproved.push(tokenRevoked);
  if (isTrouble(bindingFact(token.binding))) unproved.push(bindingFact(token.binding));
  if (isTrouble(device)) unproved.push(device);
  const first = unproved[0];
  return first === undefined ? null : troubleOf(first, 'identity');
}

// ----------------------------------------------------------------------------------------------------------------- consent

interface Consent {
  readonly answer: ConsentAnswer;
  readonly child: boolean;
  readonly gpc: boolean;
  /** A record that might hold a denial was late or failed: the form that an unavailable consent takes. */
  readonly pending: Failure | null;
  readonly categoryGranted: (category: string) => boolean;
}

const contextual: readonly UseCase[] = ['contextual_content', 'contextual_offer'];
const personal: readonly UseCase[] = [
  'content_personalization',
  'offers',
  'profile_activation_content',
  'profile_activation_offer',
  'analytics_content',
  'analytics_offer',
];
const deniedByGpc: readonly UseCase[] = ['offers', 'profile_activation_content', 'profile_activation_offer', 'analytics_offer'];

const nothingSaid: Consent = {
  answer: Object.assign(
    Object.fromEntries([...contextual, ...personal].map((useCase) => [useCase, 'unavailable'])) as Record<UseCase, ConsentState>,
    { gpc: { received: false, honored: [] } },
  ),
  child: false,
  gpc: false,
  pending: null,
  categoryGranted: () => false,
};

function consentOf(document: PolicyDocument, question: Question, evidence: Evidence, identity: Identity): Consent {
  const { signals, gpc, stored, linked, session } = evidence.consent;
  const device = evidence.identity.device;
  // The record of the token's subject stands in `stored`, also where that token is revoked and only the device still names them.
  const { token } = evidence.identity;
  const linkIsTokens = device.state === 'known' && token.state === 'verified' && device.value.subject === token.subject;
  const counting: Fact<StoredConsent>[] = [];
  if (identity.subject !== null || linkIsTokens) counting.push(stored);
  // Whoever carries a session id of ours is who withdrew consent in that session, and stays that when the session has ended.
  if (session !== undefined && (evidence.identity.session.state === 'verified' || session.state === 'known')) counting.push(session);
  if (device.state === 'known' && !linkIsTokens) counting.push(linked);
  const denying = counting.flatMap((record) => (record.state === 'known' ? [record.value] : []));
  const granting = identity.state === 'high_confidence' && stored.state === 'known' ? stored.value : null;
  const young =
    granting !== null && question.nowMs - (granting.grantedAtMs ?? granting.recordedAtMs) <= (document.consent?.maxAgeDays ?? 180) * dayMs
      ? granting
      : null;

  // A token that could not be verified in time may be that of somebody whose record holds a denial.
  const unverified: Fact<never>[] = token.state === 'late' || token.state === 'failed' ? [token] : [];
  const unread =
    counting.some((record) => record.state !== 'known' && record.state !== 'absent') || isTrouble(device) || unverified.length > 0;
  const inOrder: readonly Fact<unknown>[] = [...unverified, ...counting, device];
  // The order of the consent gates: a timeout before a failure.
  const pending =
    firstTrouble(
      inOrder.filter((fact) => fact.state === 'late'),
      'consent',
    ) ?? firstTrouble(inOrder, 'consent');
  const child = signals.some((signal) => signal.state === 'valid' && signal.child === true);
  const invalid = signals.some((signal) => signal.state === 'invalid');

  // A string of a later day than a stored denial sets it aside where it grants the same; what has no day never does.
  const isSuperseded = ({ recordedAtMs }: StoredConsent, useCase: UseCase): boolean =>
    signals.some(
      (signal) =>
        signal.state === 'valid' &&
        signal.day !== undefined &&
        signal.day > Math.floor(recordedAtMs / dayMs) &&
        signal.useCases[useCase] === 'granted',
    );
  const stateOf = (useCase: UseCase): ConsentState => {
    const isPersonal = personal.includes(useCase);
    const said = signals.flatMap((signal) => (signal.state === 'valid' ? [signal.useCases[useCase]] : []));
    if (child || said.includes('denied')) return 'denied';
    if (gpc && deniedByGpc.includes(useCase)) return 'denied';
    if (isPersonal && denying.some((record) => own(record.useCases, useCase) === 'denied' && !isSuperseded(record, useCase)))
      return 'denied';
    if (invalid) return 'unavailable';
    if (isPersonal && unread) return 'unavailable';
    if (said.includes('granted')) return 'granted';
    if (isPersonal && young !== null && own(young.useCases, useCase) === 'granted') return 'granted';
    return 'unavailable';
  };
  const states = Object.fromEntries([...contextual, ...personal].map((useCase) => [useCase, stateOf(useCase)]));
  return {
    answer: Object.assign(states as Record<UseCase, ConsentState>, { gpc: { received: gpc, honored: gpc ? deniedByGpc : [] } }),
    child,
    gpc,
    pending,
    categoryGranted: (category) =>
      young !== null &&
      own(young.useCases, `category:${category}`) === 'granted' &&
      !denying.some((record) => own(record.useCases, `category:${category}`) === 'denied'),
  };
}

function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

// ------------------------------------------------------------------------------------------------------------------- zones

interface Taken {
  readonly offers: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
}

function decideZone(world: World, id: string, taken: Taken): ZoneDecision {
  const zone = world.document.zones[id] as ZoneDocument;
  const shared = world.question.audience === 'shared';
  const ladder = shared ? zone.ladder.filter((rung) => heights[rung.tier] <= heights.segment) : zone.ladder;
  const intendedTier = (ladder[0] as RungDocument).tier;

  const failures: { readonly tier: Tier; readonly failure: Failure }[] = [];
  let served: RungDocument | null = null;
  let choice: Choice | null = null;
  for (const rung of ladder) {
    const failure = gateOf(world, zone, rung);
    choice = failure === null ? choiceOf(world, id, zone, rung, taken) : null;
    if (choice !== null) {
      served = rung;
      break;
    }
    failures.push({ tier: rung.tier, failure: failure ?? plain('no_eligible_offer') });
  }
  if (served === null || choice === null) throw new Error('a ladder must end in an anonymous rung that always applies');

  const first = failures[0]?.failure ?? null;
  const cause = first === null ? null : causeOf(first.reason);
  const render = renderOf(world.document, zone, first);
  const suppressed = render === 'suppress';
  return {
    zone: id,
    tier: served.tier,
    intendedTier,
    variant: suppressed ? null : choice.variant,
    offer: suppressed ? null : choice.offer,
    content: suppressed ? null : (world.document.variants[choice.variant]?.content ?? null),
    render,
    downgrade:
      first === null || cause === null
        ? null
        : {
            from: intendedTier,
            to: served.tier,
            reason: first.reason,
            cause,
            dependency: cause === 'data' || cause === 'time' || cause === 'fault' ? first.dependency : null,
            steps: failures.map(({ tier, failure }) => ({ tier, reason: failure.reason })),
          },
    cache: cacheOf(
      world,
      zone,
      failures.map(({ failure }) => failure.reason),
    ),
    holdout: null,
    propensityPpm: null,
  };
}

const rendersAs: Record<LateMode, Render> = { fallback: 'now', defer: 'defer', suppress: 'suppress' };
const strictness: Record<LateMode, number> = { fallback: 0, defer: 1, suppress: 2 };

/**
 * By the stricter of the zone's `late` and that of the dependency which the answer names. A zone's own takes effect for time, fault and
 * load alone, and load names nobody; a failed model is cause data, so there only the model's own `late` says that it may be trouble.
 */
function renderOf(document: PolicyDocument, zone: ZoneDocument, failure: Failure | null): Render {
  if (failure === null) return 'now';
  const cause = causeOf(failure.reason);
  const ofZone = zone.late ?? 'fallback';
  const named = cause === 'load' ? null : failure.dependency;
  const ofDependency = named === null ? undefined : document.dependencies?.[named]?.late;
  const isTroubled = cause === 'time' || cause === 'fault' || cause === 'load';
  if (!isTroubled && !(failure.failedModel === true && ofDependency !== undefined)) return 'now';
  if (ofDependency === undefined) return rendersAs[ofZone];
  return rendersAs[strictness[ofDependency] > strictness[ofZone] ? ofDependency : ofZone];
}

function cacheOf(world: World, zone: ZoneDocument, reasons: readonly Reason[]): ZoneDecision['cache'] {
  const shared = world.question.audience === 'shared';
  const degraded = reasons.some((reason) => {
    if (['time', 'fault', 'load'].includes(causeOf(reason))) return true;
    return !shared && (reason === 'consent_unavailable' || reason === 'activation_unavailable');
  });
  const scope = degraded || world.question.explain ? 'none' : shared ? sharedScope(world, zone) : personalScope(zone);
  const cacheable = scope === 'segment' || scope === 'public';
  return {
    scope,
    maxAgeSeconds: cacheable ? (zone.cache?.maxAgeSeconds ?? (scope === 'public' ? 60 : 30)) : 0,
    // What stands in them is the implementation's; only that they are filled is the contract's.
    key: cacheable ? 'filled' : null,
    tags: cacheable ? ['filled'] : [],
    degraded,
  };
}

function personalScope(zone: ZoneDocument): 'public' | 'private' {
  return zone.ladder.every((rung) => rung.tier === 'anonymous') ? 'public' : 'private';
}

function sharedScope(world: World, zone: ZoneDocument): 'segment' | 'public' {
  const rung = zone.ladder.find((candidate) => candidate.tier === 'segment');
  if (rung === undefined || world.document.contextualWithoutSignal !== true) return 'public';
  const labels = sensitivityOfLabel(zone, 'S0');
  const couldApply =
    rung.arbitrate === undefined
      ? rulesOf(rung).some((rule) => highest([labels, sensitivityOfRule(world.document, rule)]).class === 'S0')
      : offersOf(world.document, rung).some(
          ([, offer]) =>
            lowestTierOf(world.document, offer) === 'segment' &&
            highest([labels, sensitivityOfOffer(world.document, offer)]).class === 'S0',
        );
  return couldApply ? 'segment' : 'public';
}

// ------------------------------------------------------------------------------------------------------------------- gates

/** The first gate of the rung that fails: consent, identity, the zone's own class, facts. Null: all hold. */
function gateOf(world: World, zone: ZoneDocument, rung: RungDocument): Failure | null {
  if (rung.tier === 'anonymous') return null;
  return (
    consentGate(world, zone, rung.tier) ??
    identityGate(world, rung.tier) ??
    classGate(world, zone, rung.tier) ??
    factsGate(world, zone, rung)
  );
}

function consentGate(world: World, zone: ZoneDocument, tier: Tier): Failure | null {
  const { answer, child, gpc, pending } = world.consent;
  const content = zone.kind === 'content';
  const select: UseCase = content ? 'content_personalization' : 'offers';
  const activation: UseCase = content ? 'profile_activation_content' : 'profile_activation_offer';

  if (tier === 'segment') {
    const look: UseCase = content ? 'contextual_content' : 'contextual_offer';
    if (answer[look] === 'denied') return plain('consent_denied');
    const open = answer[select] === 'granted' || answer[look] === 'granted' || world.document.contextualWithoutSignal === true;
    if (!open) return pending ?? plain('consent_unavailable');
    return capBy(world, 'consent', tier);
  }

  const asked = tier === 'user' ? [select, activation] : [select];
  const denied = asked.filter((useCase) => answer[useCase] === 'denied');
  if (denied.length > 0) {
    if (child) return plain('child');
    if (gpc && denied.some((useCase) => deniedByGpc.includes(useCase))) return plain('gpc');
    return plain(denied.includes(select) ? 'consent_denied' : 'activation_denied');
  }
  const unavailable = asked.filter((useCase) => answer[useCase] === 'unavailable');
  if (unavailable.length > 0) {
    return pending ?? plain(unavailable.includes(select) ? 'consent_unavailable' : 'activation_unavailable');
  }
  return capBy(world, 'consent', tier);
}

function identityGate(world: World, tier: Tier): Failure | null {
  const failure = tier === 'user' ? world.identity.userRung : tier === 'session' ? world.identity.sessionRung : null;
  return failure ?? capBy(world, 'identity', tier);
}

/** A dependency that is late or failed caps every zone at its `onFailure` tier. */
function capBy(world: World, dependency: Dependency, tier: Tier): Failure | null {
  if (world.question.audience === 'shared') return null;
  const cap = world.document.dependencies?.[dependency]?.onFailure;
  if (cap === undefined || heights[tier] <= heights[cap]) return null;
  if (dependency === 'identity') return world.identity.trouble;
  if (dependency === 'consent') return world.consent.pending;
  const fact = factOf(world, dependency);
  return isTrouble(fact) ? troubleOf(fact, dependency) : null;
}

/** Evidence made by hand may lack what only a source could say; and without a source nobody could have said anything. */
function factOf(world: World, source: FactSource): Fact<unknown> {
  if (source === 'audience') return audienceFact(world);
  if (source === 'model') return modelFact(world);
  return world.evidence[source];
}

const notAsked = { state: 'refused' } as const;

function audienceFact(world: World): Fact<readonly string[]> {
  return isAsked(world.document, 'audience') ? (world.evidence.audience ?? notAsked) : notAsked;
}

function modelFact(world: World): Fact<Readonly<Record<string, number>>> {
  return isAsked(world.document, 'model') ? (world.evidence.model ?? notAsked) : notAsked;
}

function isAsked(document: PolicyDocument, dependency: 'audience' | 'model'): boolean {
  return document.dependencies?.[dependency]?.source === 'http';
}

/** Only for a zone that itself declares S2 or S3. */
function classGate(world: World, zone: ZoneDocument, tier: Tier): Failure | null {
  const sensitivity = sensitivityOfLabel(zone, 'S0');
  if (sensitivity.class === 'S0' || sensitivity.class === 'S1') return null;
  // Where the class cannot be had at all, nothing is eligible: that shows after the facts.
  if (tier !== 'user' || !enabled(world.document, sensitivity)) return null;
  const token = world.evidence.identity.token;
  if (token.state !== 'verified' || token.binding !== 'proved') return plain('identity_unbound');
  if (!recentlyAuthenticated(world)) return plain('step_up_required');
  if (!explicitlyGranted(world, sensitivity)) return plain('explicit_consent_missing');
  return null;
}

function factsGate(world: World, zone: ZoneDocument, rung: RungDocument): Failure | null {
  for (const dependency of ['profile', 'session', 'audience', 'model'] as const) {
    const capped = capBy(world, dependency, rung.tier);
    if (capped !== null) return capped;
  }
  // Everything in a zone is of the zone's class: where that is not enabled, no rule is left that could read anything.
  if (!enabled(world.document, sensitivityOfLabel(zone, 'S0'))) return null;
  const sources: readonly FactSource[] =
    rung.tier === 'user' ? ['profile', 'audience', 'model'] : rung.tier === 'session' ? ['session'] : [];
  for (const source of sources) {
    const fact = factOf(world, source);
    if (fact.state === 'known' || !rungReads(world, rung, source)) continue;
    return isTrouble(fact) ? troubleOf(fact, source) : { reason: withoutFact[source], dependency: source };
  }
  return null;
}

/** Where a fact is known to be nothing, or was not to be asked for. */
const withoutFact = {
  profile: 'profile_absent',
  session: 'session_absent',
  audience: 'audience_absent',
  model: 'model_unavailable',
} as const satisfies Record<FactSource, Reason>;

/** Looks at the rung as written, leaving out offers outside their window and what is of a class that is not enabled. */
function rungReads(world: Pick<World, 'document' | 'question'>, rung: RungDocument, source: FactSource): boolean {
  return rungHasUse(
    world,
    rung,
    (rule) => reads(world.document, [rule.when], source),
    (offer) => offerReads(world.document, offer, source),
  );
}

function rungHasUse(
  world: Pick<World, 'document' | 'question'>,
  rung: RungDocument,
  ofRule: (rule: RuleDocument) => boolean,
  ofOffer: (offer: OfferDocument) => boolean,
): boolean {
  const { document } = world;
  if (rung.arbitrate === undefined) {
    return rulesOf(rung).some((rule) => enabled(document, sensitivityOfRule(document, rule)) && ofRule(rule));
  }
  return offersOf(document, rung).some(
    ([, offer]) =>
      heights[lowestTierOf(document, offer)] <= heights[rung.tier] &&
      inWindow(world, offer) &&
      enabled(document, sensitivityOfOffer(document, offer)) &&
      ofOffer(offer),
  );
}

function offerReads(document: PolicyDocument, offer: OfferDocument, source: FactSource): boolean {
  return source === 'model' ? offer.propensity === 'model' : reads(document, conditionsOf(offer), source);
}

function reads(document: PolicyDocument, conditions: readonly (When | undefined)[], source: FactSource): boolean {
  const names = namesAudiences(document);
  return conditions.some((condition) => {
    if (condition === undefined) return false;
    const reading = readingOf(condition.ast);
    if (reading.attributes.some((attribute) => attribute.source === source)) return true;
    return source === names && audiencesRead(document, reading).some((name) => document.audiences?.[name]?.edge !== true);
  });
}

/** Audiences that no caller may name come of the audience service where the policy has one, else of the profile. */
function namesAudiences(document: PolicyDocument): FactSource {
  return isAsked(document, 'audience') ? 'audience' : 'profile';
}

function audiencesRead(document: PolicyDocument, reading: ReturnType<typeof readingOf>): readonly string[] {
  return reading.audiences === 'whole list' ? Object.keys(document.audiences ?? {}) : reading.audiences;
}

// ----------------------------------------------------------------------------------------------------------------- classes

interface Sensitivity {
  readonly class: Class;
  readonly categories: readonly string[];
  readonly uncategorised: boolean;
}

function sensitivityOfLabel(label: Label, whenUnlabelled: Class): Sensitivity {
  const declared = label.class ?? whenUnlabelled;
  const special = declared === 'S3';
  return {
    class: declared,
    categories: special && label.category !== undefined ? [label.category] : [],
    uncategorised: special && label.category === undefined,
  };
}

function highest(all: readonly Sensitivity[]): Sensitivity {
  return {
    class: all.reduce<Class>((most, one) => (classOrder.indexOf(one.class) > classOrder.indexOf(most) ? one.class : most), 'S0'),
    categories: [...new Set(all.flatMap((one) => one.categories))],
    uncategorised: all.some((one) => one.uncategorised),
  };
}

function sensitivityOfRead(document: PolicyDocument, conditions: readonly (When | undefined)[]): Sensitivity {
  return highest(
    conditions.flatMap((condition) => {
      if (condition === undefined) return [];
      const reading = readingOf(condition.ast);
      return [
        ...reading.attributes.map(({ source, name }) => sensitivityOfLabel(document.attributes[source][name] ?? {}, 'S3')),
        ...audiencesRead(document, reading).map((name) => sensitivityOfLabel(document.audiences?.[name] ?? {}, 'S3')),
      ];
    }),
  );
}

function sensitivityOfRule(document: PolicyDocument, rule: RuleDocument): Sensitivity {
  const variant = document.variants[rule.variant] ?? {};
  return highest([sensitivityOfLabel(rule, 'S0'), sensitivityOfLabel(variant, 'S0'), sensitivityOfRead(document, [rule.when])]);
}

function sensitivityOfOffer(document: PolicyDocument, offer: OfferDocument): Sensitivity {
  const variant = document.variants[offer.variant] ?? {};
  return highest([
    sensitivityOfLabel(offer, 'S3'),
    sensitivityOfLabel(variant, 'S0'),
    sensitivityOfRead(document, conditionsOf(offer)),
    ...(offer.propensity === 'model' ? [sensitivityOfLabel(document.dependencies?.model ?? {}, 'S3')] : []),
  ]);
}

function conditionsOf(offer: OfferDocument): readonly (When | undefined)[] {
  return [offer.when, ...(offer.context ?? []).map((factor) => factor.when)];
}

function enabled(document: PolicyDocument, sensitivity: Sensitivity): boolean {
  if (sensitivity.class !== 'S3') return true;
  const switchedOn = document.sensitive?.S3.enabled === true ? document.sensitive.S3.categories : [];
  return !sensitivity.uncategorised && sensitivity.categories.every((category) => switchedOn.includes(category));
}

function recentlyAuthenticated(world: World): boolean {
  const token = world.evidence.identity.token;
  if (token.state !== 'verified' || token.authTimeSeconds === null) return false;
  return world.question.nowMs - token.authTimeSeconds * 1000 <= 15 * 60 * 1000;
}

function explicitlyGranted(world: World, sensitivity: Sensitivity): boolean {
  return sensitivity.class !== 'S3' || sensitivity.categories.every((category) => world.consent.categoryGranted(category));
}

/** Whether something of this sensitivity may be chosen on a rung whose gates hold. */
function allowed(world: World, zone: ZoneDocument, tier: Tier, sensitivity: Sensitivity): boolean {
  if (tier === 'anonymous') return true;
  const all = highest([sensitivity, sensitivityOfLabel(zone, 'S0')]);
  if (all.class === 'S0') return true;
  if (all.class === 'S1') {
    if (tier !== 'segment') return true;
    return world.consent.answer[zone.kind === 'content' ? 'content_personalization' : 'offers'] === 'granted';
  }
  if (tier !== 'user') return false;
  const token = world.evidence.identity.token;
  const proved = token.state === 'verified' && token.binding === 'proved' && recentlyAuthenticated(world);
  return proved && enabled(world.document, all) && explicitlyGranted(world, all);
}

// ------------------------------------------------------------------------------------------------------------- eligibility

interface Choice {
  readonly variant: string;
  readonly offer: string | null;
}

function choiceOf(world: World, id: string, zone: ZoneDocument, rung: RungDocument, taken: Taken): Choice | null {
  const around = surroundingsOf(world, rung.tier);
  if (rung.arbitrate === undefined) {
    const rule = rulesOf(rung).find(
      (candidate) =>
        allowed(world, zone, rung.tier, sensitivityOfRule(world.document, candidate)) &&
        (candidate.when === undefined || holds(candidate.when.ast, around)),
    );
    return rule === undefined ? null : { variant: rule.variant, offer: null };
  }
  const tied = tiedWinners(world, zone, rung, taken);
  if (tied.length === 0) return null;
  const offer = world.options.breakTie === undefined ? (tied[0] as string) : world.options.breakTie(id, tied);
  return { variant: (world.document.offers[offer] as OfferDocument).variant, offer };
}

/** The eligible offers of the highest priority, by id: one of them wins, and the contract leaves which to a stable hash. */
function tiedWinners(world: World, zone: ZoneDocument, rung: RungDocument, taken: Taken): readonly string[] {
  const around = surroundingsOf(world, rung.tier);
  const eligible = offersOf(world.document, rung)
    .filter(
      ([offerId, offer]) =>
        heights[lowestTierOf(world.document, offer)] <= heights[rung.tier] &&
        inWindow(world, offer) &&
        allowed(world, zone, rung.tier, sensitivityOfOffer(world.document, offer)) &&
        (offer.when === undefined || holds(offer.when.ast, around)) &&
        !taken.offers.has(offerId) &&
        (offer.group === undefined || !taken.groups.has(offer.group)),
    )
    .map(([offerId, offer]) => ({ offerId, priority: priorityOf(offer, propensityOf(world, offerId, offer), around) }))
    .filter(({ priority }) => priority > 0n);
  const most = eligible.map(({ priority }) => priority).sort((a, b) => (a < b ? 1 : -1))[0];
  return eligible
    .filter(({ priority }) => priority === most)
    .map(({ offerId }) => offerId)
    .sort();
}

/** The model's for this offer, if it is the model that says; else what is written. */
function propensityOf(world: World, offerId: string, offer: OfferDocument): number {
  const model = modelFact(world);
  const said = offer.propensity === 'model' && model.state === 'known' ? own(model.value, offerId) : undefined;
  return said ?? offer.propensityPpm ?? 0;
}

function priorityOf(offer: OfferDocument, propensityPpm: number, around: Surroundings): bigint {
  let context = 1000n;
  for (const factor of offer.context ?? []) {
    if (holds(factor.when.ast, around)) context = (context * BigInt(factor.perMille)) / 1000n;
  }
  context = clamp(context, 1n, 100_000n);
  const added = Object.values(offer.levers ?? {}).reduce((sum, lever) => sum + BigInt(lever), 0n);
  const levers = clamp(1000n + added, 1n, 10_000n);
  const start = BigInt(propensityPpm) * BigInt(offer.value);
  return (((start * context) / 1000n) * levers) / 1000n;
}

function clamp(value: bigint, least: bigint, most: bigint): bigint {
  return value < least ? least : value > most ? most : value;
}

function surroundingsOf(world: World, tier: Tier): Surroundings {
  const { question, evidence } = world;
  const session = heights[tier] >= heights.session && evidence.session.state === 'known' ? evidence.session.value : null;
  const profile = tier === 'user' && evidence.profile.state === 'known' ? evidence.profile.value : null;
  const said = question.audiences;
  const found = tier === 'user' ? foundAudiences(world) : null;
  const names = [...new Set([...(said ?? []), ...(found ?? [])])];
  const audiences = said === null && found === null ? null : { names, complete: tier !== 'user' || found !== null };
  return {
    attributes: { request: question.request, session: session?.attributes ?? null, profile: profile?.attributes ?? null },
    audiences,
    nowMs: question.nowMs,
  };
}

/** What is known of a person's audiences; null: not known. What is stored with a profile does not count beside an audience service. */
function foundAudiences(world: World): readonly string[] | null {
  if (isAsked(world.document, 'audience')) {
    const audience = audienceFact(world);
    return audience.state === 'known' ? audience.value : null;
  }
  const { profile } = world.evidence;
  return profile.state === 'known' ? profile.value.audiences : null;
}

/** The lowest tier whose rung may read all that the offer reads. */
export function lowestTierOf(document: PolicyDocument, offer: OfferDocument): Tier {
  if ((['profile', 'audience', 'model'] as const).some((source) => offerReads(document, offer, source))) return 'user';
  return offerReads(document, offer, 'session') ? 'session' : 'segment';
}

/** To know that somebody is in no audience of the edge either, somebody must be asked: that can make a rule true, and fails no gate. */
function rungMentionsAudiences(document: PolicyDocument, question: Question, rung: RungDocument): boolean {
  const mentions = (conditions: readonly (When | undefined)[]): boolean =>
    conditions.some((condition) => condition !== undefined && [...everyPart(condition.ast)].some(({ is }) => is === 'audiences'));
  return rungHasUse(
    { document, question },
    rung,
    (rule) => mentions([rule.when]),
    (offer) => mentions(conditionsOf(offer)),
  );
}

/**
 * The one way in which less evidence can raise a zone by the rules as they are written: a user rung arbitrates and names audiences of
 * the edge only, so it does not wait for who could tell them; a factor that would have made an offer worth nothing is then left out.
 */
export function weighsUnreadAudiences(document: PolicyDocument, question: Question, id: string): boolean {
  const rung = document.zones[id]?.ladder.find(({ tier }) => tier === 'user');
  if (rung?.arbitrate === undefined) return false;
  return rungMentionsAudiences(document, question, rung) && !rungReads({ document, question }, rung, namesAudiences(document));
}

/**
 * The kinds of the zones asked for whose rungs can use a fact: user rungs, and for the session those of its own too. Who asks for a
 * fact for any other kind asks for what no rule of these zones can use.
 */
export function kindsThatUse(document: PolicyDocument, question: Question, source: FactSource): ReadonlySet<Kind> {
  const tiers: readonly Tier[] = source === 'session' ? ['user', 'session'] : ['user'];
  const rungCanUse = (rung: RungDocument): boolean =>
    rungReads({ document, question }, rung, source) ||
    (source === namesAudiences(document) && rungMentionsAudiences(document, question, rung));
  const zones = question.audience === 'shared' ? [] : question.zones.map((id) => document.zones[id] as ZoneDocument);
  const using = zones.filter(
    (zone) =>
      enabled(document, sensitivityOfLabel(zone, 'S0')) && zone.ladder.some((rung) => tiers.includes(rung.tier) && rungCanUse(rung)),
  );
  return new Set(using.map(({ kind }) => kind));
}

function inWindow(world: Pick<World, 'question'>, offer: OfferDocument): boolean {
  const from = offer.from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(offer.from);
  const until = offer.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(offer.until);
  return from <= world.question.nowMs && world.question.nowMs < until;
}

function rulesOf(rung: RungDocument): readonly RuleDocument[] {
  if (rung.choose !== undefined) return rung.choose;
  return rung.variant === undefined ? [] : [{ variant: rung.variant }];
}

function offersOf(document: PolicyDocument, rung: RungDocument): readonly (readonly [string, OfferDocument])[] {
  const tag = rung.arbitrate?.tag;
  return tag === undefined ? [] : Object.entries(document.offers).filter(([, offer]) => offer.tags.includes(tag));
}
