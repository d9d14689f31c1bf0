/**
 * Gathers what a question needs, in one round trip, until its instants come; never rejects, never waits beyond them, never
 * decides. What has not come when an instant comes is `late` there, and stays so for what was decided then.
 *
 * A route walks its batches: `await gathering.until(batch.atMs)`, decide with `gathering.snapshot(batch.atMs)`, and `close()`
 * after the last. Once gathering is complete nothing more can come, so every zone that remains can be decided at once.
 */
import type { Artefact } from '../decision/artefact.ts';
import type { Evidence, Fact, Failed, RequestConsent, SessionIdEvidence, StoredConsent, TokenEvidence } from '../decision/facts.ts';
import type { Needs } from '../decision/needs.ts';
import { meansNobody } from '../records/nobody.ts';
import type { ReadPlan, Store, StoreReading } from '../records/store.ts';
import { StoreError } from '../records/store-error.ts';
import type { Clock } from '../time/clock.ts';
import { type Asker, type Asking, type Reading, readingFor, type StoreDependency, storeDependencies } from './plan.ts';

export interface GatherRequest {
  readonly artefact: Artefact;
  readonly needs: Needs;
  /** As the caller gave them; an empty string is as good as none. */
  readonly identity: PresentedIdentity;
  readonly consent: RequestConsent;
  /** Wall clock of the decision. */
  readonly nowMs: number;
  /** Monotonic: the latest instant any zone waits for. A dependency's budget counts from when it is asked. */
  readonly deadlineAtMs: number;
  /** The service is too busy: nothing is verified and nobody is asked. What would have been is `failed`, for `overload`. */
  readonly overloaded?: boolean;
}

export interface PresentedIdentity {
  readonly token?: string | undefined;
  readonly proof?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly deviceId?: string | undefined;
}

export interface Gathering {
  /** Whether nothing more can come: everything answered, or every budget ran out. */
  readonly complete: boolean;
  /** Resolves at the instant, or earlier when gathering is complete. Never rejects. */
  until(atMs: number): Promise<void>;
  /** What had come by an instant that is past or present: for the same instant, the same evidence. */
  snapshot(atMs: number): Evidence;
  /** For spans and `Server-Timing`: what has been begun and ended so far. */
  timing(): GatherTiming;
  /** The last zone is decided: lets go of every timer. A reply that comes after this is dropped and counted. */
  close(): void;
}

/** Monotonic. Null where the stage never began; `endMs` null where it has not ended. */
export interface GatherTiming {
  readonly token: StageTiming | null;
  readonly store: StoreTiming | null;
}

export interface StageTiming {
  readonly startMs: number;
  readonly endMs: number | null;
}

export interface StoreTiming extends StageTiming {
  /** What the one round trip asked for. */
  readonly asked: readonly StoreDependency[];
}

export interface Gatherer {
  gather(request: GatherRequest): Gathering;
}

export interface GathererParts {
  /** Gathering reads and does nothing else. */
  readonly store: Pick<Store, 'read'>;
  readonly verifier: TokenVerification;
  readonly sessionIds: SessionIdVerification;
  readonly clock: Clock;
  /** A store's reply came when nobody waited any more. */
  readonly onAbandoned?: (reply: AbandonedReply) => void;
}

export interface AbandonedReply {
  readonly outcome: 'answered' | 'failed';
  /** From asking to the reply. */
  readonly durationMs: number;
}

/** What gathering asks of token verification. A promise is for a signature seen the first time. */
export interface TokenVerification {
  verify(
    token: string,
    presentation: { readonly proof?: string | undefined; readonly nowMs: number },
  ): TokenFinding | Promise<TokenFinding>;
}

export interface TokenFinding {
  readonly evidence: TokenEvidence;
  readonly tokenId: string | null;
}

export interface SessionIdVerification {
  verify(sessionId: string, nowMs: number): SessionIdEvidence;
}

/** With less left than this, asking costs the store a reply that nobody can use. */
const askingFloorMs = 1;
/** A timer is never more punctual than this. */
const lagFloorMs = 2;

const lateToken: TokenFinding = { evidence: { state: 'late' }, tokenId: null };
const noToken: TokenFinding = { evidence: { state: 'none' }, tokenId: null };
const failedToken: TokenFinding = { evidence: { state: 'failed' }, tokenId: null };
const shed = { state: 'failed', why: 'overload' } as const;
const shedToken: TokenFinding = { evidence: shed, tokenId: null };

