/**
 * The last key set that the issuer's address answered with, kept on disk for a start at which it does not. A file that is not whole to
 * the last bit, or of another address, is as good as none.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDataDirectory } from '../files/data-directory.ts';
import { replaceFile } from '../files/replaced-file.ts';
import { checksumOf } from './checksum.ts';

export const keptKeySetName = 'key-set.last-good';

export interface KeptKeySet {
  readonly url: string;
  /** When the address last answered with it. */
  readonly fetchedAtMs: number;
  readonly jwks: unknown;
}

/** One line, then JSON. */
const opening = 'stepwell last good key set 1 sha256 ';
const checksumLength = 64;
const fileBytesMax = 1_048_576;

export async function keepKeySet(directory: string, kept: KeptKeySet): Promise<void> {
  makeDataDirectory(directory);
  const body = Buffer.from(`${JSON.stringify(kept)}\n`);
  await replaceFile(join(directory, keptKeySetName), [`${opening}${await checksumOf(body)}\n`, body]);
}

/** Null where there is none to be used. */
export async function readKeptKeySet(directory: string, url: string): Promise<KeptKeySet | null> {
  const content = await readFile(join(directory, keptKeySetName)).catch(() => null);
  if (content === null || content.length > fileBytesMax) return null;
  const headLength = opening.length + checksumLength + 1;
  const body = content.subarray(headLength);
  if (content.toString('latin1', 0, headLength) !== `${opening}${await checksumOf(body)}\n`) return null;
  const kept = JSON.parse(body.toString('utf8')) as KeptKeySet;
  return kept.url === url ? kept : null;
}
