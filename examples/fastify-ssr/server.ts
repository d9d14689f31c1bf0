/**
 * A page that a Fastify server writes as its zones are decided. The head goes out at once. Boxes above the fold wait for their decision,
 * at most until `foldMs`, and are written once; boxes below it are written with what is there, and what comes later is sent after them
 * and put in place where nobody has seen the box yet.
 *
 *   node examples/fastify-ssr/server.ts
 */
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import Fastify, { type FastifyInstance } from 'fastify';
import { type Service, streamZones, warmUp } from '../shop/ask.ts';
import { aboveFold, approvedInside, box, pageEnd, pageFooter, pageStart, pageZones } from '../shop/page.ts';
import { renderZone } from '../shop/render.ts';
import type { Shown } from '../shop/zones.ts';

interface PageParts {
  readonly service: Service;
  /** From the request to the last box above the fold. */
  readonly foldMs: number;
  /** From the request to the end of the page. */
  readonly pageMs: number;
}

export function createPages(parts: PageParts): FastifyInstance {
  // What Fastify says of its own accord, that a page is not here or that a request makes no sense, is nobody's to keep.
  const refused = { 'cache-control': 'no-store' };
  const app = Fastify({ frameworkErrors: (_error, _request, reply) => void reply.raw.writeHead(400, refused).end() });
  app.addHook('onRequest', async (_, reply) => void reply.headers(refused));
  app.get('/', async (request, reply) => {
    const nonce = randomBytes(16).toString('base64');
    reply.headers({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'private, no-store',
      'content-security-policy': `default-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; script-src 'nonce-${nonce}'`,
    });
    return reply.send(Readable.from(written(parts, request.headers, nonce)));
  });
  return app;
}

async function* written({ service, foldMs, pageMs }: PageParts, visitor: IncomingHttpHeaders, nonce: string): AsyncGenerator<string> {
  const arrivals = awaitZones(service, visitor, pageMs);
  const fold = timer(foldMs);
  yield pageStart({ head: `<script nonce="${nonce}">${putInPlace}</script>\n` });

  const open = new Set<string>();
  for (const zone of pageZones) {
    if (aboveFold.has(zone)) await Promise.race([arrivals.of(zone), fold.over]);
    const shown = arrivals.now(zone);
    if (shown === undefined && !aboveFold.has(zone)) open.add(zone);
    yield box(zone, shown === undefined ? approvedInside(zone) : renderZone(zone, shown));
  }
  fold.clear();
  yield pageFooter();

  for await (const [zone, shown] of arrivals.rest(open)) {
    yield `<template data-for="${zone}">${renderZone(zone, shown)}</template><script nonce="${nonce}">putInPlace('${zone}')</script>\n`;
  }
  yield pageEnd();
}

/**
 * In the browser. Nothing in view is ever exchanged, painted or not: browsers tell of a paint (`getEntriesByType('paint')`) frames after it.
 * Its size is the box's, so nothing moves either.
 */
const putInPlace = `
function putInPlace(zone) {
  const template = document.querySelector('template[data-for="' + zone + '"]');
  const box = document.querySelector('[data-zone="' + zone + '"]');
  const { top, bottom } = box.getBoundingClientRect();
  if (top >= innerHeight || bottom <= 0) box.replaceChildren(template.content);
  template.remove();
}
`;

interface Arrivals {
  now(zone: string): Shown | undefined;
  /** Resolves when the zone is there, or when nothing more will come. */
  of(zone: string): Promise<void>;
  /** Those of `zones` that still come, as they come. */
  rest(zones: ReadonlySet<string>): AsyncGenerator<readonly [string, Shown]>;
}

/** Lines come in the order in which zones are decided, which is not the order of the page. */
function awaitZones(service: Service, visitor: IncomingHttpHeaders, budgetMs: number): Arrivals {
  const arrived = new Map<string, Shown>();
  let isOver = false;
  let change = Promise.withResolvers<void>();
  const tell = (): void => {
    change.resolve();
    change = Promise.withResolvers();
  };
  const found = (zone: string, shown: Shown): void => {
    arrived.set(zone, shown);
    tell();
  };
  void streamZones(service, visitor, { budgetMs, found }).then(() => {
    isOver = true;
    tell();
  });
  return {
    now: (zone) => arrived.get(zone),
    async of(zone) {
      while (!arrived.has(zone) && !isOver) await change.promise;
    },
    async *rest(zones) {
      const open = new Set(zones);
      for (;;) {
        // Taken first: what comes while the loop gives away what it has must not be waited for.
        const changed = change.promise;
        for (const zone of open) {
          const shown = arrived.get(zone);
          if (shown === undefined) continue;
          open.delete(zone);
          yield [zone, shown];
        }
        if (isOver || open.size === 0) return;
        await changed;
      }
    },
  };
}

function timer(ms: number): { readonly over: Promise<void>; clear(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const handle = setTimeout(resolve, ms);
  return { over: promise, clear: () => clearTimeout(handle) };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { STEPWELL_URL: url = 'http://127.0.0.1:8080', STEPWELL_KEY: key, PORT = '8083' } = process.env;
  await warmUp({ url, key });
  const address = await createPages({ service: { url, key }, foldMs: 60, pageMs: 150 }).listen({ port: Number(PORT) });
  console.log(`The shop, written as its zones are decided, on ${address}`);
}
