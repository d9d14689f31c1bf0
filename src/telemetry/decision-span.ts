/**
 * The spans of one decision. An unsampled decision costs one sampling verdict: no child, no attribute and no text is made
 * for it.
 */
import {
  type Attributes,
  type Context,
  type PropagationAPI,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { ZoneDecision } from '../decision/decision.ts';
import type { Clock } from '../time/clock.ts';
import { attributeKeys, nothing, spanNames } from './names.ts';
import type { DecisionClosing, DecisionOpening, DecisionTrace, TraceCarrier } from './telemetry.ts';

export interface Tracing {
  readonly tracer: Tracer;
  readonly propagation: PropagationAPI;
  readonly clock: Clock;
}

/** `onEnd` hears of every decision, recorded or not; null where it was abandoned. */
export function startDecisionSpan(
  { tracer, propagation, clock }: Tracing,
  carrier: TraceCarrier,
  opening: DecisionOpening,
  onEnd: (closing: DecisionClosing | null) => void,
): DecisionTrace {
  const parent = carrier.traceparent === undefined ? ROOT_CONTEXT : propagation.extract(ROOT_CONTEXT, carrier);
  // Spans want the wall clock and the service measures with the monotonic one: one offset per decision keeps a child inside its root.
  const epochMs = clock.nowMs() - clock.monotonicMs();
  const root = tracer.startSpan(spanNames.decide, { kind: SpanKind.SERVER, startTime: hrTime(epochMs + opening.startMs) }, parent);
  const recording = root.isRecording();
  return {
    recording,
    traceparent: traceparentOf(root),
    stage(name, startMs, endMs) {
      if (!recording) return;
      const span = tracer.startSpan(spanNames[name], { startTime: hrTime(epochMs + startMs) }, contextOf(root, parent));
      span.end(hrTime(epochMs + endMs));
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

function contextOf(span: Span, parent: Context): Context {
  return trace.setSpan(parent, span);
}

function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags & 1 ? '01' : '00'}`;
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
