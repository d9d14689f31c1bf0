/** Sessions: a signed id of ours for one visit, and what the site learns during it. */
import type { FastifyInstance } from 'fastify';
import { toWithdrawal } from '../../contract/consents.ts';
import { rateLimited } from '../../contract/problem.ts';
import { noSuchRecord, toSession, toSessionPatch } from '../../contract/records.ts';
import { sessionLifeMaxSeconds } from '../../identity/session-id.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import type { Authority } from '../plugins/keys.ts';
import { policyInForce } from '../policy-in-force.ts';
import { createVisitorWrites } from '../visitor-writes.ts';

export function sessionRoutes(app: FastifyInstance, dependencies: ServiceDependencies, authority: Authority): void {
  const { store, sessionIds, clock, telemetry } = dependencies;
  const options = { onRequest: authority.demanding('profiles') };

  app.post('/v1/sessions', options, async (request, reply) => {
    const session = toSession(request.body, policyInForce(dependencies).artefact);
    const { sessionId, id, expiresAtMs } = sessionIds.mint(sessionLifeMaxSeconds);
    await store.putSession(id, session, sessionLifeMaxSeconds);
    return reply.code(201).send({ sessionId, expiresAt: new Date(expiresAtMs).toISOString() });
  });

  app.patch<{ Params: { sessionId: string } }>('/v1/sessions/:sessionId', options, async (request, reply) => {
    const session = toSessionPatch(request.body, policyInForce(dependencies).artefact);
    const verified = sessionIds.verify(request.params.sessionId, clock.nowMs());
    if (verified.state !== 'verified' || !(await store.patchSession(verified.id, session))) throw noSuchRecord();
    return reply.code(204).send();
  });

  const visitorWrites = createVisitorWrites(clock);

  /** The session that a visitor carries. Throws the problem where there is none, or where it has written too often. */
  function ofVisitor(sessionId: string, nowMs: number) {
    const verified = sessionIds.verify(sessionId, nowMs);
    if (verified.state !== 'verified') throw noSuchRecord();
    const waitSeconds = visitorWrites.take(verified.id);
    if (waitSeconds === null) return verified;
    telemetry.metrics.requestLimited('session');
    throw rateLimited(waitSeconds);
  }

  const ofVisitors = { config: { mayLackBody: true } };

  // No key: who carries a session id of ours is the visitor, and to take consent back must be as easy as to give it.
  app.post<{ Params: { sessionId: string } }>('/v1/sessions/:sessionId/withdrawals', ofVisitors, async ({ params, body }, reply) => {
    const nowMs = clock.nowMs();
    const verified = ofVisitor(params.sessionId, nowMs);
    await store.withdrawSessionConsent(verified.id, {
      useCases: toWithdrawal(body),
      atMs: nowMs,
      ttlSeconds: leftSeconds(verified, nowMs),
    });
    return reply.code(204).send();
  });

  // Logging out needs no key for the same reason. From now on the id is as if it had expired.
  app.delete<{ Params: { sessionId: string } }>('/v1/sessions/:sessionId', ofVisitors, async ({ params }, reply) => {
    const nowMs = clock.nowMs();
    const verified = ofVisitor(params.sessionId, nowMs);
    await store.withdrawSessionConsent(verified.id, { useCases: [], ends: true, atMs: nowMs, ttlSeconds: leftSeconds(verified, nowMs) });
    return reply.code(204).send();
  });
}

/** Of a session's life: what is said in it is kept as long as anybody can name it. */
function leftSeconds({ expiresAtMs }: { readonly expiresAtMs: number }, nowMs: number): number {
  return Math.max(1, Math.ceil((expiresAtMs - nowMs) / 1000));
}
