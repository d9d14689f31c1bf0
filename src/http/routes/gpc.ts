/** `/.well-known/gpc.json`: the word of this service that it honours Global Privacy Control. The same for everybody, and open to all. */
import type { FastifyInstance } from 'fastify';
import { daySeconds } from '../../time/units.ts';

/** The day since which it is so; it changes only with what is honoured. */
const gpcSupport = { gpc: true, lastUpdate: '2026-11-21' } as const;

export function gpcRoute(app: FastifyInstance): void {
  const text = JSON.stringify(gpcSupport);
  app.get('/.well-known/gpc.json', async (_request, reply) =>
    reply.header('content-type', 'application/json; charset=utf-8').header('cache-control', `public, max-age=${daySeconds}`).send(text),
  );
}
