/** Exports: everything that is stored of one person, for whoever asks what is known about them. */
import type { FastifyInstance } from 'fastify';
import { exportAnswer } from '../../contract/erasures.ts';
import { checkId } from '../../contract/records.ts';
import { planAbout } from '../../records/store.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import type { Authority } from '../plugins/keys.ts';
import { policyInForce } from '../policy-in-force.ts';

export function exportRoutes(app: FastifyInstance, dependencies: ServiceDependencies, authority: Authority): void {
  const { store, clock } = dependencies;
  const options = { onRequest: authority.demanding('profiles') };

  app.get<{ Params: { subject: string } }>('/v1/exports/:subject', options, async ({ params: { subject } }, reply) => {
    checkId(subject, 'subject');
    const { artefact } = policyInForce(dependencies);
    const [profile, consent, links, { generation }, erasure] = await Promise.all([
      store.getProfile(subject),
      store.getConsent(subject),
      store.linksOf(subject),
      store.read(planAbout(subject)),
      store.getErasure({ subject }),
    ]);
    return reply.send(exportAnswer({ subject, profile, consent, links, generation, erasure }, artefact, clock.nowMs()));
  });
}
