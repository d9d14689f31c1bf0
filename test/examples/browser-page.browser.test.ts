/** The static page with the client in it: it stands still and full whatever the service does, and shows each visitor their own, and nobody another's. */
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createSite } from '../../examples/browser/serve.ts';
import { pageZones } from '../../examples/shop/page.ts';
import { startSharedCache } from './support/edge-process.ts';
import { film } from './support/film.ts';
import { everyOutage, outages } from './support/misbehaving-service.ts';
import { approvedBoxes } from './support/page-check.ts';
import { recordOf, screenshot, shownZones } from './support/recorded-pages.ts';
import { cookiesOf, openPerson, openStaticPage, type StaticPage, seenChanges } from './support/static-page.ts';

let site: StaticPage;
beforeAll(async () => {
  site = await openStaticPage();
});
afterAll(() => site.stop());

describe('the static page in a browser', () => {
  for (const outage of everyOutage) {
    it(`is painted with approved words and stays as it is while the service ${outages[outage]}`, async () => {
      await site.between.behave(outage);
      onTestFinished(() => site.between.behave('well'));
      const { page, context, faults } = await openPerson(site.browser, site.url, cookiesOf(site.service.visitors.user.headers));
      onTestFinished(() => context.close());
      await page.goto(site.url, { waitUntil: 'load' });
      await settled(page);
      await expectStillAndFull(page);
      expect(await variantsOf(page)).toEqual(approvedBoxes.map(({ variant }) => variant));
      await screenshot(page, `static-page-outage-${outage.replaceAll(' ', '-')}`);
      expect(faults).toEqual([]);
    });
  }

  for (const tier of ['user', 'session', 'segment', 'anonymous'] as const) {
    it(`shows the ${tier} tier at the view after it was decided, and from its first paint on`, async () => {
      const { headers, hero } = site.service.visitors[tier];
      const { page, context, faults } = await openPerson(site.browser, site.url, cookiesOf(headers));
      onTestFinished(() => context.close());
      await page.goto(site.url);
      if (tier === 'user' || tier === 'session') await page.locator('[data-consent="granted"]').click();
      await expect.poll(() => heroOfNextView(page)).toMatchObject(hero);
      await screenshot(page, `static-page-${tier}`);
      expect(faults).toEqual([]);
    });
  }

  it('changes nothing in view once it was painted, where the service answers with the first frame: by its record, and by pictures of it', async () => {
    const { page, context } = await openPerson(site.browser, site.url, { shop_country: 'NO' });
    onTestFinished(() => context.close());
    await page.goto(site.url);
    await settled(page);
    // So slow that the browser tells of its first paint after the answer came.
    const session = await context.newCDPSession(page);
    await session.send('Emulation.setCPUThrottlingRate', { rate: 4 });
    for (let view = 0; view < 5; view += 1) {
      await page.goto('about:blank');
      const filmed = await film(page);
      await page.goto(site.url);
      await settled(page);
      await expectStillAndFull(page);
      const tiles = '[data-zone="category_tiles"]';
      await expect.poll(() => filmed.picturesOf(tiles)).toHaveLength(1);
      await filmed.stop();
    }
  });

  it('would be seen in pictures to exchange what was painted', async () => {
    const { page, context } = await openPerson(site.browser, site.url);
    onTestFinished(() => context.close());
    await page.goto('about:blank');
    const filmed = await film(page);
    await page.goto(site.url);
    const tiles = '[data-zone="category_tiles"]';
    await expect.poll(() => filmed.picturesOf(tiles)).toHaveLength(1);
    await page.locator(`${tiles} h2`).evaluate((title) => Object.assign(title, { textContent: 'For you' }));
    await expect.poll(() => filmed.picturesOf(tiles)).toHaveLength(2);
    await filmed.stop();
  });

  it('shows approved words where its script hangs, leaves them alone when it comes after all, and is personal at the next view', async () => {
    const impatient = await openStaticPage({}, {});
    onTestFinished(() => impatient.stop());
    const { page, context } = await openPerson(impatient.browser, impatient.url, { shop_country: 'AT' });
    onTestFinished(() => context.close());
    const held = Promise.withResolvers<void>();
    await page.route('**/page.js', async (route) => {
      await held.promise;
      await route.continue();
    });
    await page.goto(impatient.url, { waitUntil: 'commit' });
    await page.getByText('New season, new paths').waitFor();
    await page.waitForFunction("performance.getEntriesByName('first-contentful-paint').length === 1");
    held.resolve();
    await page.waitForFunction('globalThis.stepwell !== undefined');
    await settled(page);
    await expectStillAndFull(page);
    expect(await variantsOf(page)).toEqual(approvedBoxes.map(({ variant }) => variant));
    await page.unroute('**/page.js');
    await expect.poll(() => heroOfNextView(page)).toMatchObject({ variant: 'hero-dach' });
  });

  it('shows nobody another’s zones from a cache that all of them share', async () => {
    const files = await createSite({ serviceUrl: '' });
    await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
    const shared = await startSharedCache((files.address() as AddressInfo).port, Number(new URL(site.service.url).port));
    onTestFinished(async () => {
      await shared.stop();
      files.closeAllConnections();
      files.close();
    });
    for (const tier of ['user', 'session', 'anonymous', 'user'] as const) {
      const { headers, hero } = site.service.visitors[tier];
      const { page, context } = await openPerson(site.browser, shared.url, cookiesOf(headers));
      onTestFinished(() => context.close());
      await page.goto(shared.url, { waitUntil: 'load' });
      expect(await variantsOf(page)).toContain('hero-standard');
      if (tier !== 'anonymous') await page.locator('[data-consent="granted"]').click();
      await expect
        .poll(async () => {
          await page.reload({ waitUntil: 'load' });
          await settled(page);
          const shown = (await shownZones(page)).find(({ zone }) => zone === 'hero');
          expect(['hero-standard', hero.variant]).toContain(shown?.variant);
          return shown;
        })
        .toMatchObject(hero);
    }
  });
});

/** The page as it is at the next view, which must be still and full. */
async function heroOfNextView(page: Page) {
  await page.reload();
  await settled(page);
  await expectStillAndFull(page);
  return (await shownZones(page)).find(({ zone }) => zone === 'hero');
}

/** The client has asked, and has the answer or has given up. */
async function settled(page: Page): Promise<void> {
  await page.evaluate("stepwell.decide('home', { budgetMs: 400 }).then(() => true)");
}

async function variantsOf(page: Page): Promise<readonly (string | null)[]> {
  return (await shownZones(page)).map(({ variant }) => variant);
}

async function expectStillAndFull(page: Page): Promise<void> {
  const record = await recordOf(page);
  expect(record).toMatchObject({ shift: 0, shifts: 0, blankFrames: {} });
  expect(seenChanges(record)).toEqual([]);
  const zones = await shownZones(page);
  expect(zones.map(({ zone }) => zone)).toEqual(pageZones);
  for (const { zone, text, variant } of zones) {
    expect(text, zone).not.toBe('');
    expect(variant, zone).not.toBeNull();
  }
}
