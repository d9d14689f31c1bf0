/** What the service is built from: `main.ts` hands in the real ones, tests their own. */
import type { FastifyBaseLogger } from 'fastify';
import type { Artefact } from '../decision/artefact.ts';
import type { Gatherer } from '../evidence/gather.ts';
import type { SessionIds } from '../identity/session-id.ts';
import type { Store } from '../records/store.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Clock } from '../time/clock.ts';
import type { ApiKey } from './plugins/keys.ts';

export interface AppDependencies {
  /** Null until a policy has loaded for the first time. */
  readonly policy: { current(): { readonly artefact: Artefact; readonly stale: boolean } | null };
  readonly store: Store;
  readonly gatherer: Gatherer;
  readonly sessionIds: SessionIds;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Null: loopback callers have every scope, and nobody else gets in. */
  readonly apiKeys: readonly ApiKey[] | null;
  /** Whether `GET /v1/decide` may be called without a key. */
  readonly publicGet: boolean;
  /** The `iss` of the tokens we accept; null when none is configured. */
  readonly tokenIssuer: string | null;
  readonly logger: FastifyBaseLogger | null;
}
