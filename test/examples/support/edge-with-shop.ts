/** The shop's own server with an edge in front that puts its pages together, and what such an edge must hold when it is the shop that fails. */
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createShop, type Markup } from '../../../examples/shop/shop.ts';
import { type EdgeProcess, startSharedCache } from './edge-process.ts';
import { type Outage, openMisbehavingService, outages } from './misbehaving-service.ts';
import { approvedBoxes, boxesOf } from './page-check.ts';
import { heroOf } from './renderer-claims.ts';
import { openShopService, type ShopService } from './shop-service.ts';

/** Below the times that the edges give a shop that hangs. */
const budgetMs = 100;

export interface EdgeParts {
  readonly name: string;
  readonly markup: Markup;
  startEdge(shopPort: number, change?: (configuration: string) => string): Promise<EdgeProcess>;
  /** What else of a shop's troubles it outlasts. */
  readonly alsoOutlasts?: readonly Outage[];
  /** What makes the page one visitor's own, and what it could be mistaken for. */
  readonly guard: { readonly line: string; readonly without: string };
}

interface RunningShop {
  readonly port: number;
  /** The paths that it was asked for, in order. */
  readonly askedFor: string[];
  /** By what names views were asked for. */
  readonly views: string[];
  stop(): Promise<void>;
}

export async function startEdgeWithShop(
  { markup, startEdge }: Pick<EdgeParts, 'markup' | 'startEdge'>,
  serviceUrl: string,
): Promise<EdgeProcess> {
  const shop = await startShop(markup, serviceUrl);
  const edge = await startEdge(shop.port);
  return {
    ...edge,
    async stop() {
      await edge.stop();
      await shop.stop();
    },
  };
}

async function startShop(markup: Markup, serviceUrl: string): Promise<RunningShop> {
  const server = createShop({ markup, service: { url: serviceUrl }, budgetMs });
  const askedFor: string[] = [];
  const views: string[] = [];
  server.on('request', ({ url, headers }) => {
    askedFor.push(url ?? '');
    if (headers['stepwell-view'] !== undefined) views.push(`${headers['stepwell-view']}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    askedFor,
    views,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A shop that goes on sending for ever is not among them: no edge promises a deadline for a whole answer, which is why the shop keeps its own. */
const shopOutages: readonly Outage[] = ['dead', 'slow', 'resetting', 'resetting midway', 'cut short', 'empty', 'failing'];
const breaksOff: readonly Outage[] = ['resetting midway', 'cut short'];

export function holdsWhatAnEdgeMust(parts: EdgeParts): void {
  const { name, markup, startEdge, guard, alsoOutlasts = [] } = parts;
  let service: ShopService;
  let shop: RunningShop;
  let between: Awaited<ReturnType<typeof openMisbehavingService>>;
  let edge: EdgeProcess;
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    service = await openShopService();
    ends.push(() => service.stop());
    shop = await startShop(markup, service.url);
    ends.push(() => shop.stop());
    between = await openMisbehavingService(`http://127.0.0.1:${shop.port}`);
    ends.push(() => between.stop());
    edge = await startEdge(Number(new URL(between.url).port));
    ends.push(() => edge.stop());
  });
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });
  const pageOf = async (path = '/', headers: Readonly<Record<string, string>> = service.visitors.user.headers) =>
    boxesOf(await (await fetch(`${edge.url}${path}`, { headers })).text(), service.contents);

  describe(`${name}: the shell`, () => {
    it('is asked for once and shown to everybody, whatever they bring', async () => {
      await pageOf();
      shop.askedFor.length = 0;
      for (const { headers } of Object.values(service.visitors)) await pageOf('/', headers);
      await pageOf('/?utm_source=letter');
      expect(shop.askedFor).not.toContain('/');
      expect(shop.askedFor.filter((path) => path.startsWith('/_zones/')).length).toBeGreaterThanOrEqual(5);
    });

    it('reaches the shop under the visitor’s path, in one request and without what the visitor calls the view', async () => {
      await pageOf();
      shop.askedFor.length = 0;
      const path = '/new%20HTTP/1.1%0D%0AHost:%20shop%0D%0A%0D%0AGET%20/_zones/home%20HTTP/1.1%0D%0AHost:%20shop%0D%0A%0D%0A';
      await (await fetch(`${edge.url}${path}`, { headers: { 'stepwell-view': 'forged' } })).text();
      expect(shop.askedFor).toEqual([path]);
      await pageOf('/', { ...service.visitors.user.headers, 'stepwell-view': 'forged' });
      expect(shop.views).not.toContain('forged');
    });

    it('keeps what goes into its boxes from who asks for that alone', async () => {
      for (const path of ['/_zones/home', '/_zones/home/hero']) {
        const response = await fetch(`${edge.url}${path}`, { headers: service.visitors.user.headers });
        expect(response.status).toBe(404);
        expect(await response.text()).not.toContain('hero-gold');
      }
    });
  });

  it(`${name}: a page that were not marked as one visitor’s would be given to another, and the claims above would notice`, async () => {
    const careless = await startEdge(shop.port, (configuration) => {
      if (!configuration.includes(guard.line)) throw new Error(`the configuration does not hold ${guard.line}`);
      return configuration.replace(guard.line, guard.without);
    });
    onTestFinished(() => careless.stop());
    const shared = await startSharedCache(Number(new URL(careless.url).port));
    onTestFinished(() => shared.stop());
    const { user, anonymous } = service.visitors;
    await expect.poll(() => heroOf(careless.url, user, service)).toEqual(user.hero);
    const first = await heroOf(shared.url, user, service);
    expect(await heroOf(shared.url, anonymous, service)).toEqual(first);
  });

  describe(`${name}: a shop in trouble`, () => {
    for (const outage of [...shopOutages, ...alsoOutlasts]) {
      it(`shows approved words in every box while the shop ${outages[outage]}, and the visitor’s own right after`, async () => {
        const before = await pageOf();
        await between.behave(outage);
        onTestFinished(() => between.behave('well'));
        // A piece that came whole before the rest broke off was decided, and may be shown.
        const boxes = await pageOf();
        if (breaksOff.includes(outage))
          for (const [at, box] of boxes.entries()) expect([before[at], approvedBoxes[at]]).toContainEqual(box);
        else expect(boxes).toEqual(approvedBoxes);
        await between.behave('well');
        await expect.poll(async () => (await pageOf()).find(({ zone }) => zone === 'hero')).toMatchObject(service.visitors.user.hero);
      });
    }
  });
}
