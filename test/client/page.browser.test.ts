/**
 * The client in a real browser, on the example's page: without the service, without the network, without its storage, and after the visitor
 * took consent back. There is no service worker anywhere.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { approvedBoxes } from '../examples/support/page-check.ts';
import { recordOf, screenshot, shownZones } from '../examples/support/recorded-pages.ts';
import { cookiesOf, openPerson, openStaticPage, type Person, type StaticPage, seenChanges } from '../examples/support/static-page.ts';

let site: StaticPage;
beforeAll(async () => {
  site = await openStaticPage();
});
afterAll(() => site.stop());

const approvedVariants = approvedBoxes.map(({ variant }) => variant);

describe('the client in a browser', () => {
  it('has approved words at the first paint with the service down, and the same ones after it', async () => {
    await site.between.behave('dead');
    onTestFinished(() => site.between.behave('well'));
    const { page } = await openVisitor('user');
    await page.goto(site.url, { waitUntil: 'load' });
    await settled(page);
    // The browser tells of its first paint when it has time to.
    await page.waitForFunction("performance.getEntriesByName('first-contentful-paint').length === 1");
    const record = await recordOf(page);
    expect(record.changes.filter(({ from, to }) => from !== to)).toEqual([]);
    expect(await variantsOf(page)).toEqual(approvedVariants);
    expect(await sourcesOf(page)).toEqual(new Set(['device']));
  });

  it('never changes what is seen after the first paint, however late the service answers', async () => {
    const { page } = await openVisitor('user');
    await agree(page);
    for (const manner of ['slow', 'well', 'dribbling', 'well', 'dead', 'well'] as const) {
      await site.between.behave(manner);
      await page.reload({ waitUntil: 'load' });
      const first = await heroOf(page);
      // The slow one answers while the page is being looked at.
      await site.between.behave('well');
      await settled(page);
      await page.evaluate("stepwell.decide('home', { budgetMs: 400, zones: ['hero'] }).then(() => true)");
      const record = await recordOf(page);
      expect(seenChanges(record), manner).toEqual([]);
      expect(record.shifts).toBe(0);
      expect(await heroOf(page)).toBe(first);
    }
  });

  it('keeps an answer that comes after its budget for the next view, and leaves the page as it is', async () => {
    const { page } = await openVisitor('user');
    const held = Promise.withResolvers<void>();
    await page.route('**/v1/decide', async (route) => {
      await held.promise;
      // Those of a page that is gone are nobody's.
      await route.continue().catch(() => {});
    });
    await agree(page);
    await page.reload({ waitUntil: 'load' });
    expect(heroAnd(await page.evaluate("stepwell.decide('home', { budgetMs: 1 })"))).toMatchObject({ variant: 'hero-standard' });
    held.resolve();
    await expect.poll(() => page.evaluate(`localStorage.getItem('stepwell:${site.between.url}:late')`)).toContain('hero-gold');
    expect(await heroOf(page)).toBe('hero-standard');
    expect(seenChanges(await recordOf(page))).toEqual([]);
    await page.reload({ waitUntil: 'load' });
    expect(await heroOf(page)).toBe('hero-gold');
    expect(seenChanges(await recordOf(page))).toEqual([]);
  });

  it('answers offline at once from what is here, and is the service’s again when it is online', async () => {
    const { page, context } = await openVisitor('user');
    await agree(page);
    await untilHeroIs(page, 'hero-gold');
    await context.setOffline(true);
    const offline = await decideInNewView(page);
    expect(offline.zones.map(({ zone }) => zone).toSorted()).toEqual(approvedBoxes.map(({ zone }) => zone).toSorted());
    for (const { variant, render } of offline.zones) expect(variant !== null || render === 'suppress').toBe(true);
    await context.setOffline(false);
    await expect.poll(async () => heroAnd(await decideInNewView(page))).toMatchObject({ variant: 'hero-gold', source: 'server' });
  });

  it('says what was taken back offline as soon as it is online', async () => {
    const { page, context } = await openVisitor('session');
    await agree(page);
    await untilHeroIs(page, 'hero-shoes');
    await context.setOffline(true);
    await page.locator('[data-consent="denied"]').click();
    expect(await heroOf(page)).toBe('hero-standard');
    const heard = page.waitForResponse((response) => response.url().endsWith('/withdrawals') && response.request().method() === 'POST');
    await context.setOffline(false);
    expect((await heard).status()).toBeLessThan(300);
  });

  it('takes a withdrawal in one tab to the other, which shows nothing personal from then on', async () => {
    const { page, context } = await openVisitor('user');
    await agree(page);
    await untilHeroIs(page, 'hero-gold');
    const other = await context.newPage();
    await other.goto(site.url, { waitUntil: 'load' });
    await untilHeroIs(other, 'hero-gold');
    await page.locator('[data-consent="denied"]').click();
    await expect.poll(() => heroOf(page)).toBe('hero-standard');
    await expect.poll(() => heroOf(other)).toBe('hero-standard');
    for (const tab of [page, other]) {
      await settled(tab);
      for (const { zone, tier } of await shownZones(tab)) expect(['anonymous', 'approved', 'segment'], zone).toContain(tier);
      await tab.reload({ waitUntil: 'load' });
      await settled(tab);
      expect(await heroOf(tab)).toBe('hero-standard');
    }
    // What is kept from now on was decided about nobody in particular.
    expect(await page.evaluate('JSON.stringify(localStorage)')).not.toMatch(
      /hero-gold|signals|tier\\*":\\*"(user|session)\\*",\\*"intendedTier/,
    );
  });

  it('is a stranger’s page after the storage was wiped, and nothing breaks', async () => {
    const { page, faults } = await openVisitor('user');
    await agree(page);
    await untilHeroIs(page, 'hero-gold');
    await page.evaluate('localStorage.clear()');
    const answer = await decideInNewView(page);
    expect(heroAnd(answer)?.tier).not.toBe('user');
    await page.reload({ waitUntil: 'load' });
    expect(await variantsOf(page)).toEqual(approvedVariants);
    await settled(page);
    expect(seenChanges(await recordOf(page))).toEqual([]);
    expect(faults).toEqual([]);
  });

  it('works where the browser lets a page keep nothing', async () => {
    const { page, context, faults } = await openVisitor('user');
    await context.addInitScript(
      "Object.defineProperty(globalThis, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError') } })",
    );
    await page.goto(site.url, { waitUntil: 'load' });
    await page.locator('[data-consent="granted"]').click();
    await expect.poll(async () => heroAnd(await decideInNewView(page))).toMatchObject({ variant: 'hero-gold', source: 'server' });
    expect(await heroOf(page)).toBe('hero-standard');
    expect(faults).toEqual([]);
  });

  it('forgets everything it kept when it is told to', async () => {
    const { page } = await openVisitor('user');
    await agree(page);
    await untilHeroIs(page, 'hero-gold');
    await page.evaluate('stepwell.forget()');
    expect(await page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('stepwell'))")).toEqual([]);
  });

  it('needs no service worker', async () => {
    const { page } = await openVisitor('anonymous');
    await page.goto(site.url, { waitUntil: 'load' });
    await settled(page);
    expect(await page.evaluate('navigator.serviceWorker.getRegistrations().then((all) => all.length)')).toBe(0);
    expect(await variantsOf(page)).toEqual(approvedVariants);
    await screenshot(page, 'static-page-no-worker');
  });
});

