import { expect, test } from 'vitest';
import { editDistance, nearestName } from '../../src/policy/suggest.ts';

test('a suggestion is the nearest name, and none when nothing is near', () => {
  expect(editDistance('laspde', 'lapsed')).toBe(2);
  expect(nearestName('herro', ['zero', 'hero', 'rail'])).toBe('hero');
  expect(nearestName('footer', ['hero', 'rail'])).toBeNull();
});
