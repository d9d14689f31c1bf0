/**
 * The key that signs what devices decide by: the operator's file, read again on demand, or a key of our own in the data directory. Replicas
 * that do not share a data directory need one file for all of them, or a device would take each other's artefacts for forged.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDataDirectory } from '../files/data-directory.ts';
import { keptText } from '../files/kept-text.ts';
import { ArtefactKeyError, type ArtefactKeys, artefactKeysOf, newArtefactKey } from '../identity/artefact-keys.ts';
import { CannotRun, dataDirectoryFailure, systemSentence } from './cannot-run.ts';

export interface ArtefactKeyFile {
  current(): ArtefactKeys;
  /** Reads the operator's file again. One that is not fit for use replaces nothing. */
  reload(): Promise<void>;
}

export interface ArtefactKeyParts {
  readonly warn: (sentence: string) => void;
  readonly inform: (sentence: string) => void;
}

interface Place {
  readonly artefactKeyPath: string | null;
  readonly dataDir: string;
}

/** A file is a JWK or a few of them. */
const charactersMax = 65_536;

export async function openArtefactKeys(
  { artefactKeyPath: path, dataDir }: Place,
  { warn, inform }: ArtefactKeyParts,
): Promise<ArtefactKeyFile> {
  if (path === null) {
    const kept = await keptIn(dataDir);
    return { current: () => kept, reload: async () => {} };
  }
  let { text, keys } = await readFrom(path);
  return {
    current: () => keys,
    async reload() {
      try {
        const next = await readFrom(path);
        if (next.text !== text) inform('STEPWELL_ARTEFACT_KEY: the keys have changed');
        ({ text, keys } = next);
      } catch (error) {
        if (!(error instanceof CannotRun)) throw error;
        warn(`${error.message}; the keys that were in force stay so`);
      }
    },
  };
}

async function readFrom(path: string): Promise<{ readonly text: string; readonly keys: ArtefactKeys }> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new CannotRun(`STEPWELL_ARTEFACT_KEY: \`${path}\` cannot be read: ${systemSentence(error)}`);
  });
  if (text.length > charactersMax) throw new CannotRun(`STEPWELL_ARTEFACT_KEY: \`${path}\` is larger than ${charactersMax} characters`);
  try {
    return { text, keys: artefactKeysOf(text) };
  } catch (error) {
    throw error instanceof ArtefactKeyError ? new CannotRun(`STEPWELL_ARTEFACT_KEY: \`${path}\`: ${error.message}`) : error;
  }
}

async function keptIn(dataDir: string): Promise<ArtefactKeys> {
  const path = join(dataDir, 'artefact-key.json');
  try {
    makeDataDirectory(dataDir);
    return artefactKeysOf(await keptText(path, newArtefactKey));
  } catch (error) {
    if (error instanceof ArtefactKeyError)
      throw new CannotRun(`the artefact key in \`${path}\` is damaged: delete it, and a new one is made`);
    throw dataDirectoryFailure(dataDir, error);
  }
}