async function openVisitor(tier: 'user' | 'session' | 'segment' | 'anonymous'): Promise<Person> {
  const person = await openPerson(site.browser, site.url, cookiesOf(site.service.visitors[tier].headers));
  onTestFinished(() => person.context.close());
  onTestFinished(() => site.between.behave('well'));
  return person;
}

async function agree(page: Page): Promise<void> {
  await page.goto(site.url, { waitUntil: 'load' });
  await page.locator('[data-consent="granted"]').click();
}

/** The client has asked, and has the answer or has given up. */
async function settled(page: Page): Promise<void> {
  await page.evaluate("stepwell.decide('home', { budgetMs: 400 }).then(() => true)");
}

async function untilHeroIs(page: Page, variant: string): Promise<void> {
  await expect
    .poll(async () => {
      await settled(page);
      await page.reload({ waitUntil: 'load' });
      return heroOf(page);
    })
    .toBe(variant);
}

async function heroOf(page: Page): Promise<string | null | undefined> {
  return (await shownZones(page)).find(({ zone }) => zone === 'hero')?.variant;
}

async function variantsOf(page: Page): Promise<readonly (string | null)[]> {
  return (await shownZones(page)).map(({ variant }) => variant);
}

interface Answer {
  readonly zones: readonly {
    readonly zone: string;
    readonly variant: string | null;
    readonly tier: string;
    readonly render: string;
    readonly source: string;
  }[];
}

/** As when a page of one document gives way to another: the page itself is left as it is. */
function decideInNewView(page: Page): Promise<Answer> {
  return page.evaluate("stepwell.view(), stepwell.decide('home', { budgetMs: 400 })");
}

function heroAnd({ zones }: Answer): Answer['zones'][number] | undefined {
  return zones.find(({ zone }) => zone === 'hero');
}

async function sourcesOf(page: Page): Promise<ReadonlySet<string>> {
  const answer: Answer = await page.evaluate("stepwell.now('home')");
  return new Set(answer.zones.map(({ source }) => source));
}
