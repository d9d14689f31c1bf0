/**
 * One dependency that is an HTTP service: asked for one person or device, it answers with a fact by the time it was given, whatever
 * the service does. It never rejects, never queues, and asks no more often than its breaker and its retry budget allow.
 */
import { absent, type Fact, late, tooShort } from '../decision/facts.ts';
import type { Attributes } from '../decision/value.ts';
import type { Variable } from '../policy/source-variables.ts';
import type { Clock } from '../time/clock.ts';
import { type Breaker, createBreaker } from './breaker.ts';
import type { CallTrace } from './call-trace.ts';
import type { Reader } from './mapped.ts';
import type { RequestTemplate, SourceRequest } from './request-template.ts';
import { createRetrier, type Retrier } from './retry.ts';
import { isWorthRetrying, SourceFault, type SourceFaultCode, speaksAgainstSource } from './source-fault.ts';
import type { Answer, Transport } from './transport.ts';
import { askingFloorMs, createTypicalTime, type TypicalTime } from './typical-time.ts';

export interface SourceAsk {
  readonly subject: string | null;
  readonly deviceId: string | null;
  /** The known request attributes; those that the policy names in `send` are sent. */
  readonly request: Attributes;
  /** What is left of the budget and the deadline. */
  readonly leftMs: number;
  /** For each request that this comes to. Absent: nobody follows it. */
  readonly trace?: (() => CallTrace) | undefined;
}

export interface HttpSource<T> {
  /** Never rejects, and resolves by `leftMs`. */
  ask(ask: SourceAsk): Promise<Fact<T>>;
  /** The recent median, at most half the budget; null until 20 answers are known. */
  typicalMs(): number | null;
  status(): SourceStatus;
  /** How often it was asked, and how many requests that came to: whatever policies named for this dependency, so never less than before. */
  counts(): SourceCounts;
}

export interface SourceStatus {
  readonly state: 'unknown' | 'up' | 'down';
  /** Both since the epoch. */
  readonly sinceMs: number | null;
  readonly lastGoodMs: number | null;
  readonly breaker: 'open' | 'closed';
  /** Why the latest ask that failed did; null while all is well. */
  readonly fault: SourceFaultCode | null;
}

export interface SourceTally {
  asks: number;
  calls: number;
}
export type SourceCounts = Readonly<SourceTally>;

const failed = { state: 'failed' } as const;
const circuitOpen = { state: 'failed', why: 'circuit_open' } as const;
const overloaded = { state: 'failed', why: 'overload' } as const;

/** What outlives a policy that is replaced by one with the same source: connections, and what was learnt about the service. */
export interface SourceLine {
  readonly template: RequestTemplate;
  readonly transport: Transport;
  readonly breaker: Breaker;
  readonly retrier: Retrier;
  readonly typical: TypicalTime;
  readonly health: Health;
}

export function createSourceLine(template: RequestTemplate, transport: Transport, clock: Clock): SourceLine {
  return {
    template,
    transport,
    breaker: createBreaker(clock),
    retrier: createRetrier({ isWorthRetrying }),
    typical: createTypicalTime(clock),
    health: new Health(clock),
  };
}

