/** The service that a case is asked of: real sockets, a real embedded store, the case's own policy, and a clock that stands at the case's instant. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { buildApp } from '../../src/app.ts';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import { keySetOf } from '../../src/identity/key-set.ts';
import { generateIssuerKeys, mintToken } from '../../src/identity/mint.ts';
import { createSessionIds, type SessionIds } from '../../src/identity/session-id.ts';
import { createTokenVerifier } from '../../src/identity/token.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import type { Store } from '../../src/records/store.ts';
import { createSourceKeeper } from '../../src/sources/sources.ts';
import { noTelemetry } from '../../src/telemetry/telemetry.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import type { ConformanceCase } from './assemble.ts';
import { policyText } from './corpus.ts';
import { startServices, withServicesAt } from './services.ts';
import { troubled, withBudgets } from './troubled-store.ts';

const parties = { issuer: 'https://issuer.example', audience: 'stepwell' } as const;
const keys = await generateIssuerKeys();
const keySet = await keySetOf(keys.jwks);

export interface CaseService {
  readonly clock: VirtualClock;
  readonly sessionIds: SessionIds;
  readonly revision: string;
  /** Resolves when a read of the store waits for the clock. */
  readonly waiting: Promise<void>;
  /** Resolves when a service that the policy names does not answer. */
  readonly unanswered: Promise<void>;
  request(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  mint(token: { subject: string; issuedAtMs: number; claims: Readonly<Record<string, unknown>> }): Promise<string>;
}

/** `spoil`: a planted fault in what the store reads. */
export async function startCaseService(given: ConformanceCase, spoil: (store: Store) => Store = (store) => store): Promise<CaseService> {
  const clock = new VirtualClock(Date.parse(given.at));
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-conformance-'));
  const opened = openEmbeddedStore({ directory, clock, repeat: () => () => {} });
  const { store, waiting } = troubled(spoil(opened), given.trouble, clock);
  const services = await startServices(given);
  const { artefact, problems } = compilePolicy(withServicesAt(services.origin, withBudgets(policyText(given), given.trouble)), {
    file: `${given.policy}.json`,
    nowMs: clock.nowMs(),
  });
  if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
  const keeper = createSourceKeeper({ environment: {}, origins: [services.origin], networks: ['127.0.0.0/8'], clock });
  const sources = await keeper.sourcesFor(artefact);
  const sessionIds = createSessionIds({ secret: Buffer.alloc(32, 7), clock });
  const app = await buildApp({
    policy: { current: () => ({ artefact, stale: false, sources }) },
    store,
    verifier: createTokenVerifier({ keySet, ...parties, clock }),
    sessionIds,
    clock,
    telemetry: noTelemetry,
    apiKeys: null,
    publicGet: false,
    tokenIssuer: parties.issuer,
    logger: null,
  });
  onTestFinished(async () => {
    await app.close();
    await keeper.close();
    await services.close();
    await opened.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    clock,
    sessionIds,
    revision: artefact.revision,
    waiting,
    unanswered: services.waiting,
    request: (method, path, body, headers = {}) =>
      fetch(`${address}${path}`, {
        method,
        headers: { connection: 'close', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    mint: ({ subject, issuedAtMs, claims }) => mintToken({ ...keys, ...parties, subject, nowMs: issuedAtMs, lifetimeSeconds: 600, claims }),
  };
}
