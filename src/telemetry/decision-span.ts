/**
 * The spans of one decision. An unsampled decision costs one sampling verdict: no child, no attribute and no text is made
 * for it.
 */
import { type Attributes, type Context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import type { ZoneDecision } from '../decision/decision.ts';
import type { Clock } from '../time/clock.ts';
import { attributeKeys, nothing, spanNames } from './names.ts';
import type { DecisionClosing, DecisionOpening, DecisionTrace, TraceCarrier } from './telemetry.ts';
import { type Propagation, randomFlag, sampledFlag, type TraceContext, writeTraceparent } from './trace-context.ts';

export interface Tracing {
  readonly tracer: Tracer;
  readonly propagation: Propagation;
  readonly clock: Clock;
}

/** `onEnd` hears of every decision, recorded or not; null where it was abandoned. */
export function startDecisionSpan(
  { tracer, propagation, clock }: Tracing,
  carrier: TraceCarrier,
  opening: DecisionOpening,
  onEnd: (closing: DecisionClosing | null) => void,
): DecisionTrace {
  const caller = propagation.read(carrier);
  const parent = contextIn(caller);
  // Spans want the wall clock and the service measures with the monotonic one: one offset per decision keeps a child inside its root.
  const epochMs = clock.nowMs() - clock.monotonicMs();
  const root = tracer.startSpan(spanNames.decide, { kind: SpanKind.SERVER, startTime: hrTime(epochMs + opening.startMs) }, parent);
  const recording = root.isRecording();
  return {
    recording,
    traceparent: writeTraceparent(contextOf(root, caller)),
    stage(name, startMs, endMs) {
      if (!recording) return;
      const span = tracer.startSpan(spanNames[name], { startTime: hrTime(epochMs + startMs) }, trace.setSpan(parent, root));
      span.end(hrTime(epochMs + endMs));
    },
    call(dependency) {
      // Not recorded, it has an id of its own all the same: no two requests have one place in a trace.
      const span = tracer.startSpan(
        spanNames.call,
        { kind: SpanKind.CLIENT, startTime: hrTime(clock.nowMs()) },
        trace.setSpan(parent, root),
      );
      return {
        headers: propagation.headersOf(contextOf(span, caller)),
        ended(fault) {
          if (!span.isRecording()) return;
          span.setAttributes({ [attributeKeys.called]: dependency, [attributeKeys.fault]: fault ?? nothing });
          if (fault !== null) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end(hrTime(clock.nowMs()));
        },
      };
    },
    end(closing) {
      if (recording) {
        root.setAttributes(decisionAttributes(opening, closing));
        root.end(hrTime(epochMs + closing.endMs));
      }
      onEnd(closing);
    },
    abandon(endMs, status) {
      onEnd(null);
      if (!recording) return;
      root.setAttributes({ [attributeKeys.route]: opening.route, [attributeKeys.status]: status });
      if (status >= 500) root.setStatus({ code: SpanStatusCode.ERROR });
      root.end(hrTime(epochMs + endMs));
    },
  };
}

/** Without the caller's `tracestate`: our spans would take it to a collector, and it may hold anything. */
function contextIn(caller: TraceContext | null): Context {
  if (caller === null) return ROOT_CONTEXT;
  const { traceId, spanId, flags } = caller;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: flags & sampledFlag, isRemote: true });
}

/** The span's place as others are told it. A trace that begins here has an id drawn by chance. */
function contextOf(span: Span, caller: TraceContext | null): TraceContext {
  const { traceId, spanId, traceFlags } = span.spanContext();
  const random = caller === null ? randomFlag : caller.flags & randomFlag;
  return { traceId, spanId, flags: (traceFlags & sampledFlag) | random, tracestate: caller?.tracestate ?? null };
}

/** As seconds and nanoseconds: the SDK takes a small number for a reading of its own monotonic clock. */
function hrTime(epochMs: number): [number, number] {
  const seconds = Math.floor(epochMs / 1000);
  return [seconds, Math.round((epochMs - seconds * 1000) * 1e6)];
}

function decisionAttributes({ route }: DecisionOpening, closing: DecisionClosing): Attributes {
  const { zones, facts } = closing;
  const attributes: Attributes = {
    [attributeKeys.route]: route,
    [attributeKeys.page]: closing.page ?? nothing,
    [attributeKeys.revision]: closing.revision,
    [attributeKeys.scope]: closing.scope,
    [attributeKeys.overshootMs]: closing.overshootMs,
    [attributeKeys.zone]: zones.map((zone) => zone.zone),
    [attributeKeys.tier]: zones.map((zone) => zone.tier),
    [attributeKeys.intendedTier]: zones.map((zone) => zone.intendedTier),
    [attributeKeys.reason]: ofDowngrades(zones, 'reason'),
    [attributeKeys.cause]: ofDowngrades(zones, 'cause'),
    [attributeKeys.dependency]: ofDowngrades(zones, 'dependency'),
  };
  for (const [dependency, state] of Object.entries(facts)) attributes[attributeKeys.factPrefix + dependency] = state;
  return attributes;
}

function ofDowngrades(zones: readonly ZoneDecision[], key: 'reason' | 'cause' | 'dependency'): string[] {
  return zones.map((zone) => zone.downgrade?.[key] ?? nothing);
}
