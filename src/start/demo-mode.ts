/**
 * What the service does where nothing is configured: the demo policy, its people, and a development issuer whose tokens it
 * accepts. None of it happens once a policy or a key set is given.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import { toProfileWrite } from '../contract/records.ts';
import type { Artefact } from '../decision/artefact.ts';
import { demoDefaults, demoWrites } from '../demo/demo-writes.ts';
import { demoParties } from '../identity/mint.ts';
import type { Store, StoreWrite } from '../records/store.ts';

export const demoPolicyPath = fileURLToPath(new URL('../../examples/retail.yaml', import.meta.url));

export function isDemo({ policyPath, jwksPath }: Pick<Config, 'policyPath' | 'jwksPath'>): boolean {
  return policyPath === null && jwksPath === null;
}

/** Whom a demo token is from and for. */
export function demoPartiesOf({ tokenIssuer, tokenAudience }: Pick<Config, 'tokenIssuer' | 'tokenAudience'>): {
  readonly issuer: string;
  readonly audience: string;
} {
  return { issuer: tokenIssuer ?? demoParties.issuer, audience: tokenAudience ?? demoParties.audience };
}

export interface DemoLoading {
  readonly store: Store;
  readonly dataDir: string;
  /** The demo policy: another revision may want other people. */
  readonly artefact: Artefact;
  readonly nowMs: number;
  /** Hears of each batch: how many records are written, and of how many. */
  onProgress(written: number, total: number): void;
}

/** Enough for the stores to pipeline, little enough for a bar to move. */
const batchWrites = 1000;

/** Loads the demo's people once for each store and revision. False where that was done before. */
export async function loadDemoPeople({ store, dataDir, artefact, nowMs, onProgress }: DemoLoading): Promise<boolean> {
  const marker = join(dataDir, `demo-people-${store.kind}.json`);
  const done = JSON.stringify({ revision: artefact.revision, ...demoDefaults });
  if ((await readIfThere(marker)) === done) return false;
  const writes = Array.from(demoWrites({ ...demoDefaults, nowMs }), (write) => asStored(write, artefact));
  for (let written = 0; written < writes.length; written += batchWrites) {
    const batch: readonly StoreWrite[] = writes.slice(written, written + batchWrites);
    await store.writeBatch(batch);
    onProgress(written + batch.length, writes.length);
  }
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(marker, done);
  return true;
}

/** Through the same door as everybody's profiles: checked against the policy and written in the form of the store. */
function asStored(write: StoreWrite, artefact: Artefact): StoreWrite {
  return write.kind === 'profile' ? toProfileWrite(write.subject, { ...write.profile, ttlSeconds: write.ttlSeconds }, artefact) : write;
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return null;
  }
}
