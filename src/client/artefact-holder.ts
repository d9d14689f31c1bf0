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

type Keys = readonly PublicKey[];
/** No JWS: it was taken away. `iat` is that of the newest that was seen, and `askedMs` when the service last answered. */
type Kept = readonly [iat: number, askedMs: number, jws?: string | undefined, keys?: Keys | undefined];

export interface ArtefactHolder {
  readonly ready: Promise<void>;
  current(): DeviceArtefact | undefined;
  /** Asks, where nobody has for so long, and else goes by what is kept; one asking at a time. Never rejects. */
  refresh(olderThanMs?: number): Promise<void>;
}

export function createArtefactHolder(
  address: string | false,
  keysAddress: string,
  pinned: Keys | undefined,
  keep: Keep,
  nowMs: () => number,
  ask: (address: string) => Promise<Reply>,
): ArtefactHolder {
  let current: DeviceArtefact | undefined;
  let asking: Promise<void> | undefined;
  const kept = (): Kept => keep.read<Kept>('artefact', [0, 0]);

  async function load(): Promise<void> {
    const of = keep.age;
    const [, , jws, keys] = kept();
    const artefact = address && (await verified(jws, pinned ?? keys, nowMs()));
    current = (of === keep.age && artefact) || undefined;
  }

  /** A browser asks with the ETag of what its own cache holds. */
  async function fetchNewest(): Promise<void> {
    const of = keep.age;
    const [, before] = kept();
    await ready;
    const { status, text } = await ask(address as string);
    // What is new is held against the list of now: a key that was taken back is on none.
    const listed = status === 200 && (pinned ?? (jsonOf((await ask(keysAddress)).text) as { readonly keys?: Keys } | undefined)?.keys);
    const newest = listed && (await verified(text, listed, nowMs()));
    let [iat, askedMs, jws, keys] = kept();
    // Who forgot is not reminded by what was on its way, and another tab may have heard what is newer.
    if (of === keep.age && status && askedMs === before) {
      if (status === 410) jws = undefined;
      if (newest && newest.iat >= iat) [iat, jws] = [newest.iat, text];
      keep.write('artefact', [iat, nowMs(), jws, listed || keys]);
    }
    return load();
  }

  const ready = load();
  return {
    ready,
    current() {
      // Who keeps a page open for days stops with the artefact all the same.
      return current && nowMs() / 1000 < current.exp ? current : undefined;
    },
    refresh(olderThanMs = 0) {
      // A clock that was set back says nothing of when that was.
      if (!address || Math.abs(nowMs() - kept()[1]) < olderThanMs) return load();
      asking ??= fetchNewest().finally(() => {
        asking = undefined;
      });
      return asking;
    },
  };
}
