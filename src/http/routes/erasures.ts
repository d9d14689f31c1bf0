/** Erasures: asked for, looked at by the id of their receipt, and lifted where somebody comes back of their own will. */
import type { FastifyInstance } from 'fastify';
import { erasureAnswer, toErasure } from '../../contract/erasures.ts';
import { ProblemError } from '../../contract/problem.ts';
import { noSuchRecord } from '../../contract/records.ts';
import { planAbout } from '../../records/store.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import type { Authority } from '../plugins/keys.ts';

export function erasureRoutes(app: FastifyInstance, { store, clock, visitorChanges }: ServiceDependencies, authority: Authority): void {
  const options = { onRequest: authority.demanding('profiles', 'erasures') };
  const url = '/v1/erasures/:id';

  app.post('/v1/erasures', options, async ({ body, headers }, reply) => {
    const { subject, ...request } = toErasure(body, headers['idempotency-key'], clock.nowMs());
    const erasure = await store.erase(subject, request);
    const { generation } = await store.read(planAbout(subject));
    await visitorChanges.ended({ subject, generations: [generation] });
    return reply.code(202).send(erasureAnswer(erasure));
  });

  app.get<{ Params: { id: string } }>(url, options, async ({ params: { id } }, reply) => {
    const erasure = await store.getErasure({ id });
    if (erasure === null) throw noSuchRecord();
    return reply.send(erasureAnswer(erasure));
  });

  app.delete<{ Params: { id: string } }>(url, options, async ({ params: { id } }, reply) => {
    const lifting = await store.liftErasure(id);
    if (lifting === 'absent') throw noSuchRecord();
    if (lifting === 'running') throw new ProblemError('erasure_running');
    return reply.code(204).send();
  });
}
