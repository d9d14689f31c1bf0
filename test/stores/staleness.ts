/**
 * A race between one who withdraws and grants again and again and many who read: what each read saw, when each write was acknowledged,
 * and which reads saw what they should not have seen any more. Times are the system's monotonic clock, which its processes share.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Permission, ReadPlan, Store } from '../../src/records/store.ts';
import { daySeconds } from '../../src/time/units.ts';

const subject = 'anna';

/** Of the stored consent, and of nothing in the request. */
const onStoredGrant: Permission = {
  alternatives: [[{ useCase: 'content_personalization', granted: false, supersedesBeforeMs: null }]],
  grantsCountFromMs: 0,
  grantsCountUntilMs: Number.MAX_SAFE_INTEGER,
};

export interface Read {
  readonly startedAtMs: number;
  /** How often consent had been said when what was read was true. */
  readonly said: number;
  /** The profile's, where it was read. */
  readonly profile: number | null;
}

export interface Written {
  /** Of each write in turn. */
  readonly consentAckedAtMs: readonly number[];
  readonly profileAckedAtMs: readonly number[];
}

function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Reads until it is told to stop; `atOnce` at a time. */
export async function readOften(store: Pick<Store, 'read'>, { freshnessMaxMs, until }: { freshnessMaxMs: number; until: () => boolean }) {
  const plan: ReadPlan = {
    subject,
    tokenId: null,
    tokenGeneration: 0,
    deviceId: null,
    resolvedLink: null,
    sessionId: null,
    consent: true,
    profile: onStoredGrant,
    session: null,
    freshnessMaxMs,
  };
  const reads: Read[] = [];
  const readOne = async (): Promise<void> => {
    const startedAtMs = sharedNowMs();
    const { consent, profile } = await store.read(plan);
    const seen = profile.state === 'known' ? Number(profile.value.attributes.n) : null;
    reads.push({ startedAtMs, said: consent?.recordedAtMs ?? 0, profile: seen });
  };
  while (!until()) {
    await Promise.all(Array.from({ length: atOnce }, readOne));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return reads;
}

const atOnce = 4;

/** Says yes with every even number and no with every odd one, and after each writes a profile of that number. */
export async function writeOften(store: Store, until: () => boolean): Promise<Written> {
  const consentAckedAtMs: number[] = [];
  const profileAckedAtMs: number[] = [];
  for (let n = 1; !until(); n += 1) {
    const state = n % 2 === 0 ? 'granted' : 'denied';
    await store.putConsent(subject, { useCases: { content_personalization: state }, recordedAtMs: n }, daySeconds);
    consentAckedAtMs.push(sharedNowMs());
    await store.putProfile(subject, { attributes: { n }, audiences: [] }, daySeconds);
    profileAckedAtMs.push(sharedNowMs());
    await new Promise((resolve) => setTimeout(resolve, n % 3));
  }
  return { consentAckedAtMs, profileAckedAtMs };
}

/** The reads that saw something older than what was acknowledged `maxMs` before they began, or a profile against what they saw said. */
export function staleReads(reads: readonly Read[], written: Written, maxMs: number): readonly Read[] {
  return reads.filter(({ startedAtMs, said, profile }) => {
    const mustHaveSeen = (ackedAtMs: readonly number[]): number => countUntil(ackedAtMs, startedAtMs - maxMs);
    if (said < mustHaveSeen(written.consentAckedAtMs)) return true;
    return profile !== null && (said % 2 !== 0 || profile < mustHaveSeen(written.profileAckedAtMs));
  });
}

/** How many of the ascending instants have passed. */
function countUntil(instants: readonly number[], atMs: number): number {
  let [from, to] = [0, instants.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((instants[middle] ?? 0) <= atMs) from = middle + 1;
    else to = middle;
  }
  return from;
}

export interface ReadingProcess {
  stop(): Promise<readonly Read[]>;
}

/** Another process with a store and a near cache of its own. Resolves once it reads. */
export async function startReadingProcess(url: string, freshnessMaxMs: number): Promise<ReadingProcess> {
  const child = fork(fileURLToPath(new URL('reading-process.ts', import.meta.url)), [url, String(freshnessMaxMs)]);
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  await said(child, 'reading');
  return {
    async stop() {
      const reads = said(child, 'reads');
      child.send('stop');
      const { values } = await reads;
      process.off('exit', kill);
      child.disconnect();
      return values;
    },
  };
}

function said(child: ChildProcess, what: string): Promise<{ readonly values: readonly Read[] }> {
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`the reading process ended before it said \`${what}\``)));
    child.on('message', (message: { readonly what: string; readonly values: readonly Read[] }) => {
      if (message.what === what) resolve(message);
    });
  });
}
