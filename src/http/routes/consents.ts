/**
 * Consent records: each put replaces the whole record of a subject, and a withdrawal denies. A put that is being written when somebody
 * withdraws writes nothing; one that comes later replaces, whatever its date.
 */
import type { FastifyInstance } from 'fastify';
import { consentAnswer, toWithdrawal, withdrawalAnswer } from '../../contract/consents.ts';
import { ProblemError } from '../../contract/problem.ts';
import { checkId, consentTtlSeconds, noSuchRecord, toConsentWrite } from '../../contract/records.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import type { Authority } from '../plugins/keys.ts';
import { answerWrite } from './write-outcome.ts';

interface OfSubject {
  readonly Params: { readonly subject: string };
}

export function consentRoutes(app: FastifyInstance, { store, clock, visitorChanges }: ServiceDependencies, authority: Authority): void {
  const options = { onRequest: authority.demanding('profiles', 'consents') };

  app.put<OfSubject>('/v1/consents/:subject', options, async (request, reply) => {
    const { subject, consent, ttlSeconds } = toConsentWrite(request.params.subject, request.body, clock.nowMs());
    const since = await store.consentGeneration(subject);
    const outcome = await store.putConsent(subject, consent, ttlSeconds, since);
    if (outcome === 'withdrawn') throw new ProblemError('consent_withdrawn_meanwhile');
    if (outcome !== 'erased') visitorChanges.changed({ subject });
    return answerWrite(reply, outcome);
  });

  app.get<OfSubject>('/v1/consents/:subject', options, async ({ params: { subject } }, reply) => {
    checkId(subject, 'subject');
    const held = await store.getConsent(subject);
    if (held === null) throw noSuchRecord();
    return reply.send(consentAnswer(held));
  });

  const withdrawing = { ...options, config: { mayLackBody: true } };
  app.post<OfSubject>('/v1/consents/:subject/withdrawals', withdrawing, async ({ params: { subject }, body }, reply) => {
    checkId(subject, 'subject');
    const useCases = toWithdrawal(body);
    const withdrawn = await store.withdrawConsent(subject, { useCases, atMs: clock.nowMs(), ttlSeconds: consentTtlSeconds });
    if (withdrawn === null) throw new ProblemError('subject_erased');
    visitorChanges.changed({ subject });
    return reply.send(withdrawalAnswer(withdrawn));
  });
}
