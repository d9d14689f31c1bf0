/**
 * The pages of every server-side renderer in a real browser: nothing moves, nothing is blank, and nothing above the fold is another thing
 * after the first paint than at it. For each tier, each outage, and on a phone.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createPages } from '../../examples/fastify-ssr/server.ts';
import { aboveFold, pageZones } from '../../examples/shop/page.ts';
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
import { seenChanges } from './support/static-page.ts';
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

describe('the page of Fastify in a browser that tells of its first paint long after it', () => {
  it.each([
    ['leaves a box in view', desktop, 'tiles-standard'],
    ['fills a box out of view', phone, 'tiles-late'],
  ])('%s whose zone came after it was painted', async (_, viewport, expected) => {
    const { promise: asked, resolve } = Promise.withResolvers<(zone: string | null) => void>();
    const lines = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' }).flushHeaders();
      resolve((zone) => {
        if (zone === null) return void response.end();
        const decision = { zone, tier: 'segment', variant: 'tiles-late', content: { headline: 'Late' }, render: 'now' };
        response.write(`${JSON.stringify(decision)}\n`);
      });
    });
    const app = createPages({ service: { url: await listening(lines) }, foldMs: 60_000, pageMs: 120_000 });
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    onTestFinished(() => {
      app.server.closeAllConnections();
      return app.close();
    });
    const context = await browser.newContext({ viewport });
    onTestFinished(() => context.close());
    await recordPages(context);
    await context.addInitScript('performance.getEntriesByType = () => []');
    const page = await context.newPage();
    await page.goto(url, { waitUntil: 'commit' });
    const send = await asked;
    for (const zone of aboveFold) send(zone);
    await page.locator('footer').waitFor();
    await recordOf(page);
    send('category_tiles');
    send(null);
    await page.waitForLoadState('load');
    expect(seenChanges(await recordOf(page))).toEqual([]);
    expect((await shownZones(page)).find(({ zone }) => zone === 'category_tiles')?.variant).toBe(expected);
  });
});

describe('the record that a page keeps of itself', () => {
  it('notices what moves, and what is exchanged after it was painted', async () => {
    const page = await openCareless('requestAnimationFrame(() => setTimeout(exchange, 100))');
    await page.locator('[data-variant="hero-gold"]').waitFor();
    await expect.poll(async () => (await recordOf(page)).shift).toBeGreaterThan(0);
    expect((await recordOf(page)).changes).toEqual([change]);
  });

  it.each([
    ['anew', `box.innerHTML = '<div data-variant="hero-standard">For you</div>'`],
    ['into what stood there', "box.firstChild.firstChild.data = 'For you'"],
    ['after what stood there', "box.firstChild.append(', and yours')"],
  ])('notices other words under the same variant that are written %s', async (_, rewrite) => {
    const page = await openCareless(`pageRecord.drawn(40).then(() => { ${rewrite}; })`);
    expect((await recordOf(page, framesToWatch)).changes).toEqual([{ ...change, to: 'hero-standard' }]);
  });

  it('notices what moves long after the page was loaded, to whoever looks long enough', async () => {
    const page = await openCareless('pageRecord.drawn(40).then(exchange)');
    const { shift, changes } = await recordOf(page, framesToWatch);
    expect(shift).toBeGreaterThan(0);
    expect(changes).toEqual([change]);
  });

  it.each([
    ['in the task after the first frame', 'requestAnimationFrame(() => inATask(exchange))'],
    ['in the second frame', 'requestAnimationFrame(() => requestAnimationFrame(exchange))'],
    [
      'right after it was shown',
      "main.style.visibility = 'hidden'; pageRecord.drawn(5).then(() => { show(); pageRecord.drawn(2).then(exchange) })",
    ],
    [
      'after it was written and shown in one frame',
      'main.remove(); requestAnimationFrame(() => { document.body.append(main); inATask(exchange) })',
    ],
  ])('notices what is exchanged %s, of which the browser has not told yet', async (_, later) => {
    const page = await openCareless(later);
    await page.locator('[data-variant="hero-gold"]').waitFor();
    expect((await recordOf(page)).changes).toEqual([change]);
  });

  it.each([
    ['before the first frame', 'exchange()'],
    ['while it is hidden', "main.style.visibility = 'hidden'; pageRecord.drawn(5).then(() => { exchange(); show() })"],
  ])('does not take for seen what is exchanged %s', async (_, later) => {
    const page = await openCareless(later);
    await page.locator('[data-variant="hero-gold"]').waitFor();
    expect((await recordOf(page)).changes).toEqual([{ ...change, wasPainted: false }]);
  });

  it.each([
    ['nothing', ''],
    ['what shows nothing', '\u3164 \u200b'],
    ['hidden words', '<p hidden>For you</p>'],
  ])('notices a zone that is drawn with %s in it, and no longer than it is', async (_, inside) => {
    const page = await openCareless(`const full = box.innerHTML; box.innerHTML = '${inside}';
      pageRecord.drawn(5).then(() => { box.innerHTML = full })`);
    await page.locator('[data-variant="hero-standard"]').waitFor();
    const { hero = 0 } = (await recordOf(page)).blankFrames;
    expect(hero).toBeGreaterThanOrEqual(4);
    expect((await recordOf(page, 10)).blankFrames).toEqual({ hero });
  });

  const change = { zone: 'hero', from: 'hero-standard', to: 'hero-gold', wasPainted: true, isInView: true };

  async function openCareless(later: string): Promise<Page> {
    const careless = `<!doctype html><meta charset="utf-8"><main><section data-zone="hero" style="min-height:20px"><div data-variant="hero-standard">New
      season</div></section></main><p>below</p><script>
      const main = document.querySelector('main');
      const box = document.querySelector('[data-zone]');
      function exchange() {
        box.innerHTML = '<div data-variant="hero-gold" style="height:300px">For you</div>';
      }
      function show() {
        main.style.visibility = '';
      }
      function inATask(work) {
        const channel = new MessageChannel();
        channel.port1.onmessage = work;
        channel.port2.postMessage(null);
      }
      ${later};</script>`;
    const url = await listening(createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(careless)));
    const context = await browser.newContext({ viewport: desktop });
    onTestFinished(() => context.close());
    await recordPages(context);
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }
});

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

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

function expectStillAndFull(zones: readonly ShownZone[], record: PageRecord): void {
  expect(record).toMatchObject({ shift: 0, shifts: 0 });
  expect(record.blankFrames).toEqual({});
  expect(seenChanges(record)).toEqual([]);
  expect(zones.map(({ zone }) => zone)).toEqual(pageZones);
  for (const { zone, text, variant, heightPx } of zones) {
    expect(text, zone).not.toBe('');
    expect(variant, zone).not.toBeNull();
    expect(heightPx, zone).toBeGreaterThan(40);
  }
}
