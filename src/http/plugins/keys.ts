/**
 * Who may call: bearer keys, compared by their hashes in constant time, each with scopes, an end and a rate. A key says nothing about
 * the visitor; what a publishable one may show is the question's to say.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { ApiKey, ApiKeys, KeyScope } from '../../contract/key-scopes.ts';
import { ProblemError, rateLimited } from '../../contract/problem.ts';
import type { LimitedBy, Metrics } from '../../telemetry/telemetry.ts';
import type { Clock } from '../../time/clock.ts';
import type { BadKeys } from '../bad-keys.ts';
import type { KeyLimits } from '../key-limits.ts';

/** Some scope; where there are several, any of them will do. */
export type Scopes = readonly [KeyScope, ...KeyScope[]];

/** Whom we let in. */
export interface Caller {
  /** Null: somebody on this machine, where no keys are configured. */
  readonly keyId: string | null;
  /** The key may be in anybody's hands. */
  readonly isPublishable: boolean;
  readonly scopes: readonly string[];
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Null: nobody asked who it is, or it is nobody we let in. */
    caller: Caller | null;
  }
  interface FastifyContextConfig {
    /** A key may come as `X-API-Key` too, as clients of other protocols send it. */
    readonly takesApiKeyHeader?: boolean;
  }
}

export const callers = fastifyPlugin(async (app: FastifyInstance) => {
  app.decorateRequest('caller', null);
});

export interface Authority {
  /** Throws the problem unless the caller has one of the scopes. */
  demand(request: FastifyRequest, ...anyOf: Scopes): void;
  /** The same as a hook, before a body is read. */
  demanding(...anyOf: Scopes): onRequestHookHandler;
}

export interface AuthorityParts {
  /** Null: loopback callers have every scope, and nobody else gets in. */
  readonly keys: ApiKeys | null;
  /** Whose pages may call where there are no keys, besides our own. */
  readonly corsOrigins?: readonly string[];
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly limits: Pick<KeyLimits, 'take'>;
  readonly badKeys: Pick<BadKeys, 'from'>;
  readonly metrics: Pick<Metrics, 'requestLimited'>;
}

export function createAuthority({ keys, corsOrigins = [], clock, limits, badKeys, metrics }: AuthorityParts): Authority {
  const hashed = keys === null ? null : hashedNow(keys);
  const listed: ReadonlySet<string> = new Set(corsOrigins);

  function admitted(request: FastifyRequest): Caller {
    if (hashed === null) return atThisMachine(request, listed);
    const key = matching(hashed(), presentedBy(request));
    if (key === null || clock.nowMs() >= (key.notAfterMs ?? Number.POSITIVE_INFINITY)) throw notAdmitted(request, key);
    const waitSeconds = limits.take(key);
    if (waitSeconds !== null) throw limited('key', waitSeconds);
    const isPublishable = key.publishable === true;
    // Whatever the file says: what anybody may read out of a page opens nothing else.
    return { keyId: key.id, isPublishable, scopes: isPublishable ? ['decide'] : key.scopes };
  }

  /** Who brings no key is told so as often as they like: it costs us nothing and tells them nothing. */
  function notAdmitted(request: FastifyRequest, expired: ApiKey | null): ProblemError {
    const waitSeconds = isWithoutKey(request) ? null : badKeys.from(request.socket.remoteAddress);
    if (waitSeconds !== null) return limited('address', waitSeconds);
    return new ProblemError('unauthenticated', expired === null ? undefined : 'the API key has expired');
  }

  function limited(why: LimitedBy, waitSeconds: number): ProblemError {
    metrics.requestLimited(why);
    return rateLimited(waitSeconds);
  }

  function demand(request: FastifyRequest, ...anyOf: Scopes): void {
    request.caller ??= admitted(request);
    const { scopes } = request.caller;
    if (!scopes.includes('admin') && !anyOf.some((scope) => scopes.includes(scope))) {
      throw new ProblemError('scope_missing', `the API key is valid and lacks the scope \`${anyOf.at(-1)}\``);
    }
  }

  return {
    demand,
    demanding:
      (...anyOf) =>
      (request, _reply, done) => {
        demand(request, ...anyOf);
        done();
      },
  };
}

