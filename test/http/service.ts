/** A whole service on a real embedded store and a clock that moves when told to: what every HTTP test talks to. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { onTestFinished } from 'vitest';
import { type AppDependencies, buildApp } from '../../src/app.ts';
import type { Artefact } from '../../src/decision/artefact.ts';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import { artefactKeysOf, newArtefactKey } from '../../src/identity/artefact-keys.ts';
import { keySetOf } from '../../src/identity/key-set.ts';
import { generateIssuerKeys, mintToken } from '../../src/identity/mint.ts';
import { createSessionIds } from '../../src/identity/session-id.ts';
import { createTokenVerifier } from '../../src/identity/token.ts';
import { createVisitorTokenSet } from '../../src/identity/visitor-token.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import type { Store } from '../../src/records/store.ts';
import { noTelemetry } from '../../src/telemetry/telemetry.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const parties = { issuer: 'https://issuer.example', audience: 'stepwell' } as const;

export interface TestService {
  readonly app: FastifyInstance;
  readonly parts: AppDependencies;
  readonly clock: VirtualClock;
  readonly store: Store;
  readonly artefact: Artefact;
  /** A fresh token of the test issuer. */
  tokenOf(subject: string, claims?: Readonly<Record<string, unknown>>): Promise<string>;
}

const keys = await generateIssuerKeys();
const artefactKeys = artefactKeysOf(newArtefactKey());

export function compiled(path: string, nowMs: number): Artefact {
  const { artefact, problems } = compilePolicy(readFileSync(path, 'utf8'), { file: path, nowMs });
  if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
  return artefact;
}

export async function startService(changes: Partial<AppDependencies> = {}, policyPath = 'test/http/policy.yaml'): Promise<TestService> {
  const clock = new VirtualClock();
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-http-'));
  const opened = openEmbeddedStore({ directory, clock, repeat: () => () => {} });
  const store = changes.store ?? opened;
  const artefact = compiled(policyPath, clock.nowMs());
  const keySet = await keySetOf(keys.jwks);
  const parts: AppDependencies = {
    policy: { current: () => ({ artefact, stale: false }) },
    verifier: createTokenVerifier({ keySet, ...parties, clock }),
    sessionIds: createSessionIds({ secret: Buffer.alloc(32, 7), clock }),
    visitorTokens: createVisitorTokenSet({ secret: Buffer.alloc(32, 7), clock }),
    artefactKeys: () => artefactKeys,
    clock,
    telemetry: noTelemetry,
    apiKeys: null,
    publicGet: false,
    tokenIssuer: parties.issuer,
    logger: null,
    queue: { turnMs: () => 0, lastingMs: () => 0 },
    ...changes,
    store,
  };
  const app = await buildApp(parts);
  onTestFinished(async () => {
    await app.close();
    await opened.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const tokenOf = (subject: string, claims: Readonly<Record<string, unknown>> = {}) =>
    mintToken({ ...keys, ...parties, subject, nowMs: clock.nowMs(), lifetimeSeconds: 600, claims });
  return { app, parts, clock, store, artefact, tokenOf };
}
