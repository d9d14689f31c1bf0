/** Every failure as `application/problem+json`, whoever raised it: a route, the framework, or the HTTP parser below both. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { invalidRequest, type ProblemCode, ProblemError, problemBody, problemTable } from '../../contract/problem.ts';
import { StoreError } from '../../records/store-error.ts';
import { isAwaitingAnswer } from '../exchanges.ts';
import { sharedHeaderNames } from '../shared-headers.ts';
import { bodyBytesMax } from './json-body.ts';
import { privateNoStore, setSafeHeaders } from './safe-defaults.ts';

const overloadRetryAfterSeconds = 1;
const mediaType = 'application/problem+json';

const codeOfFramework: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_BAD_URL: 'malformed_request',
  FST_ERR_MAX_PARAM_LENGTH: 'address_too_long',
};

declare module 'fastify' {
  interface FastifyRequest {
    /** For the log: which problem was answered, if any. */
    problemCode: ProblemCode | null;
  }
}

export const problems = fastifyPlugin(async (app: FastifyInstance) => {
  app.decorateRequest('problemCode', null);
  app.setNotFoundHandler((request, reply) => sendProblem(new ProblemError('not_found'), request, reply));
  app.setErrorHandler<FastifyError>((error, request, reply) => sendProblem(problemOf(error, request), request, reply));
});

/** Refuses what is asked of an address or a method that nobody serves. After whatever else answers before there is a route. */
export const unserved = fastifyPlugin(async (app: FastifyInstance) => {
  const methodsOfRoute = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsOfRoute.get(url) ?? new Set();
    for (const one of [method].flat()) methods.add(one);
    methodsOfRoute.set(url, methods);
  });
  // Before the body is read: to an address that serves nothing, a body's form does not matter.
  app.addHook('onRequest', (request, reply, done) => {
    // `*` is where the plugin for origins waits for preflights of pages that are not listed.
    if (!request.is404 && request.routeOptions.url !== '*') return done(isSpelledOut(request) ? undefined : new ProblemError('not_found'));
    const allowed = allowedMethods(methodsOfRoute, request.url);
    if (allowed.length > 0) reply.header('allow', allowed.join(', '));
    done(new ProblemError(allowed.length > 0 ? 'method_not_allowed' : 'not_found'));
  });
});

/** How a problem is told. */
export interface ProblemForm {
  readonly status: number;
  readonly mediaType: string;
  readonly body: object;
  readonly retryAfterSeconds: number | null;
}

function sendProblem(problem: ProblemError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status } = problem;
  const retryAfterSeconds = problem.retryAfterSeconds ?? (status === 503 ? overloadRetryAfterSeconds : null);
  return sendAs({ status, mediaType, body: problemBody(problem, request.id), retryAfterSeconds }, problem.code, request, reply);
}

/** For a route whose protocol has a form of its own for what goes wrong. */
export function answersErrorsAs(formOf: (problem: ProblemError, request: FastifyRequest) => ProblemForm) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const problem = problemOf(error, request);
    return sendAs(formOf(problem, request), problem.code, request, reply);
  };
}

/** Takes back whatever a route has said about caching. */
function sendAs(form: ProblemForm, code: ProblemCode, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  request.problemCode = code;
  setSafeHeaders(request, reply);
  for (const name of [...sharedHeaderNames, 'server-timing']) reply.removeHeader(name);
  if (code === 'body_too_large' && isWorthReadingOn(request)) reply.removeHeader('connection');
  if (form.status === 401) reply.header('www-authenticate', 'Bearer');
  if (form.retryAfterSeconds !== null) reply.header('retry-after', form.retryAfterSeconds);
  // As bytes: to text the framework would add a charset, which the media type of problems does not have.
  const body = Buffer.from(JSON.stringify(form.body));
  return reply.code(form.status).header('content-type', form.mediaType).send(body);
}

/**
 * Whoever is still sending when a connection is closed may never read why: a proxy then answers for us, and may keep that. So the rest of
 * a body that is not much too large is read and thrown away, for as long as any request may take; only from more than that we hang up.
 */
const discardedBytesMax = 8 * bodyBytesMax;

function isWorthReadingOn({ headers }: FastifyRequest): boolean {
  // In parts: nobody knows how much is still to come.
  return Number(headers['content-length'] ?? Number.POSITIVE_INFINITY) <= discardedBytesMax;
}

function problemOf(error: unknown, request: FastifyRequest): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof StoreError) return storeProblem(error, request);
  const { code, statusCode } = (error ?? {}) as Partial<FastifyError>;
  const known = codeOfFramework[code ?? ''];
  if (known !== undefined) return new ProblemError(known);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new ProblemError('malformed_request');
  // The message may hold what the caller sent; what the logger writes of an error does not.
  request.log.error({ requestId: request.id, err: error }, 'request failed');
  return new ProblemError('internal_error');
}

