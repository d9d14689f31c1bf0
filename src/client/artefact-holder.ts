/**
 * The artefact that this device decides by: the last good one at once, a newer one as soon as it is verified. One that does not verify
 * is never used, an older one than was seen never again, and a 410 takes it away.
 */
import type { DeviceArtefact } from '../device/device-artefact.ts';
import { verified } from './artefact.ts';
import type { Keep } from './keep.ts';
import type { Reply } from './network.ts';
import { jsonOf } from './surroundings.ts';
import type { PublicKey } from './types.ts';

/** An artefact that was asked for as lately as this is new enough for a view. */
export const freshMs = 300_000;

/** No JWS: it was taken away. `iat` is that of the newest that was seen, and `askedMs` when the service last answered. */
type Kept = readonly [iat: number, askedMs: number, jws?: string, etag?: string | null, keys?: readonly PublicKey[]];

export interface ArtefactHolder {
  readonly ready: Promise<void>;
  current(): DeviceArtefact | null;
  /** Asks, if it is time; one asking at a time. Never rejects. */
  refresh(olderThanMs?: number): Promise<void>;
  drop(): void;
}

/** `ask` answers with nothing that was asked for before everything was forgotten. */
export function createArtefactHolder(
  address: string | false,
  keysAddress: string,
  pinned: readonly PublicKey[] | undefined,
  keep: Keep,
  nowMs: () => number,
  ask: (address: string, headers?: Readonly<Record<string, string>>) => Promise<Reply>,
): ArtefactHolder {
  let current: DeviceArtefact | null = null;
  let asking: Promise<void> | undefined;
  /** Who forgets is not reminded by what was on its way. */
  let age = 0;
  const kept = (): Kept => keep.read<Kept>('artefact', [0, 0]);

  async function load(): Promise<void> {
    const mine = age;
    const [iat, , jws, , keys = []] = kept();
    const artefact = address && jws ? await verified(jws, pinned ?? keys, nowMs(), iat) : null;
    if (mine === age) current ??= artefact;
  }

  async function fetchNewest(): Promise<void> {
    const mine = age;
    await ready;
    let [iat, , jws, etag, keys] = kept();
    const { status, text, etag: newEtag } = await ask(address as string, current && etag ? { 'If-None-Match': etag } : {});
    if (mine !== age || status === 0) return;
    if (status === 410) [current, jws] = [null, undefined];
    if (status === 200) {
      const said = pinned ? {} : (jsonOf((await ask(keysAddress)).text) as { readonly keys?: readonly PublicKey[] } | undefined);
      const known = pinned ?? said?.keys ?? keys ?? [];
      const newest = await verified(text, known, nowMs(), iat);
      if (mine !== age) return;
      if (newest) [current, iat, jws, etag, keys] = [newest, newest.iat, text, newEtag, known];
    }
    keep.write('artefact', [iat, nowMs(), jws, etag, keys]);
  }

  const ready = load();
  return {
    ready,
    drop() {
      age++;
      current = null;
    },
    current() {
      // Who keeps a page open for days stops with the artefact all the same.
      if (current && nowMs() / 1000 >= current.exp) current = null;
      return current;
    },
    refresh(olderThanMs = 0) {
      if (!address || nowMs() - kept()[1] < olderThanMs) return Promise.resolve();
      asking ??= fetchNewest().finally(() => {
        asking = undefined;
      });
      return asking;
    },
  };
}