export function createGatherer(parts: GathererParts): Gatherer {
  return { gather: (request) => new RunningGathering(parts, request) };
}

interface TokenArrival extends TokenFinding {
  /** Before the start where it came at once: nothing waited for it, so it is in time however little is left. */
  readonly usableFromMs: number;
  readonly endMs: number;
}

type Reply = {
  readonly atMs: number;
  /** The store is well, and a record that has to allow profile and session cannot be read: so these were not. */
  readonly isUnproved: boolean;
} & ({ readonly reading: StoreReading; readonly failure: null } | { readonly reading: null; readonly failure: Failed });

interface Waiter {
  readonly atMs: number;
  readonly resolve: () => void;
  disarm: () => void;
}

class RunningGathering implements Gathering {
  readonly #parts: GathererParts;
  readonly #request: GatherRequest;
  readonly #session: SessionIdEvidence;
  readonly #deviceId: string | null;
  #tokenStartMs: number | null = null;
  #token: TokenArrival | null = null;
  /** Null while the token is being verified: what to ask depends on whose it is. */
  #reading: Reading | null = null;
  #asked: readonly StoreDependency[] = [];
  #askedAtMs: number | null = null;
  #reply: Reply | null = null;
  /** After this instant no reply can be used any more. */
  #lastUsefulAtMs: number;
  /** By how much budgets are longer because we ourselves were late to look. */
  #lagMs = 0;
  #complete = false;
  readonly #waiters = new Set<Waiter>();

  constructor(parts: GathererParts, request: GatherRequest) {
    this.#parts = parts;
    this.#request = request;
    this.#lastUsefulAtMs = request.deadlineAtMs;
    const { identity, needs, nowMs } = request;
    this.#session = needs.identity && identity.sessionId ? sessionEvidence(parts.sessionIds, identity.sessionId, nowMs) : { state: 'none' };
    this.#deviceId = needs.identity && isSomebody(identity.deviceId) ? identity.deviceId : null;
    if (request.overloaded) this.#shed(needs.identity && Boolean(identity.token));
    else if (needs.identity && identity.token) this.#verifyToken(identity.token, identity.proof);
    else this.#ask(noToken);
  }

  get complete(): boolean {
    return this.#complete;
  }

  until(atMs: number): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs >= this.#lastUsefulAtMs) this.#finish();
    if (this.#complete || nowMs >= atMs) return Promise.resolve();
    return new Promise((resolve) => {
      const waiter: Waiter = { atMs, resolve, disarm: () => {} };
      this.#waiters.add(waiter);
      this.#arm(waiter);
    });
  }

