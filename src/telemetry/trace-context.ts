/**
 * W3C Trace Context, level 2, read as strictly as its authors test it: a malformed `traceparent` is as if it were not there, and a
 * malformed `tracestate` is dropped whole. What a caller's `tracestate` holds is handed on and never kept.
 */
import type { Environment } from './environment.ts';
import type { TraceCarrier } from './telemetry.ts';

export interface TraceContext {
  /** 32 digits of hexadecimal. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  /** Only those that we know. */
  readonly flags: number;
  /** Null: none, or none that may be handed on. */
  readonly tracestate: string | null;
}

export interface Propagation {
  read(carrier: TraceCarrier): TraceContext | null;
  /** Names and values in turn, for a request to somebody else. */
  headersOf(context: TraceContext): readonly string[];
}

export const sampledFlag = 1;
/** The trace id was drawn by chance. */
export const randomFlag = 2;

/** What comes after the flags, a later version may add; two headers that were joined with a comma are none. */
const traceparentForm = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[^,]*)?$/;
const allZero = /^0+$/;
const memberForm = /^([a-z0-9][a-z0-9_\-*/@]{0,255})=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])$/;
const membersMax = 32;

export const traceContext: Propagation = {
  read({ traceparent, tracestate }) {
    if (traceparent === undefined) return null;
    const [, version, traceId = '', spanId = '', flags = '', more] = traceparentForm.exec(trimmed(traceparent)) ?? [];
    if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return null;
    if (allZero.test(traceId) || allZero.test(spanId)) return null;
    const known = Number.parseInt(flags, 16) & (sampledFlag | randomFlag);
    return { traceId, spanId, flags: known, tracestate: tracestate === undefined ? null : readTracestate(tracestate) };
  },
  headersOf(context) {
    const headers = ['traceparent', writeTraceparent(context)];
    return context.tracestate === null ? headers : [...headers, 'tracestate', context.tracestate];
  },
};

/** Nothing is read, and nothing handed on. */
const noPropagation: Propagation = { read: () => null, headersOf: () => [] };

/** `OTEL_PROPAGATORS` may name others; this is the one that is spoken here, and the default. */
export function propagationOf({ OTEL_PROPAGATORS }: Environment): Propagation {
  if (!OTEL_PROPAGATORS) return traceContext;
  const isNamed = OTEL_PROPAGATORS.split(',').some((name) => name.trim() === 'tracecontext');
  return isNamed ? traceContext : noPropagation;
}

export function writeTraceparent({ traceId, spanId, flags }: Omit<TraceContext, 'tracestate'>): string {
  return `00-${traceId}-${spanId}-0${flags.toString(16)}`;
}

/** In the order in which it came; of two members with one key the first. */
function readTracestate(text: string): string | null {
  const members = new Map<string, string>();
  let count = 0;
  for (const part of text.split(',')) {
    const member = trimmed(part);
    if (member === '') continue;
    const [, key] = memberForm.exec(member) ?? [];
    count += 1;
    if (key === undefined || count > membersMax) return null;
    if (!members.has(key)) members.set(key, member);
  }
  return members.size === 0 ? null : [...members.values()].join(',');
}

/** Of what HTTP calls optional white space. By hand, because an expression that looks for it from behind takes its square in steps. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text, start)) start += 1;
  while (end > start && isSpace(text, end - 1)) end -= 1;
  return text.slice(start, end);
}

function isSpace(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 0x20 || code === 0x09;
}
