/**
 * `GET /ofrep/v1/stream?t=<token>`: server-sent events that say no more than "ask again". The token in the address is the one credential,
 * because what opens a stream in a page cannot send a header; it ends within minutes, and nothing of it is logged.
 */
import { PassThrough } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { ProblemError } from '../../contract/problem.ts';
import { readTokenQuery } from '../../contract/token-query.ts';
import { type ChangeStreams, createChangeStreams } from '../change-streams.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { queryOf } from '../shared-headers.ts';
import { isTakenBack } from '../visitor-changes.ts';

/** What a page that lost its stream waits before it opens another: not all in one moment, where a process ended. */
const retryMs = { min: 1_000, max: 5_000 } as const;
const fullRetryAfterSeconds = 30;

/** What an EventSource that comes back sends of itself. Any other text than one we may have sent is as if there were none. */
function heardOfBy(lastEventId: string | string[] | undefined): string | null {
  return typeof lastEventId === 'string' && /^[\w-]{1,64}$/.test(lastEventId) ? lastEventId : null;
}

/** Null: there are no streams. */
export function streamRoute(app: FastifyInstance, dependencies: ServiceDependencies): Pick<ChangeStreams, 'hasRoom'> | null {
  const { visitorTokens, store, clock, policy, streamCount } = dependencies;
  if (visitorTokens === null) return null;
  const { names, stream: tokens } = visitorTokens;
  const random = Math.random;
  const revision = () => policy.current()?.artefact.revision ?? null;
  const streams: ChangeStreams = createChangeStreams({ store, names, clock, revision, random, count: streamCount });
  app.addHook('preClose', (done) => {
    streams.close();
    done();
  });

  app.get('/ofrep/v1/stream', async (request, reply) => {
    const token = readTokenQuery(queryOf(request.raw.url ?? ''));
    const content = token === null ? null : tokens.verify(token);
    if (content === null) throw new ProblemError('token_refused');
    const output = new PassThrough();
    // At once: the stream may have ended again when the store has answered, and after its end nothing can be written.
    output.write(`retry: ${retryMs.min + Math.floor(random() * (retryMs.max - retryMs.min))}\n\n`);
    const { marks, revocationMarks, expiresAtMs: tokenExpiresAtMs } = content;
    const address = request.raw.socket.remoteAddress;
    const heardOf = heardOfBy(request.headers['last-event-id']);
    const opened = streams.open({ marks, revocationMarks, tokenExpiresAtMs, output, address, heardOf });
    if (opened === 'token_ends') throw new ProblemError('token_refused');
    if (opened === 'full') throw new ProblemError('too_many_streams', undefined, [], fullRetryAfterSeconds);
    // What tells every kind of EventSource to leave it at that, where some come back every second after a 503.
    if (opened === 'visitor_has_many') return reply.code(204).send();
    output.once('close', opened.gone);
    try {
      // It is listened to already: what is taken back from now on ends it.
      if (await isTakenBack(store, revocationMarks)) throw new ProblemError('token_refused');
    } catch (error) {
      output.destroy();
      opened.gone();
      throw error;
    }
    // It is quiet for longer than any other connection may be.
    request.raw.socket.setTimeout(0);
    return reply.headers({ 'content-type': 'text/event-stream', connection: 'close', 'x-accel-buffering': 'no' }).send(output);
  });
  return streams;
}
