/** The client in a real browser where devices may decide: the browser's own cryptography checks what they decide by. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { artefactKeysOf, newArtefactKey } from '../../src/identity/artefact-keys.ts';
import { recordOf } from '../examples/support/recorded-pages.ts';
import { cookiesOf, openPerson, openStaticPage, type StaticPage, seenChanges } from '../examples/support/static-page.ts';

const keys = artefactKeysOf(newArtefactKey());
let site: StaticPage;

beforeAll(async () => {
  site = await openStaticPage({ artefactKeys: () => keys });
});
afterAll(async () => {
  await site.stop();
});

describe('a browser that decides by itself', () => {
  it('does so with the service gone, by the artefact of an earlier visit', async () => {
    const page = await openVisited();
    await site.between.behave('dead');
    onTestFinished(() => site.between.behave('well'));
    await page.reload({ waitUntil: 'load' });
    expect(await heroDecidedHere(page)).toMatchObject({ variant: 'hero-dach', tier: 'segment', source: 'device', via: 'artefact' });
  });

  it('goes by what it has learned itself, with a yes, and no longer after a no', async () => {
    const page = await openVisited();
    await page.evaluate("stepwell.setConsent({ content_personalization: 'granted' })");
    await page.evaluate("stepwell.signals.saw('running')");
    await site.between.behave('dead');
    onTestFinished(() => site.between.behave('well'));
    await page.reload({ waitUntil: 'load' });
    expect(await heroDecidedHere(page)).toMatchObject({ variant: 'hero-running', tier: 'session', source: 'device', via: 'artefact' });
    await page.evaluate("stepwell.setConsent({ content_personalization: 'denied' })");
    expect(await heroDecidedHere(page)).toMatchObject({ variant: 'hero-dach', tier: 'segment' });
  });

  it('has it above the fold at the first paint of a later visit, and leaves it', async () => {
    const page = await openVisited();
    await site.between.behave('dead');
    onTestFinished(() => site.between.behave('well'));
    await page.evaluate(`localStorage.removeItem('${stored('late')}')`);
    await page.reload({ waitUntil: 'load' });
    await page.evaluate("stepwell.decide('home', { budgetMs: 50 }).then(() => true)");
    const hero = "stepwell.now('home').zones.find(({ zone }) => zone === 'hero')";
    expect(await page.evaluate(hero)).toMatchObject({ variant: 'hero-dach', via: 'artefact' });
    expect(await page.locator('[data-zone="hero"]').innerHTML()).toContain('hero-dach');
    expect(seenChanges(await recordOf(page))).toEqual([]);
  });

  it('does not by one that was changed on the device', async () => {
    const page = await openVisited();
    await site.between.behave('dead');
    onTestFinished(() => site.between.behave('well'));
    // A letter of the signed part, and all else as it was.
    await page.evaluate(
      `localStorage.setItem('${stored('artefact')}', localStorage.getItem('${stored('artefact')}').replace(/(\\.[\\w-]{40})(\\w)/, (_, before, letter) => before + (letter === 'A' ? 'B' : 'A')))`,
    );
    await page.reload({ waitUntil: 'load' });
    expect(await heroDecidedHere(page)).toMatchObject({ variant: 'hero-standard', via: 'fallback' });
  });
});

const stored = (name: string): string => `stepwell:${site.between.url}:${name}`;

/** Somebody from Austria, whose browser has fetched and kept the artefact. */
async function openVisited(): Promise<Page> {
  const { page, context } = await openPerson(site.browser, site.url, cookiesOf(site.service.visitors.segment.headers));
  onTestFinished(() => context.close());
  await page.goto(site.url, { waitUntil: 'load' });
  await page.evaluate('stepwell.refresh()');
  await expect.poll(() => page.evaluate(`localStorage.getItem('${stored('artefact')}')`)).toMatch(/ey[\w-]+\.ey/);
  return page;
}

/** In a new view, in which no answer of the service's was kept. */
function heroDecidedHere(page: Page): Promise<unknown> {
  return page.evaluate(
    `stepwell.ready.then(() => (localStorage.removeItem('${stored('late')}'), stepwell.view(), stepwell.now('home').zones.find(({ zone }) => zone === 'hero')))`,
  );
}
