/** Consent records: each put replaces the whole record of a subject. */
import type { FastifyInstance } from 'fastify';
import { toConsentWrite } from '../../contract/records.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import type { Authority } from '../plugins/keys.ts';
import { answerWrite } from './write-outcome.ts';

export function consentRoutes(app: FastifyInstance, { store, clock }: ServiceDependencies, authority: Authority): void {
  const options = { onRequest: authority.demanding('profiles') };

  app.put<{ Params: { subject: string } }>('/v1/consents/:subject', options, async (request, reply) => {
    const { subject, consent, ttlSeconds } = toConsentWrite(request.params.subject, request.body, clock.nowMs());
    return answerWrite(reply, await store.putConsent(subject, consent, ttlSeconds));
  });
}
