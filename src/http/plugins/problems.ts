/** Every failure as `application/problem+json`, whoever raised it: a route, the framework, or the HTTP parser below both. */
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { Problem, type ProblemCode, problemBody, problemTable } from '../../contract/problem.ts';
import { privateNoStore } from './safe-defaults.ts';

const retryAfterSeconds = 1;

const frameworkCodes: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad_request',
  FST_ERR_BAD_URL: 'bad_request',
  FST_ERR_MAX_PARAM_LENGTH: 'uri_too_long',
};

export const problems = fastifyPlugin(async (app: FastifyInstance) => {
  const methodsByRoute = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsByRoute.get(url) ?? new Set();
    for (const one of [method].flat()) methods.add(one);
    methodsByRoute.set(url, methods);
  });
  app.setErrorHandler((error: FastifyError, request, reply) => send(problemOf(error, request), reply));
  app.setNotFoundHandler((request, reply) => {
    const allowed = allowedMethods(methodsByRoute, request.url);
    if (allowed.length === 0) return send(new Problem('unknown_route'), reply);
    reply.header('allow', allowed.join(', '));
    return send(new Problem('method_not_allowed'), reply);
  });
});

export function send(problem: Problem, reply: FastifyReply): FastifyReply {
  const { status } = problemTable[problem.code];
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (status === 503) reply.header('retry-after', retryAfterSeconds);
  return reply
    .code(status)
    .header('cache-control', privateNoStore)
    .header('content-type', 'application/problem+json')
    .send(JSON.stringify(problemBody(problem)));
}

export function problemOf(error: FastifyError | Problem, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error;
  const code = frameworkCodes[error.code];
  if (code !== undefined) return new Problem(code);
  if (error.name === 'StoreError') return new Problem('store_unavailable');
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) return new Problem('bad_request');
  // The message and the stack may hold what the caller sent; the name and the place in our code do not.
  request.log.error({ errorName: error.name, errorCode: error.code, at: placeInOurCode(error) }, 'request failed');
  return new Problem('internal');
}

function placeInOurCode({ stack }: Error): string | null {
  return /\/(src\/[\w./-]+:\d+:\d+)/.exec(stack ?? '')?.[1] ?? null;
}

function allowedMethods(methodsByRoute: ReadonlyMap<string, ReadonlySet<string>>, url: string): readonly string[] {
  const path = url.split('?', 1)[0] ?? '';
  for (const [route, methods] of methodsByRoute) if (matches(route, path)) return [...methods].sort();
  return [];
}

function matches(route: string, path: string): boolean {
  const wanted = route.split('/');
  const given = path.split('/');
  return wanted.length === given.length && wanted.every((step, index) => (step.startsWith(':') ? given[index] !== '' : step === given[index]));
}

const parserCodes: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** What cannot be parsed as HTTP never becomes a request: the answer is written to the socket by hand. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return void socket.destroy();
  const code = parserCodes[error.code ?? ''] ?? 'bad_request';
  const { status, title } = problemTable[code];
  const body = JSON.stringify(problemBody(new Problem(code)));
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    'Content-Type: application/problem+json',
    `Cache-Control: ${privateNoStore}`,
    'X-Content-Type-Options: nosniff',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
