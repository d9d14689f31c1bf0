/**
 * The directory of what a service keeps on its own machine: people's records and secrets, so nobody but its owner may look into it,
 * whatever the process' umask says. Who does not own it leaves its rights alone.
 */
import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Whatever stands there, by the beginning of its name. */
const ours = /^(store\.mdb|session-secret|audit\.ndjson|key-secret|demo-issuer\.json|policy\.last-good|key-set\.last-good|compiled-code)/;

const ownersDirectory = 0o700;
const ownersFile = 0o600;

/**
 * Makes the directory where there is none. One that is there is closed to others, unless it holds anything that is not ours: then
 * it is somebody's home or a place that many share, and closing it would take it from them.
 */
export function makeDataDirectory(path: string): void {
  const isNew = makeDirectory(resolve(path), ownersDirectory);
  if (isNew || readdirSync(path).every((name) => ours.test(name))) closeToOthers(path, ownersDirectory);
}

/** Makes the file, empty, where there is none; one that is there keeps what it holds and is closed to others. */
export function makePrivateFile(path: string): void {
  closeSync(openSync(path, 'a', ownersFile));
  closeToOthers(path, ownersFile);
}

/**
 * Whether it was made now. Step by step, because Node's own `recursive` asks for ever where a file system takes no directories and
 * says that something is missing, as `/proc` does.
 */
function makeDirectory(path: string, mode?: number): boolean {
  try {
    mkdirSync(path, mode);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST' && statSync(path).isDirectory()) return false;
    if (code !== 'ENOENT' || isThere(dirname(path))) throw error;
  }
  // Parents are nobody's secret.
  makeDirectory(dirname(path));
  return makeDirectory(path, mode);
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function closeToOthers(path: string, mode: number): void {
  const { uid, mode: given } = statSync(path);
  const isOwn = process.getuid === undefined || process.getuid() === uid;
  if (!isOwn || (given & 0o777) === mode) return;
  try {
    chmodSync(path, mode);
  } catch (error) {
    // Some file systems have no rights to change, or are read only: that is their administrator's choice.
    if (!['EPERM', 'EROFS', 'ENOTSUP', 'ENOSYS'].includes(codeOf(error) ?? '')) throw error;
  }
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error ? String(error.code) : null;
}
