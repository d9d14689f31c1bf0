/**
 * What every answer carries whatever happens: an explicit `Cache-Control`, `nosniff` and a request id, set before anything can
 * throw. A route that may be kept says so itself; none can forget to say something.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { ProblemError } from '../../contract/problem.ts';
import type { Clock } from '../../time/clock.ts';
import type { Parking } from '../parking.ts';
import type { QueueGauge } from '../queue-gauge.ts';
import { waitedBehindOthersMs } from './one-at-a-time.ts';

export const privateNoStore = 'private, no-store';

declare module 'fastify' {
  interface FastifyRequest {
    /** Monotonic: when the request came, as near as we can tell. Deadlines count from here, so what it waited for us counts too. */
    startedAtMs: number;
    /** How long it waited before its headers were read. */
    waitedMs: number;
  }
}

interface SafeDefaultsParts {
  readonly clock: Clock;
  readonly queue: QueueGauge;
  readonly parking?: Parking;
}

export const safeDefaults = fastifyPlugin(async (app: FastifyInstance, { clock, queue, parking }: SafeDefaultsParts) => {
  app.decorateRequest('startedAtMs', 0);
  app.decorateRequest('waitedMs', 0);
  app.addHook('onRequest', (request, reply, done) => {
    const nowMs = clock.monotonicMs();
    const unreadMs = parking?.unreadMs(request.raw.socket) ?? 0;
    request.waitedMs = Math.max(queue.turnMs(), queue.lastingMs(), unreadMs, waitedBehindOthersMs(request.raw, nowMs));
    request.startedAtMs = nowMs - request.waitedMs;
    setSafeHeaders(request, reply);
    done(headerProblem(request));
  });
});

export function setSafeHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('cache-control', privateNoStore);
  reply.header('x-content-type-options', 'nosniff');
  reply.header('stepwell-request-id', request.id);
}

/**
 * One name for the server, no less and no more, and one key of the caller's at most: proxies disagree about which of two counts. Node would
 * refuse a missing name without our headers.
 */
function headerProblem({ raw }: FastifyRequest): ProblemError | undefined {
  let hosts = 0;
  let keys = 0;
  for (let index = 0; index < raw.rawHeaders.length; index += 2) {
    const name = raw.rawHeaders[index] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
    else if (name.length === 13 && name.toLowerCase() === 'authorization') keys++;
  }
  const needed = raw.httpVersionMajor === 1 && raw.httpVersionMinor === 0 ? 0 : 1;
  return hosts > 1 || hosts < needed || keys > 1 ? new ProblemError('malformed_request') : undefined;
}
