/**
 * Notices that a file has changed, however it was written: in place, by the rename that editors make, or by the exchange of a
 * linked directory as Kubernetes does. It also looks by itself now and then, since not every file system says a word.
 */
import { type FSWatcher, watch } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../time/clock.ts';

export interface FileWatchParts {
  readonly path: string;
  readonly clock: Pick<Clock, 'after'>;
  /** The file is another than before, or gone, or there again. It may be no different to its reader. */
  readonly onChange: () => void;
}

/** A file that is being written changes several times: it is read when it has been left alone for so long. */
const settleMs = 100;
/** Even a file that never rests is read after this long. */
const settleMaxMs = 1000;
const lookMs = 1000;

/** Says so once at the beginning, for what may have changed before anybody looked. Returns its `dispose`. */
export function watchFile({ path, clock, onChange }: FileWatchParts): () => void {
  const watchers = new Map<string, FSWatcher>();
  /** Null until the first look, which so finds a change. */
  let known: string | null = null;
  let looksThatChanged = 0;
  let isClosed = false;
  let isLooking = false;
  let isDue = false;
  let forget: (() => void) | null = null;
  let forgetRegular = (): void => {};

  /** One look at a time; what happens during one is looked at after it. */
  async function look(): Promise<void> {
    if (isLooking) {
      isDue = true;
      return;
    }
    isLooking = true;
    const seen = await traceOf(path);
    await watchDirectories();
    isLooking = false;
    if (isClosed) return;
    if (seen !== known) {
      known = seen;
      looksThatChanged += 1;
      // Once more when it had time to settle; a file that changes for ever is read all the same.
      if (looksThatChanged * settleMs < settleMaxMs) lookSoon();
      else tell();
    } else if (looksThatChanged > 0) tell();
    if (isDue) {
      isDue = false;
      lookSoon();
    }
  }

  function tell(): void {
    looksThatChanged = 0;
    onChange();
  }

  /** What happens until then is seen by that one look. */
  function lookSoon(): void {
    if (forget !== null || isClosed) return;
    forget = clock.after(settleMs, () => {
      forget = null;
      void look();
    });
  }

  function lookRegularly(): void {
    forgetRegular = clock.after(lookMs, () => {
      // A change that is settling is looked at soon anyway.
      if (looksThatChanged === 0) void look();
      lookRegularly();
    });
  }

  /** Of the path, and of where its links lead today. */
  async function watchDirectories(): Promise<void> {
    const target = await realpath(path).catch(() => path);
    const wanted = new Set([dirname(path), dirname(target)]);
    if (isClosed) return;
    for (const [directory, watcher] of watchers) {
      if (wanted.has(directory)) continue;
      watcher.close();
      watchers.delete(directory);
    }
    for (const directory of wanted) if (!watchers.has(directory)) watchDirectory(directory);
  }

  function watchDirectory(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, () => lookSoon());
      // Its directory has gone, or the system has no more watches: the regular look is enough.
      watcher.on('error', () => {
        watcher.close();
        watchers.delete(directory);
      });
      watchers.set(directory, watcher);
    } catch {
      // The same, at once.
    }
  }

  void look();
  lookRegularly();
  return () => {
    isClosed = true;
    forget?.();
    forgetRegular();
    for (const watcher of watchers.values()) watcher.close();
    watchers.clear();
  };
}

/** Another text for another file or another state of it; links are followed. */
async function traceOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  }
}
