/** Health and metrics, on a port of their own. A dead store makes answers anonymous, so it never makes the service unready. */
import type { FastifyInstance } from 'fastify';
import type { ServiceDependencies } from './dependencies.ts';
import type { StoreWatch } from './store-watch.ts';

export interface ManagementDependencies extends Pick<ServiceDependencies, 'policy' | 'telemetry'> {
  readonly storeWatch: StoreWatch;
}

export function managementRoutes(app: FastifyInstance, { policy, storeWatch, telemetry }: ManagementDependencies): void {
  app.get('/livez', async (_request, reply) => reply.send({ live: true }));

  app.get('/readyz', async (_request, reply) => {
    const ready = policy.current() !== null;
    return reply.code(ready ? 200 : 503).send({ ready });
  });

  app.get('/status', async (_request, reply) => {
    const current = policy.current();
    return reply.send({
      policy: current && { id: current.artefact.policy, revision: current.artefact.revision, stale: current.stale },
      dependencies: await storeWatch.look(),
    });
  });

  app.get('/metrics', async (_request, reply) => {
    return reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(await telemetry.metricsText());
  });
}
