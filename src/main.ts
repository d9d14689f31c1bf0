/**
 * The process: puts the parts together, listens, and ends with grace. The only file that knows of signals, standard streams and
 * exit codes; everything it hands down is a value.
 */
import { closeSync, openSync } from 'node:fs';
import type { Server } from 'node:http';
import closeWithGrace from 'close-with-grace';
import { type Logger, pino } from 'pino';
import { type AppDependencies, buildApp, buildManagement } from './app.ts';
import type { Config } from './config.ts';
import { watchStore } from './http/store-watch.ts';
import { createSessionIds } from './identity/session-id.ts';
import { createTokenVerifier } from './identity/token.ts';
import type { Store } from './records/store.ts';
import { readApiKeys } from './start/api-keys.ts';
import { watchApprovals } from './start/approval-watch.ts';
import { CannotRun, systemSentence } from './start/cannot-run.ts';
import { createDemoCredentials } from './start/demo-credentials.ts';
import { demoPolicyPath, isDemo, loadDemoPeople } from './start/demo-mode.ts';
import { demoGreeting, urlOf } from './start/greeting.ts';
import type { HeldPolicy } from './start/held-policy.ts';
import { tokenTrustOf } from './start/key-sets.ts';
import { type OpenedStore, openStore } from './start/open-store.ts';
import { policyPublications } from './start/policy-published.ts';
import { startProgress } from './start/progress.ts';
import { openServicePolicy } from './start/service-policy.ts';
import { sessionSecretOf } from './start/session-secret.ts';
import { warmTokenVerification } from './start/warm-tokens.ts';
import { approvalStanding } from './telemetry/approvals.ts';
import { startTelemetry } from './telemetry/start.ts';
import type { ServiceState } from './telemetry/telemetry.ts';
import { systemClock } from './time/clock.ts';

const clock = systemClock;
/** From the signal to the end. A decision is never longer than its deadline, so what takes longer is stuck. */
const graceMs = 10_000;
/** One Ctrl-C may arrive twice, from the terminal and from npm; a second one after this is meant. */
const sameSignalMs = 500;
/** For a Redis that is there: the first decisions should not meet a connection still being made. No longer for one that is not. */
const connectWaitMs = 100;
/** The demo is loaded into a Redis at its first start, and that may be a container's that has just been started too. */
const demoConnectWaitMs = 1000;

export interface Service {
  readonly serviceUrl: string;
  readonly managementUrl: string;
  /** Reads the policy file again; whether it is in force now. A bad one leaves the old one in force, which then is stale. */
  reloadPolicy(): Promise<boolean>;
  /** Stops accepting, finishes what is under way, then lets go of the store. */
  close(): Promise<void>;
}

/** Serves until a signal or a fault ends the process. */
export async function serveUntilStopped(config: Config): Promise<void> {
  // To standard error: standard output is for people.
  const logger = pino({ level: config.logLevel, base: null }, pino.destination({ dest: 2, sync: false }));
  const hangups = listenToHangups();
  const service = await serve(config, logger);
  hangups.toldTo(() => void service.reloadPolicy());
  const grace = closeWithGrace({ delay: graceMs, skip: ['SIGINT', 'SIGTERM', 'SIGHUP'], logger }, async ({ err }) => {
    if (err !== undefined) logger.fatal({ err }, 'stopping after a fault');
    await service.close();
    logger.info('stopped');
  });
  stopOnSignals(logger, () => grace.close());
}

