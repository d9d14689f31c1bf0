/**
 * Gathering and deciding in simulated time: what comes when is drawn from a seed, thousands of times, and every zone's answer is held
 * against a small model of what that zone may know at its instant. The model is written from the contract and shares no code with
 * what it judges. A failing seed is printed with the command that repeats it; `STEPWELL_TEST_RUNS` multiplies how many are tried.
 */
import { describe, expect, it } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import type { ZoneDecision } from '../../src/decision/decision.ts';
import type { Fact, IdentityLink, StoredConsent, TokenEvidence } from '../../src/decision/facts.ts';
import { needs } from '../../src/decision/needs.ts';
import type { Question } from '../../src/decision/question.ts';
import { type Dependency, personalUseCases } from '../../src/decision/vocabulary.ts';
import { batchesOf } from '../../src/evidence/batches.ts';
import { createGatherer } from '../../src/evidence/gather.ts';
import type { Gatherer, Gathering, TokenFinding } from '../../src/evidence/gathering.ts';
import { decideInBatches } from '../../src/http/decide-in-batches.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { mayReadProfile, mayReadSession } from '../../src/records/permission.ts';
import type { ReadPlan, StoreReading } from '../../src/records/store.ts';
import { StoreError } from '../../src/records/store-error.ts';
import type { HttpSource } from '../../src/sources/http-source.ts';
import { type SourceDependency, type Sources, sourceDependencies } from '../../src/sources/sources.ts';
import type { Clock } from '../../src/time/clock.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const dependencies = ['identity', 'consent', 'profile', 'session', 'audience', 'model'] as const;
const isLong = process.env.STEPWELL_TEST_LONG === '1';
const runs = Math.round(8_000 * Number(process.env.STEPWELL_TEST_RUNS ?? (isLong ? 300 : 1)));
/** Any would do; a fixed one, so that a fault that is found once is found always. */
const faultSeed = 20_261_121;
const firstSeed = process.env.SIMULATION_SEED === undefined ? Date.now() % 2 ** 31 : Number(process.env.SIMULATION_SEED);
const seedsTried = process.env.SIMULATION_SEED === undefined ? runs : 1;

// --- what is drawn --------------------------------------------------------------------------------------------------------------

interface Drawn {
  /** Null: as long as the deadline allows. By zone. */
  readonly zoneBudgetsMs: readonly (number | null)[];
  readonly deadlineMs: number;
  /** Between the headers and the beginning of gathering. */
  readonly queuedMs: number;
  readonly budgetsMs: Readonly<Record<Dependency, number | null>>;
  /** What has a source of its own. Null: the store has it, or nobody. */
  readonly sources: Readonly<Record<SourceDependency, DrawnSource | null>>;
  readonly token: 'none' | 'fresh' | 'expired' | 'invalid' | 'broken';
  /** Null: the evidence is there at once, as for a token seen before. */
  readonly verifiedAfterMs: number | null;
  readonly hasSession: boolean;
  /** To whom the given device is linked. */
  readonly device: 'not given' | 'nobody' | 'the person' | 'another';
  readonly isOverloaded: boolean;
  readonly asksForItself: 'nothing' | 'grants' | 'denies';
  readonly reply: 'answers' | 'fails' | 'throws' | 'never';
  readonly repliedAfterMs: number;
  readonly stored: Said;
  /** Of the other person, to whom the device may be linked. */
  readonly storedOfAnother: Said;
  /** Of the session. */
  readonly withdrawn: boolean;
  readonly generation: 'current' | 'behind';
  readonly hasProfile: boolean;
  /** Whether the store keeps this session. */
  readonly sessionIsStored: boolean;
  /** How late each timer fires in turn, as on a busy machine. */
  readonly latenessMs: readonly number[];
}

interface DrawnSource {
  readonly answer: 'answers' | 'has nothing' | 'fails' | 'never';
  readonly afterMs: number;
  /** Whether it gives up when its time is over, as it should; what never answers always does. */
  readonly keepsTime: boolean;
}

type Said = 'granted' | 'denied' | 'absent';
type Random = () => number;

