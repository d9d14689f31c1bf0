/** Health and metrics, on a port of their own. A dead store makes answers anonymous, so it never makes the service unready. */
import type { FastifyInstance } from 'fastify';
import type { PolicyInForce } from '../contract/convert.ts';
import { approvalStanding } from '../telemetry/approvals.ts';
import type { ServiceDependencies } from './dependencies.ts';
import type { StoreWatch } from './store-watch.ts';

export interface ManagementDependencies extends Pick<ServiceDependencies, 'policy' | 'telemetry' | 'clock'> {
  readonly storeWatch: StoreWatch;
}

export function managementRoutes(app: FastifyInstance, { policy, storeWatch, telemetry, clock }: ManagementDependencies): void {
  app.get('/livez', async (_request, reply) => reply.send({ live: true }));

  app.get('/readyz', async (_request, reply) => {
    const ready = policy.current() !== null;
    return reply.code(ready ? 200 : 503).send({ ready });
  });

  app.get('/status', async (_request, reply) => {
    const current = policy.current();
    return reply.send({
      policy: current && policyStatus(current, clock.nowMs()),
      dependencies: await storeWatch.look(),
    });
  });

  app.get('/metrics', async (_request, reply) => {
    return reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(await telemetry.metricsText());
  });
}

function policyStatus({ artefact, stale }: PolicyInForce, nowMs: number) {
  const { expired, nextExpiryMs } = approvalStanding(artefact, nowMs);
  const nextExpiry = nextExpiryMs === null ? null : new Date(nextExpiryMs).toISOString();
  return { id: artefact.policy, revision: artefact.revision, stale, approvals: { expired, nextExpiry } };
}
