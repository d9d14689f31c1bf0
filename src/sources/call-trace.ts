/** One request to a source, as whoever follows requests from service to service sees it. */
import type { SourceDependency } from './sources.ts';

export interface CallTrace {
  /** Names and values in turn, to be sent with the request. */
  readonly headers: readonly string[];
  /** Once, when the answer is there or is not waited for any more. `fault` is a word of a closed list; null: all went well. */
  ended(fault: string | null): void;
}

/** Asked for each request apart, so that a retry can be told from what it repeats. Must not throw. */
export type TraceCall = (dependency: SourceDependency) => CallTrace;
