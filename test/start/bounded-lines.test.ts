import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boundedLines } from '../../src/start/bounded-lines.ts';

async function linesOf(chunks: readonly string[], lineBytesMax = 1000): Promise<(string | null)[]> {
  async function* source() {
    for (const chunk of chunks) yield Buffer.from(chunk, 'latin1');
  }
  const lines: (string | null)[] = [];
  for await (const { number, bytes } of boundedLines(source(), lineBytesMax)) {
    expect(number).toBe(lines.length + 1);
    lines.push(bytes?.toString('latin1') ?? null);
  }
  return lines;
}

test.each<[string, string[], (string | null)[]]>([
  ['nothing', [], []],
  ['a last line without its newline', ['a\nb'], ['a', 'b']],
  ['a newline at the end makes no further line', ['a\nb\n'], ['a', 'b']],
  ['empty lines keep their numbers', ['\n\na'], ['', '', 'a']],
  ['a line over several chunks', ['a', 'b', 'c\nd'], ['abc', 'd']],
  ['a byte-order mark at the start is no part of the line', ['\xef\xbb\xbfa\n\xef\xbb\xbfb'], ['a', '\xef\xbb\xbfb']],
])('%s', async (_, chunks, expected) => {
  expect(await linesOf(chunks)).toEqual(expected);
});

test('a line that is too long is skipped up to the next, and what follows still counts', async () => {
  expect(await linesOf(['aaaa', 'aaaa\nb\ncc', 'ccc\nd'], 4)).toEqual([null, 'b', null, 'd']);
});

test('how the bytes are cut into chunks changes nothing', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r'), maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.nat(60), { maxLength: 6 }), async (whole, cuts) => {
      const places = [0, ...cuts.filter((cut) => cut <= whole.length).sort((a, b) => a - b), whole.length];
      const chunks = places.slice(1).map((end, index) => whole.slice(places[index], end));
      expect(await linesOf(chunks, 5)).toEqual(await linesOf([whole], 5));
    }),
    { verbose: 1 },
  );
});
