/** `stepwell fallbacks`: what a page is built with for when nobody answers. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root, stepwell } from './run-stepwell.ts';

const policy = join(root, 'examples/retail.yaml');

describe('fallbacks', () => {
  test('prints the approved variant of each zone, and the pages', async () => {
    const { code, stdout } = await stepwell(['fallbacks', policy]);
    const pack = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(pack).toMatchObject({ policy: 'retail', zones: { hero: { variant: 'hero-standard', render: 'now' } } });
    expect(pack.zones.hero.content.headline).toBe('New season, new paths');
    expect(pack.pages.home).toContain('hero');
  });

  test('prints one page alone, and says so where there is none of that name', async () => {
    const { stdout } = await stepwell(['fallbacks', policy, '--page', 'home']);
    const pack = JSON.parse(stdout);
    expect(Object.keys(pack.zones).sort()).toEqual([...pack.pages.home].sort());
    const { code, stderr } = await stepwell(['fallbacks', policy, '--page', 'nowhere']);
    expect([code, stderr]).toEqual([2, 'stepwell: policy `retail` has no page `nowhere`\n']);
  });

  test('exits 1 with the problems of a policy that does not load', async () => {
    const { code, stdout, stderr } = await stepwell(['fallbacks', join(root, 'package.json')]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).not.toBe('');
  });
});
