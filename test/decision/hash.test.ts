/** The hash that breaks ties is the same on every machine and for ever: another one would show people another offer overnight. */
import { expect, test } from 'vitest';
import { stableHash } from '../../src/decision/hash.ts';

/** FNV-1a and the finaliser of MurmurHash3 once more, in integers without bounds. */
function reference(text: string): number {
  const word = 2n ** 32n;
  let hash = 0x811c9dc5n;
  for (let index = 0; index < text.length; index += 1) {
    const unit = BigInt(text.charCodeAt(index));
    for (const byte of [unit & 0xffn, unit >> 8n]) hash = ((hash ^ byte) * 0x01000193n) % word;
  }
  hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) % word;
  hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) % word;
  return Number(hash ^ (hash >> 16n));
}

test.each(['', 'a', 'b', 'ab', 'offer-one\nperson-1', 'offer-two\nperson-1', 'ÿ', 'Ā', '€', '😀', '\ud800'])(
  'of %j it is the one that was published',
  (text) => {
    expect(stableHash(text)).toBe(reference(text));
  },
);

test('it is a number of 32 bits, and near texts are far apart', () => {
  const hashes = Array.from({ length: 200 }, (_, index) => stableHash(`offer-${index}`));
  expect(new Set(hashes).size).toBe(200);
  expect(hashes.every((hash) => Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32)).toBe(true);
  expect(hashes.some((hash) => hash >= 2 ** 31)).toBe(true);
});
