/** One way to send a body: `application/json` in UTF-8, unencoded, at most 32 KiB. Where a route says so, nothing at all is one too. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { parseJsonBody } from '../../contract/json-text.ts';
import { ProblemError } from '../../contract/problem.ts';

export const bodyBytesMax = 32_768;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** No bytes are no body, whatever the headers announce: many a client names a type for what it does not send. */
    readonly mayLackBody?: boolean;
  }
}

export const jsonBody = fastifyPlugin(async (app: FastifyInstance) => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (!isPlainJson(request)) return done(new ProblemError('unsupported_media_type'));
    if (body.length === 0 && request.routeOptions.config.mayLackBody === true) return done(null, undefined);
    try {
      done(null, parseJsonBody(body));
    } catch (error) {
      done(error as ProblemError);
    }
  });
  app.addHook('onRequest', (request, _reply, done) => {
    const encoding = request.headers['content-encoding'];
    done(encoding === undefined || encoding === 'identity' ? undefined : new ProblemError('unsupported_media_type'));
  });
});

/** The framework has matched the media type; of its parameters only `charset=utf-8` means something that holds. */
function isPlainJson({ headers }: FastifyRequest): boolean {
  return /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i.test(headers['content-type'] ?? '');
}