/** A record that outgrew its bounds is the caller's mistake; anything else is the store's trouble. */
function storeProblem({ code }: StoreError, request: FastifyRequest): ProblemError {
  if (code === 'invalid') return invalidRequest([{ pointer: '', detail: 'the record would be larger than a store keeps' }]);
  request.log.warn({ requestId: request.id, storeError: code }, 'the store did not serve a data route');
  return new ProblemError('store_unavailable');
}

/**
 * The router decodes a path and drops the host of a whole address; a cache, and whoever guards a path in front of us, takes it as it
 * was written. So what a route spells out must be spelled like that, and only its parameters may be encoded.
 */
function isSpelledOut({ url, routeOptions }: FastifyRequest): boolean {
  if (!url.startsWith('/') || url.includes('#')) return false;
  const path = pathOf(url);
  return !path.includes('%') || isAt(routeOptions.url ?? '', path);
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

function allowedMethods(methodsOfRoute: ReadonlyMap<string, ReadonlySet<string>>, url: string): readonly string[] {
  const path = pathOf(url);
  const found = [...methodsOfRoute].flatMap(([route, methods]) => (isAt(route, path) ? [...methods] : []));
  return [...new Set(found)].sort();
}

function isAt(route: string, path: string): boolean {
  const wanted = route.split('/');
  const given = path.split('/');
  const open = wanted.at(-1) === '*';
  if (open ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((step, index) => step === '*' || (step.startsWith(':') ? given[index] !== '' : step === given[index]));
}

/** An address or a parameter that the router cannot read: no hook has run. */
export function answerFrameworkError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
  send: (problem: ProblemError, request: FastifyRequest, reply: FastifyReply) => FastifyReply = sendProblem,
): void {
  const problem = new ProblemError(codeOfFramework[error.code] ?? 'malformed_request');
  request.log.info(
    { method: request.method, route: null, status: problem.status, requestId: request.id, problem: problem.code },
    'request',
  );
  send(problem, request, reply);
}

const codeOfParser: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** What cannot be parsed as HTTP never becomes a request: the answer is written to the socket by hand. */
export function answerClientError(error: NodeJS.ErrnoException & { readonly rawPacket?: unknown }, socket: Socket): void {
  // Nor is there anything to write to where no handshake came about.
  if (error.code === 'ECONNRESET' || isHandshakeFailure(error)) return void socket.destroy();
  // What comes after the last request of a connection is nobody's, and Node would fail anew with each piece of it. So nothing more is
  // taken, and the answer to that request ends the connection. Whoever leaves before is noticed with the next that is written.
  if (error.code === 'HPE_CLOSED_CONNECTION') return void socket.pause();
  const isOddMethod = error.code === 'HPE_INVALID_METHOD' && startsAsRequest(error.rawPacket);
  writeBare(socket, isOddMethod ? 'method_not_implemented' : (codeOfParser[error.code ?? ''] ?? 'malformed_request'));
}

function isHandshakeFailure({ code = '' }: NodeJS.ErrnoException): boolean {
  return code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || code === 'EPROTO';
}

/** A request line that is sound but for a method which the parser does not know. */
function startsAsRequest(packet: unknown): boolean {
  if (!Buffer.isBuffer(packet)) return false;
  return /^[\w!#$%&'*+.^`|~-]{1,32} \S+ HTTP\/1\.[01]\r?\n/.test(packet.toString('latin1', 0, requestLineLooked));
}

const requestLineLooked = 2048;
/** How long somebody who was refused may take to close its half. */
const farewellMs = 1000;

/** We are no tunnel. Node would close without a word, and once it hands the socket over, its end and its errors are ours. */
export function answerConnect(_request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => socket.destroy());
  socket.resume();
  if (socket instanceof Socket) {
    socket.setTimeout(farewellMs, () => socket.destroy());
    writeBare(socket, 'method_not_implemented');
  } else {
    socket.destroy();
  }
}

/**
 * On a kept connection too: a proxy takes one that is cut for a server that has failed, and may ask it nothing for a while. But nothing is
 * written where it would be read as something else.
 */
function writeBare(socket: Socket, code: ProblemCode): void {
  if (!socket.writable || !isAwaitingAnswer(socket)) return void socket.destroy();
  const { status, headers, body } = bareAnswer(code);
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

/** Node itself answers an `Expect` it does not know, without our headers, unless somebody listens. */
export function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const { status, headers, body } = bareAnswer('expectation_failed');
  response.writeHead(status, headers).end(body);
}

function bareAnswer(code: ProblemCode) {
  const { requestId: _, ...bare } = problemBody(new ProblemError(code), '');
  const body = JSON.stringify(bare);
  return {
    status: problemTable[code].status,
    headers: {
      'Content-Type': mediaType,
      'Cache-Control': privateNoStore,
      'X-Content-Type-Options': 'nosniff',
      'Content-Length': String(Buffer.byteLength(body)),
      Connection: 'close',
    },
    body,
  };
}
