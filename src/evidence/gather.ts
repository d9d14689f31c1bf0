/**
 * Gathers what a question needs until its instants come; never rejects, never waits beyond them, never decides. The token and a device
 * link of a source's own come first, then the store in one round trip, then the HTTP sources that may be asked about a person, side by
 * side. What has not come when an instant comes is `late` there, and stays so for what was decided then.
 *
 * A route walks its batches: `await gathering.until(batch.atMs)`, decide with `gathering.snapshot(batch.atMs)`, and `close()`
 * after the last. Once gathering is complete nothing more can come, so every zone that remains can be decided at once.
 */
import type { Artefact } from '../decision/artefact.ts';
import {
  absent,
  type Evidence,
  type Fact,
  type Failed,
  type IdentityLink,
  late,
  refused,
  type SessionIdEvidence,
  type StoredConsent,
  tooShort,
} from '../decision/facts.ts';
import { faultOfIdentifier } from '../records/nobody.ts';
import { livingFact } from '../records/retention.ts';
import type { ReadPlan, StoreReading } from '../records/store.ts';
import { askingFloorMs } from '../sources/typical-time.ts';
import type {
  Gatherer,
  GathererParts,
  Gathering,
  GatherRequest,
  GatherTiming,
  SessionIdVerification,
  SourceTiming,
  StageTiming,
  TokenFinding,
} from './gathering.ts';
import { Patience } from './patience.ts';
import { type Asker, type Asking, type PersonSource, type Reading, readingFor, type StoreDependency, storeDependencies } from './plan.ts';
import { SourceAsks } from './source-asks.ts';
import { createStoreReader, failureOf, isTimeout, isUnreadable, type StoreReader, shed } from './store-reader.ts';
import { hopefully, lateToken, noToken, shedToken, TokenStage } from './token-stage.ts';

const noReading = { plan: null, afterStore: null };
const noTimings: readonly SourceTiming[] = [];

export function createGatherer(given: GathererParts): Gatherer {
  const parts = { ...given, reader: createStoreReader(given.store, given.clock) };
  return { gather: (request) => new RunningGathering(parts, request) };
}

interface Parts extends GathererParts {
  readonly reader: StoreReader;
}

type Reply = {
  readonly atMs: number;
  /** The store is well, and a record that has to allow profile and session cannot be read: so these were not. */
  readonly isUnproved: boolean;
} & ({ readonly reading: StoreReading; readonly failure: null } | { readonly reading: null; readonly failure: Failed });

class RunningGathering extends Patience implements Gathering {
  readonly #parts: Parts;
  readonly #request: GatherRequest;
  readonly #begunMs: number;
  readonly #session: SessionIdEvidence;
  readonly #deviceId: string | null;
  readonly #token: TokenStage;
  /** Null while the token is being verified: what to ask depends on whose it is. */
  #finding: TokenFinding | null = null;
  /** Null for a policy without HTTP sources. */
  readonly #sources: SourceAsks | null;
  /** Null until the store is asked, or nobody. */
  #reading: Reading | null = null;
  #asked: readonly StoreDependency[] = [];
  #askedAtMs: number | null = null;
  #reply: Reply | null = null;

