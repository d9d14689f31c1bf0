/** Splits bytes into numbered lines, holding at most one line of bounded length in memory however long the file or the line is. */

export interface Line {
  readonly number: number;
  /** Null: it was longer than allowed, and skipped up to the next one. */
  readonly bytes: Buffer | null;
}

const newline = 0x0a;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

export async function* boundedLines(chunks: AsyncIterable<Uint8Array>, lineBytesMax: number): AsyncGenerator<Line> {
  let number = 1;
  let pieces: Uint8Array[] = [];
  let length = 0;

  function take(piece: Uint8Array): void {
    length += piece.length;
    if (length > lineBytesMax) pieces = [];
    else if (piece.length > 0) pieces.push(piece);
  }

  function finish(): Line {
    const bytes = length > lineBytesMax ? null : Buffer.concat(pieces);
    const line = { number, bytes: number === 1 && bytes !== null ? withoutMark(bytes) : bytes };
    number += 1;
    pieces = [];
    length = 0;
    return line;
  }

  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      take(chunk.subarray(start, end));
      yield finish();
      start = end + 1;
    }
    take(chunk.subarray(start));
  }
  if (length > 0) yield finish();
}

function withoutMark(bytes: Buffer): Buffer {
  return bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? bytes.subarray(byteOrderMark.length) : bytes;
}
