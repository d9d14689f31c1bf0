/** The secret that signs session ids: the configured one, or a random one that outlives the process in the data directory. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { makeDataDirectory } from '../files/data-directory.ts';
import { keptText } from '../files/kept-text.ts';
import { CannotRun, dataDirectoryFailure } from './cannot-run.ts';

const secretBytes = 32;

export async function sessionSecretOf(configured: string | null, dataDir: string): Promise<Uint8Array> {
  if (configured !== null) return Buffer.from(configured, 'utf8');
  const path = join(dataDir, 'session-secret');
  const secret = Buffer.from((await keptIn(dataDir, path)).trim(), 'base64url');
  if (secret.length !== secretBytes) throw new CannotRun(`the session secret in \`${path}\` is damaged: delete it, and a new one is made`);
  return secret;
}

async function keptIn(dataDir: string, path: string): Promise<string> {
  try {
    makeDataDirectory(dataDir);
    return await keptText(path, () => `${randomBytes(secretBytes).toString('base64url')}\n`);
  } catch (error) {
    throw dataDirectoryFailure(dataDir, error);
  }
}
