/**
 * The issuer's key set in a file, read again when that changes and on demand: to rotate keys, or to take one back, nothing has to be
 * started anew. A file that cannot be read or is not fit for use replaces nothing.
 */
import { KeySetError, type KeySetInFile, loadKeySet } from '../identity/key-set.ts';
import type { Clock } from '../time/clock.ts';
import { CannotRun } from './cannot-run.ts';
import { watchFile } from './policy-watch.ts';

export interface KeySetFile {
  readonly keySet: KeySetInFile;
  /** One at a time. Resolves with whether what the file holds is in force. */
  reload(): Promise<boolean>;
  dispose(): Promise<void>;
}

export interface KeySetFileParts {
  readonly path: string;
  readonly clock: Pick<Clock, 'after'>;
  /** Hears once of a file that becomes and stays wrong. */
  readonly warn: (sentence: string) => void;
  readonly inform: (sentence: string) => void;
}

/** Rejects where the file cannot be used: a start without its issuer's keys is no start. */
export async function openKeySetFile({ path, clock, warn, inform }: KeySetFileParts): Promise<KeySetFile> {
  const keySet = await loadKeySet(path).catch((error: unknown) => {
    throw error instanceof KeySetError ? new CannotRun(`STEPWELL_JWKS: ${error.message}`) : error;
  });
  let refused: string | null = null;

  async function readAgain(): Promise<boolean> {
    try {
      if (await keySet.reload()) inform('STEPWELL_JWKS: the key set has changed');
      refused = null;
      return true;
    } catch (error) {
      const why = error instanceof KeySetError ? error.message : 'the key set cannot be used';
      if (why !== refused) warn(`STEPWELL_JWKS: ${why}; the keys that were in force stay so`);
      refused = why;
      return false;
    }
  }

  let last: Promise<boolean> = Promise.resolve(true);
  const reload = (): Promise<boolean> => {
    last = last.then(readAgain);
    return last;
  };
  const stopWatching = watchFile({ path, clock, onChange: () => void reload() });
  return {
    keySet,
    reload,
    async dispose() {
      stopWatching();
      await last;
    },
  };
}
