/**
 * The API keys in force. The file is read again when it changes and on demand; one that cannot be read or is wrong replaces nothing, so
 * a slip of the pen locks nobody out, and lets nobody in who was not.
 */
import type { Logger } from 'pino';
import type { ApiKey } from '../contract/key-scopes.ts';
import type { Clock } from '../time/clock.ts';
import { readApiKeys } from './api-keys.ts';
import { CannotRun } from './cannot-run.ts';
import { watchFile } from './policy-watch.ts';

export interface KeyRing {
  /** The same list until there is another. */
  current(): readonly ApiKey[];
  /** One at a time. Resolves with whether the file is in force now. */
  reload(): Promise<boolean>;
  dispose(): void;
}

export interface KeyRingParts {
  readonly path: string;
  readonly clock: Pick<Clock, 'after'>;
  readonly logger: Pick<Logger, 'info' | 'error'>;
}

/** Rejects where the file cannot be used: a start without its keys is no start. */
export async function openKeyRing({ path, clock, logger }: KeyRingParts): Promise<KeyRing> {
  let keys = await readApiKeys(path);
  let text = JSON.stringify(keys);
  /** So that a file which stays wrong is told of once. */
  let refused: string | null = null;

  async function readAgain(): Promise<boolean> {
    try {
      const read = await readApiKeys(path);
      refused = null;
      if (JSON.stringify(read) === text) return true;
      tellOf(read);
      keys = read;
      text = JSON.stringify(read);
      return true;
    } catch (error) {
      const why = error instanceof CannotRun ? error.message : 'the API keys could not be read';
      if (why !== refused) logger.error({}, `${why}; the keys that were in force stay so`);
      refused = why;
      return false;
    }
  }

  /** Ids come from the operator's own file. */
  function tellOf(read: readonly ApiKey[]): void {
    const idsOf = (list: readonly ApiKey[]): readonly string[] => list.map(({ id }) => id);
    const added = idsOf(read).filter((id) => !idsOf(keys).includes(id));
    const removed = idsOf(keys).filter((id) => !idsOf(read).includes(id));
    logger.info({ keys: read.length, added, removed }, 'the API keys are in force');
  }

  let last: Promise<boolean> = Promise.resolve(true);
  const reload = (): Promise<boolean> => {
    last = last.then(readAgain);
    return last;
  };
  return { current: () => keys, reload, dispose: watchFile({ path, clock, onChange: () => void reload() }) };
}
