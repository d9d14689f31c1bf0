/** Who may call: bearer keys, compared by their hashes in constant time, each with scopes. It says nothing about the visitor. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { Problem } from '../../contract/problem.ts';

export const apiScopes = ['decide', 'explain', 'profiles', 'consents', 'erasures', 'admin'] as const;
export type ApiScope = (typeof apiScopes)[number];

export interface ApiKey {
  readonly id: string;
  /** SHA-256 of the key, in hex. */
  readonly sha256: string;
  readonly scopes: readonly ApiScope[];
}

export interface Authority {
  /** Throws a problem unless the caller has the scope. */
  require(request: FastifyRequest, scope: ApiScope): void;
}

export function createAuthority(keys: readonly ApiKey[] | null): Authority {
  const hashed = (keys ?? []).map(({ sha256, scopes }) => ({ hash: Buffer.from(sha256, 'hex'), scopes }));
  return {
    require(request, scope) {
      if (keys === null) {
        if (!isLoopbackAddress(request.socket.remoteAddress)) throw new Problem('key_required');
        return;
      }
      const key = matching(hashed, request.headers.authorization);
      if (key === null) throw new Problem('key_required');
      if (!key.scopes.includes(scope) && !key.scopes.includes('admin')) throw new Problem('scope_missing', `the key lacks the scope \`${scope}\``);
    },
  };
}

interface HashedKey {
  readonly hash: Buffer;
  readonly scopes: readonly ApiScope[];
}

/** Compares with every key, so that the time tells nothing about which one came close. */
function matching(keys: readonly HashedKey[], authorization: string | undefined): HashedKey | null {
  const presented = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1];
  if (presented === undefined) return null;
  const hash = createHash('sha256').update(presented).digest();
  let found: HashedKey | null = null;
  for (const key of keys) if (key.hash.length === hash.length && timingSafeEqual(key.hash, hash)) found = key;
  return found;
}

/** An injected request of a test has no socket address of its own: Fastify says 127.0.0.1. */
function isLoopbackAddress(address: string | undefined): boolean {
  return address === undefined ? false : address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}
