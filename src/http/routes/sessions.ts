/** Sessions: a signed id of ours for one visit, and what the site learns during it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { toWithdrawal } from '../../contract/consents.ts';
import { type ProblemError, rateLimited } from '../../contract/problem.ts';
import { noSuchRecord, toSession, toSessionPatch } from '../../contract/records.ts';
import { readTokenRequest, sessionTokensAnswer } from '../../contract/session-tokens.ts';
import type { Session } from '../../decision/facts.ts';
import { sessionLifeMaxSeconds } from '../../identity/session-id.ts';
import { emptyPlan } from '../../records/store.ts';
import { createBucketTable } from '../bucket-table.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import type { Authority } from '../plugins/keys.ts';
import { policyInForce } from '../policy-in-force.ts';
import type { BucketSize } from '../token-bucket.ts';
import { createVisitorWrites } from '../visitor-writes.ts';

/** How often pages with one key may begin sessions, in one process: anybody can read the key, and each session is one that the store keeps. */
export const pageSessionSize: BucketSize = { perSecond: 50, tokensMax: 500 };
const pageKeysMax = 1_024;

export function sessionRoutes(app: FastifyInstance, dependencies: ServiceDependencies, authority: Authority): void {
  const { store, sessionIds, clock, telemetry, visitorTokens, visitorChanges } = dependencies;
  const options = { onRequest: authority.demanding('profiles') };
  const pageSessions = createBucketTable(clock, pageSessionSize, pageKeysMax);

  /** What is said in it may select content, so only who writes data may say it. Anybody who decides may begin one that is empty. */
  function admit(request: FastifyRequest, session: Session): void {
    if (Object.keys(session.attributes).length > 0) authority.demand(request, 'profiles');
    if (request.caller?.isPublishable !== true) return;
    const waitSeconds = pageSessions.take(request.caller.keyId ?? '');
    if (waitSeconds !== null) throw limited('key', waitSeconds);
  }

  app.post('/v1/sessions', { onRequest: authority.demanding('decide', 'profiles') }, async (request, reply) => {
    const session = toSession(request.body, policyInForce(dependencies).artefact);
    admit(request, session);
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
    throw limited('session', waitSeconds);
  }

  function limited(by: 'key' | 'session', waitSeconds: number): ProblemError {
    telemetry.metrics.requestLimited(by);
    return rateLimited(waitSeconds);
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
    visitorChanges.changed({ sessionId: verified.id });
    return reply.code(204).send();
  });

  // Nor does what is no more than the session itself: it hears of changes, and fetches what is the same for everybody.
  app.post<{ Params: { sessionId: string } }>('/v1/sessions/:sessionId/tokens', ofVisitors, async ({ params, body }, reply) => {
    readTokenRequest(body);
    const { id: sessionId } = ofVisitor(params.sessionId, clock.nowMs());
    const { sessionConsent } = await store.read({ ...emptyPlan, sessionId, consent: true });
    if (visitorTokens === null || sessionConsent?.ended === true) throw noSuchRecord();
    const visitor = { subject: null, sessionId };
    return reply.send(sessionTokensAnswer({ stream: visitorTokens.stream.mint(visitor), artefact: visitorTokens.artefact.mint(visitor) }));
  });

  // Logging out needs no key for the same reason. From now on the id is as if it had expired.
  app.delete<{ Params: { sessionId: string } }>('/v1/sessions/:sessionId', ofVisitors, async ({ params }, reply) => {
    const nowMs = clock.nowMs();
    const verified = ofVisitor(params.sessionId, nowMs);
    await store.withdrawSessionConsent(verified.id, { useCases: [], ends: true, atMs: nowMs, ttlSeconds: leftSeconds(verified, nowMs) });
    await visitorChanges.ended({ sessionId: verified.id });
    return reply.code(204).send();
  });
}

/** Of a session's life: what is said in it is kept as long as anybody can name it. */
function leftSeconds({ expiresAtMs }: { readonly expiresAtMs: number }, nowMs: number): number {
  return Math.max(1, Math.ceil((expiresAtMs - nowMs) / 1000));
}
