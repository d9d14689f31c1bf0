/** What gathering is asked, what it answers, and what it is made of. */
import type { Artefact } from '../decision/artefact.ts';
import type { Evidence, RequestConsent, SessionIdEvidence, TokenEvidence } from '../decision/facts.ts';
import type { Needs } from '../decision/needs.ts';
import type { Attributes } from '../decision/value.ts';
import type { Store } from '../records/store.ts';
import type { TraceCall } from '../sources/call-trace.ts';
import type { SourceDependency, Sources } from '../sources/sources.ts';
import type { Clock } from '../time/clock.ts';
import type { StoreDependency } from './plan.ts';

export interface GatherRequest {
  readonly artefact: Artefact;
  /** The HTTP sources that the artefact names. One that is missing here has failed. */
  readonly sources?: Sources | undefined;
  /** Follows each request to a source. Absent: nobody does. */
  readonly traceCall?: TraceCall;
  readonly needs: Needs;
  /** As the caller gave them; an empty string is as good as none. */
  readonly identity: PresentedIdentity;
  readonly consent: RequestConsent;
  /** What may be sent to a source whose policy says so; absent: nothing. */
  readonly attributes?: Attributes;
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
  /** In the order in which they were asked. */
  readonly sources: readonly SourceTiming[];
}

export interface StageTiming {
  readonly startMs: number;
  readonly endMs: number | null;
}

export interface StoreTiming extends StageTiming {
  /** What the one round trip asked for. */
  readonly asked: readonly StoreDependency[];
}

export interface SourceTiming extends StageTiming {
  readonly dependency: SourceDependency;
}

export interface Gatherer {
  gather(request: GatherRequest): Gathering;
}

export interface GathererParts {
  /** Gathering reads and does nothing else. */
  readonly store: Pick<Store, 'read'>;
  readonly verifier: TokenVerification;
  /** As the store has it. Absent: no proof can be told from a replayed one, so none proves anybody. */
  readonly claimProof?: Store['claimProof'];
  readonly sessionIds: SessionIdVerification;
  readonly clock: Clock;
  /** The store was asked something and that has ended, by an answer or not; each attempt to have it answered is a read. */
  readonly onStoreAsked?: () => void;
  /** A reply came when nobody waited any more. */
  readonly onAbandoned?: (reply: AbandonedReply) => void;
}

export interface AbandonedReply {
  readonly from: 'store' | SourceDependency;
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
  /** The holder proved it, if nobody presented this proof before. */
  readonly proof?: UnclaimedProof | null;
}

export interface UnclaimedProof {
  readonly id: string;
  /** For so long nobody else may claim it. */
  readonly lifeMs: number;
}

export interface SessionIdVerification {
  verify(sessionId: string, nowMs: number): SessionIdEvidence;
}
