/** The page that says what is stored on a device names everything that the client keeps, and nothing else. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('what is kept and what is said to be kept are the same', () => {
  const source = readFileSync('src/client/keep.ts', 'utf8');
  const table = /lifetimesDays = \{(.*?)\}/s.exec(source)?.[1] ?? '';
  const kept = [...table.matchAll(/(\w+): /g)].map(([, name]) => name);
  const said = [...readFileSync('docs/device.md', 'utf8').matchAll(/^\| `stepwell:<url>:(\w+)`/gm)].map(([, name]) => name);
  expect(kept.length).toBeGreaterThan(3);
  expect(said).toEqual(kept);
});
