/**
 * One line in the audit log for each request that writes, once it is known how it went, whether or not anybody is there to be told: who,
 * and what kind of thing. A route that is added is recorded without being told of here, because what is listed is what does not write.
 */
import type { FastifyInstance } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { AuditLog, AuditOutcome } from '../../files/audit-log.ts';
import type { Clock } from '../../time/clock.ts';

/** They ask, though a body comes with them. */
const asking: ReadonlySet<string> = new Set([
  '/v1/decide',
  '/ofrep/v1/evaluate/flags',
  '/ofrep/v1/evaluate/flags/:key',
  '/v1/sessions/:sessionId/tokens',
]);
const reading: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Everything about one person leaves the house: that is recorded too. */
const recordedReads: ReadonlySet<string> = new Set(['/v1/exports/:subject']);

const tallyMs = 1_000;

declare module 'fastify' {
  interface FastifyRequest {
    /** Where writes are recorded: how this one went has been told. */
    isRecorded: boolean;
  }
}

interface AuditParts {
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  /** Null or absent: nothing is recorded. */
  readonly audit?: AuditLog | null | undefined;
}

export const audit = fastifyPlugin(async (app: FastifyInstance, { clock, audit }: AuditParts) => {
  if (audit === undefined || audit === null) return;
  const visitors = createTally(clock, audit);
  app.decorateRequest('isRecorded', false);
  // Not after the answer: of one that nobody waits for any more, the framework says nothing.
  app.addHook('onSend', (request, reply, _payload, done) => {
    const url = request.routeOptions.url;
    if (url !== undefined && !request.isRecorded && isRecorded(request.method, url)) {
      // An answer that cannot be sent becomes a second one, and the write stays as it was.
      request.isRecorded = true;
      const { caller, id: requestId } = request;
      const action = `${request.method} ${url}`;
      const outcome = outcomeOf(reply.statusCode);
      if (caller !== null)
        audit.tell({ atMs: clock.nowMs(), requestId, keyId: caller.keyId, action, outcome, count: outcome === 'done' ? 1 : 0 });
      // Strangers who were turned away write nothing, not even here: else they could fill the disk.
      else if (outcome === 'done') visitors.add(action);
    }
    done();
  });
  app.addHook('onClose', (_app, done) => {
    visitors.end();
    done();
  });
});

/**
 * What visitors write with no more than their session id. They are many and need no key, so each action is one line a second at most,
 * with how many there were: nobody fills the disk by saying the same thing again and again.
 */
function createTally(clock: AuditParts['clock'], audit: AuditLog) {
  const counts = new Map<string, number>();
  let stop: (() => void) | null = null;
  function tell(): void {
    stop = null;
    for (const [action, count] of counts) {
      audit.tell({ atMs: clock.nowMs(), requestId: null, keyId: null, action, outcome: 'done', count });
    }
    counts.clear();
  }
  return {
    add(action: string): void {
      counts.set(action, (counts.get(action) ?? 0) + 1);
      stop ??= clock.after(tallyMs, tell);
    },
    end(): void {
      stop?.();
      tell();
    },
  };
}

/** `url` as the route declares it: nobody's id is in it. */
export function isRecorded(method: string, url: string): boolean {
  return reading.has(method) ? recordedReads.has(url) : !asking.has(url);
}

function outcomeOf(status: number): AuditOutcome {
  if (status < 400) return 'done';
  return status < 500 ? 'refused' : 'failed';
}
