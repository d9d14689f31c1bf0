/**
 * The process: puts the parts together, listens, and ends with grace. Of the service's files this one alone ends the process; what
 * the process is told from outside, by signals or by a primary, comes through `start`, and everything handed down is a value.
 */
import cluster from 'node:cluster';
import type { Server } from 'node:http';
import type { Server as TlsServer } from 'node:tls';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { type AppDependencies, buildApp, buildManagement, buildManagementOf, tlsOptionsOf } from './app.ts';
import type { Config } from './config.ts';
import { afterListening } from './http/after-listening.ts';
import { type ManagedProcess, managedProcess } from './http/management.ts';
import { countsOf } from './http/source-statuses.ts';
import { watchStore } from './http/store-watch.ts';
import { createSessionIds } from './identity/session-id.ts';
import { createTokenVerifier } from './identity/token.ts';
import { createVisitorTokenSet } from './identity/visitor-token.ts';
import type { Store } from './records/store.ts';
import { createSourceKeeper } from './sources/sources.ts';
import { watchApprovals } from './start/approval-watch.ts';
import { openArtefactKeys } from './start/artefact-key-file.ts';
import { openCallers } from './start/callers.ts';
import { CannotRun, systemSentence } from './start/cannot-run.ts';
import { createDemoCredentials } from './start/demo-credentials.ts';
import { demoPolicyPath, isDemo, loadDemoPeople } from './start/demo-mode.ts';
import { type Door, drain } from './start/drain.ts';
import { demoGreeting, urlOf } from './start/greeting.ts';
import type { HeldPolicy } from './start/held-policy.ts';
import { tokenTrustOf } from './start/key-sets.ts';
import { createLogger } from './start/logger.ts';
import { type OpenedStore, openStore } from './start/open-store.ts';
import { policyPublications } from './start/policy-published.ts';
import { openServicePolicy } from './start/service-policy.ts';
import type { Serving } from './start/serving.ts';
import { sessionSecretOf } from './start/session-secret.ts';
import { listenToHangups, listenToStopping } from './start/signals.ts';
import { warmTokenVerification } from './start/warm-tokens.ts';
import { obeyPrimary } from './start/worker.ts';
import { approvalStanding } from './telemetry/approvals.ts';
import { librariesOfTelemetry, openTelemetry } from './telemetry/late.ts';
import type { ServiceState } from './telemetry/telemetry.ts';
import { systemClock } from './time/clock.ts';

const clock = systemClock;
/** From the signal to the end. A decision is never longer than its deadline, so what takes longer is stuck. */
const graceMs = 10_000;
/** As the command line has it for whatever could not run. */
const cannotRunCode = 2;
/** For a Redis that is there: the first decisions should not meet a connection still being made. No longer for one that is not. */
const connectWaitMs = 100;
/** The demo is loaded into a Redis at its first start, and that may be a container's that has just been started too. */
const demoConnectWaitMs = 1000;

type HttpServer = Awaited<ReturnType<typeof buildApp>>;

/** A service that answers, whoever looks after it. */
interface Service {
  readonly app: HttpServer;
  readonly parts: AppDependencies & ManagedProcess;
  readonly serving: Omit<Serving, 'serviceUrl'>;
  /** Reads the policy, the issuer's and the API keys and the certificates again. What is bad leaves the old in force; a policy then is stale. */
  reload(): void;
}

/** Serves until a signal or a fault ends the process, or in a worker the primary. */
export function serveUntilStopped(config: Config): Promise<void> {
  if (config.workers === 1) return serveAlone(config);
  return cluster.isWorker ? serveAsWorker(config) : serveByWorkers(config);
}

async function serveAlone(config: Config): Promise<void> {
  const logger = createLogger({ level: config.logLevel });
  const hangups = listenToHangups();
  const parts = await withParts(async (ending) => {
    const service = await openService(config, logger, ending);
    const management = await buildManagement(service.parts);
    ending.defer(() => management.close());
    closeGently(service.app, ending);
    await listen(management, config.managementHost, config.managementPort);
    await listen(service.app, config.host, config.port);
    const serving = { ...service.serving, serviceUrl: serviceUrlOf(config, service.app) };
    announce({ config, logger, serving, management });
    return service;
  });
  hangups.toldTo(() => parts.opened.reload());
  stopOnSignals(logger, endWithGrace(logger, parts.close));
}

