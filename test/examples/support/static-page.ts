/** The example's static page with the real client in it, a service that may misbehave, and browsers of several people. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { createSite } from '../../../examples/browser/serve.ts';
import type { AppDependencies } from '../../../src/app.ts';
import { openBrowser } from '../../support/browser.ts';
import { freePort } from '../../support/redis-server.ts';
import { type MisbehavingService, openMisbehavingService } from './misbehaving-service.ts';
import { desktop, type PageRecord, recordPages } from './recorded-pages.ts';
import { openShopService, type ShopService } from './shop-service.ts';

export interface StaticPage {
  readonly url: string;
  readonly browser: Browser;
  readonly service: ShopService;
  readonly between: MisbehavingService;
  stop(): Promise<void>;
}

/** The machine may be busy with everything else: what a page shows in time is not a question of how fast its script comes. */
const patientMs = 60_000;

export async function openStaticPage(
  more: Partial<AppDependencies> = {},
  hold: { holdMs?: number } = { holdMs: patientMs },
): Promise<StaticPage> {
  const ends: (() => Promise<unknown>)[] = [];
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const service = await openShopService({ corsOrigins: [url], ...more });
  ends.push(() => service.stop());
  const between = await openMisbehavingService(service.url);
  ends.push(() => between.stop());
  const site = await createSite({ serviceUrl: between.url, ...hold });
  await new Promise<void>((resolve, reject) => site.once('error', reject).listen(port, '127.0.0.1', () => resolve()));
  ends.push(async () => {
    const closed = new Promise((resolve) => site.close(resolve));
    site.closeAllConnections();
    await closed;
  });
  const browser = await openBrowser();
  ends.push(() => browser.close());
  return {
    url,
    browser,
    service,
    between,
    async stop() {
      for (const end of ends.reverse()) await end();
    },
  };
}

/** A browser of one person's own: cookies and storage are theirs alone. What their pages complain of is kept. */
export async function openPerson(browser: Browser, url: string, cookies: Readonly<Record<string, string>> = {}): Promise<Person> {
  const context = await browser.newContext({ viewport: desktop });
  await context.addCookies(Object.entries(cookies).map(([name, value]) => ({ url, name, value })));
  await recordPages(context);
  const faults: string[] = [];
  context.on('weberror', (fault) => faults.push(fault.error().message));
  const page = await context.newPage();
  return { context, page, faults };
}

export interface Person {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly faults: readonly string[];
}

/** The cookies of a visitor, as the page reads them. */
export function cookiesOf({ cookie = '', 'x-country': country }: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const pairs = cookie.split('; ').filter((pair) => pair !== '' && !pair.startsWith('shop_consent='));
  const named = pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const);
  return { ...Object.fromEntries(named), ...(country === undefined ? {} : { shop_country: country }) };
}

/** What somebody could have seen become something else. */
export function seenChanges({ changes }: PageRecord): PageRecord['changes'] {
  return changes.filter(({ wasPainted, isInView }) => wasPainted && isInView);
}