const somebodyHere: Caller = { keyId: null, isPublishable: false, scopes: ['admin'] };

function atThisMachine(request: FastifyRequest, listed: ReadonlySet<string>): Caller {
  if (!isLoopbackPeer(request.socket.remoteAddress)) throw new ProblemError('unauthenticated');
  if (!isLoopbackName(request.headers.host)) throw new ProblemError('host_not_allowed');
  if (!isOwnOrListed(request, listed)) throw new ProblemError('origin_not_allowed');
  return somebodyHere;
}

/**
 * Whether no page of somebody else's asks. Any page that is open in a browser here may have it send what needs no preflight, and writes
 * are done though the page never sees the answer; what only reads, it asks for in vain. Who says neither where from nor how far is no browser.
 */
function isOwnOrListed({ headers, method }: FastifyRequest, listed: ReadonlySet<string>): boolean {
  if (method === 'GET') return true;
  const { origin, host = '' } = headers;
  if (origin === undefined) return headers['sec-fetch-site'] !== 'cross-site';
  return listed.has(origin) || /^https?:\/\/(.+)$/.exec(origin)?.[1] === host.toLowerCase();
}

interface HashedKey {
  readonly hash: Buffer;
  readonly key: ApiKey;
}

/** Made anew only when the list is another one. */
function hashedNow(keys: ApiKeys): () => readonly HashedKey[] {
  const listNow = typeof keys === 'function' ? keys : () => keys;
  let list: readonly ApiKey[] | null = null;
  let hashed: readonly HashedKey[] = [];
  return () => {
    const current = listNow();
    if (current !== list) {
      list = current;
      hashed = current.map((key) => ({ hash: Buffer.from(key.sha256, 'hex'), key }));
    }
    return hashed;
  };
}

/** Null: none, or nothing that could be a key. Two keys are one too many, for proxies disagree about which of them counts. */
function presentedBy(request: FastifyRequest): string | null {
  const { authorization } = request.headers;
  const named = apiKeyHeader(request);
  if (authorization !== undefined && named !== undefined) throw new ProblemError('malformed_request', 'send one API key, in one header');
  const shape = named === undefined ? /^Bearer ([\x21-\x7e]{1,512})$/i : /^([\x21-\x7e]{1,512})$/;
  return shape.exec(named ?? authorization ?? '')?.[1] ?? null;
}

function isWithoutKey(request: FastifyRequest): boolean {
  return request.headers.authorization === undefined && apiKeyHeader(request) === undefined;
}

/** Several lines of it are joined with what no key holds. */
function apiKeyHeader({ headers, routeOptions }: FastifyRequest): string | undefined {
  const header = headers['x-api-key'];
  if (header === undefined || routeOptions.config.takesApiKeyHeader !== true) return undefined;
  return String(header);
}

/** Compares with every key, so that the time tells nothing about which one came close. */
function matching(keys: readonly HashedKey[], presented: string | null): ApiKey | null {
  if (presented === null) return null;
  const presentedHash = hash('sha256', presented, 'buffer');
  let found: ApiKey | null = null;
  for (const { hash: known, key } of keys) {
    if (known.length === presentedHash.length && timingSafeEqual(known, presentedHash)) found = key;
  }
  return found;
}

/**
 * Whether the caller meant this machine. A web page that has its own name resolved to a loopback address (DNS rebinding) makes a
 * browser call from here, and still says that name. Who says none is no browser.
 */
export function isLoopbackName(host: string | undefined): boolean {
  return host === undefined || loopbackName.test(host);
}

const loopbackName = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

export function isLoopbackPeer(address: string | undefined): boolean {
  return address !== undefined && (address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.'));
}
