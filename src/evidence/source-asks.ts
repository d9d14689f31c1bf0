/**
 * What one decision asks of HTTP sources: the device link first, and what is known of a person once the store has proved who it is.
 * Made only for policies that name some.
 */
import { absent, type Fact, type IdentityLink, late, refused, tooShort } from '../decision/facts.ts';
import type { Dependency } from '../decision/vocabulary.ts';
import { mayReadProfile } from '../records/permission.ts';
import type { ReadPlan, StoreReading } from '../records/store.ts';
import type { HttpSource, SourceAsk } from '../sources/http-source.ts';
import { noSources, type SourceDependency, type Sources } from '../sources/sources.ts';
import { askingFloorMs } from '../sources/typical-time.ts';
import type { Clock } from '../time/clock.ts';
import type { GathererParts, GatherRequest, SourceTiming } from './gathering.ts';
import { type AfterStore, type PersonSource, personSources } from './plan.ts';

/** A gathering, as far as its sources need to know it. */
export interface AskingGathering {
  readonly complete: boolean;
  /** The last instant at which an answer counts that was asked for at `askedAtMs`. */
  limitOf(dependency: Dependency, askedAtMs: number): number;
}

interface Asked<T> {
  /** Null: nobody was asked, and the answer stands by itself. */
  readonly askedAtMs: number | null;
  answer: { readonly fact: Fact<T>; readonly atMs: number } | null;
}

type ValueOf<D extends SourceDependency> = NonNullable<Sources[D]> extends HttpSource<infer T> ? T : never;
type PersonAsks = { [D in PersonSource]: Asked<ValueOf<D>> | null };

const failed = { state: 'failed' } as const;

export class SourceAsks {
  readonly #gathering: AskingGathering;
  readonly #clock: Clock;
  readonly #sources: Sources;
  readonly #request: GatherRequest;
  readonly #onAbandoned: GathererParts['onAbandoned'];
  /** Null where the store looks device links up, or nobody does. */
  #link: Asked<IdentityLink> | null = null;
  /** Null until the store has answered. */
  #persons: PersonAsks | null = null;

  constructor(gathering: AskingGathering, { clock, onAbandoned }: GathererParts, request: GatherRequest) {
    this.#gathering = gathering;
    this.#clock = clock;
    this.#onAbandoned = onAbandoned;
    this.#request = request;
    this.#sources = request.sources ?? noSources;
  }

  /** Calls back when the link is there, or is known not to come; not where it is known at once. */
  askLink(deviceId: string, onAnswer: () => void): void {
    this.#link = this.#ask('identity', { subject: null, deviceId }, onAnswer);
  }

  /** Whether nothing is to be waited for before the store is asked. */
  get isLinkSettled(): boolean {
    return this.#link === null || this.#link.answer !== null;
  }

  /** Null where nobody was asked for one. */
  linkAt(atMs: number): Fact<IdentityLink> | null {
    return this.#link === null ? null : this.#answerAt('identity', this.#link, atMs);
  }

