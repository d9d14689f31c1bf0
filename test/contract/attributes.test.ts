import { expect, test } from 'vitest';
import { audiencePlaces, readAttributes } from '../../src/contract/attributes.ts';

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

test('hundreds of unknown audiences are told as a few, each in a sentence of bounded length', () => {
  const places = audiencePlaces(names('u', 256), names('a', 2_000), '/context/audiences');
  expect(places).toHaveLength(16);
  for (const { detail } of places) expect(detail.length).toBeLessThan(1_000);
});

test('an audience among thousands is found', () => {
  expect(audiencePlaces(['a0', 'a1999'], names('a', 2_000), '')).toEqual([]);
  expect(audiencePlaces(['a0', 'b'], names('a', 2_000), '/x')).toMatchObject([{ pointer: '/x/1' }]);
});

test('a list is held against thousands of declared values, and a misfit told in a bounded sentence', () => {
  const declarations = { topics: { type: 'strings', values: names('v', 2_000), class: 'S0', categories: [] } } as never;
  expect(readAttributes({ topics: names('v', 256) }, declarations, '').places).toEqual([]);
  const [place] = readAttributes({ topics: ['other'] }, declarations, '').places;
  expect(place?.detail.length).toBeLessThan(1_000);
});