  constructor(parts: Parts, request: GatherRequest) {
    super(parts.clock, request.artefact, request.deadlineAtMs);
    this.#parts = parts;
    this.#request = request;
    this.#begunMs = parts.clock.monotonicMs();
    const { artefact, identity, needs, nowMs } = request;
    this.#token = new TokenStage(this, parts);
    this.#sources = namesSources(artefact) ? new SourceAsks(this, parts, request) : null;
    this.#session = needs.identity && identity.sessionId ? sessionEvidence(parts.sessionIds, identity.sessionId, nowMs) : { state: 'none' };
    this.#deviceId = needs.identity && isSomebody(identity.deviceId) ? identity.deviceId : null;
    if (request.overloaded) this.#shed(needs.identity && Boolean(identity.token));
    else {
      if (this.#deviceId !== null && artefact.dependencies.identity.source !== null)
        this.#sources?.askLink(this.#deviceId, () => this.#linkSettled());
      if (needs.identity && identity.token) {
        this.#token.verify({ token: identity.token, proof: identity.proof, nowMs }, (finding) => this.#tokenFound(finding));
      } else this.#tokenFound(noToken);
    }
  }

  snapshot(atMs: number): Evidence {
    const reading = this.#reading ?? readingFor(this.#asker(this.#finding ?? lateToken));
    const fact = <T>(asking: Asking, dependency: StoreDependency, pick: (from: StoreReading) => Fact<T>): Fact<T> => {
      if (asking === 'refused') return refused;
      if (asking === 'too_short') return tooShort;
      const reply = this.#reply;
      if (reply === null || reply.atMs > Math.min(atMs, this.limitOf(dependency, this.#askedAtMs ?? atMs))) return late;
      if (reply.isUnproved && (dependency === 'profile' || dependency === 'session')) return refused;
      return reply.failure ?? pick(reply.reading);
    };
    const { dependencies } = this.#request.artefact;
    const erased = fact(reading.token, 'identity', (from) => (from.erased ? { state: 'known', value: true } : absent));
    const visit = fact(reading.sessionConsent, 'consent', ({ sessionConsent }) => knownOrAbsent(sessionConsent));
    return {
      identity: {
        token: this.#token.at(atMs),
        session: visit.state === 'known' && visit.value.ended ? { state: 'invalid' } : this.#session,
        device: this.#deviceAt(atMs) ?? fact(reading.device, 'identity', ({ link }) => knownOrAbsent(link)),
        generation: fact(reading.token, 'identity', ({ generation }) => ({ state: 'known', value: generation })),
        tokenRevoked: fact(reading.token, 'identity', ({ tokenRevoked }) => ({ state: 'known', value: tokenRevoked })),
        ...(erased.state === 'known' ? { erased: true } : {}),
      },
      consent: {
        signals: this.#request.consent.signals,
        gpc: this.#request.consent.gpc,
        stored: fact(reading.stored, 'consent', ({ consent }) => knownOrAbsent(consent)),
        linked: fact(reading.linked, 'consent', (from) => linkedConsent(from, reading.plan)),
        session: visit,
      },
      profile:
        dependencies.profile.source === null
          ? fact(reading.profile, 'profile', ({ profile }) => livingFact(profile, this.#request.nowMs))
          : this.#personFact('profile', reading.profile, atMs),
      session: this.#hasNoSession() ? absent : fact(reading.session, 'session', ({ session }) => session),
      audience: this.#personFact('audience', reading.audience, atMs),
      model: this.#personFact('model', reading.model, atMs),
    };
  }

  timing(): GatherTiming {
    const store = stage(this.#askedAtMs, this.#reply?.atMs);
    return {
      token: this.#token.timing(),
      store: store === null ? null : { ...store, asked: this.#asked },
      sources: this.#sources?.timings() ?? noTimings,
    };
  }

  close(): void {
    this.finish();
  }

  protected lastLimit(): number | null {
    if (this.#sources?.hasAskedAboutPerson) return this.#sources.lastPersonLimit();
    const askedAtMs = this.#askedAtMs;
    return askedAtMs === null ? null : Math.max(...this.#asked.map((dependency) => this.limitOf(dependency, askedAtMs)));
  }

  /** As if the token and the store had failed at once. */
  #shed(hasToken: boolean): void {
    const token = hasToken ? shedToken : noToken;
    if (hasToken) this.#token.shed();
    this.#reading = readingFor(this.#asker(token));
    this.#reply = { atMs: Number.NEGATIVE_INFINITY, reading: null, failure: shed, isUnproved: false };
    this.finish();
  }

  #tokenFound(finding: TokenFinding): void {
    this.#finding = finding;
    if (this.#sources === null || this.#sources.isLinkSettled) this.#ask(finding);
  }

  #linkSettled(): void {
    if (this.#finding !== null) this.#ask(this.#finding);
  }

  /** The one round trip, or none where nothing would use it. */
  #ask(token: TokenFinding): void {
    const reading = readingFor(this.#asker(token));
    this.#reading = reading;
    if (reading.plan === null) {
      this.finish();
      return;
    }
    this.#read(reading, reading.plan);
    // Beside the read, not before it: what it reads of a person whose proof turns out replayed, no decision uses.
    if (token.proof && reading.token === 'asked') this.#token.claim(token.proof, () => this.#proofSettled());
  }

  #proofSettled(): void {
    if (this.#reply !== null) this.#proceed(this.#reply);
  }

  #read(reading: Reading, plan: ReadPlan): void {
    this.#asked = askedDependencies(reading, plan);
    const { clock } = this;
    const { reader, onStoreAsked } = this.#parts;
    this.#askedAtMs = clock.monotonicMs();
    this.waitAnew();
    const retries = leastRetries(this.#request.artefact, this.#asked);
    const leftMs = () => (this.complete ? 0 : this.lastUsefulAtMs - clock.monotonicMs());
    const answering = retries === 0 ? reader.read(plan) : reader.readPatiently(plan, retries, leftMs);
    answering.then(
      (answer) => {
        if (!answer.fromMemory) onStoreAsked?.();
        this.#replied({ atMs: clock.monotonicMs(), reading: answer, failure: null, isUnproved: false });
      },
      (error: unknown) => {
        onStoreAsked?.();
        // The store gave up waiting before we did: nothing came, and nothing will.
        if (isTimeout(error)) this.finish();
        else this.#replied({ atMs: clock.monotonicMs(), reading: null, failure: failureOf(error), isUnproved: isUnreadable(error) });
      },
    );
  }

  #replied(reply: Reply): void {
    const durationMs = reply.atMs - (this.#askedAtMs ?? reply.atMs);
    if (reply.reading !== null) this.#parts.reader.answered(durationMs);
    if (this.complete || reply.atMs > this.lastUsefulAtMs) {
      this.#parts.onAbandoned?.({ from: 'store', outcome: reply.failure === null ? 'answered' : 'failed', durationMs });
    } else {
      this.#reply = reply;
      if (!this.#token.isBeingClaimed) this.#proceed(reply);
      return;
    }
    this.finish();
  }

  /** The store has answered, and whether the holder's proof is new is known. */
  #proceed(reply: Reply): void {
    if (!this.#asksAboutPerson(reply)) this.finish();
  }

  /** True where there is somebody to wait for. */
  #asksAboutPerson(reply: Reply): boolean {
    const { plan, afterStore } = this.#reading ?? noReading;
    if (afterStore === null || plan === null || reply.reading === null || !this.#proves(reply)) return false;
    const isAsked = this.#sources?.askAboutPerson(afterStore, plan, reply.reading, () => this.finish()) ?? false;
    if (isAsked) this.waitAnew();
    return isAsked;
  }

  /** Who somebody is and what they consented to: both have to have come in time, or nothing about them can be used. */
  #proves({ atMs }: Reply): boolean {
    const askedAtMs = this.#askedAtMs ?? atMs;
    if (!this.#isHolder(this.clock.monotonicMs())) return false;
    return atMs <= this.limitOf('identity', askedAtMs) && atMs <= this.limitOf('consent', askedAtMs);
  }

  /** Or the token is bound to nobody. */
  #isHolder(atMs: number): boolean {
    const token = this.#token.at(atMs);
    return token.state === 'verified' && (token.binding === 'none' || token.binding === 'proved');
  }

  /** Null where it is the store's to say. */
  #deviceAt(atMs: number): Fact<IdentityLink> | null {
    const fact = this.#sources?.linkAt(atMs) ?? null;
    // Whether the person it names was erased, and what they denied, the store knows.
    return fact?.state === 'known' ? null : fact;
  }

  #personFact<D extends PersonSource>(dependency: D, asking: Asking, atMs: number): Evidence[D] {
    if (asking === 'refused') return refused;
    if (asking === 'too_short') return tooShort;
    const fact = this.#sources?.personFactAt(dependency, atMs) ?? null;
    if (fact !== null) return fact as Evidence[D];
    const reply = this.#reply;
    if (reply === null || reply.atMs > atMs) return late;
    if (reply.failure === null) return this.#isReplayed(atMs) ? refused : late;
    return reply.isUnproved ? refused : reply.failure;
  }

  #isReplayed(atMs: number): boolean {
    const token = this.#token.at(atMs);
    return token.state === 'verified' && token.binding === 'unproved';
  }

  #asker(finding: TokenFinding): Asker {
    const { artefact, needs, consent, nowMs } = this.#request;
    const atMs = this.clock.monotonicMs();
    const usualMs = this.#parts.reader.usualMs();
    return {
      artefact,
      needs,
      consent,
      nowMs,
      token: hopefully(finding),
      tokenId: finding.tokenId,
      deviceId: this.#deviceId,
      resolved: this.#sources?.linkAt(atMs) ?? null,
      sessionId: this.#session.state === 'verified' ? this.#session.id : null,
      hasTime: (dependency) =>
        this.limitOf(dependency, atMs) - atMs >= Math.max(askingFloorMs, Math.min(usualMs, this.#halfOf(dependency))),
    };
  }

  /** With more than half of its time left a dependency is asked however slow it was, or nobody would find out that it is quick again. */
  #halfOf(dependency: StoreDependency): number {
    const { artefact, deadlineAtMs } = this.#request;
    return (artefact.dependencies[dependency].budgetMs ?? deadlineAtMs - this.#begunMs) / 2;
  }

  #hasNoSession(): boolean {
    return this.#request.needs.sessionKinds.length > 0 && this.#session.state !== 'verified';
  }
}

/** What names no one device is none: everybody who sends it would be linked to one. */
function isSomebody(deviceId: string | undefined): deviceId is string {
  return deviceId !== undefined && faultOfIdentifier(deviceId) === null;
}

function sessionEvidence(sessionIds: SessionIdVerification, sessionId: string, nowMs: number): SessionIdEvidence {
  const verified = sessionIds.verify(sessionId, nowMs);
  return verified.state === 'verified' ? { state: 'verified', id: verified.id } : { state: verified.state };
}

function askedDependencies(
  { token, device, stored, linked, sessionConsent }: Reading,
  { profile, session }: ReadPlan,
): readonly StoreDependency[] {
  const asked = {
    identity: token === 'asked' || device === 'asked',
    consent: stored === 'asked' || linked === 'asked' || sessionConsent === 'asked',
    profile: profile !== null,
    session: session !== null,
  };
  return storeDependencies.filter((dependency) => asked[dependency]);
}

function namesSources({ dependencies }: Artefact): boolean {
  const { identity, profile, audience, model } = dependencies;
  return identity.source !== null || profile.source !== null || audience.source !== null || model.source !== null;
}

function leastRetries({ dependencies }: Artefact, asked: readonly StoreDependency[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const dependency of asked) least = Math.min(least, dependencies[dependency].retries);
  return Number.isFinite(least) ? least : 0;
}

/**
 * The store keeps one copy of a record, under the token's subject where both are one person. It stands here all the same: of a
 * token that turns out revoked or late only the device link is left, and the person's denials must not leave with the token.
 */
function linkedConsent({ link, consent, linkedConsent }: StoreReading, plan: ReadPlan | null): Fact<StoredConsent> {
  if (link === null) return refused;
  return knownOrAbsent(link.subject === plan?.subject ? consent : linkedConsent);
}

function knownOrAbsent<T>(value: T | null): Fact<T> {
  return value === null ? absent : { state: 'known', value };
}

function stage(startMs: number | null, endMs: number | undefined): StageTiming | null {
  return startMs === null ? null : { startMs, endMs: endMs ?? null };
}
