/** The client in a real browser where devices may decide: the browser's own cryptography checks what they decide by. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { artefactKeysOf, newArtefactKey } from '../../src/identity/artefact-keys.ts';
import { cookiesOf, openPerson, openStaticPage, type StaticPage } from '../examples/support/static-page.ts';

const marked = { rule: 'variant: hero-dach }', marked: 'variant: hero-dach, device: true }' };
const keys = artefactKeysOf(newArtefactKey());
let directory: string;
let site: StaticPage;

beforeAll(async () => {
  const policy = readFileSync('examples/retail.yaml', 'utf8');
  if (!policy.includes(marked.rule)) throw new Error(`the policy has no ${marked.rule}`);
  directory = mkdtempSync(join(tmpdir(), 'stepwell-device-'));
  const path = join(directory, 'retail.yaml');
  writeFileSync(path, policy.replace(marked.rule, marked.marked));
  site = await openStaticPage({ artefactKeys: () => keys }, path);
});
afterAll(async () => {
  await site.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe('a browser that decides by itself', () => {
  it('does so with the service gone, by the artefact of an earlier visit', async () => {
    const page = await openVisited();
    await site.between.behave('dead');
    onTestFinished(() => site.between.behave('well'));
    await page.reload({ waitUntil: 'load' });
    expect(await heroDecidedHere(page)).toMatchObject({ variant: 'hero-dach', tier: 'segment', source: 'device', via: 'artefact' });
  });

  it('does not by one that was changed on the device', async () => {
    const page = await openVisited();
    await site.between.behave('dead');
    onTestFinished(() => site.between.behave('well'));
    // A letter of the signed part, and all else as it was.
    await page.evaluate(
      `localStorage.setItem('stepwell:artefact', localStorage.getItem('stepwell:artefact').replace(/(\\.[\\w-]{40})(\\w)/, (_, before, letter) => before + (letter === 'A' ? 'B' : 'A')))`,
    );
    await page.reload({ waitUntil: 'load' });
    expect(await heroDecidedHere(page)).toMatchObject({ variant: 'hero-standard', via: 'fallback' });
  });
});

/** Somebody from Austria, whose browser has fetched and kept the artefact. */
async function openVisited(): Promise<Page> {
  const { page, context } = await openPerson(site.browser, site.url, cookiesOf(site.service.visitors.segment.headers));
  onTestFinished(() => context.close());
  await page.goto(site.url, { waitUntil: 'load' });
  await page.evaluate('stepwell.refresh()');
  await expect.poll(() => page.evaluate("localStorage.getItem('stepwell:artefact')")).toMatch(/ey[\w-]+\.ey/);
  return page;
}

/** In a new view, in which no answer of the service's was kept. */
function heroDecidedHere(page: Page): Promise<unknown> {
  return page.evaluate(
    "stepwell.ready.then(() => (localStorage.removeItem('stepwell:late'), stepwell.view(), stepwell.now('home').zones.find(({ zone }) => zone === 'hero')))",
  );
}
