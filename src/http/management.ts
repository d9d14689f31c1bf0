/**
 * Health and metrics, on a port of their own: of this process, or of several that serve as one. A dead store makes answers
 * anonymous, so it never makes the service unready.
 */
import type { FastifyInstance } from 'fastify';
import { approvalStanding } from '../telemetry/approvals.ts';
import type { ServiceDependencies, ServingPolicy } from './dependencies.ts';
import { withSources } from './source-statuses.ts';
import type { StoreWatch } from './store-watch.ts';

/** What is looked after. */
export interface Managed {
  isReady(): boolean;
  /** What `/status` shows: about the policy and the dependencies, and about nobody. */
  status(): Promise<object>;
  /** As Prometheus text. */
  metricsText(): Promise<string>;
}

export interface ManagedProcess extends Pick<ServiceDependencies, 'policy' | 'telemetry' | 'clock'> {
  readonly storeWatch: StoreWatch;
}

/** This process by itself. */
export function managedProcess({ policy, storeWatch, telemetry, clock }: ManagedProcess): Managed {
  return {
    isReady: () => policy.current() !== null,
    async status() {
      const current = policy.current();
      const dependencies = withSources(await storeWatch.look(), current?.sources);
      return { policy: current && policyStatus(current, clock.nowMs()), dependencies };
    },
    metricsText: telemetry.metricsText,
  };
}

export function managementRoutes(app: FastifyInstance, managed: Managed): void {
  app.get('/livez', async (_request, reply) => reply.send({ live: true }));

  app.get('/readyz', async (_request, reply) => {
    const ready = managed.isReady();
    return reply.code(ready ? 200 : 503).send({ ready });
  });

  app.get('/status', async (_request, reply) => reply.send(await managed.status()));

  app.get('/metrics', async (_request, reply) => {
    return reply.header('content-type', 'text/plain; version=0.0.4; charset=utf-8').send(await managed.metricsText());
  });
}

function policyStatus({ artefact, stale, refused = [], purge = null }: ServingPolicy, nowMs: number) {
  const { expired, nextExpiryMs } = approvalStanding(artefact, nowMs);
  const nextExpiry = nextExpiryMs === null ? null : new Date(nextExpiryMs).toISOString();
  return { id: artefact.policy, revision: artefact.revision, stale, refused, purge, approvals: { expired, nextExpiry } };
}
