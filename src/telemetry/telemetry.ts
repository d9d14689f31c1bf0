/**
 * What the rest of the service may tell telemetry, and nothing more: there is no way to pass a subject, a token, a consent
 * string or an attribute's value through this interface. Times are the clock's monotonic milliseconds.
 */
import type { ZoneDecision } from '../decision/decision.ts';
import type { Fact } from '../decision/facts.ts';
import type { Dependency, Scope } from '../decision/vocabulary.ts';
import type { TraceCall } from '../sources/call-trace.ts';
import type { Propagation } from './trace-context.ts';
import { untraced } from './untraced.ts';

export interface Telemetry {
  /** Opens the root span of a decision, as a child of the caller's context where the carrier brings a valid one. Never throws. */
  startDecision(carrier: TraceCarrier, opening: DecisionOpening): DecisionTrace;
  readonly metrics: Metrics;
  /** How the service stands, asked whenever metrics are read. The last one given counts. */
  showService(read: () => ServiceState): void;
  /** Every metric as Prometheus text, for the management port. */
  metricsText(): Promise<string>;
  /** Sends what is buffered and lets go of every resource. Resolves even where an exporter cannot be reached. */
  shutdown(): Promise<void>;
}

/** The W3C headers as they came; anything malformed is as if it were not there. */
export interface TraceCarrier {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

export interface DecisionOpening {
  /** When the request's headers were read. */
  readonly startMs: number;
  /** Which route asks: a closed list, so that it can be a label. */
  readonly route: DecisionRoute;
}

export type DecisionRoute = 'post_decide' | 'get_decide' | 'ofrep_flag' | 'ofrep_flags';

export const stages = ['identity', 'consent', 'gather', 'arbitrate'] as const;
export type Stage = (typeof stages)[number];

export interface DecisionTrace {
  /** Whether the sampler keeps this decision. Work done only for a span should ask this first. */
  readonly recording: boolean;
  /** The `traceparent` of this decision's span, for the response; null where there is no telemetry. */
  readonly traceparent: string | null;
  /** A child span for a stage that has ended; costs nothing unless the root records. */
  stage(name: Stage, startMs: number, endMs: number): void;
  /**
   * A request to an HTTP source: a child span of its own, and what is sent so that the source's spans belong to it. Without telemetry, what
   * the caller sent is handed on.
   */
  readonly call: TraceCall;
  /** Closes the root span and counts the decision. Call it once, after the answer is known. */
  end(closing: DecisionClosing): void;
  /** Closes the root span of a request that got a problem instead of a decision: counts nothing. */
  abandon(endMs: number, status: number): void;
}

export interface DecisionClosing {
  readonly zones: readonly ZoneDecision[];
  /** How far the answer as a whole may be cached. */
  readonly scope: Scope;
  readonly revision: string;
  /** A page of the policy, or null; never text that a caller made up. */
  readonly page: string | null;
  readonly endMs: number;
  /** From the request's headers to the answer. */
  readonly durationMs: number;
  /** By how much the answer missed its deadline; 0 when it kept it. */
  readonly overshootMs: number;
  /** The state of each dependency's fact; those that were not asked for are absent here. */
  readonly facts: FactStates;
  /** What became of the request's consent signals, by where each came from; both are words of closed lists. Absent: none were read. */
  readonly signals?: Readonly<Record<string, string>>;
}

export type FactState = Fact<unknown>['state'];
export type FactStates = Readonly<Partial<Record<Dependency, FactState>>>;

export interface Metrics {
  /** How long a dependency took to answer, or to be given up on. */
  dependencyAnswered(dependency: Dependency, durationMs: number, state: FactState): void;
  /** A request that was turned away before any work began. */
  requestShed(): void;
  /** A request beyond what its API key may ask, or one more bad key from one address. */
  requestLimited(why: LimitedBy): void;
  /** A reply that came when nobody waited for it any more. */
  replyAbandoned(from: 'store' | Dependency, outcome: 'answered' | 'failed'): void;
}

/** Never which key or which address: ids of keys are the operator's, addresses are people's. */
export type LimitedBy = 'key' | 'address' | 'session';

export interface ServiceState {
  /** Of the policy in force. */
  readonly approvalsExpired: number;
  /** Null: none will expire that has not. */
  readonly secondsToNextApprovalExpiry: number | null;
  readonly policyStale: boolean;
  readonly policyLoads: { readonly in_force: number; readonly refused: number };
  /** What each was asked: the store, which answers for several dependencies at once, and each HTTP source of the policy in force. */
  readonly asks: readonly DependencyAsks[];
  /** Null: the store has none. */
  readonly nearCache: NearCacheState | null;
  /** Absent or null: no record of writes is kept. */
  readonly audit?: AuditState | null;
  /** On which pages hear that they should ask again. Absent: there are no such streams. */
  readonly changeStreamsOpen?: number;
}

export interface AuditState {
  /** Told and not written yet. */
  readonly waiting: number;
  /** Told, and written nowhere. */
  readonly lost: number;
}

export interface DependencyAsks {
  readonly dependency: 'store' | Dependency;
  readonly asks: number;
  /** With retries there are more calls than asks; with a breaker open, fewer. */
  readonly calls: number;
}

export interface NearCacheState {
  /** By record, then by outcome. */
  readonly reads: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly bytes: number;
  readonly evictions: number;
}

/** Keeps nothing. What a caller says of a trace is handed on all the same: OpenTelemetry's switch leaves its propagators alone. */
export function telemetryOff(propagation?: Propagation): Telemetry {
  return {
    startDecision: (carrier) => (carrier.traceparent === undefined ? noTrace : untraced(carrier, () => {}, propagation)),
    metrics: { dependencyAnswered() {}, requestShed() {}, requestLimited() {}, replyAbandoned() {} },
    showService() {},
    metricsText: async () => '',
    shutdown: async () => {},
  };
}

const noTrace: DecisionTrace = untraced({}, () => {});

/** Costs nothing either: for tests, and to measure what telemetry costs. */
export const noTelemetry: Telemetry = telemetryOff();
