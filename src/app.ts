/** The two servers, as tables of contents: what is registered, in the order in which it takes effect. */
import type { Server, ServerOptions } from 'node:http';
import { type FastifyHttpOptions, type FastifyInstance, fastify, LogController } from 'fastify';
import type { ExampleCredentials } from './contract/openapi-examples.ts';
import { compilations } from './contract/validate.ts';
import { createGatherer } from './evidence/gather.ts';
import type { TokenVerification } from './evidence/gathering.ts';
import type { AuditLog } from './files/audit-log.ts';
import { afterListening } from './http/after-listening.ts';
import { createAskLimit } from './http/ask-limit.ts';
import { createBadKeys } from './http/bad-keys.ts';
import type { ServiceDependencies, ServiceLogger } from './http/dependencies.ts';
import { CountedResponse } from './http/exchanges.ts';
import { createKeyLimits, type KeyLimits } from './http/key-limits.ts';
import { type Managed, managedProcess, managementRoutes } from './http/management.ts';
import { createOwnMargin } from './http/own-margin.ts';
import { createParking, type Parking } from './http/parking.ts';
import { audit } from './http/plugins/audit.ts';
import { cors } from './http/plugins/cors.ts';
import { bodyBytesMax, jsonBody } from './http/plugins/json-body.ts';
import { type Authority, callers, createAuthority } from './http/plugins/keys.ts';
import { oneAtATime } from './http/plugins/one-at-a-time.ts';
import { answerClientError, answerConnect, answerExpectation, answerFrameworkError, problems, unserved } from './http/plugins/problems.ts';
import { promptClose } from './http/plugins/prompt-close.ts';
import { quietLogger, requestLog } from './http/plugins/request-log.ts';
import { safeDefaults } from './http/plugins/safe-defaults.ts';
import { createQueueGauge, type QueueGauge } from './http/queue-gauge.ts';
import { artefactRoutes } from './http/routes/artefact.ts';
import { classesRoute } from './http/routes/classes.ts';
import { consentRoutes } from './http/routes/consents.ts';
import { decideRoute } from './http/routes/decide.ts';
import { decideSharedRoute } from './http/routes/decide-shared.ts';
import { docsRoutes } from './http/routes/docs.ts';
import { erasureRoutes } from './http/routes/erasures.ts';
import { exportRoutes } from './http/routes/exports.ts';
import { gpcRoute } from './http/routes/gpc.ts';
import { identityRoutes } from './http/routes/identities.ts';
import { answerUnserved, ofrepRoutes } from './http/routes/ofrep.ts';
import { profileRoutes } from './http/routes/profiles.ts';
import { revocationRoutes } from './http/routes/revocations.ts';
import { sessionRoutes } from './http/routes/sessions.ts';
import { streamRoute } from './http/routes/stream.ts';
import { type StoreWatch, watchStore } from './http/store-watch.ts';
import { ulid } from './http/ulid.ts';
import { createVisitorChanges, noVisitorChanges } from './http/visitor-changes.ts';
import type { ArtefactKeys } from './identity/artefact-keys.ts';
import type { VisitorTokenSet } from './identity/visitor-token.ts';
import type { RateBoard } from './records/rate-board.ts';

export interface AppDependencies
  extends Omit<
    ServiceDependencies,
    | 'gatherer'
    | 'askLimit'
    | 'ownMargin'
    | 'parking'
    | 'queue'
    | 'tokenIssuer'
    | 'demoCredentials'
    | 'visitorTokens'
    | 'visitorChanges'
    | 'artefactKeys'
  > {
  readonly verifier: TokenVerification;
  /** Absent: pages open no streams. */
  readonly visitorTokens?: VisitorTokenSet | null;
  /** Absent: devices are given nothing. */
  readonly artefactKeys?: (() => ArtefactKeys) | null;
  /** The `iss` of the tokens we accept. */
  readonly tokenIssuer?: string | null;
  /** Where this is a demo: what fills the examples of `/docs`. */
  readonly demoCredentials?: (() => Promise<ExampleCredentials>) | null;
  /** What the two servers share about the store: one hears its reads, the other shows its health. Absent: each has its own. */
  readonly storeWatch?: StoreWatch;
  /** How long requests wait before they are read. Absent: as the event loop shows. */
  readonly queue?: QueueGauge;
  /** Who is left unread for a while. Absent: as turns of the event loop show. */
  readonly parking?: Parking;
  /** Null: nothing is logged. */
  readonly logger: ServiceLogger | null;
  /** Origins whose pages may call from a browser. Absent: none. */
  readonly corsOrigins?: readonly string[];
  /** Absent: plain HTTP. */
  readonly tls?: TlsMaterial | null;
  /** Where writes are recorded. Absent: nowhere. */
  readonly audit?: AuditLog | null;
  /** Where processes agree on what is left of a key's rate. Absent: each goes by the whole of it. */
  readonly openRateBoard?: (() => Promise<RateBoard>) | null;
}