  snapshot(atMs: number): Evidence {
    const reading = this.#reading ?? readingFor(this.#asker(lateToken));
    const fact = <T>(asking: Asking, dependency: StoreDependency, pick: (from: StoreReading) => Fact<T>): Fact<T> => {
      if (asking === 'refused') return { state: 'refused' };
      if (asking === 'too_short') return { state: 'late', why: 'deadline_too_short' };
      const reply = this.#reply;
      if (reply === null || reply.atMs > Math.min(atMs, this.#limitOf(dependency, this.#askedAtMs ?? atMs))) return { state: 'late' };
      if (reply.isUnproved && (dependency === 'profile' || dependency === 'session')) return { state: 'refused' };
      return reply.failure ?? pick(reply.reading);
    };
    return {
      identity: {
        token: this.#tokenAt(atMs),
        session: this.#session,
        device: fact(reading.device, 'identity', ({ link }) => knownOrAbsent(link)),
        generation: fact(reading.token, 'identity', ({ generation }) => ({ state: 'known', value: generation })),
        tokenRevoked: fact(reading.token, 'identity', ({ tokenRevoked }) => ({ state: 'known', value: tokenRevoked })),
      },
      consent: {
        signals: this.#request.consent.signals,
        gpc: this.#request.consent.gpc,
        stored: fact(reading.stored, 'consent', ({ consent }) => knownOrAbsent(consent)),
        linked: fact(reading.linked, 'consent', (from) => linkedConsent(from, reading.plan)),
      },
      profile: fact(reading.profile, 'profile', ({ profile }) => profile),
      session: this.#hasNoSession() ? { state: 'absent' } : fact(reading.session, 'session', ({ session }) => session),
      audience: { state: 'refused' },
      model: { state: 'refused' },
    };
  }

  timing(): GatherTiming {
    const store = stage(this.#askedAtMs, this.#reply?.atMs);
    return { token: stage(this.#tokenStartMs, this.#token?.endMs), store: store === null ? null : { ...store, asked: this.#asked } };
  }

  close(): void {
    this.#finish();
  }

  /** As if the token and the store had failed at once. */
  #shed(hasToken: boolean): void {
    const token = hasToken ? shedToken : noToken;
    if (hasToken) this.#token = { ...token, usableFromMs: Number.NEGATIVE_INFINITY, endMs: this.#parts.clock.monotonicMs() };
    this.#reading = readingFor(this.#asker(token));
    this.#reply = { atMs: Number.NEGATIVE_INFINITY, reading: null, failure: shed, isUnproved: false };
    this.#finish();
  }

  #verifyToken(token: string, proof: string | undefined): void {
    const { clock, verifier } = this.#parts;
    this.#tokenStartMs = clock.monotonicMs();
    try {
      const verified = verifier.verify(token, { proof, nowMs: this.#request.nowMs });
      if (!(verified instanceof Promise)) this.#tokenVerified(verified, Number.NEGATIVE_INFINITY);
      else {
        verified.then(
          (value) => this.#tokenVerified(value, clock.monotonicMs()),
          () => this.#tokenVerified(failedToken, clock.monotonicMs()),
        );
      }
    } catch {
      this.#tokenVerified(failedToken, Number.NEGATIVE_INFINITY);
    }
  }

  #tokenVerified(verified: TokenFinding, usableFromMs: number): void {
    if (this.#complete) return;
    this.#token = { ...verified, usableFromMs, endMs: this.#parts.clock.monotonicMs() };
    // Of a token that came too late nothing may be used, so nothing is asked about its subject.
    this.#ask(this.#isTokenInTime(this.#token) ? verified : lateToken);
  }

  /** The one round trip, or none where nothing would use it. */
  #ask(token: TokenFinding): void {
    const reading = readingFor(this.#asker(token));
    this.#reading = reading;
    if (reading.plan === null) this.#finish();
    else this.#read(reading, reading.plan);
  }

  #read(reading: Reading, plan: ReadPlan): void {
    this.#asked = askedDependencies(reading);
    const { clock, store } = this.#parts;
    this.#askedAtMs = clock.monotonicMs();
    this.#lastUsefulAtMs = this.#lastLimit(this.#askedAtMs);
    for (const waiter of this.#waiters) this.#arm(waiter);
    readFrom(store, plan).then(
      (answer) => this.#replied({ atMs: clock.monotonicMs(), reading: answer, failure: null, isUnproved: false }),
      (error: unknown) => {
        // The store gave up waiting before we did: nothing came, and nothing will.
        if (isTimeout(error)) this.#finish();
        else this.#replied({ atMs: clock.monotonicMs(), reading: null, failure: failureOf(error), isUnproved: isUnreadable(error) });
      },
    );
  }

  #replied(reply: Reply): void {
    if (this.#complete || reply.atMs > this.#lastUsefulAtMs) {
      const durationMs = reply.atMs - (this.#askedAtMs ?? reply.atMs);
      this.#parts.onAbandoned?.({ outcome: reply.failure === null ? 'answered' : 'failed', durationMs });
    } else {
      this.#reply = reply;
    }
    this.#finish();
  }

  #finish(): void {
    this.#complete = true;
    for (const waiter of this.#waiters) {
      waiter.disarm();
      waiter.resolve();
    }
    this.#waiters.clear();
  }

  #lastLimit(askedAtMs: number): number {
    return Math.max(...this.#asked.map((dependency) => this.#limitOf(dependency, askedAtMs)));
  }

  /** A timer that fires a little early still counts as its instant: to answer in time matters more. */
  #arm(waiter: Waiter): void {
    waiter.disarm();
    const { clock } = this.#parts;
    const lastUsefulAtMs = this.#lastUsefulAtMs;
    const atMs = Math.min(waiter.atMs, lastUsefulAtMs);
    waiter.disarm = clock.after(Math.max(0, atMs - clock.monotonicMs()), () => {
      if (atMs < waiter.atMs && this.#grantsLag(clock.monotonicMs() - atMs)) return this.#arm(waiter);
      this.#waiters.delete(waiter);
      waiter.resolve();
      if (atMs === lastUsefulAtMs) this.#finish();
    });
  }

  /**
   * A timer that fires late shows that we were busy, and the reply may lie unread: what is our own delay is not the dependency's.
   * Once, and never beyond the deadline. True where there is something to wait for now.
   */
  #grantsLag(lateMs: number): boolean {
    if (lateMs < lagFloorMs || this.#lagMs > 0 || this.#askedAtMs === null) return false;
    this.#lagMs = 2 * lateMs;
    this.#lastUsefulAtMs = this.#lastLimit(this.#askedAtMs);
    return this.#lastUsefulAtMs > this.#parts.clock.monotonicMs();
  }

  #asker({ evidence, tokenId }: TokenFinding): Asker {
    const { artefact, needs, consent, nowMs } = this.#request;
    const atMs = this.#parts.clock.monotonicMs();
    return {
      artefact,
      needs,
      consent,
      nowMs,
      token: evidence,
      tokenId,
      deviceId: this.#deviceId,
      sessionId: this.#session.state === 'verified' ? this.#session.id : null,
      hasTime: (dependency) => this.#limitOf(dependency, atMs) - atMs >= askingFloorMs,
    };
  }

  #tokenAt(atMs: number): TokenEvidence {
    if (this.#token === null) return this.#tokenStartMs === null ? noToken.evidence : lateToken.evidence;
    return this.#token.usableFromMs <= atMs && this.#isTokenInTime(this.#token) ? this.#token.evidence : lateToken.evidence;
  }

  #isTokenInTime({ usableFromMs }: TokenArrival): boolean {
    return usableFromMs <= this.#limitOf('identity', this.#tokenStartMs ?? usableFromMs);
  }

  #hasNoSession(): boolean {
    return this.#request.needs.sessionKinds.length > 0 && this.#session.state !== 'verified';
  }

  /** The last instant at which an answer counts that was asked for at `askedAtMs`. */
  #limitOf(dependency: StoreDependency, askedAtMs: number): number {
    const { artefact, deadlineAtMs } = this.#request;
    const { budgetMs } = artefact.dependencies[dependency];
    return budgetMs === null ? deadlineAtMs : Math.min(deadlineAtMs, askedAtMs + budgetMs + this.#lagMs);
  }
}

/** A store may also throw before it returns a promise; to gathering that is the same rejection. */
function readFrom(store: GathererParts['store'], plan: ReadPlan): Promise<StoreReading> {
  try {
    return store.read(plan);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** A broken client's `undefined` is no device: everybody who sends it would be linked to one. */
function isSomebody(deviceId: string | undefined): deviceId is string {
  return deviceId !== undefined && !meansNobody(deviceId);
}

function sessionEvidence(sessionIds: SessionIdVerification, sessionId: string, nowMs: number): SessionIdEvidence {
  const verified = sessionIds.verify(sessionId, nowMs);
  return verified.state === 'verified' ? { state: 'verified', id: verified.id } : { state: verified.state };
}

function askedDependencies({ token, device, stored, linked, profile, session }: Reading): readonly StoreDependency[] {
  const asked = { identity: [token, device], consent: [stored, linked], profile: [profile], session: [session] };
  return storeDependencies.filter((dependency) => asked[dependency].includes('asked'));
}

/**
 * The store keeps one copy of a record, under the token's subject where both are one person. It stands here all the same: of a
 * token that turns out revoked or late only the device link is left, and the person's denials must not leave with the token.
 */
function linkedConsent({ link, consent, linkedConsent }: StoreReading, plan: ReadPlan | null): Fact<StoredConsent> {
  if (link === null) return { state: 'refused' };
  return knownOrAbsent(link.subject === plan?.subject ? consent : linkedConsent);
}

function knownOrAbsent<T>(value: T | null): Fact<T> {
  return value === null ? { state: 'absent' } : { state: 'known', value };
}

function failureOf(error: unknown): Failed {
  const code = error instanceof StoreError ? error.code : null;
  if (code === 'circuit_open') return { state: 'failed', why: 'circuit_open' };
  // Our own bound: more is under way than may be.
  return code === 'overloaded' ? shed : { state: 'failed' };
}

function isTimeout(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'timed_out';
}

function isUnreadable(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'unreadable';
}

function stage(startMs: number | null, endMs: number | undefined): StageTiming | null {
  return startMs === null ? null : { startMs, endMs: endMs ?? null };
}
