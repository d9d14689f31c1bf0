/**
 * The pages of every server-side renderer in a real browser: nothing moves, nothing is blank, and nothing above the fold is another thing
 * after the first paint than at it. For each tier, each outage, and on a phone.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createPages } from '../../examples/fastify-ssr/server.ts';
import { pageZones } from '../../examples/shop/page.ts';
import { openBrowser } from '../support/browser.ts';
import { startNginx, startVarnish } from './support/edge-process.ts';
import { startEdgeWithShop } from './support/edge-with-shop.ts';
import { everyOutage, type MisbehavingService, openMisbehavingService, outages } from './support/misbehaving-service.ts';
import { startNext } from './support/next-process.ts';
import { approvedBoxes } from './support/page-check.ts';
import {
  desktop,
  framesToWatch,
  type PageRecord,
  phone,
  recordOf,
  recordPages,
  type ShownZone,
  screenshot,
  shownZones,
} from './support/recorded-pages.ts';
import type { Renderer } from './support/renderer-claims.ts';
import { openShopService, type ShopService, type Visitor } from './support/shop-service.ts';
import { startWorkerWithSite } from './support/worker-process.ts';

const renderers: Readonly<Record<string, (serviceUrl: string) => Promise<Renderer>>> = {
  nginx: (serviceUrl) => startEdgeWithShop({ markup: 'ssi', startEdge: startNginx }, serviceUrl),
  Varnish: (serviceUrl) => startEdgeWithShop({ markup: 'esi', startEdge: startVarnish }, serviceUrl),
  async Fastify(serviceUrl) {
    const app = createPages({ service: { url: serviceUrl }, foldMs: 100, pageMs: 200 });
    await app.listen({ host: '127.0.0.1', port: 0 });
    return { url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, stop: () => app.close() };
  },
  'Cloudflare Worker': (serviceUrl) => startWorkerWithSite(serviceUrl, 200),
  'Next.js': (serviceUrl) => startNext(serviceUrl, 200),
};

const ends: (() => Promise<void>)[] = [];
let browser: Browser;
let service: ShopService;

beforeAll(async () => {
  browser = await openBrowser();
  ends.push(() => browser.close());
  service = await openShopService();
  ends.push(() => service.stop());
});
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

for (const [name, start] of Object.entries(renderers)) {
  describe(`the page of ${name} in a browser`, () => {
    let between: MisbehavingService;
    let renderer: Renderer;

    beforeAll(async () => {
      const opened = await openMisbehavingService(service.url);
      between = opened;
      ends.push(() => opened.stop());
      renderer = await start(between.url);
      ends.push(() => renderer.stop());
    });

    for (const [device, viewport] of Object.entries({ desktop, phone })) {
      for (const tier of ['user', 'session', 'segment', 'anonymous'] as const) {
        it(`stands still and full on a ${device} for the ${tier} tier`, async () => {
          const visitor = service.visitors[tier];
          await expect
            .poll(async () => {
              const { zones, record } = await look(renderer.url, {
                visitor,
                viewport,
                shot: `${name}-${device}-${tier}`.toLowerCase().replaceAll(' ', '-'),
              });
              expectStillAndFull(zones, record);
              return zones.find(({ zone }) => zone === 'hero');
            })
            .toMatchObject(visitor.hero);
        });
      }
    }

    it('goes on standing still in the second after it was loaded, whether the service answers or dribbles', async () => {
      onTestFinished(() => between.behave('well'));
      for (const manner of ['well', 'dribbling'] as const) {
        await between.behave(manner);
        const { zones, record } = await look(renderer.url, { visitor: service.visitors.user, viewport: desktop, frames: framesToWatch });
        expectStillAndFull(zones, record);
      }
    });

    for (const outage of everyOutage) {
      it(`stands still and full while the service ${outages[outage]}`, async () => {
        await between.behave(outage);
        onTestFinished(() => between.behave('well'));
        const shot = `${name}-outage-${outage}`.toLowerCase().replaceAll(' ', '-');
        const { zones, record } = await look(renderer.url, { visitor: service.visitors.user, viewport: desktop, shot });
        expectStillAndFull(zones, record);
        for (const [at, { variant, tier }] of zones.entries()) if (tier === 'approved') expect(variant).toBe(approvedBoxes[at]?.variant);
      });
    }
  });
}

describe('the record that a page keeps of itself', () => {
  it('notices what moves, and what is exchanged after it was painted', async () => {
    const page = await openCareless('requestAnimationFrame(() => setTimeout(exchange, 100))');
    await page.locator('[data-variant="hero-gold"]').waitFor();
    await expect.poll(async () => (await recordOf(page)).shift).toBeGreaterThan(0);
    expect((await recordOf(page)).changes).toEqual([change]);
  });

  it('notices what moves long after the page was loaded, to whoever looks long enough', async () => {
    const page = await openCareless('pageRecord.drawn(40).then(exchange)');
    const { shift, changes } = await recordOf(page, framesToWatch);
    expect(shift).toBeGreaterThan(0);
    expect(changes).toEqual([change]);
  });

  const change = { zone: 'hero', from: 'hero-standard', to: 'hero-gold', afterFirstPaint: true, isInView: true };

  async function openCareless(later: string): Promise<Page> {
    const careless = `<!doctype html><section data-zone="hero" style="min-height:20px"><div data-variant="hero-standard">New season</div></section>
      <p>below</p><script>function exchange() {
        document.querySelector('[data-zone]').innerHTML = '<div data-variant="hero-gold" style="height:300px">For you</div>';
      }
      ${later};</script>`;
    const server = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(careless));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const context = await browser.newContext({ viewport: desktop });
    onTestFinished(() => context.close());
    await recordPages(context);
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return page;
  }
});

interface Looking {
  readonly visitor: Visitor;
  readonly viewport: { readonly width: number; readonly height: number };
  /** How long after the page was loaded its record is read. */
  readonly frames?: number;
  readonly shot?: string;
}

async function look(
  url: string,
  { visitor, viewport, frames, shot }: Looking,
): Promise<{ zones: readonly ShownZone[]; record: PageRecord }> {
  const { cookie = '', ...headers } = visitor.headers;
  const context = await browser.newContext({ viewport, extraHTTPHeaders: headers });
  try {
    const cookies = cookie.split('; ').filter((pair) => pair !== '');
    await context.addCookies(cookies.map((pair) => ({ url, name: pair.split('=')[0] ?? '', value: pair.slice(pair.indexOf('=') + 1) })));
    await recordPages(context);
    const page = await context.newPage();
    const faults: string[] = [];
    page.on('pageerror', ({ message }) => faults.push(message));
    await page.goto(url, { waitUntil: 'load' });
    const seen = { record: await recordOf(page, frames), zones: await shownZones(page) };
    if (shot !== undefined) await screenshot(page, shot);
    expect(faults).toEqual([]);
    return seen;
  } finally {
    await context.close();
  }
}

function expectStillAndFull(zones: readonly ShownZone[], { shift, shifts, changes }: PageRecord): void {
  expect({ shift, shifts }).toEqual({ shift: 0, shifts: 0 });
  expect(changes.filter(({ afterFirstPaint, isInView }) => afterFirstPaint && isInView)).toEqual([]);
  expect(zones.map(({ zone }) => zone)).toEqual(pageZones);
  for (const { zone, text, variant, heightPx } of zones) {
    expect(text, zone).not.toBe('');
    expect(variant, zone).not.toBeNull();
    expect(heightPx, zone).toBeGreaterThan(40);
  }
}