async function serveAsWorker(config: Config): Promise<void> {
  const logger = createLogger({ level: config.logLevel, pid: process.pid });
  const primary = obeyPrimary(() => process.exit(0));
  try {
    const { opened, close } = await withParts(async (ending) => {
      const service = await openService(config, logger, ending);
      closeGently(service.app, ending, primary.door);
      await listen(service.app, config.host, config.port);
      return service;
    });
    const managed = managedProcess(opened.parts);
    primary.serves(
      { ...opened.serving, serviceUrl: serviceUrlOf(config, opened.app) },
      {
        reload: opened.reload,
        stop: endWithGrace(logger, close),
        tell: (about) => (about === 'status' ? managed.status() : managed.metricsText()),
      },
    );
  } catch (error) {
    // The primary says it to the person at the terminal.
    if (!(error instanceof CannotRun)) throw error;
    await primary.cannotRun(error.message);
    process.exit(cannotRunCode);
  }
}

async function serveByWorkers(config: Config): Promise<void> {
  // Under Node's permission model; else there is nothing to ask.
  if (process.permission?.has('child') === false) {
    throw new CannotRun('STEPWELL_WORKERS is above 1, and Node may start no processes: set NODE_OPTIONS=--allow-child-process');
  }
  const logger = createLogger({ level: config.logLevel });
  const hangups = listenToHangups();
  const { createWorkers, FirstWorkerEnded } = await import('./start/workers.ts');
  const workers = createWorkers({ count: config.workers, host: config.host, port: config.port, clock, logger });
  try {
    const { close } = await withParts(async (ending) => {
      const management = await buildManagementOf(workers, { clock, logger });
      // Health answers until the last decision has.
      ending.defer(() => management.close());
      ending.defer(() => workers.stop());
      await listen(management, config.managementHost, config.managementPort);
      announce({ config, logger, serving: await workers.start(), management });
    });
    hangups.toldTo(() => workers.reload());
    stopOnSignals(logger, endWithGrace(logger, close));
  } catch (error) {
    if (!(error instanceof FirstWorkerEnded)) throw error;
    process.exit(error.exitCode);
  }
}

/** What `open` opens is closed in the opposite order: by whoever serves, or here where it fails half-way. */
async function withParts<T>(open: (ending: AsyncDisposableStack) => Promise<T>): Promise<{ opened: T; close: () => Promise<void> }> {
  const ending = new AsyncDisposableStack();
  try {
    return { opened: await open(ending), close: () => ending.disposeAsync() };
  } catch (error) {
    // Why it failed is worth more than what else went wrong then.
    await ending.disposeAsync().catch(() => {});
    throw error;
  }
}

function endWithGrace(logger: Logger, close: () => Promise<void>): () => void {
  const grace = closeWithGrace({ delay: graceMs, skip: ['SIGINT', 'SIGTERM', 'SIGHUP'], logger }, async ({ err }) => {
    if (err !== undefined) logger.fatal({ err }, 'stopping after a fault');
    await close();
    logger.info('stopped');
  });
  let isEnding = false;
  return () => {
    if (isEnding) return;
    isEnding = true;
    grace.close();
  };
}

function stopOnSignals(logger: Logger, stop: () => void): void {
  listenToStopping(clock, {
    stop(signal) {
      logger.info({ signal }, 'stopping');
      stop();
    },
    stopAtOnce(signal) {
      logger.warn({ signal }, 'stopping at once');
      process.exit(1);
    },
  });
}

