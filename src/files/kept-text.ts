/** A small file that is made once and then kept: it appears whole or not at all, and only its owner may read it. */
import { randomUUID } from 'node:crypto';
import { link, readFile, unlink, writeFile } from 'node:fs/promises';

/** The file's text, or what is made where there is none. Of two processes that start at once, both get what the first one made. */
export async function keptText(path: string, make: () => string | Promise<string>): Promise<string> {
  const kept = await readIfThere(path);
  if (kept !== null) return kept;
  const made = await make();
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, made, { flag: 'wx', mode: 0o600 });
  try {
    await link(draft, path);
    return made;
  } catch (error) {
    const theirs = await readIfThere(path);
    if (theirs === null) throw error;
    return theirs;
  } finally {
    await unlink(draft);
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
