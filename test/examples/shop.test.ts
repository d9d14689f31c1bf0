/** What the examples are built with is what the example policy has approved, and it stands wherever a decision leaves nothing to be seen. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { approvedInside } from '../../examples/shop/page.ts';
import { renderZone } from '../../examples/shop/render.ts';

it('has the fallbacks built in that the policy prints', () => {
  const printed = execFileSync(process.execPath, ['src/cli/stepwell.js', 'fallbacks', 'examples/retail.yaml', '--page', 'home'], {
    encoding: 'utf8',
  });
  const { zones, pages } = JSON.parse(printed);
  // The revision moves with every word of the policy, also of those that no fallback shows.
  expect(JSON.parse(readFileSync('examples/shop/fallbacks.json', 'utf8'))).toMatchObject({ zones, pages });
});

it.each<[unknown]>([
  [''],
  [' \n\t'],
  ['\u0000\u200b'],
  ['\u3164'],
  ['\u115f\u1160\uffa0'],
  ['\u2800'],
  ['\u{1d159}\u{13441}\u{13442}'],
  [{ headline: '\u3164', items: ['\u2800'] }],
  [7],
  [[]],
  [{}],
  [{ headline: '', text: ' ' }],
  [{ items: [] }],
  [{ items: ['', ' ', '-'] }],
  [{ link: 'https://elsewhere.example' }],
])('shows approved words for content without a word to show: %j', (content) => {
  expect(renderZone('hero', { variant: 'hero-blank', content, tier: 'user' })).toBe(approvedInside('hero'));
  expect(approvedInside('hero')).toContain('New season, new paths');
});

it('leaves no box blank whose approved words are none either', () => {
  const box = renderZone('elsewhere', { variant: 'blank', content: '', tier: 'user' });
  expect(box.replace(/<[^>]+>/g, '')).toBe('Take a look around: every shelf has something new.');
});

it('shows what is left where some of it is blank', () => {
  const box = renderZone('hero', { variant: 'hero-gold', content: { headline: '', text: 'For you', items: ['', 'a-b'] }, tier: 'user' });
  expect(box).toBe('<div class="shown" data-variant="hero-gold" data-tier="user"><p>For you</p><ul><li>a b</li></ul></div>');
});
