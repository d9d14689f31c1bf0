/**
 * A file that is written anew again and again: whole or not at all, also over a loss of power, and readable by its owner only. Of
 * several who write at once the last one counts.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, constants, fsyncSync, openSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Under Node's permission model nobody may call `fsync`; a file that is opened to write through needs none. */
export const writeThrough = constants.O_SYNC | constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

/** The pieces, one after another. The directory must be there. */
export async function replaceFile(path: string, pieces: Iterable<string | Uint8Array>): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  try {
    await write(draft, pieces);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

async function write(path: string, pieces: Iterable<string | Uint8Array>): Promise<void> {
  const handle = await open(path, writeThrough, 0o600);
  try {
    for (const piece of pieces) await handle.writeFile(piece);
  } finally {
    await handle.close();
  }
}

/**
 * A new name is on disk once its directory is. Where that may not be asked for, a loss of power within the next seconds can bring the
 * file before back, and that one is whole too.
 */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!isForbidden(error)) throw error;
  } finally {
    await handle.close();
  }
}

/** The same, for who does all in one turn. */
export function syncDirectoryNow(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } catch (error) {
    if (!isForbidden(error)) throw error;
  } finally {
    closeSync(descriptor);
  }
}

function isForbidden(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED';
}
