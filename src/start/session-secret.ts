/** The secret that signs session ids: the configured one, or a random one that outlives the process in the data directory. */
import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CannotRun } from './cannot-run.ts';

const secretBytes = 32;

export async function sessionSecretOf(configured: string | null, dataDir: string): Promise<Uint8Array> {
  if (configured !== null) return Buffer.from(configured, 'utf8');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, 'session-secret');
  const secret = (await readSecret(path)) ?? (await makeSecret(path));
  if (secret.length !== secretBytes) throw new CannotRun(`the session secret in \`${path}\` is damaged: delete it, and a new one is made`);
  return secret;
}

/** Of two processes that start at once, one makes the secret and the other reads it: a link appears whole or not at all. */
async function makeSecret(path: string): Promise<Buffer> {
  const made = randomBytes(secretBytes);
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, `${made.toString('base64url')}\n`, { mode: 0o600 });
  try {
    await link(draft, path);
    return made;
  } catch (error) {
    const theirs = await readSecret(path);
    if (theirs === null) throw error;
    return theirs;
  } finally {
    await unlink(draft);
  }
}

async function readSecret(path: string): Promise<Buffer | null> {
  try {
    return Buffer.from((await readFile(path, 'utf8')).trim(), 'base64url');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
