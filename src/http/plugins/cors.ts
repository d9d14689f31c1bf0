/**
 * Which pages may call from a browser: those of the origins that are listed, to the letter, and only the routes that a browser has any
 * business with. Nothing is listed: no answer says a word about origins. Never with credentials, never `*`.
 */
import type { FastifyCorsOptions } from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';

/** Deciding, and what the visitor's own session id is credential enough for. */
const browserRoutes: readonly RegExp[] = [
  /^\/v1\/decide(?:\/classes)?(?:\?|$)/,
  /^\/v1\/sessions\/[^/?]+(?:\/withdrawals|\/tokens)?(?:\?|$)/,
  /^\/ofrep\/v1\//,
  /^\/v1\/sessions(?:\?|$)/,
  /^\/v1\/artefact(?:\?|$)/,
  /^\/\.well-known\/stepwell-keys\.json(?:\?|$)/,
];

/** How long a browser may remember that it was let through. */
const preflightMaxAgeSeconds = 600;

const opened: FastifyCorsOptions = {
  methods: ['GET', 'POST', 'DELETE'],
  allowedHeaders: [
    'authorization',
    'content-type',
    'dpop',
    'if-none-match',
    // An EventSource of the browser's own needs no leave to send it; one that is made of `fetch` does.
    'last-event-id',
    'stepwell-deadline-ms',
    'traceparent',
    'tracestate',
    'x-api-key',
  ],
  exposedHeaders: ['etag', 'retry-after', 'server-timing', 'stepwell-request-id', 'traceparent'],
  maxAge: preflightMaxAgeSeconds,
  strictPreflight: false,
};

/** Before `unserved`, which otherwise would answer a preflight with a 405. */
export const cors = fastifyPlugin(async (app: FastifyInstance, { corsOrigins = [] }: { corsOrigins?: readonly string[] }) => {
  if (corsOrigins.length === 0) return;
  const { fastifyCors } = await import('@fastify/cors');
  const origins = new Set(corsOrigins);
  await app.register(fastifyCors, {
    delegator(request, give) {
      const { origin } = request.headers;
      const isOpen = typeof origin === 'string' && origins.has(origin) && isForBrowsers(request);
      give(null, isOpen ? { ...opened, origin, preflight: isPreflight(request) } : { origin: false });
    },
  });
});

function isForBrowsers({ raw }: FastifyRequest): boolean {
  return browserRoutes.some((route) => route.test(raw.url ?? ''));
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}