/** Everything but the ports. The last decision is given before the store is let go of. */
async function openService(config: Config, logger: Logger, ending: AsyncDisposableStack): Promise<Service> {
  const trust = await tokenTrustOf(config, {
    clock,
    random: Math.random,
    warn: (sentence) => logger.warn(sentence),
    inform: (sentence) => logger.info(sentence),
  });
  ending.defer(() => trust.dispose());
  // Beside the rest of the start, which mostly waits.
  const warming = trust.keySet === null ? null : warmTokenVerification(clock);
  const callers = ending.use(await openCallers(config, { clock, logger }));
  const sessionSecret = await sessionSecretOf(config.sessionSecret, config.dataDir);
  const artefactKeys = await openArtefactKeys(config, {
    warn: (sentence) => logger.warn(sentence),
    inform: (sentence) => logger.info(sentence),
  });
  const approvals = watchApprovals(clock, ({ zone, tier, untilMs }) => {
    logger.warn({ zone, tier, expiredAt: new Date(untilMs).toISOString() }, 'an approval has expired; what it approved is served on');
  });
  ending.defer(() => approvals.dispose());
  const { httpOrigins: origins, httpNetworks: networks } = config;
  const sources = createSourceKeeper({ environment: process.env, origins, networks, clock });
  ending.defer(() => sources.close());
  let closing = false;
  const lost = Promise.withResolvers<void>();
  const [policy, { store, connected, nearCache }] = await bothOrNeither(
    openServicePolicy({
      path: config.policyPath ?? demoPolicyPath,
      // The demo's policy comes with the program, and must never stand in for a shop's own.
      keptIn: config.policyPath === null ? null : config.dataDir,
      clock,
      logger,
      openSources: sources.sourcesFor,
      onReplaced: ({ artefact }) => approvals.follow(artefact),
    }),
    openStore(config, {
      clock,
      onState(state, why) {
        // Each change is told once. The connection that we end ourselves is no loss.
        if (state === 'disconnected') lost.resolve();
        if (state === 'connected') logger.info({ state, why }, 'store');
        else if (!closing) logger.warn({ state, why }, 'store');
      },
      onTrackingRefused: (code) =>
        logger.warn({ code }, 'Redis does not tell what changes: `freshness` above 0 has no effect, every decision asks'),
      onAnnouncementsRefused: (code) =>
        logger.warn({ code }, 'Redis lets nobody of this name hear what other processes announce: pages hear of changes here alone'),
      onDisagreement: (code) =>
        logger.error({ code }, 'Redis keeps another key secret of its records than this process goes by, or none: see STEPWELL_KEY_SECRET'),
    }),
  );
  ending.defer(() => policy.dispose());
  ending.defer(() => {
    closing = true;
    return store.close();
  });
  const telemetry = await openTelemetry({ clock, env: process.env, warn: (message) => logger.warn(message) });
  ending.defer(() => telemetry.shutdown());
  const held = policy.current();
  const publications = await policyPublications(config, logger);
  const storeWatch = watchStore(store, clock);
  const streamCount = { open: 0 };
  telemetry.showService(() => ({
    ...policyState(policy.current(), policy.loads),
    asks: [{ dependency: 'store', ...storeWatch.counts() }, ...countsOf(policy.current().sources)],
    nearCache: nearCache?.() ?? null,
    audit: callers.parts.audit,
    changeStreamsOpen: streamCount.open,
  }));
  // The rest of the start is done meanwhile.
  const connecting = Promise.race([connected(connectWaitMs), lost.promise]);
  if (config.policyPath === null) {
    await connected(demoConnectWaitMs);
    await loadDemo(store, held, logger);
  }

  const sessionIds = createSessionIds({ secret: sessionSecret, clock });
  const parts = {
    clock,
    logger,
    telemetry,
    policy,
    store,
    storeWatch,
    sessionIds,
    visitorTokens: createVisitorTokenSet({ secret: sessionSecret, clock }),
    streamCount,
    artefactKeys: artefactKeys.current,
    verifier: createTokenVerifier({ ...trust, clock }),
    tokenIssuer: trust.issuer,
    demoCredentials: isDemo(config) ? await createDemoCredentials({ config, store, sessionIds, clock }) : null,
    ...callers.parts,
    publicGet: config.publicGet,
    cacheTags: config.cacheTags,
    cdnHeaders: config.cdnHeaders,
  };
  const app = await buildApp(parts);
  // With certificates the server is one of TLS, which its type does not say.
  callers.toldTo((tls) => (app.server as unknown as TlsServer).setSecureContext(tlsOptionsOf(tls)));
  app.server.once('listening', () => trust.servedAt(serviceUrlOf(config, app)));
  afterListening(app, clock, [...librariesOfTelemetry, telemetry.load]);
  await warming;
  await connecting;
  approvals.follow(held.artefact);
  policy.follow(publications);
  const { policy: id, revision, zones } = held.artefact;
  const serving = { policy: id, revision, zones: Object.keys(zones).length, store: store.kind };
  const reload = (): void => {
    void policy.reload();
    void callers.reload();
    void artefactKeys.reload();
    void trust.reload();
  };
  return { app, parts, serving, reload };
}

