/** Profiles: put, get and delete what is known about a subject, held against the policy's declarations. */
import type { FastifyInstance } from 'fastify';
import { writtenAttributes } from '../../contract/attributes.ts';
import { checkId, noSuchRecord, toProfileWrite } from '../../contract/records.ts';
import { livingProfile } from '../../records/retention.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import type { Authority } from '../plugins/keys.ts';
import { policyInForce } from '../policy-in-force.ts';
import { answerWrite } from './write-outcome.ts';

export function profileRoutes(app: FastifyInstance, dependencies: ServiceDependencies, authority: Authority): void {
  const { store, clock } = dependencies;
  const options = { onRequest: authority.demanding('profiles') };
  const url = '/v1/profiles/:subject';

  app.put<{ Params: { subject: string } }>(url, options, async (request, reply) => {
    const { artefact } = policyInForce(dependencies);
    const { subject, profile, ttlSeconds } = toProfileWrite(request.params.subject, request.body, artefact, clock.nowMs());
    return answerWrite(reply, await store.putProfile(subject, profile, ttlSeconds));
  });

  app.get<{ Params: { subject: string } }>(url, options, async ({ params: { subject } }, reply) => {
    checkId(subject, 'subject');
    const { artefact } = policyInForce(dependencies);
    const stored = await store.getProfile(subject);
    if (stored === null) throw noSuchRecord();
    const nowMs = clock.nowMs();
    const { attributes, audiences } = livingProfile(stored, nowMs);
    const ttlSeconds = Math.max(1, Math.ceil((stored.expiresAtMs - nowMs) / 1000));
    return reply.send({ attributes: writtenAttributes(attributes, artefact.attributes.profile), audiences, ttlSeconds });
  });

  app.delete<{ Params: { subject: string } }>(url, options, async ({ params: { subject } }, reply) => {
    checkId(subject, 'subject');
    if (!(await store.deleteProfile(subject))) throw noSuchRecord();
    return reply.code(204).send();
  });
}
