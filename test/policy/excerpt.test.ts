import { expect, test } from 'vitest';
import { excerpt, sentenceOf } from '../../src/policy/excerpt.ts';
import { didYouMean } from '../../src/policy/suggest.ts';

const shown: readonly (readonly [string, string, string])[] = [
  ['a colour of the terminal', 'a\u001b[31mRED', 'a\\u{1b}[31mRED'],
  ['letters turned around', 'a\u202egnp.exe', 'a\\u{202e}gnp.exe'],
  ['a line of its own', 'a\u2028b\nc', 'a\\u{2028}b\\u{a}c'],
  ['half a character', 'a\ud83d', 'a\\u{d83d}'],
  ['whole ones, however they are stored', 'ä 🙂', 'ä 🙂'],
  ['as many as fit', '🙂'.repeat(80), '🙂'.repeat(80)],
  ['more than fit', '🙂'.repeat(81), `${'🙂'.repeat(77)}...`],
];

test.each(shown)('an excerpt shows %s', (_, written, wanted) => {
  expect(excerpt(written)).toBe(wanted);
});

test('a sentence of a library shows the same, and only its first line', () => {
  expect(sentenceOf('Unexpected \u001b[31mRED\u202e here:\nmore')).toBe('unexpected \\u{1b}[31mRED\\u{202e} here');
});

test('a suggestion can be written as it stands, and shows what is in it', () => {
  const long = 'x'.repeat(100);
  expect(didYouMean('nothing', [long, 'y\u001b'])).toBe(`; write one of \`${long}\`, \`y\\u{1b}\``);
  expect(didYouMean('nothing', ['x'.repeat(5_000), 'y'])).toBe('; write one of `y`, 1 too long to show');
});
