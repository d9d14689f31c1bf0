/** What the service is built from: `main.ts` hands in the real parts, tests their own. */
import type { FastifyBaseLogger } from 'fastify';
import type { CacheTagHeader, CdnHeader } from '../config.ts';
import type { PolicyInForce } from '../contract/convert.ts';
import type { ApiKeys } from '../contract/key-scopes.ts';
import type { ExampleCredentials } from '../contract/openapi-examples.ts';
import type { Gatherer } from '../evidence/gathering.ts';
import type { ArtefactKeys } from '../identity/artefact-keys.ts';
import type { SessionIds } from '../identity/session-id.ts';
import type { VisitorTokenSet } from '../identity/visitor-token.ts';
import type { Store } from '../records/store.ts';
import type { Sources } from '../sources/sources.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Clock } from '../time/clock.ts';
import type { AskLimit } from './ask-limit.ts';
import type { StreamCount } from './change-streams.ts';
import type { OwnMargin } from './own-margin.ts';
import type { Parking } from './parking.ts';
import type { QueueGauge } from './queue-gauge.ts';
import type { VisitorChanges } from './visitor-changes.ts';

/** A policy and what it needs to be decided with. */
export interface ServingPolicy extends PolicyInForce {
  /** The HTTP services that it names. Absent: it names none. */
  readonly sources?: Sources;
  /** Why a newer one is not in force. */
  readonly refused?: readonly string[];
  /** Tags of shared answers that may be others than under the policy before it; null, or absent: none was in force here before. */
  readonly purge?: readonly string[] | null;
}

export interface ServiceDependencies {
  /** Null until a policy has loaded for the first time. */
  readonly policy: { current(): ServingPolicy | null };
  readonly store: Store;
  readonly gatherer: Gatherer;
  readonly sessionIds: SessionIds;
  /** What pages open streams and fetch artefacts with. Null: none are given, and nothing is streamed. */
  readonly visitorTokens: VisitorTokenSet | null;
  /** Told how many streams are open. */
  readonly streamCount?: StreamCount | undefined;
  /** Who hears of what changes about a visitor. */
  readonly visitorChanges: VisitorChanges;
  /** What signs what devices decide by, as it is now. Null: devices are given nothing. */
  readonly artefactKeys: (() => ArtefactKeys) | null;
  readonly askLimit: AskLimit;
  readonly queue: QueueGauge;
  readonly ownMargin: OwnMargin;
  readonly parking: Parking;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Null: loopback callers have every scope, and nobody else gets in. */
  readonly apiKeys: ApiKeys | null;
  /** Whether `GET /v1/decide` may be called without a key. */
  readonly publicGet: boolean;
  /** The headers that tell caches what an answer is purged by. Absent: `Surrogate-Key` and `Cache-Tag`. */
  readonly cacheTags?: readonly CacheTagHeader[];
  /** The headers that tell CDNs alone how long. Absent: none, `Cache-Control` says it to all. */
  readonly cdnHeaders?: readonly CdnHeader[];
  /** The `iss` of the tokens we accept: a revoked `jti` is filed under it. Null where there is none. */
  readonly tokenIssuer: string | null;
  /** What the examples of `/docs` are filled with, where this is a demo; null elsewhere. */
  readonly demoCredentials: (() => Promise<ExampleCredentials>) | null;
}

export type ServiceLogger = FastifyBaseLogger;