async function serve(config: Config, logger: Logger): Promise<Service> {
  const telemetry = await startTelemetry({ clock, env: process.env, warn: (message) => logger.warn(message) });
  const trust = await tokenTrustOf(config, (sentence) => logger.warn(sentence));
  // Beside the rest of the start, which mostly waits.
  const warming = trust.keySet === null ? null : warmTokenVerification(clock);
  const apiKeys = await readApiKeys(config.apiKeysPath);
  const sessionSecret = await sessionSecretOf(config.sessionSecret, config.dataDir);
  const approvals = watchApprovals(clock, ({ zone, tier, untilMs }) => {
    logger.warn({ zone, tier, expiredAt: new Date(untilMs).toISOString() }, 'an approval has expired; what it approved is served on');
  });
  let closing = false;
  const [policy, { store, connected }] = await bothOrNeither(
    openServicePolicy({
      path: config.policyPath ?? demoPolicyPath,
      // The demo's policy comes with the program, and must never stand in for a shop's own.
      keptIn: config.policyPath === null ? null : config.dataDir,
      clock,
      logger,
      onReplaced: ({ artefact }) => approvals.follow(artefact),
    }),
    openStore(config, {
      clock,
      onState(state, why) {
        // Each change is told once. The connection that we end ourselves is no loss.
        if (state === 'connected') logger.info({ state, why }, 'store');
        else if (!closing) logger.warn({ state, why }, 'store');
      },
    }),
  );
  const held = policy.current();
  const publications = await policyPublications(config, logger);
  telemetry.showService(() => serviceState(policy.current(), policy.loads));
  // The rest of the start is done meanwhile.
  const connecting = connected(connectWaitMs);
  if (config.policyPath === null) {
    await connected(demoConnectWaitMs);
    await loadDemo(store, held, logger);
  }

  const sessionIds = createSessionIds({ secret: sessionSecret, clock });
  const parts: AppDependencies = {
    clock,
    logger,
    telemetry,
    policy,
    store,
    storeWatch: watchStore(store, clock),
    sessionIds,
    verifier: createTokenVerifier({ ...trust, clock }),
    tokenIssuer: trust.issuer,
    demoCredentials: isDemo(config) ? await createDemoCredentials({ config, store, sessionIds, clock }) : null,
    apiKeys,
    publicGet: config.publicGet,
  };
  const app = await buildApp(parts);
  const management = await buildManagement(parts);

  async function close(): Promise<void> {
    closing = true;
    approvals.dispose();
    const policyClosed = policy.dispose();
    // In this order: health answers until the last decision has, and the store outlives both.
    await app.close();
    await management.close();
    await telemetry.shutdown();
    await store.close();
    await policyClosed;
  }

  await warming;
  await connecting;
  try {
    await management.listen({ host: config.managementHost, port: config.managementPort });
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    await close();
    throw new CannotRun(
      `the service cannot listen on ${config.host} port ${config.port} and ${config.managementPort}: ${systemSentence(error)}`,
    );
  }
  // From here on somebody closes the service, and with it this.
  approvals.follow(held.artefact);
  policy.follow(publications);
  const serviceUrl = urlOf(config.host, portOf(app));
  const managementUrl = urlOf(config.managementHost, portOf(management));
  logger.info({ serviceUrl, managementUrl, policy: held.artefact.policy, revision: held.artefact.revision, store: store.kind }, 'serving');
  if (isDemo(config)) {
    logger.warn('tokens of the development issuer are accepted: this is the demo, set STEPWELL_POLICY or STEPWELL_JWKS to leave it');
    process.stdout.write(demoGreeting({ artefact: held.artefact, storeKind: store.kind, serviceUrl, managementUrl }));
  }
  return { serviceUrl, managementUrl, reloadPolicy: policy.reload, close };
}

/** A store is not left open by a policy that does not load. */
async function bothOrNeither<P>(openingPolicy: Promise<P>, openingStore: Promise<OpenedStore>): Promise<readonly [P, OpenedStore]> {
  const [policy, opened] = await Promise.allSettled([openingPolicy, openingStore]);
  if (policy.status === 'fulfilled' && opened.status === 'fulfilled') return [policy.value, opened.value];
  if (opened.status === 'fulfilled') await opened.value.store.close();
  throw policy.status === 'rejected' ? policy.reason : opened.status === 'rejected' && opened.reason;
}

function serviceState({ artefact, stale }: HeldPolicy, policyLoads: ServiceState['policyLoads']): ServiceState {
  const nowMs = clock.nowMs();
  const { expired, nextExpiryMs } = approvalStanding(artefact, nowMs);
  const secondsToNextApprovalExpiry = nextExpiryMs === null ? null : Math.ceil((nextExpiryMs - nowMs) / 1000);
  return { approvalsExpired: expired, secondsToNextApprovalExpiry, policyStale: stale, policyLoads };
}

/** A store that does not answer is no reason not to serve: the demo is then anonymous until the next start. */
async function loadDemo(store: Store, { artefact }: HeldPolicy, logger: Logger): Promise<void> {
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

function portOf({ server }: { readonly server: Server }): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server that listens has a port');
  return address.port;
}

/**
 * A hangup means two things: read the policy again, or the terminal is gone. A service that a person started in a terminal ends
 * with it; any other reloads. One that comes before the service serves is kept.
 */
function listenToHangups(): { toldTo(reload: () => void): void } {
  const isAtTerminal = process.stdin.isTTY === true;
  let reload: (() => void) | null = null;
  let isDue = false;
  process.on('SIGHUP', () => {
    if (isAtTerminal && !hasTerminal()) process.kill(process.pid, 'SIGTERM');
    else if (reload === null) isDue = true;
    else reload();
  });
  return {
    toldTo(given) {
      reload = given;
      if (isDue) reload();
    },
  };
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

function stopOnSignals(logger: Logger, stop: () => unknown): void {
  let firstAtMs: number | null = null;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (firstAtMs === null) {
        firstAtMs = clock.monotonicMs();
        logger.info({ signal }, 'stopping');
        stop();
      } else if (clock.monotonicMs() - firstAtMs > sameSignalMs) {
        logger.warn({ signal }, 'stopping at once');
        process.exit(1);
      }
    });
  }
}
