/** How a decision leaves: as one JSON document, or, for who accepts NDJSON, a line for each zone as soon as it is decided. */
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { answerText, zoneText } from '../contract/answer-text.ts';
import type { ZoneDecision } from '../decision/decision.ts';

export interface Answer {
  /** Some zones are decided. */
  zones(zones: readonly ZoneDecision[]): void;
  /** All are: `zones` once more, in the order asked. */
  end(envelope: object, zones: readonly ZoneDecision[], timing: string): void;
  /** Throws where the caller can still be told. */
  fail(error: unknown): void;
}

/** One write, with `Content-Length`. */
function wholeAnswer(reply: FastifyReply): Answer {
  return {
    zones() {},
    end(envelope, zones, timing) {
      reply.header('server-timing', timing).header('content-type', 'application/json; charset=utf-8');
      reply.send(answerText(envelope, zones));
    },
    fail(error) {
      throw error;
    },
  };
}

/**
 * A line for each zone as its own instant comes, then the envelope. The headers leave first, so the times can only come as a trailer:
 * for who says that they read trailers, because there are caches that take a stream with one for a broken one.
 */
function zoneByZone(request: FastifyRequest, reply: FastifyReply): Answer {
  const lines = new Readable({ read() {} });
  let timing = '';
  if (readsTrailers(request)) reply.trailer('server-timing', async () => timing);
  reply.header('content-type', 'application/x-ndjson; charset=utf-8').send(lines);
  return {
    zones(zones) {
      for (const zone of zones) lines.push(`${zoneText(zone)}\n`);
    },
    end(envelope, _zones, measured) {
      timing = measured;
      lines.push(`${JSON.stringify(envelope)}\n`);
      lines.push(null);
    },
    fail(error) {
      lines.destroy(error instanceof Error ? error : new Error('the stream failed'));
    },
  };
}

export function answerTo(request: FastifyRequest, reply: FastifyReply): Answer {
  return wantsStream(request) ? zoneByZone(request, reply) : wholeAnswer(reply);
}

function wantsStream({ headers }: FastifyRequest): boolean {
  return headers.accept?.split(',').some((range) => /^\s*application\/x-ndjson\s*(?:;(?!\s*q=0(?:\.0*)?\s*$).*)?$/i.test(range)) ?? false;
}

/** RFC 9110, 6.5.1 and 10.1.4. HTTP/1.0 has no chunks, so nothing comes after them either: there a stream ends with its connection. */
function readsTrailers({ headers, raw }: FastifyRequest): boolean {
  if (raw.httpVersionMajor === 1 && raw.httpVersionMinor === 0) return false;
  const { te } = headers;
  return typeof te === 'string' && te.split(',').some((coding) => /^\s*trailers\s*$/i.test(coding));
}
