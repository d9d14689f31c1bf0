/** Validators, of whatever may be kept and asked for again: a strong ETag over the exact bytes, and a 304 for who holds them already. */
import { hash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

export interface Validated {
  readonly body: string;
  /** Strong, in quotes. */
  readonly etag: string;
  /** Absent: JSON. */
  readonly mediaType?: string;
}

export function etagOf(body: string): string {
  return `"${hash('sha256', body, 'base64url')}"`;
}

/** Once its headers are set: 304 where the caller holds these very bytes. */
export function sendUnlessHeld(reply: FastifyReply, ifNoneMatch: string | undefined, { body, etag, mediaType = json }: Validated): void {
  if (isHeld(ifNoneMatch, etag)) reply.code(304).send();
  else reply.header('content-type', mediaType).send(body);
}

const json = 'application/json; charset=utf-8';

/** RFC 9110, 13.1.2: for a GET the weak comparison serves. Our tags hold no comma, so a list may be cut at every one. */
function isHeld(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((given) => given.trim().replace(/^W\//, '') === etag);
}
