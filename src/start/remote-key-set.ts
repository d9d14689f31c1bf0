/**
 * The issuer's key set at an address, fetched in the background again and again: no decision ever waits for it. What it answers is
 * doubted like any other service's; only a whole set that is fit for use takes the place of the one before, which otherwise stays in
 * use for a day.
 */

import { emptyKeySet, type KeySet, KeySetError } from '../identity/key-set.ts';
import type { ResolveName } from '../sources/name-lookup.ts';
import type { Transport } from '../sources/transport.ts';
import type { Clock } from '../time/clock.ts';
import { daySeconds } from '../time/units.ts';
import { keepKeySet, readKeptKeySet } from './kept-key-set.ts';

export interface RemoteKeySet {
  readonly keySet: KeySet;
  /** Resolves when there are keys, or when the address has been asked once in vain. */
  readonly ready: Promise<void>;
  dispose(): Promise<void>;
}

export interface RemoteKeySetParts {
  /** https, or http on this machine. */
  readonly url: string;
  readonly directory: string;
  readonly clock: Clock;
  /** From 0 to 1: so that the processes of a fleet do not ask at once. */
  readonly random: () => number;
  /** Hears each change for the better or the worse, once. */
  readonly tell: (change: KeySetChange) => void;
  /** Absent: the system's. */
  readonly resolve?: ResolveName;
  /** Trusted instead of the system's authorities. */
  readonly certificateAuthority?: string | undefined;
}

export type KeySetChange =
  | { readonly kind: 'replaced' }
  | { readonly kind: 'unavailable'; readonly why: string }
  | { readonly kind: 'available' };

/** With the time an answer may take, a key that was taken back is out of use within a minute. */
export const refreshEveryMs = 50_000;
export const answerWithinMs = 5_000;
/** However many tokens name keys that nobody knows. */
export const unknownKeyPauseMs = 30_000;
const firstRetryMs = 5_000;
const answerBytesMax = 262_144;
export const goodForMs = daySeconds * 1000;

export function openRemoteKeySet(parts: RemoteKeySetParts): RemoteKeySet {
  const { url, directory, clock, random, tell } = parts;
  const keys = emptyKeySet('by number');
  let knownText: string | null = null;
  let goodSinceMs = Number.NEGATIVE_INFINITY;
  let isFailing = false;
  let failures = 0;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let dueAtMs = Number.POSITIVE_INFINITY;
  let isAsking = false;
  let isClosed = false;
  let disarm = (): void => {};
  let transport: Promise<Transport> | null = null;

  function refreshAt(atMs: number): void {
    disarm();
    dueAtMs = atMs;
    if (!isClosed) disarm = clock.after(Math.max(0, atMs - clock.monotonicMs()), () => void refresh());
  }

  async function refresh(): Promise<void> {
    disarm();
    isAsking = true;
    askedAtMs = clock.monotonicMs();
    try {
      transport ??= transportFor(parts);
      await use(await fetched(await transport, url));
      succeeded();
    } catch (error) {
      failed(error);
    }
    isAsking = false;
    refreshAt(askedAtMs + pauseMs());
  }

  async function use(jwks: unknown): Promise<void> {
    const text = JSON.stringify(jwks);
    // The same keys again: what was verified under them stays so.
    const isNew = text !== knownText;
    if (isNew) await keys.replace(jwks);
    knownText = text;
    goodSinceMs = clock.nowMs();
    if (isNew) tell({ kind: 'replaced' });
    // Without the file a start while the address does not answer knows nobody: no reason not to go on now.
    await keepKeySet(directory, { url, fetchedAtMs: goodSinceMs, jwks }).catch(() => {});
  }

  function succeeded(): void {
    failures = 0;
    if (isFailing) tell({ kind: 'available' });
    isFailing = false;
  }

  function failed(error: unknown): void {
    failures += 1;
    if (isClosed || isFailing) return;
    isFailing = true;
    tell({ kind: 'unavailable', why: reasonOf(error) });
  }

  /** A tenth earlier at most. */
  function pauseMs(): number {
    const usualMs = failures === 0 ? refreshEveryMs : Math.min(refreshEveryMs, firstRetryMs * 2 ** (failures - 1));
    return usualMs * (1 - random() / 10);
  }

  async function begin(): Promise<void> {
    const kept = await readKeptKeySet(directory, url).catch(() => null);
    if (kept !== null) {
      try {
        await keys.replace(kept.jwks);
        knownText = JSON.stringify(kept.jwks);
        // A clock that was wrong then makes nothing good for longer now.
        goodSinceMs = Math.min(kept.fetchedAtMs, clock.nowMs());
        void refresh();
        return;
      } catch {
        // Fit for use once, by an older version: fetched anew.
      }
    }
    await refresh();
  }

  return {
    keySet: {
      get revision() {
        return keys.revision;
      },
      find: (kid) => keys.find(kid),
      isStale: (nowMs) => nowMs - goodSinceMs > goodForMs,
      missed() {
        const soonestMs = askedAtMs + unknownKeyPauseMs;
        if (!isAsking && soonestMs < dueAtMs) refreshAt(Math.max(soonestMs, clock.monotonicMs()));
      },
    },
    ready: begin(),
    async dispose() {
      isClosed = true;
      disarm();
      await (await transport?.catch(() => null))?.close();
    },
  };
}

async function fetched(transport: Transport, url: string): Promise<unknown> {
  const { pathname, search } = new URL(url);
  const headers = ['accept', 'application/jwk-set+json, application/json', 'accept-encoding', 'identity'];
  const answer = await transport.exchange({ method: 'GET', path: pathname + search, headers, body: null }, answerWithinMs, true);
  if (answer.kind === 'absent') throw new KeySetError('the address answers that there is none');
  return answer.body;
}

/** Loaded with the first address, as for sources: a start without one does not wait for it. */
async function transportFor({ url, clock, resolve, certificateAuthority }: RemoteKeySetParts): Promise<Transport> {
  const [{ createTransport }, { createAddressGuard }, { sparingly, systemResolve }] = await Promise.all([
    import('../sources/transport.ts'),
    import('../sources/address-guard.ts'),
    import('../sources/name-lookup.ts'),
  ]);
  const { origin, protocol } = new URL(url);
  return createTransport({
    origin,
    connections: 1,
    maxBytes: answerBytesMax,
    // The operator named it, so it may be in a network of their own; the certificate says who it is. Without one it is this machine.
    guard: createAddressGuard(protocol === 'https:' ? ['0.0.0.0/0', '::/0'] : loopback),
    resolve: sparingly(resolve ?? systemResolve, clock),
    clock,
    certificateAuthority,
  });
}

const loopback = ['127.0.0.0/8', '::1/128'];

/** Never the address, nor anything that came from it: the keys have numbers. */
function reasonOf(error: unknown): string {
  if (error instanceof KeySetError) return error.message;
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
}
