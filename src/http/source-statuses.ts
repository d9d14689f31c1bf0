/** What the status page says of the HTTP sources of the policy in force. */
import { type SourceDependency, type Sources, sourceDependencies } from '../sources/sources.ts';
import type { AskCounts, DependencyStatus, DependencyStatuses } from './store-watch.ts';

export interface SourceStatusAnswer extends DependencyStatus, AskCounts {
  readonly source: 'http';
  /** Why the latest ask that failed did: a word of a closed list. */
  readonly fault: string | null;
}

export type AllStatuses = Readonly<Record<string, DependencyStatus>>;

/**
 * Beside the store's: what a source answers for by itself stands under its own name. Who somebody is, the store says as well, so a
 * resolver of device links stands beside it.
 */
export function withSources(ofStore: DependencyStatuses, sources: Sources | undefined): AllStatuses {
  const statuses: Record<string, DependencyStatus> = { ...ofStore };
  for (const dependency of sourceDependencies) {
    const status = sources === undefined ? null : statusOf(sources, dependency);
    if (status !== null) statuses[dependency === 'identity' ? 'resolver' : dependency] = status;
  }
  return statuses;
}

/** By dependency, for the counters of what each was asked. */
export function countsOf(sources: Sources | undefined): readonly (AskCounts & { readonly dependency: SourceDependency })[] {
  if (sources === undefined) return [];
  return sourceDependencies.flatMap((dependency) => {
    const source = sources[dependency];
    return source === null ? [] : [{ dependency, ...source.counts() }];
  });
}

function statusOf(sources: Sources, dependency: SourceDependency): SourceStatusAnswer | null {
  const source = sources[dependency];
  if (source === null) return null;
  const { state, sinceMs, lastGoodMs, breaker, fault } = source.status();
  return { state, since: isoOf(sinceMs), lastGood: isoOf(lastGoodMs), breaker, source: 'http', fault, ...source.counts() };
}

function isoOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