/** What a server proves itself with, in PEM; and who must have signed the certificate of whoever calls. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientAuthority: Buffer | null;
}

export async function buildApp(given: AppDependencies): Promise<FastifyInstance> {
  const dependencies = toServiceDependencies(given);
  const limits = keyLimitsOf(given);
  const authority = authorityOf(given, limits);
  const app = createServer(given);

  await app.register(safeDefaults, dependencies);
  app.addHook('preClose', async () => dependencies.parking.end());
  await app.register(requestLog, given);
  await app.register(callers);
  await app.register(audit, given);
  await app.register(problems);
  await app.register(cors, given);
  await app.register(unserved);
  await app.register(promptClose, given);
  shareLimits(app, limits);
  await app.register(oneAtATime, given);
  await app.register(jsonBody);

  decideRoute(app, dependencies, authority);
  decideSharedRoute(app, dependencies, authority);
  classesRoute(app, dependencies, authority);
  ofrepRoutes(app, dependencies, authority, streamRoute(app, dependencies));
  artefactRoutes(app, dependencies, authority);
  profileRoutes(app, dependencies, authority);
  identityRoutes(app, dependencies, authority);
  consentRoutes(app, dependencies, authority);
  sessionRoutes(app, dependencies, authority);
  revocationRoutes(app, dependencies, authority);
  erasureRoutes(app, dependencies, authority);
  exportRoutes(app, dependencies, authority);
  gpcRoute(app);
  docsRoutes(app, dependencies);
  afterListening(app, given.clock, compilations());
  return app;
}

function authorityOf(given: AppDependencies, limits: KeyLimits): Authority {
  const { apiKeys, clock, telemetry } = given;
  return createAuthority({ ...given, keys: apiKeys, limits, badKeys: createBadKeys(clock), metrics: telemetry.metrics });
}

function keyLimitsOf({ apiKeys, clock, openRateBoard = null }: AppDependencies): KeyLimits {
  const keys = () => (typeof apiKeys === 'function' ? apiKeys() : (apiKeys ?? []));
  return createKeyLimits({ clock, process: ulid(clock.nowMs()), keys, openBoard: openRateBoard });
}

function shareLimits(app: FastifyInstance, limits: KeyLimits): void {
  let stop = (): void => {};
  app.addHook('onListen', (done) => {
    stop = limits.share();
    done();
  });
  app.addHook('onClose', (_app, done) => {
    stop();
    done();
  });
}

/** Never on the public port. */
export function buildManagement(given: AppDependencies): Promise<FastifyInstance> {
  return buildManagementOf(managedProcess({ ...given, storeWatch: storeWatchOf(given) }), given);
}

export async function buildManagementOf(
  managed: Managed,
  given: Pick<AppDependencies, 'clock' | 'logger' | 'queue'>,
): Promise<FastifyInstance> {
  const app = createServer({ clock: given.clock, logger: given.logger });
  await app.register(safeDefaults, { clock: given.clock, queue: given.queue ?? createQueueGauge(given) });
  await app.register(problems);
  await app.register(unserved);
  await app.register(promptClose, given);
  managementRoutes(app, managed);
  return app;
}