export interface HttpSourceOptions<T> {
  readonly line: SourceLine;
  /** Goes on where the source before left off. */
  readonly tally: SourceTally;
  readonly variable: Variable;
  readonly budgetMs: number | null;
  readonly retries: number;
  readonly read: Reader<T>;
  /** The request attributes as others write them: a time in RFC 3339. */
  readonly written: (request: Attributes) => Attributes;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

export function createHttpSource<T>(options: HttpSourceOptions<T>): HttpSource<T> {
  const { line, tally, variable, budgetMs, retries, read, written, clock } = options;
  const { template, transport, breaker, retrier, typical, health } = line;
  const halfBudgetMs = budgetMs === null ? Number.POSITIVE_INFINITY : budgetMs / 2;

  function typicalMs(): number | null {
    const medianMs = typical.medianMs();
    return medianMs === null ? null : Math.min(medianMs, halfBudgetMs);
  }

  function isEnough(leftMs: number): boolean {
    return leftMs >= askingFloorMs && leftMs >= (typicalMs() ?? 0);
  }

  function send({ request, trace }: Sending, leftMs: number, isProbe: boolean): Promise<Answer> {
    tally.calls += 1;
    const call = trace?.();
    const traced = call === undefined ? request : { ...request, headers: [...request.headers, ...call.headers] };
    const sentAtMs = clock.monotonicMs();
    // Late within half a budget, a source may still keep the whole; a probe's outcome is all there is to go by.
    const isBlamed = isProbe || budgetMs === null || leftMs >= halfBudgetMs;
    return transport.exchange(traced, leftMs, isBlamed).then(
      (answer) => {
        typical.answered(clock.monotonicMs() - sentAtMs);
        call?.ended(null);
        return answer;
      },
      (error: unknown) => {
        call?.ended(codeOf(error));
        throw error;
      },
    );
  }

  function answerTo(sending: Sending, leftMs: number, isProbe: boolean): Promise<Answer> {
    if (isProbe) return breaker.probe(() => send(sending, leftMs, true));
    const endMs = clock.monotonicMs() + leftMs;
    const left = () => Math.max(0, endMs - clock.monotonicMs());
    const mayAskAgain = () => isEnough(left()) && !breaker.isOpen && !transport.isFull;
    return retrier.run(retries, mayAskAgain, () => breaker.run(() => send(sending, left(), false)));
  }

  function factOf(answer: Answer): Fact<T> {
    const fact: Fact<T> = answer.kind === 'absent' ? absent : { state: 'known', value: read(answer.body) };
    health.isGood();
    return fact;
  }

  function factOfError(error: unknown): Fact<T> {
    const code = codeOf(error);
    if (code === 'overloaded') return overloaded;
    if (code === 'circuit_open') return circuitOpen;
    health.isFaulty(code, speaksAgainstSource(error));
    return code === 'timed_out' ? late : failed;
  }

  return {
    ask(ask) {
      tally.asks += 1;
      if (!isEnough(ask.leftMs)) return Promise.resolve(tooShort);
      const value = ask[variable];
      const request = value === null ? null : template.fill(value, written(ask.request));
      if (request === null) return Promise.resolve(factOfError(new SourceFault('unsendable')));
      const admission = breaker.admit();
      if (admission === 'refuse') return Promise.resolve(circuitOpen);
      // Seen here, before a breaker takes what our own limit says for a probe's answer.
      if (transport.isFull) return Promise.resolve(overloaded);
      return answerTo({ request, trace: ask.trace }, ask.leftMs, admission === 'probe')
        .then(factOf)
        .catch(factOfError);
    },
    typicalMs,
    status: () => ({ ...health.status(), breaker: breaker.isOpen ? 'open' : 'closed' }),
    counts: () => ({ ...tally }),
  };
}

interface Sending {
  readonly request: SourceRequest;
  readonly trace: SourceAsk['trace'];
}

function codeOf(error: unknown): SourceFaultCode {
  return error instanceof SourceFault ? error.code : 'unreachable';
}

/** What the status page says of a source. */
class Health {
  readonly #clock: Pick<Clock, 'nowMs'>;
  #state: SourceStatus['state'] = 'unknown';
  #sinceMs: number | null = null;
  #lastGoodMs: number | null = null;
  #fault: SourceFaultCode | null = null;

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
  }

  isGood(): void {
    this.#turn('up');
    this.#lastGoodMs = this.#clock.nowMs();
    this.#fault = null;
  }

  /** What says nothing about the source's health is shown as well: somebody's answers do not fit. */
  isFaulty(code: SourceFaultCode, speaksAgainstSource: boolean): void {
    if (speaksAgainstSource) this.#turn('down');
    this.#fault = code;
  }

  status(): Omit<SourceStatus, 'breaker'> {
    return { state: this.#state, sinceMs: this.#sinceMs, lastGoodMs: this.#lastGoodMs, fault: this.#fault };
  }

  #turn(state: 'up' | 'down'): void {
    if (this.#state !== state) this.#sinceMs = this.#clock.nowMs();
    this.#state = state;
  }
}