/** mulberry32. */
function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function draw(seed: number): Drawn {
  const random = randomFrom(seed);
  for (let skipped = 0; skipped < 3; skipped += 1) random();
  const whole = (most: number): number => Math.floor(random() * (most + 1));
  const chance = (share: number): boolean => random() < share;
  const one = <T>(...from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const budget = (): number | null => (chance(0.3) ? null : 1 + whole(60));
  // Quarters of a millisecond, so that instants often coincide and often just miss each other.
  const quarters = (mostMs: number): number => whole(mostMs * 4) / 4;
  const hasSources = chance(0.6);
  const source = (): DrawnSource | null => {
    if (!hasSources || chance(0.4)) return null;
    const answer = one('answers', 'answers', 'answers', 'answers', 'has nothing', 'fails', 'never');
    return { answer, afterMs: quarters(chance(0.7) ? 6 : 60), keepsTime: chance(0.6) };
  };
  return {
    zoneBudgetsMs: Array.from({ length: 1 + whole(zoneIds.length - 1) }, budget),
    deadlineMs: 3 + whole(60),
    queuedMs: chance(0.2) ? quarters(70) : 0,
    budgetsMs: { identity: budget(), consent: budget(), profile: budget(), session: budget(), audience: budget(), model: budget() },
    sources: { identity: source(), profile: source(), audience: source(), model: source() },
    token: one('none', 'fresh', 'fresh', 'fresh', 'expired', 'invalid', 'broken'),
    verifiedAfterMs: chance(0.4) ? null : quarters(chance(0.2) ? 80 : 8),
    hasSession: chance(0.6),
    device: one('not given', 'not given', 'not given', 'nobody', 'the person', 'another'),
    isOverloaded: chance(0.04),
    asksForItself: one('nothing', 'nothing', 'grants', 'denies'),
    reply: one('answers', 'answers', 'answers', 'answers', 'fails', 'throws', 'never'),
    repliedAfterMs: quarters(chance(0.5) ? 10 : 80),
    stored: one('granted', 'granted', 'denied', 'absent'),
    storedOfAnother: one('granted', 'denied', 'absent'),
    withdrawn: chance(0.15),
    generation: chance(0.85) ? 'current' : 'behind',
    hasProfile: chance(0.85),
    sessionIsStored: chance(0.85),
    latenessMs: Array.from({ length: 8 }, () => (chance(0.25) ? quarters(12) : 0)),
  };
}

// --- the model ------------------------------------------------------------------------------------------------------------------

type Tier = 'user' | 'session' | 'segment';

/**
 * In the model every instant counts from the headers, and a dependency's budget from when it is asked. A fact that comes at the very
 * instant may count or not: both are an answer. So it is where we look late: by twice our delay a budget may be longer, or not.
 */
function tiersAllowed(drawn: Drawn, zoneAtMs: number): readonly Tier[] {
  const graceMaxMs = 2 * Math.max(...drawn.latenessMs);
  const overdueMs = (afterMs: number, dependency: Dependency) => afterMs - (drawn.budgetsMs[dependency] ?? Number.POSITIVE_INFINITY);
  const overduesMs = [
    ...dependencies.map((dependency) => overdueMs(drawn.repliedAfterMs, dependency)),
    ...sourceDependencies.map((dependency) => overdueMs(drawn.sources[dependency]?.afterMs ?? 0, dependency)),
  ];
  const gracesMs = [0, graceMaxMs, ...overduesMs.filter((overdueMs) => overdueMs > 0 && overdueMs < graceMaxMs)];
  return [
    ...new Set(
      gracesMs.flatMap((graceMs) => [
        modelTier(drawn, zoneAtMs, graceMs, atOrBefore, atOrBefore),
        modelTier(drawn, zoneAtMs, graceMs, before, before),
        // What follows from the store's reply may come at the same instant as the reply, and count or not by itself.
        modelTier(drawn, zoneAtMs, graceMs, atOrBefore, before),
      ]),
    ),
  ];
}

type InTime = (atMs: number, limitMs: number) => boolean;
const atOrBefore: InTime = (atMs, limitMs) => atMs <= limitMs;
const before: InTime = (atMs, limitMs) => atMs < limitMs;

function modelTier(drawn: Drawn, zoneAtMs: number, graceMs: number, inTime: InTime, sourceInTime: InTime): Tier {
  if (drawn.isOverloaded) return 'segment';
  const { token, verifiedAfterMs, queuedMs, reply, stored, device, asksForItself, sources } = drawn;
  const limitOf = (dependency: Dependency, fromMs: number): number =>
    Math.min(drawn.deadlineMs, fromMs + (drawn.budgetsMs[dependency] ?? drawn.deadlineMs));
  const hasToken = token !== 'none';
  const verifiedAtMs = queuedMs + (hasToken ? (verifiedAfterMs ?? 0) : 0);
  const tokenIsKnown = !hasToken || verifiedAfterMs === null || inTime(verifiedAtMs, Math.min(zoneAtMs, limitOf('identity', queuedMs)));
  const names = tokenIsKnown && (token === 'fresh' || token === 'expired');

  // A resolver is asked beside the token, and the store when both have said what they will.
  const hasDevice = device !== 'not given';
  const resolver = hasDevice ? sources.identity : null;
  const resolving = resolver === null ? null : askedModel(resolver, queuedMs, limitOf('identity', queuedMs));
  const linkIsTold = resolving === null || (resolving.tells && inTime(resolving.atMs, Math.min(zoneAtMs, limitOf('identity', queuedMs))));
  const linkIsNobody = device === 'nobody' || resolver?.answer === 'has nothing';

  const askedAtMs = Math.max(verifiedAtMs, resolving?.atMs ?? 0);
  const repliedAtMs = askedAtMs + drawn.repliedAfterMs;
  const isAsked = (dependency: Dependency): boolean => limitOf(dependency, askedAtMs) - askedAtMs >= 1;
  const isProvedBy = (dependency: Dependency): boolean =>
    isAsked(dependency) && inTime(repliedAtMs, Math.min(drawn.deadlineMs, limitOf(dependency, askedAtMs) + graceMs));
  const isKnown = (dependency: Dependency): boolean =>
    tokenIsKnown && reply === 'answers' && isProvedBy(dependency) && inTime(repliedAtMs, zoneAtMs);

  // Nothing is granted while somebody may have denied whom we could not look up. A device that turns out to be nobody's has no record.
  const linkIsHeard =
    resolving !== null && linkIsNobody
      ? linkIsTold
      : linkIsTold && isKnown('identity') && (linkIsNobody ? isAsked('consent') : isKnown('consent'));
  const mayHideDenial =
    !tokenIsKnown || token === 'broken' || ((names || drawn.hasSession) && !isKnown('consent')) || (hasDevice && !linkIsHeard);
  const isOwnRecord = names || (device === 'the person' && !linkIsNobody);
  const isAnothers = device === 'another' && !linkIsNobody;
  const isDenied =
    asksForItself === 'denies' ||
    (isOwnRecord && isKnown('consent') && stored === 'denied') ||
    (drawn.hasSession && isKnown('consent') && drawn.withdrawn) ||
    (isAnothers && isKnown('consent') && drawn.storedOfAnother === 'denied');
  const isProved = names && token === 'fresh' && isKnown('identity') && drawn.generation === 'current' && !isAnothers;
  const isGrantedByRecord = isProved && isKnown('consent') && stored === 'granted';
  const isGranted = !mayHideDenial && !isDenied && (asksForItself === 'grants' || isGrantedByRecord);

  // Sources about a person are asked when the store has proved who it is, and each for as long as its own budget allows.
  const tells = (dependency: 'profile' | 'audience' | 'model', source: DrawnSource): boolean => {
    const limitMs = Math.min(drawn.deadlineMs, limitOf(dependency, repliedAtMs) + graceMs);
    if (limitMs - repliedAtMs < 1 || source.answer !== 'answers') return false;
    return sourceInTime(repliedAtMs + source.afterMs, Math.min(zoneAtMs, limitMs));
  };
  const hasProfile = sources.profile === null ? isKnown('profile') && drawn.hasProfile : tells('profile', sources.profile);
  const hasAudience = sources.audience === null || tells('audience', sources.audience);
  const hasModel = sources.model === null || tells('model', sources.model);
  if (isGranted && isProved && hasProfile && hasAudience && hasModel) return 'user';
  if (isGranted && drawn.hasSession && isKnown('session') && drawn.sessionIsStored) return 'session';
  return 'segment';
}

/** When a source is done with, and whether it said anything. */
function askedModel({ answer, afterMs, keepsTime }: DrawnSource, fromMs: number, limitMs: number): { atMs: number; tells: boolean } {
  if (limitMs - fromMs < 1) return { atMs: fromMs, tells: false };
  const givesUp = answer === 'never' || (keepsTime && fromMs + afterMs > limitMs);
  return { atMs: givesUp ? limitMs : fromMs + afterMs, tells: !givesUp && answer !== 'fails' };
}

// --- the world ------------------------------------------------------------------------------------------------------------------

const zoneIds = ['a', 'b', 'c', 'd', 'e'] as const;
const approved = { by: 'Simulation', on: '2026-01-01', until: '2099-01-01' };
const ladder = [
  { tier: 'user', variant: 'v' },
  { tier: 'session', choose: [{ when: 'session.seen', variant: 'v' }] },
  { tier: 'segment', choose: [{ when: 'request.country == "DE"', variant: 'v' }] },
  { tier: 'anonymous', variant: 'v', approved },
];
const bool = { type: 'bool', class: 'S1' };
const http = { source: 'http', method: 'POST', url: 'https://source.example/' };
const sourceOf = {
  identity: { ...http, map: { subject: 'response' } },
  profile: { ...http, map: { attributes: { vip: 'response' } } },
  audience: { ...http, map: { audiences: 'response' } },
  model: { ...http, class: 'S1', map: { propensityPpm: 'response' } },
};
const startMs = Date.UTC(2026, 10, 21, 12);

/** One for each set of sources; every zone asks for all that there is. */
function policyWith(sourced: readonly SourceDependency[]): Artefact {
  const when = sourced.includes('audience') ? 'profile.vip && "club" in audiences' : 'profile.vip';
  const lower = ladder.slice(1);
  const policy = JSON.stringify({
    stepwell: 1,
    policy: 'simulation',
    owner: 'simulation',
    attributes: { request: { country: { type: 'string', class: 'S0' } }, session: { seen: bool }, profile: { vip: bool } },
    audiences: { club: { class: 'S1' } },
    contextualWithoutSignal: true,
    deadline: { defaultMs: 60, minMs: 1, maxMs: 500 },
    dependencies: Object.fromEntries(sourced.map((dependency) => [dependency, sourceOf[dependency]])),
    zones: Object.fromEntries(
      zoneIds.map((id) => {
        const user = sourced.includes('model')
          ? { tier: 'user', arbitrate: { tag: id } }
          : { tier: 'user', choose: [{ when, variant: 'v' }] };
        return [id, { kind: 'content', ladder: [user, ...lower] }];
      }),
    ),
    variants: { v: { content: 'v' } },
    offers: sourced.includes('model')
      ? Object.fromEntries(zoneIds.map((id) => [`o-${id}`, { tags: [id], class: 'S1', variant: 'v', when, propensity: 'model', value: 1 }]))
      : {},
  });
  const { artefact, problems } = compilePolicy(policy, { file: 'simulation.json', nowMs: startMs });
  if (artefact === null) throw new Error(JSON.stringify(problems));
  return artefact;
}

const policies = new Map<string, Artefact>();

/** A virtual clock whose timers fire as late as drawn, and that knows when something happens next. */
class BusyClock implements Clock {
  readonly virtual = new VirtualClock(startMs);
  readonly #latenessMs: readonly number[];
  readonly #instants = new Set<number>();
  #timers = 0;

  constructor(latenessMs: readonly number[]) {
    this.#latenessMs = latenessMs;
  }

  nowMs(): number {
    return this.virtual.nowMs();
  }

  monotonicMs(): number {
    return this.virtual.monotonicMs();
  }

  after(ms: number, callback: () => void): () => void {
    this.#timers += 1;
    return this.exactlyAfter(ms + (this.#latenessMs[this.#timers % this.#latenessMs.length] ?? 0), callback);
  }

  exactlyAfter(ms: number, callback: () => void): () => void {
    this.#instants.add(this.monotonicMs() + Math.max(0, ms));
    return this.virtual.after(ms, callback);
  }

  /** False when nothing is left to happen. */
  moveOn(): boolean {
    const now = this.monotonicMs();
    let next = Number.POSITIVE_INFINITY;
    for (const atMs of this.#instants) {
      if (atMs < now) this.#instants.delete(atMs);
      else if (atMs < next) next = atMs;
    }
    if (next === Number.POSITIVE_INFINITY) return false;
    this.#instants.delete(next);
    this.virtual.advance(next - now);
    return true;
  }
}

/** Every promise that can settle without time passing has settled. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await null;
}

interface Outcome {
  readonly zones: readonly ZoneDecision[];
  /** From the headers, by zone. */
  readonly decidedAtMs: ReadonlyMap<string, number>;
  readonly plans: readonly ReadPlan[];
  /** Of HTTP sources, in the order in which they were asked. */
  readonly asked: readonly SourceDependency[];
  readonly replies: number;
  readonly abandoned: number;
  readonly pendingTimers: number;
}

type Tampering = (gatherer: Gatherer, clock: Clock) => Gatherer;

async function simulate(drawn: Drawn, tamper: Tampering = (gatherer) => gatherer): Promise<Outcome> {
  const clock = new BusyClock(drawn.latenessMs);
  clock.virtual.advance(1000.25);
  const startedAtMs = clock.monotonicMs();
  clock.virtual.advance(drawn.queuedMs);
  const plans: ReadPlan[] = [];
  let replies = 0;
  let abandoned = 0;
  const gatherer = createGatherer({
    store: {
      read(plan) {
        plans.push(plan);
        if (drawn.reply === 'throws') throw new StoreError('disconnected', 'there is no connection');
        return new Promise((resolve, reject) => {
          if (drawn.reply === 'never') return;
          clock.exactlyAfter(drawn.repliedAfterMs, () => {
            replies += 1;
            if (drawn.reply === 'fails') reject(new StoreError('timed_out', 'no answer'));
            else resolve(readingOf(plan, drawn));
          });
        });
      },
    },
    verifier: { verify: () => verification(drawn, clock) },
    sessionIds: { verify: () => ({ state: 'verified', id: 'session' }) },
    clock,
    onAbandoned: ({ from }) => {
      if (from === 'store') abandoned += 1;
    },
  });
  const artefact = withBudgets(drawn);
  const asked: SourceDependency[] = [];
  const question = questionOf(drawn);
  const times = { startedAtMs, deadlineAtMs: startedAtMs + drawn.deadlineMs };
  const gathering = tamper(gatherer, clock).gather({
    artefact,
    sources: sourcesOf(drawn, clock, asked),
    needs: needs(artefact, question),
    identity: {
      ...(drawn.token === 'none' ? {} : { token: 'token' }),
      ...(drawn.hasSession ? { sessionId: 'session' } : {}),
      ...(drawn.device === 'not given' ? {} : { deviceId: 'device' }),
    },
    overloaded: drawn.isOverloaded,
    consent: { signals: signalsOf(drawn), gpc: false },
    nowMs: clock.nowMs(),
    ...times,
  });
  const budgets = drawn.zoneBudgetsMs.map((budgetMs, index) => ({ zone: zoneIds[index] as string, budgetMs }));
  const decidedAtMs = new Map<string, number>();
  const deciding = decideInBatches({ artefact, question, batches: batchesOf(budgets, times), gathering, clock }, (zones) => {
    for (const { zone } of zones) decidedAtMs.set(zone, clock.monotonicMs() - startedAtMs);
  });
  let zones: readonly ZoneDecision[] | null = null;
  let fault: unknown = null;
  void deciding
    .then(
      (decided) => {
        zones = decided.zones;
      },
      (error: unknown) => {
        fault = error;
      },
    )
    .finally(() => gathering.close());
  await settle();
  // What is still to happen when all is decided happens too: a reply to nobody must do no harm.
  while (clock.moveOn()) await settle();
  if (fault !== null) throw new Error('deciding rejected', { cause: fault });
  if (zones === null) throw new Error('not every zone was ever decided');
  return { zones, decidedAtMs, plans, asked, replies, abandoned, pendingTimers: clock.virtual.pendingTimers };
}

function withBudgets({ budgetsMs, sources }: Drawn): Artefact {
  const sourced = sourceDependencies.filter((dependency) => sources[dependency] !== null);
  const key = sourced.join();
  const plain = policies.get(key) ?? policyWith(sourced);
  policies.set(key, plain);
  const settings = Object.fromEntries(
    dependencies.map((dependency) => [dependency, { ...plain.dependencies[dependency], budgetMs: budgetsMs[dependency] }]),
  );
  return { ...plain, dependencies: { ...plain.dependencies, ...settings } };
}

/** Sources that do as drawn; `asked` hears of each ask. */
function sourcesOf(drawn: Drawn, clock: BusyClock, asked: SourceDependency[]): Sources {
  const source = <T>(dependency: SourceDependency, value: T | null): HttpSource<T> | null => {
    const own = drawn.sources[dependency];
    if (own === null) return null;
    const fact: Fact<T> =
      own.answer === 'fails'
        ? { state: 'failed' }
        : own.answer === 'has nothing' || value === null
          ? { state: 'absent' }
          : { state: 'known', value };
    return {
      ask({ leftMs }) {
        asked.push(dependency);
        const givesUp = own.answer === 'never' || (own.keepsTime && own.afterMs > leftMs);
        return new Promise((resolve) => {
          clock.exactlyAfter(givesUp ? leftMs : own.afterMs, () => resolve(givesUp ? { state: 'late' } : fact));
        });
      },
      typicalMs: () => null,
      status: () => ({ state: 'unknown', sinceMs: null, lastGoodMs: null, breaker: 'closed', fault: null }),
      counts: () => ({ asks: 0, calls: 0 }),
    };
  };
  return {
    identity: source('identity', linkOf(drawn.device)),
    profile: source('profile', { attributes: { vip: true }, audiences: [] }),
    audience: source('audience', ['club']),
    model: source('model', Object.fromEntries(zoneIds.map((id) => [`o-${id}`, 1]))),
  };
}

function linkOf(device: Drawn['device']): IdentityLink | null {
  const subject = device === 'the person' ? person : device === 'another' ? 'another' : null;
  return subject === null ? null : { subject, method: 'deterministic', confidencePpm: 1_000_000 };
}

function questionOf({ zoneBudgetsMs }: Drawn): Question {
  const zones = zoneIds.slice(0, zoneBudgetsMs.length);
  return {
    nowMs: startMs,
    audience: 'personal',
    page: null,
    zones,
    shownOffers: [],
    request: { country: 'DE' },
    audiences: null,
    explain: false,
  };
}

const person = 'person';

const everyUseCase = <State>(state: State) =>
  Object.fromEntries(personalUseCases.map((useCase) => [useCase, state])) as Record<(typeof personalUseCases)[number], State>;

function signalsOf({ asksForItself }: Drawn) {
  if (asksForItself === 'nothing') return [];
  return [{ state: 'valid' as const, useCases: everyUseCase(asksForItself === 'grants' ? ('granted' as const) : ('denied' as const)) }];
}

function verification({ token, verifiedAfterMs }: Drawn, clock: BusyClock): TokenFinding | Promise<TokenFinding> {
  const verified: TokenFinding = { evidence: tokenEvidence(token), tokenId: 'issuer\njti' };
  if (verifiedAfterMs === null) {
    if (token === 'broken') throw new Error('verification is broken');
    return verified;
  }
  return new Promise((resolve, reject) => {
    clock.exactlyAfter(verifiedAfterMs, () => (token === 'broken' ? reject(new Error('verification is broken')) : resolve(verified)));
  });
}

function tokenEvidence(token: Drawn['token']): TokenEvidence {
  if (token === 'invalid') return { state: 'invalid' };
  return {
    state: 'verified',
    subject: person,
    method: 'deterministic',
    expired: token === 'expired',
    authTimeSeconds: null,
    generation: 0,
    binding: 'none',
  };
}

/** As a store must: it looks at nothing that the plan's permissions do not allow. */
function readingOf(plan: ReadPlan, drawn: Drawn): StoreReading {
  const link = plan.resolvedLink ?? (plan.deviceId === null ? null : linkOf(drawn.device));
  const linkedTo = link?.subject ?? null;
  const own = plan.subject === null ? null : recordOf(drawn.stored);
  const linked =
    linkedTo === null || linkedTo === plan.subject ? null : recordOf(linkedTo === person ? drawn.stored : drawn.storedOfAnother);
  const soFar = {
    link,
    generation: plan.subject !== null && drawn.generation === 'behind' ? 1 : 0,
    tokenRevoked: false,
    consent: own,
    linkedConsent: linked,
    sessionConsent: plan.sessionId === null || !drawn.withdrawn ? null : recordOf('denied'),
  };
  const refused = { state: 'refused' } as const;
  const absent = { state: 'absent' } as const;
  const profile = drawn.hasProfile ? ({ state: 'known', value: { attributes: { vip: true }, audiences: [] } } as const) : absent;
  const session = drawn.sessionIsStored ? ({ state: 'known', value: { attributes: { seen: true } } } as const) : absent;
  return {
    ...soFar,
    erased: false,
    consent: plan.consent ? own : null,
    linkedConsent: plan.consent ? linked : null,
    sessionConsent: plan.consent ? soFar.sessionConsent : null,
    profile: mayReadProfile(plan, soFar) ? profile : refused,
    session: mayReadSession(plan, soFar) ? session : refused,
  };
}

function recordOf(said: Said): StoredConsent | null {
  return said === 'absent' ? null : { useCases: everyUseCase(said), recordedAtMs: startMs - 60_000 };
}

// --- what must hold -------------------------------------------------------------------------------------------------------------

function check(drawn: Drawn, outcome: Outcome): void {
  const hold = (isSo: boolean, text: () => string): void => {
    if (!isSo) throw new Error(text());
  };
  const worstLatenessMs = Math.max(...drawn.latenessMs);
  hold(outcome.zones.length === drawn.zoneBudgetsMs.length, () => `${outcome.zones.length} zones were decided`);
  for (const [index, { zone, tier }] of outcome.zones.entries()) {
    const zoneAtMs = Math.min(drawn.deadlineMs, drawn.zoneBudgetsMs[index] ?? drawn.deadlineMs);
    const allowed: readonly string[] = tiersAllowed(drawn, zoneAtMs);
    hold(zone === zoneIds[index], () => `zone ${zone} stands in the place of ${zoneIds[index]}`);
    hold(allowed.includes(tier), () => `${zone}, of the instant ${zoneAtMs}, was served at ${tier}, and the model says ${allowed}`);
    const atMs = outcome.decidedAtMs.get(zone) ?? Number.NaN;
    // Twice: a timer that is late may be set again before it fires, and the second be late too.
    const latestMs = Math.max(zoneAtMs, drawn.queuedMs) + 2 * worstLatenessMs;
    hold(atMs <= latestMs, () => `${zone} was decided at ${atMs}, and its instant was ${zoneAtMs}`);
  }
  hold(outcome.plans.length <= (drawn.isOverloaded ? 0 : 1), () => `the store was asked ${outcome.plans.length} times`);
  hold(new Set(outcome.asked).size === outcome.asked.length, () => `sources were asked twice: ${outcome.asked}`);
  const aboutPerson = outcome.asked.filter((dependency) => dependency !== 'identity');
  hold(
    aboutPerson.length === 0 || mayAskAboutPerson(drawn),
    () => `${aboutPerson} were asked about somebody who was not proved, or said no`,
  );
  hold(aboutPerson.length === 0 || outcome.replies > 0, () => `${aboutPerson} were asked before the store had answered`);
  hold(outcome.abandoned <= outcome.replies + (drawn.reply === 'throws' ? 1 : 0), () => 'more replies were abandoned than came');
  hold(outcome.pendingTimers === 0, () => `${outcome.pendingTimers} timers were left behind`);
}

/** Whatever comes when. */
function mayAskAboutPerson({
  token,
  generation,
  device,
  stored,
  storedOfAnother,
  asksForItself,
  reply,
  sources,
  isOverloaded,
  hasSession,
  withdrawn,
}: Drawn): boolean {
  const isAnothers = device === 'another' && sources.identity?.answer !== 'has nothing';
  const isDenied =
    asksForItself === 'denies' || stored === 'denied' || (isAnothers && storedOfAnother === 'denied') || (hasSession && withdrawn);
  const isProved = token === 'fresh' && generation === 'current' && !isAnothers && reply === 'answers' && !isOverloaded;
  return isProved && !isDenied && (asksForItself === 'grants' || stored === 'granted');
}

interface Broken {
  readonly seed: number;
  readonly message: string;
}

/** The first seed that breaks it, or null. */
async function firstBroken(from: number, count: number, tamper?: Tampering): Promise<Broken | null> {
  for (let seed = from; seed < from + count; seed += 1) {
    const drawn = draw(seed);
    try {
      check(drawn, await simulate(drawn, tamper));
    } catch (error) {
      return { seed, message: error instanceof Error ? error.message : String(error) };
    }
  }
  return null;
}

function saying({ seed, message }: Broken): string {
  const replay = `SIMULATION_SEED=${seed} npm test -- test/evidence/simulation`;
  return `${message}\nseed ${seed}, repeat with: ${replay}\nwhat was drawn: ${JSON.stringify(draw(seed))}`;
}

/** As the real one, but for what is given. */
function changed(gathering: Gathering, changes: Partial<Pick<Gathering, 'until' | 'snapshot' | 'close'>>): Gathering {
  return {
    get complete() {
      return gathering.complete;
    },
    until: (atMs) => gathering.until(atMs),
    snapshot: (atMs) => gathering.snapshot(atMs),
    timing: () => gathering.timing(),
    close: () => gathering.close(),
    ...changes,
  };
}

const plantedFaults: Readonly<Record<string, Tampering>> = {
  'an instant that does not count': (gatherer) => ({
    gather(request) {
      const gathering = gatherer.gather(request);
      return changed(gathering, { snapshot: () => gathering.snapshot(Number.POSITIVE_INFINITY) });
    },
  }),
  'budgets of dependencies that do not count': (gatherer) => ({
    gather(request) {
      const settings = Object.fromEntries(
        Object.entries(request.artefact.dependencies).map(([name, one]) => [name, { ...one, budgetMs: null }]),
      );
      const unlimited = settings as unknown as Artefact['dependencies'];
      return gatherer.gather({ ...request, artefact: { ...request.artefact, dependencies: unlimited } });
    },
  }),
  'a zone that waits until everything is there': (gatherer) => ({
    gather(request) {
      const gathering = gatherer.gather(request);
      return changed(gathering, { until: () => gathering.until(request.deadlineAtMs) });
    },
  }),
  'a zone that does not wait': (gatherer) => ({
    gather(request) {
      const gathering = gatherer.gather(request);
      return changed(gathering, { until: () => Promise.resolve() });
    },
  }),
  'a store that is asked twice': (gatherer) => ({
    gather(request) {
      gatherer.gather(request).close();
      return gatherer.gather(request);
    },
  }),
  'sources that are asked twice': (gatherer) => ({
    gather({ sources, ...request }) {
      const twice = Object.fromEntries(
        Object.entries(sources ?? {}).map(([name, source]) => [
          name,
          source && { ...source, ask: (ask: never) => source.ask(ask) && source.ask(ask) },
        ]),
      );
      return gatherer.gather({ ...request, sources: twice as unknown as Sources });
    },
  }),
  'sources that are asked whatever the store says': (gatherer) => ({
    gather(request) {
      const gathering = gatherer.gather(request);
      const ask = { subject: person, deviceId: null, request: {}, leftMs: 5 };
      void request.sources?.model?.ask(ask);
      return gathering;
    },
  }),
  'sources that never answer': (gatherer) => ({
    gather({ sources: _sources, ...request }) {
      return gatherer.gather(request);
    },
  }),
  'a timer that is left behind': (gatherer, clock) => ({
    gather(request) {
      const gathering = gatherer.gather(request);
      return changed(gathering, {
        close() {
          gathering.close();
          const again = (): void => void clock.after(Number.MAX_SAFE_INTEGER, again);
          (clock as BusyClock).virtual.after(Number.MAX_SAFE_INTEGER, again);
        },
      });
    },
  }),
};

/** Enough that each of the planted faults meets a draw that shows it. */
const seedsToFindFault = 30_000;

describe('gathering in simulated time', () => {
  it('decides every zone at its instant, from what had come by then and nothing else', async () => {
    console.log(`simulation: seeds ${firstSeed} to ${firstSeed + seedsTried - 1}`);
    const broken = await firstBroken(firstSeed, seedsTried);
    expect(broken === null ? null : saying(broken)).toBeNull();
  });

  it('meets every tier, and zones of one page on different tiers', async () => {
    const met = new Set<string>();
    for (let seed = faultSeed; seed < faultSeed + 500; seed += 1) {
      const tiers = new Set((await simulate(draw(seed))).zones.map(({ tier }) => tier));
      met.add([...tiers].sort().join(' and '));
    }
    expect([...met]).toEqual(expect.arrayContaining(['user', 'session', 'segment', 'segment and user', 'segment and session']));
  });

  it('meets a person whom every source there is speaks for', async () => {
    const met = new Set<string>();
    for (let seed = faultSeed; seed < faultSeed + 6_000; seed += 1) {
      const { zones, asked } = await simulate(draw(seed));
      if (zones.some(({ tier }) => tier === 'user')) met.add([...asked].sort().join(' '));
    }
    expect([...met]).toEqual(
      expect.arrayContaining(['', 'audience model profile', 'audience identity model profile', 'identity', 'model']),
    );
  });

  it('is the same for the same seed', async () => {
    for (let seed = faultSeed; seed < faultSeed + 50; seed += 1) expect(await simulate(draw(seed))).toEqual(await simulate(draw(seed)));
  });

  it.each(Object.entries(plantedFaults))('would notice %s', async (_, tamper) => {
    expect(await firstBroken(faultSeed, seedsToFindFault, tamper)).not.toBeNull();
  });
});