/** The first thing to end: health answers until the last decision has. */
function closeGently(app: HttpServer, ending: AsyncDisposableStack, door?: Door): void {
  ending.defer(async () => {
    await drain(app.server, clock, door);
    await app.close();
  });
}

async function listen(app: HttpServer, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw new CannotRun(`the service cannot listen on ${host} port ${port}: ${systemSentence(error)}`);
  }
}

interface Announcement {
  readonly config: Config;
  readonly logger: Logger;
  readonly serving: Serving;
  readonly management: HttpServer;
}

function announce({ config, logger, serving, management }: Announcement): void {
  const managementUrl = urlOf(config.managementHost, portOf(management));
  const { serviceUrl, policy, revision, store } = serving;
  logger.info({ serviceUrl, managementUrl, policy, revision, store }, 'serving');
  if (!isDemo(config)) return;
  logger.warn('tokens of the development issuer are accepted: this is the demo, set STEPWELL_POLICY or STEPWELL_JWKS to leave it');
  process.stdout.write(demoGreeting(serving, managementUrl));
}

/** A store is not left open by a policy that does not load. */
async function bothOrNeither<P>(openingPolicy: Promise<P>, openingStore: Promise<OpenedStore>): Promise<readonly [P, OpenedStore]> {
  const [policy, opened] = await Promise.allSettled([openingPolicy, openingStore]);
  if (policy.status === 'fulfilled' && opened.status === 'fulfilled') return [policy.value, opened.value];
  if (opened.status === 'fulfilled') await opened.value.store.close();
  throw policy.status === 'rejected' ? policy.reason : opened.status === 'rejected' && opened.reason;
}

function policyState(
  { artefact, stale }: HeldPolicy,
  policyLoads: ServiceState['policyLoads'],
): Omit<ServiceState, 'nearCache' | 'asks' | 'audit'> {
  const nowMs = clock.nowMs();
  const { expired, nextExpiryMs } = approvalStanding(artefact, nowMs);
  const secondsToNextApprovalExpiry = nextExpiryMs === null ? null : Math.ceil((nextExpiryMs - nowMs) / 1000);
  return { approvalsExpired: expired, secondsToNextApprovalExpiry, policyStale: stale, policyLoads };
}

/** A store that does not answer is no reason not to serve: the demo is then anonymous until the next start. */
async function loadDemo(store: Store, { artefact }: HeldPolicy, logger: Logger): Promise<void> {
  const { startProgress } = await import('./start/progress.ts');
  const progress = startProgress('loading the demo people');
  try {
    const nowMs = clock.nowMs();
    if (await loadDemoPeople({ store, artefact, nowMs, onProgress: progress.reach })) logger.info('the demo people are loaded');
  } catch (err) {
    logger.warn({ err }, 'the demo people could not be loaded; the next start tries again');
  } finally {
    progress.stop();
  }
}

function serviceUrlOf({ host, tls }: Config, app: HttpServer): string {
  return urlOf(host, portOf(app), tls === null ? 'http' : 'https');
}

function portOf({ server }: { readonly server: Server }): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server that listens has a port');
  return address.port;
}
