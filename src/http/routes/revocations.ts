/** Revocations: all tokens of a subject at once, by raising the generation they must have, or one token by its `jti`. */
import type { FastifyInstance } from 'fastify';
import { invalidRequest } from '../../contract/problem.ts';
import { toRevocation } from '../../contract/records.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import type { Authority } from '../plugins/keys.ts';

export function revocationRoutes(
  app: FastifyInstance,
  { store, tokenIssuer, visitorChanges }: ServiceDependencies,
  authority: Authority,
): void {
  const options = { onRequest: authority.demanding('profiles') };

  app.post('/v1/revocations', options, async (request, reply) => {
    const revocation = toRevocation(request.body);
    if ('subject' in revocation) {
      const generation = await store.raiseGeneration(revocation.subject);
      // And of the one before: who raised to that one may have failed before its tokens were taken back.
      await visitorChanges.ended({ subject: revocation.subject, generations: [generation - 1, generation - 2] });
      return reply.send({ generation });
    }
    if (tokenIssuer === null)
      throw invalidRequest([{ pointer: '/jti', detail: 'no token issuer is configured, so there is no token to revoke' }]);
    await store.revokeToken(`${tokenIssuer}\n${revocation.jti}`, revocation.untilMs);
    return reply.code(204).send();
  });
}
