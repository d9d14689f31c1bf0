/**
 * The last policy that was in force, kept on disk as its author wrote it, for a start whose own file is gone or broken. A file
 * that is not whole to the last bit is refused, and a crash while saving leaves the one before.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDataDirectory } from '../files/data-directory.ts';
import { replaceFile } from '../files/replaced-file.ts';
import { checksumOf, inPieces } from './checksum.ts';
import type { PolicySource } from './held-policy.ts';

export const lastGoodPolicyName = 'policy.last-good';

export interface LastGoodPolicy extends PolicySource {
  /** When it was put into force. Its approvals held then, and one that has expired since is told and served on. */
  readonly acceptedAtMs: number;
}

export type LastGoodReading =
  | { readonly state: 'found'; readonly policy: LastGoodPolicy }
  | { readonly state: 'none' }
  | { readonly state: 'damaged' };

/** Two lines, then the policy's own bytes, so that a person can take it out again: `tail -n +3`. */
const opening = 'stepwell last good policy';
const formatVersion = 1;
const newline = 0x0a;
/** Two short lines; a file path has at most 4,096 bytes, and JSON writes each as six at most. */
const headBytesMax = 32 * 1024;

/** Whole or not at all, also over a loss of power. Two processes may save at once: the later one counts. */
export async function saveLastGoodPolicy(directory: string, policy: LastGoodPolicy): Promise<void> {
  makeDataDirectory(directory);
  await replaceFile(join(directory, lastGoodPolicyName), await linesOf(policy));
}

export async function readLastGoodPolicy(directory: string): Promise<LastGoodReading> {
  const content = await readFile(join(directory, lastGoodPolicyName)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
  if (content === null) return { state: 'none' };
  const policy = await understand(content);
  return policy === null ? { state: 'damaged' } : { state: 'found', policy };
}

/** Null for anything that `linesOf` would not have written just so. */
async function understand(content: Buffer): Promise<LastGoodPolicy | null> {
  const headEnd = content.subarray(0, headBytesMax).indexOf(newline);
  const aboutEnd = content.subarray(0, headBytesMax).indexOf(newline, headEnd + 1);
  if (headEnd === -1 || aboutEnd === -1) return null;
  const about = content.subarray(headEnd + 1, aboutEnd + 1);
  const bytes = content.subarray(aboutEnd + 1);
  if (content.toString('latin1', 0, headEnd + 1) !== (await headOf(about, bytes))) return null;
  const { file, acceptedAtMs } = JSON.parse(about.toString('utf8')) as { file: string; acceptedAtMs: number };
  return { file, acceptedAtMs, bytes };
}

async function linesOf({ file, acceptedAtMs, bytes }: LastGoodPolicy): Promise<Iterable<string | Uint8Array>> {
  const about = Buffer.from(`${JSON.stringify({ file, acceptedAtMs })}\n`);
  return [await headOf(about, bytes), about, ...inPieces(bytes)];
}

/** Of everything that follows it, so that no bit can turn unnoticed: of its own bits, none can turn and leave it the same text. */
async function headOf(about: Uint8Array, bytes: Uint8Array): Promise<string> {
  return `${opening} ${formatVersion} sha256 ${await checksumOf(about, bytes)} ${about.length + bytes.length}\n`;
}
