/** SHA-256 of what may have many megabytes, a little at a time: nobody waits long for it. */
import { createHash } from 'node:crypto';

/** About a millisecond's work. */
const pieceBytes = 1024 * 1024;

/** In hex, over all of them as if they were one. */
export async function checksumOf(...parts: readonly Uint8Array[]): Promise<string> {
  const checksum = createHash('sha256');
  for (const part of parts) {
    for (const piece of inPieces(part)) {
      checksum.update(piece);
      if (piece.length === pieceBytes) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return checksum.digest('hex');
}

export function* inPieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}
