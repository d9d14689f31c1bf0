/**
 * The headers of an answer that shared caches may keep, and nothing else may carry: how long, and what it is purged by. Its validator goes
 * with them. Caches of different makes read different headers, so which of them are sent is the operator's to say.
 */
import type { FastifyReply } from 'fastify';
import { fitIntoHeader } from '../classes/tags.ts';
import { type CacheTagHeader, type CdnHeader, defaultCacheTags } from '../config.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { sendUnlessHeld, type Validated } from './validators.ts';

export interface SharedAnswer extends Validated {
  readonly maxAgeSeconds: number;
  /** For how long caches may serve it when it is older: while they fetch a new one, and while they cannot. */
  readonly grace: Grace;
  /** Each opaque: of ids that the policy's author chose for pages and zones, never of anybody or anything shown. */
  readonly tags: readonly string[];
  /** Those that cover all of it, where a header cannot hold them all. */
  readonly coarseTags: readonly string[];
}

interface Grace {
  readonly whileRevalidatingSeconds: number;
  readonly ifErrorSeconds: number;
}

/** An answer for everybody may be served a little old while a new one is fetched; one for a segment, or of no age at all, may not. */
export const noGrace: Grace = { whileRevalidatingSeconds: 0, ifErrorSeconds: 0 };
export const graceForEverybody: Grace = { whileRevalidatingSeconds: 30, ifErrorSeconds: 300 };

type Delivery = Pick<ServiceDependencies, 'cacheTags' | 'cdnHeaders'>;

/** With a status: 304 where the caller holds it already, and then too with every header that says how long. */
export function sendShared(reply: FastifyReply, ifNoneMatch: string | undefined, answer: SharedAnswer, delivery: Delivery): void {
  reply.headers(sharedHeaders(answer, delivery));
  sendUnlessHeld(reply, ifNoneMatch, answer);
}

export function sharedHeaders(answer: SharedAnswer, { cacheTags = defaultCacheTags, cdnHeaders = [] }: Delivery) {
  const { etag, maxAgeSeconds, grace, tags, coarseTags } = answer;
  const old = `stale-while-revalidate=${grace.whileRevalidatingSeconds}, stale-if-error=${grace.ifErrorSeconds}`;
  const headers: Record<string, string> = { 'cache-control': `public, max-age=0, s-maxage=${maxAgeSeconds}, ${old}`, etag };
  for (const name of cdnHeaders) headers[name] = `${lifetimeStart[name]}${maxAgeSeconds}, ${old}`;
  for (const name of cacheTags) headers[name] = tagsFor(name, tags, coarseTags);
  return headers;
}

/** RFC 9213 puts the first in the place of `Cache-Control`, so it too must say that a caller's API key keeps nobody from the answer. */
const lifetimeStart: Readonly<Record<CdnHeader, string>> = { 'cdn-cache-control': 'public, max-age=', 'surrogate-control': 'max-age=' };

const separators: Readonly<Record<CacheTagHeader, string>> = { 'surrogate-key': ' ', 'cache-tag': ',', 'edge-cache-tag': ',', xkey: ' ' };

/** All that an answer may carry for shared caches beside `Cache-Control`: whatever must not be kept takes each of them back. */
export const sharedHeaderNames: readonly string[] = ['etag', ...Object.keys(lifetimeStart), ...Object.keys(separators)];

function tagsFor(name: CacheTagHeader, tags: readonly string[], coarseTags: readonly string[]): string {
  return (fitIntoHeader(tags) ? tags : coarseTags).join(separators[name]);
}

/** As it was sent: the framework's own reading would hide repeats and order. */
export function queryOf(url: string): string {
  const mark = url.indexOf('?');
  return mark < 0 ? '' : url.slice(mark + 1);
}