  /** Calls back when all have answered; false, and no call, where there is nobody to wait for. */
  askAboutPerson(permissions: AfterStore, plan: ReadPlan, reading: StoreReading, onSettled: () => void): boolean {
    const settle = () => {
      if (this.#isSettled()) onSettled();
    };
    const asked = <D extends PersonSource>(dependency: D): Asked<ValueOf<D>> | null => {
      const permission = permissions[dependency];
      if (permission === null) return null;
      // What a store asks before it reads a stored profile is asked before anybody else is asked about a person.
      if (!mayReadProfile({ ...plan, profile: permission }, reading)) return this.#unasked<ValueOf<D>>(refused);
      if (reading.erased) return this.#unasked<ValueOf<D>>(absent);
      return this.#ask(dependency, { subject: plan.subject, deviceId: null }, settle);
    };
    this.#persons = { profile: asked('profile'), audience: asked('audience'), model: asked('model') };
    return !this.#isSettled();
  }

  get hasAskedAboutPerson(): boolean {
    return this.#persons !== null;
  }

  /** Null where the store had not answered in time to ask. */
  personFactAt<D extends PersonSource>(dependency: D, atMs: number): Fact<ValueOf<D>> | null {
    const asked = (this.#persons?.[dependency] ?? null) as Asked<ValueOf<D>> | null;
    return asked === null ? null : this.#answerAt(dependency, asked, atMs);
  }

  /** The last instant at which some answer counts that has not come. */
  lastPersonLimit(): number {
    let lastMs = Number.NEGATIVE_INFINITY;
    for (const dependency of personSources) {
      const asked = this.#persons?.[dependency];
      if (asked?.answer === null && asked.askedAtMs !== null)
        lastMs = Math.max(lastMs, this.#gathering.limitOf(dependency, asked.askedAtMs));
    }
    return lastMs;
  }

  timings(): readonly SourceTiming[] {
    const asks = { identity: this.#link, ...this.#persons };
    return (Object.entries(asks) as [SourceDependency, Asked<unknown> | null][]).flatMap(([dependency, asked]) => {
      if (asked === null || asked.askedAtMs === null) return [];
      return [{ dependency, startMs: asked.askedAtMs, endMs: asked.answer?.atMs ?? null }];
    });
  }

  #ask<D extends SourceDependency>(
    dependency: D,
    about: { readonly subject: string | null; readonly deviceId: string | null },
    onAnswer: () => void,
  ): Asked<ValueOf<D>> {
    const nowMs = this.#clock.monotonicMs();
    const leftMs = this.#gathering.limitOf(dependency, nowMs) - nowMs;
    if (leftMs < askingFloorMs) return this.#unasked<ValueOf<D>>(tooShort);
    const source = this.#sources[dependency] as HttpSource<ValueOf<D>> | null;
    // A policy's source that nobody opened.
    if (source === null) return this.#unasked<ValueOf<D>>(failed);
    const asked: Asked<ValueOf<D>> = { askedAtMs: nowMs, answer: null };
    const answered = (fact: Fact<ValueOf<D>>) => {
      if (this.#takes(dependency, asked, fact)) onAnswer();
    };
    const { attributes = {}, traceCall } = this.#request;
    const trace = traceCall && (() => traceCall(dependency));
    answerOf(source, { ...about, request: attributes, leftMs, trace }).then(answered, () => answered(failed));
    return asked;
  }

  #unasked<T>(fact: Fact<T>): Asked<T> {
    return { askedAtMs: null, answer: { fact, atMs: this.#clock.monotonicMs() } };
  }

  /** False for an answer that nobody waits for any more. */
  #takes<T>(from: SourceDependency, asked: Asked<T>, fact: Fact<T>): boolean {
    const atMs = this.#clock.monotonicMs();
    if (!this.#gathering.complete) {
      asked.answer = { fact, atMs };
      return true;
    }
    // That a source gave up at the end of its budget is no reply.
    const outcome = fact.state === 'failed' ? 'failed' : 'answered';
    if (fact.state !== 'late') this.#onAbandoned?.({ from, outcome, durationMs: atMs - (asked.askedAtMs ?? atMs) });
    return false;
  }

  #isSettled(): boolean {
    return personSources.every((dependency) => this.#persons?.[dependency]?.answer !== null);
  }

  #answerAt<T>(dependency: SourceDependency, { askedAtMs, answer }: Asked<T>, atMs: number): Fact<T> {
    if (answer === null || answer.atMs > atMs) return late;
    return askedAtMs !== null && answer.atMs > this.#gathering.limitOf(dependency, askedAtMs) ? late : answer.fact;
  }
}

/** A source must not throw; one that does all the same has failed, and nobody's decision with it. */
function answerOf<T>(source: HttpSource<T>, ask: SourceAsk): Promise<Fact<T>> {
  try {
    return source.ask(ask);
  } catch {
    return Promise.resolve(failed);
  }
}
