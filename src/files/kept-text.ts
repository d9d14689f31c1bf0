/**
 * A small file that is made once and then kept: it appears whole or not at all, also over a loss of power, and only its owner may read
 * it.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, linkSync, openSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { link, open, readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncDirectory, syncDirectoryNow, writeThrough } from './replaced-file.ts';

/** The file's text, or what is made where there is none. Of two processes that start at once, both get what the first one made. */
export async function keptText(path: string, make: () => string | Promise<string>): Promise<string> {
  const kept = await readIfThere(path);
  if (kept !== null) return kept;
  const made = await make();
  const draft = `${path}.${randomUUID()}`;
  const handle = await open(draft, writeThrough, 0o600);
  try {
    await handle.writeFile(made).finally(() => handle.close());
    await link(draft, path);
    await syncDirectory(dirname(path));
    return made;
  } catch (error) {
    const theirs = await readIfThere(path);
    if (theirs === null) throw error;
    return theirs;
  } finally {
    await unlink(draft);
  }
}

/** The same, for who opens a store: that is done in one turn. */
export function keptTextSync(path: string, make: () => string): string {
  const kept = readIfThereSync(path);
  if (kept !== null) return kept;
  const made = make();
  const draft = `${path}.${randomUUID()}`;
  const descriptor = openSync(draft, writeThrough, 0o600);
  try {
    try {
      writeFileSync(descriptor, made);
    } finally {
      closeSync(descriptor);
    }
    linkSync(draft, path);
    syncDirectoryNow(dirname(path));
    return made;
  } catch (error) {
    const theirs = readIfThereSync(path);
    if (theirs === null) throw error;
    return theirs;
  } finally {
    unlinkSync(draft);
  }
}

function readIfThereSync(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
