/**
 * One line in the audit log for each request that writes, after its answer: who, what kind of thing, and how it went. A route that is
 * added is recorded without being told of here, because what is listed is what does not write.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { AuditLog, AuditOutcome } from '../../files/audit-log.ts';
import type { Clock } from '../../time/clock.ts';

/** They ask, though a body comes with them. */
const asking: ReadonlySet<string> = new Set(['/v1/decide', '/ofrep/v1/evaluate/flags', '/ofrep/v1/evaluate/flags/:key']);
const reading: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Everything about one person leaves the house: that is recorded too. */
const recordedReads: ReadonlySet<string> = new Set(['/v1/exports/:subject']);

interface AuditParts {
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Null or absent: nothing is recorded. */
  readonly audit?: AuditLog | null | undefined;
}

export const audit = fastifyPlugin(async (app: FastifyInstance, { clock, audit }: AuditParts) => {
  if (audit === undefined || audit === null) return;
  app.addHook('onResponse', (request, reply, done) => {
    const url = request.routeOptions.url;
    if (url !== undefined && isRecorded(request.method, url) && isSomebodys(request, reply.statusCode)) {
      const outcome = outcomeOf(reply.statusCode);
      audit.tell({
        atMs: clock.nowMs(),
        requestId: request.id,
        keyId: request.caller?.keyId ?? null,
        action: `${request.method} ${url}`,
        outcome,
        count: outcome === 'done' ? 1 : 0,
      });
    }
    done();
  });
});

/** `url` as the route declares it: nobody's id is in it. */
export function isRecorded(method: string, url: string): boolean {
  return reading.has(method) ? recordedReads.has(url) : !asking.has(url);
}

/** Strangers who were turned away write nothing, not even here: else they could fill the disk. */
function isSomebodys({ caller }: FastifyRequest, status: number): boolean {
  return caller !== null || status < 400;
}

function outcomeOf(status: number): AuditOutcome {
  if (status < 400) return 'done';
  return status < 500 ? 'refused' : 'failed';
}
