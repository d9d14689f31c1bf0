/**
 * What the service does where nothing is configured: the demo policy, its people, and a development issuer whose tokens it
 * accepts. None of it happens once a policy or a key set is given.
 */
import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import { toProfileWrite } from '../contract/records.ts';
import type { Artefact } from '../decision/artefact.ts';
import { demoDefaults, demoWrites } from '../demo/demo-writes.ts';
import { demoParties } from '../identity/mint.ts';
import type { Permission, Store, StoreWrite } from '../records/store.ts';
import { daySeconds } from '../time/units.ts';

export const demoPolicyPath = fileURLToPath(new URL('../../examples/retail.yaml', import.meta.url));

export function isDemo({ policyPath, jwksPath, jwksUrl }: Pick<Config, 'policyPath' | 'jwksPath' | 'jwksUrl'>): boolean {
  return policyPath === null && jwksPath === null && jwksUrl === null;
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
  /** The demo policy: another revision may want other people. */
  readonly artefact: Artefact;
  readonly nowMs: number;
  /** Hears of each batch: how many records are written, and of how many. */
  onProgress(written: number, total: number): void;
}

/** Enough for the stores to pipeline, little enough for a bar to move. */
const batchWrites = 1000;

/** Long enough not to load at every start, short enough that consent and vouchers, which age, are those of a living shop. */
const markerTtlSeconds = 30 * daySeconds;

/** Loads the demo's people once into each store and for each revision. False where that was done before. */
export async function loadDemoPeople({ store, artefact, nowMs, onProgress }: DemoLoading): Promise<boolean> {
  const marker = markerOf(artefact);
  if (await isMarked(store, marker)) return false;
  const writes = Array.from(demoWrites({ ...demoDefaults, nowMs }), (write) => asStored(write, artefact, nowMs));
  for (let written = 0; written < writes.length; written += batchWrites) {
    const batch: readonly StoreWrite[] = writes.slice(written, written + batchWrites);
    await store.writeBatch(batch);
    onProgress(written + batch.length, writes.length);
  }
  // Last, so that a start that was cut short is no start.
  await store.putSession(marker, { attributes: {} }, markerTtlSeconds);
  return true;
}

/**
 * That a store is filled is written in that very store, as a session that nobody can name, since ids of sessions are signed: a
 * store that was emptied or exchanged does not have it.
 */
function markerOf({ revision }: Artefact): string {
  return `demo-people ${revision} ${demoDefaults.seed} ${demoDefaults.count}`;
}

/** Such a session is about nobody, so its reading waits for nobody's consent: the one alternative asks for none. */
const nobodysSession: Permission = { alternatives: [[]], grantsCountFromMs: 0, grantsCountUntilMs: 0 };

async function isMarked(store: Store, marker: string): Promise<boolean> {
  const { session } = await store.read({
    subject: null,
    tokenId: null,
    tokenGeneration: 0,
    deviceId: null,
    resolvedLink: null,
    sessionId: marker,
    consent: false,
    profile: null,
    session: nobodysSession,
    freshnessMaxMs: 0,
  });
  return session.state === 'known';
}

/** Through the same door as everybody's profiles: checked against the policy and written in the form of the store. */
function asStored(write: StoreWrite, artefact: Artefact, nowMs: number): StoreWrite {
  if (write.kind !== 'profile') return write;
  return toProfileWrite(write.subject, { ...write.profile, ttlSeconds: write.ttlSeconds }, artefact, nowMs);
}
