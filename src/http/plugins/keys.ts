/** Who may call: bearer keys, compared by their hashes in constant time, each with scopes. A key says nothing about the visitor. */
import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import type { ApiKey, KeyScope } from '../../contract/key-scopes.ts';
import { ProblemError } from '../../contract/problem.ts';

export interface Authority {
  /** Throws the problem unless the caller has one of the scopes. */
  demand(request: FastifyRequest, ...anyOf: readonly [KeyScope, ...KeyScope[]]): void;
  /** The same as a hook, before a body is read. */
  demanding(...anyOf: readonly [KeyScope, ...KeyScope[]]): onRequestHookHandler;
}

export function createAuthority(keys: readonly ApiKey[] | null): Authority {
  const hashed = keys?.map(({ sha256, scopes }): HashedKey => ({ hash: Buffer.from(sha256, 'hex'), scopes }));

  function demand(request: FastifyRequest, ...anyOf: readonly [KeyScope, ...KeyScope[]]): void {
    if (hashed === undefined) {
      if (!isLoopbackPeer(request.socket.remoteAddress)) throw new ProblemError('unauthenticated');
      if (!isLoopbackName(request.headers.host)) throw new ProblemError('host_not_allowed');
      return;
    }
    const key = matching(hashed, request.headers.authorization);
    if (key === null) throw new ProblemError('unauthenticated');
    if (!key.scopes.includes('admin') && !anyOf.some((scope) => key.scopes.includes(scope))) {
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

interface HashedKey {
  readonly hash: Buffer;
  readonly scopes: readonly string[];
}

/** Compares with every key, so that the time tells nothing about which one came close. */
function matching(keys: readonly HashedKey[], authorization: string | undefined): HashedKey | null {
  const presented = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1];
  if (presented === undefined) return null;
  const presentedHash = hash('sha256', presented, 'buffer');
  let found: HashedKey | null = null;
  for (const key of keys) {
    if (key.hash.length === presentedHash.length && timingSafeEqual(key.hash, presentedHash)) found = key;
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
