/**
 * One line for each request, also where the caller is gone before its answer, from an allow-list: method, route, status, duration,
 * request id and problem. An address, a header or a body never gets here, because they may name a person.
 */
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { ProblemCode } from '../../contract/problem.ts';
import { errorFields } from '../../telemetry/error-fields.ts';
import type { Clock } from '../../time/clock.ts';

declare module 'fastify' {
  interface FastifyRequest {
    isLogged: boolean;
  }
}

export const requestLog = fastifyPlugin(async (app: FastifyInstance, { clock }: { clock: Clock }) => {
  function tell(request: FastifyRequest, { statusCode }: FastifyReply): void {
    if (request.isLogged) return;
    request.isLogged = true;
    const level = isCounted(request.problemCode) ? 'debug' : levelOf(statusCode);
    app.log[level](
      {
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: statusCode,
        durationMs: Math.round((clock.monotonicMs() - request.startedAtMs) * 1000) / 1000,
        requestId: request.id,
        problem: request.problemCode,
      },
      'request',
    );
  }

  app.decorateRequest('isLogged', false);
  // Whoever has hung up takes no answer, and then there may be no response to speak of.
  app.addHook('onSend', (request, reply, _payload, done) => {
    if (reply.raw.destroyed) tell(request, reply);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    tell(request, reply);
    done();
  });
});

/** Of these there may be any number, and a line for each would be the harm that they are refused for. */
function isCounted(problem: ProblemCode | null): boolean {
  return problem === 'overloaded' || problem === 'rate_limited';
}

/** Metrics count what goes well, and what is refused for want of time; a line for each would cost more than the decision. */
function levelOf(status: number): 'debug' | 'info' | 'error' {
  if (status >= 500) return 'error';
  return status >= 400 ? 'info' : 'debug';
}

/** The framework logs requests and errors of its own accord in a few places: this is all they may say. */
const silentSerializers = {
  req: ({ method }: { method?: string }) => ({ method }),
  res: ({ statusCode }: { statusCode?: number }) => ({ status: statusCode }),
  err: errorFields,
} as const;

export function quietLogger(logger: FastifyBaseLogger): FastifyBaseLogger {
  return logger.child({}, { serializers: silentSerializers });
}
