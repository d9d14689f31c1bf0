/** The W3C trace context of a request, as it came. */
import type { FastifyRequest } from 'fastify';
import type { TraceCarrier } from '../telemetry/telemetry.ts';

export function traceCarrier({ headers }: FastifyRequest): TraceCarrier {
  const { traceparent, tracestate } = headers;
  return { traceparent: oneOf(traceparent), tracestate: oneOf(tracestate) };
}

function oneOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}
