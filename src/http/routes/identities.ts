/** Identity links: which subject a device, or another identity of yours, belongs to. */
import type { FastifyInstance } from 'fastify';
import { toIdentityWrite } from '../../contract/records.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import type { Authority } from '../plugins/keys.ts';
import { answerWrite } from './write-outcome.ts';

export function identityRoutes(app: FastifyInstance, { store }: ServiceDependencies, authority: Authority): void {
  const options = { onRequest: authority.demanding('profiles') };

  app.put<{ Params: { namespace: string; value: string } }>('/v1/identities/:namespace/:value', options, async (request, reply) => {
    const { namespace, value, link, ttlSeconds } = toIdentityWrite(request.params, request.body);
    return answerWrite(reply, await store.putIdentity(namespace, value, link, ttlSeconds));
  });
}
