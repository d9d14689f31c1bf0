/**
 * What every answer carries whatever happens: an explicit `Cache-Control`, `nosniff` and a request id. Set before anything can
 * throw; one route raises the cache scope, none may forget it.
 */
import type { FastifyInstance } from 'fastify';
import fastifyPlugin from 'fastify-plugin';

export const privateNoStore = 'private, no-store';

declare module 'fastify' {
  interface FastifyRequest {
    /** Monotonic: when the request's headers were read. */
    startedAtMs: number;
  }
}

export const safeDefaults = fastifyPlugin(async (app: FastifyInstance, { monotonicMs }: { monotonicMs: () => number }) => {
  app.decorateRequest('startedAtMs', 0);
  app.addHook('onRequest', async (request, reply) => {
    request.startedAtMs = monotonicMs();
    reply.header('cache-control', privateNoStore);
    reply.header('x-content-type-options', 'nosniff');
    reply.header('stepwell-request-id', request.id);
  });
  // Whoever answered, and whatever a plugin removed: nothing leaves without it.
  app.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', privateNoStore);
  });
});
