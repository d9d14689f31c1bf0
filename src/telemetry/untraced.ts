/** A decision without spans. What its caller said of a trace is handed on as it came, since nobody here has a place in it. */

import type { DecisionClosing, DecisionTrace, TraceCarrier } from './telemetry.ts';
import { type Propagation, traceContext } from './trace-context.ts';

export function untraced(
  carrier: TraceCarrier,
  onEnd: (closing: DecisionClosing | null) => void,
  propagation: Propagation = traceContext,
): DecisionTrace {
  return {
    recording: false,
    traceparent: null,
    stage: ignore,
    call() {
      const context = propagation.read(carrier);
      return context === null ? silentCall : { headers: propagation.headersOf(context), ended: ignore };
    },
    end: onEnd,
    abandon: () => onEnd(null),
  };
}

const silentCall = { headers: [], ended: ignore } as const;

function ignore(): void {}