function toServiceDependencies(given: AppDependencies): ServiceDependencies {
  const storeWatch = storeWatchOf(given);
  const gatherer = createGatherer({
    ...given,
    store: storeWatch.reads,
    claimProof: (id, lifeMs) => given.store.claimProof(id, lifeMs),
    onStoreAsked: storeWatch.asked,
    onAbandoned: ({ from, outcome }) => given.telemetry.metrics.replyAbandoned(from, outcome),
  });
  const askLimit = createAskLimit();
  const ownMargin = createOwnMargin();
  const parking = given.parking ?? createParking(given.clock);
  const onTurn = (endMs: number, durationMs: number): void => {
    askLimit.turnEnded(endMs, durationMs);
    ownMargin.turnEnded(endMs, durationMs);
    parking.turnEnded(endMs, durationMs);
  };
  const queue = given.queue ?? createQueueGauge({ clock: given.clock, onTurn });
  const { visitorTokens = null, artefactKeys = null } = given;
  const visitorChanges = visitorTokens === null ? noVisitorChanges : createVisitorChanges({ ...given, names: visitorTokens.names });
  const visitors = { visitorTokens, visitorChanges, artefactKeys };
  return { tokenIssuer: null, demoCredentials: null, ...given, ...visitors, gatherer, askLimit, ownMargin, parking, queue };
}

function storeWatchOf({ storeWatch, store, clock }: AppDependencies): StoreWatch {
  return storeWatch ?? watchStore(store, clock);
}

/** A subject or a session id, percent-encoded at its worst: 256 characters of three bytes each. */
const paramLengthMax = 2304;

type ServerParts = Pick<AppDependencies, 'logger' | 'clock' | 'tls'>;

function createServer({ logger, clock, tls = null }: ServerParts): FastifyInstance {
  const options: FastifyHttpOptions<Server> = {
    ...(logger === null ? { logger: false } : { loggerInstance: quietLogger(logger) }),
    logController: new LogController({ disableRequestLogging: true }),
    // One logger for all requests: what a line says of its request, it says itself.
    childLoggerFactory: (parent) => parent,
    genReqId: () => ulid(clock.nowMs()),
    requestIdHeader: false,
    // A start on a machine that is busy with everything else is slow, not broken.
    pluginTimeout: 60_000,
    bodyLimit: bodyBytesMax,
    requestTimeout: 2_000,
    connectionTimeout: 5_000,
    keepAliveTimeout: 5_000,
    ...(tls === null ? { http: serverOptions } : { https: { ...serverOptions, ...tlsOptionsOf(tls) } }),
    routerOptions: {
      maxParamLength: paramLengthMax,
      caseSensitive: true,
      ignoreTrailingSlash: false,
      ignoreDuplicateSlashes: false,
      querystringParser: () => ({}),
    },
    // No route has a schema of the framework's: bodies are held against `contract`, and its compilers need not even be loaded.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    trustProxy: false,
    exposeHeadRoutes: false,
    // While closing we still answer what reaches us: the framework's own 503 comes without our headers.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    frameworkErrors: (error, request, reply) =>
      answerFrameworkError(error, request, reply, request.url.startsWith('/ofrep/v1/') ? answerUnserved : undefined),
    clientErrorHandler: answerClientError,
  };
  const app = fastify(options);
  app.server.on('checkExpectation', answerExpectation);
  app.server.on('connect', answerConnect);
  return app;
}

const serverOptions: ServerOptions = {
  ServerResponse: CountedResponse,
  headersTimeout: 1_500,
  connectionsCheckingInterval: 500,
  maxHeaderSize: 8_192,
  requireHostHeader: false,
};

/** Where an authority is named, whoever has no certificate of it gets no further than the handshake. */
export function tlsOptionsOf({ cert, key, clientAuthority }: TlsMaterial) {
  const authority = clientAuthority === null ? {} : { ca: clientAuthority, requestCert: true, rejectUnauthorized: true };
  return { cert, key, ...authority, minVersion: 'TLSv1.2', handshakeTimeout: 5_000 } as const;
}

function noCompiler(): never {
  throw new Error('the framework compiles no schemas here');
}
