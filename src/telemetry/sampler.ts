/**
 * The sampler where `OTEL_TRACES_SAMPLER` says nothing: one decision in a hundred, and those that the caller samples. Callers
 * are capped, because an edge that marks every request would make tracing cost more than deciding.
 */
import { type Context, SamplingDecision, TraceFlags, trace } from '@opentelemetry/api';
import type { Clock } from '../time/clock.ts';

const defaultSampledPerMille = 10;
export const sampledByCallerPerSecondMax = 50;

/** Just what the SDK asks of a sampler. */
export interface Sampler {
  shouldSample(context: Context, traceId: string): { decision: SamplingDecision };
  toString(): string;
}

export function createDefaultSampler(clock: Clock): Sampler {
  const takeFromCallers = createAllowance(clock, sampledByCallerPerSecondMax);
  const keep = { decision: SamplingDecision.RECORD_AND_SAMPLED };
  const drop = { decision: SamplingDecision.NOT_RECORD };
  return {
    shouldSample(context, traceId) {
      const parent = trace.getSpanContext(context);
      if (parent === undefined) return inSample(traceId) ? keep : drop;
      if ((parent.traceFlags & TraceFlags.SAMPLED) === 0) return drop;
      // A parent of this process is a root that was kept: its children belong to it.
      return parent.isRemote !== true || takeFromCallers() ? keep : drop;
    },
    toString: () => `stepwell(${defaultSampledPerMille} per mille, callers ${sampledByCallerPerSecondMax} per second)`,
  };
}

/** By the trace id, so that every replica keeps the same traces. */
function inSample(traceId: string): boolean {
  return Number.parseInt(traceId.slice(-8), 16) % 1000 < defaultSampledPerMille;
}

function createAllowance(clock: Clock, perSecond: number): () => boolean {
  let second = Number.NEGATIVE_INFINITY;
  let taken = 0;
  return () => {
    const current = Math.floor(clock.monotonicMs() / 1000);
    if (current !== second) {
      second = current;
      taken = 0;
    }
    return ++taken <= perSecond;
  };
}
