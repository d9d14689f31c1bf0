/** The page that nginx puts together with server-side includes: who sees what, and what is left when the service or the shop is in trouble. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { pageZones } from '../../examples/shop/page.ts';
import { createShop } from '../../examples/shop/shop.ts';
import { approved } from '../../examples/shop/zones.ts';
import { startNginx } from './support/edge-process.ts';
import { type EdgeParts, holdsWhatAnEdgeMust, startEdgeWithShop } from './support/edge-with-shop.ts';
import { approvedBoxes, boxesOf } from './support/page-check.ts';
import { holdsThatTheSharedCacheShares, holdsWhatARendererMust } from './support/renderer-claims.ts';

const nginx: EdgeParts = {
  name: 'nginx',
  markup: 'ssi',
  startEdge: startNginx,
  alsoOutlasts: ['dribbling'],
  guard: { line: 'Cache-Control "private, no-store"', without: 'Cache-Control "public, s-maxage=60"' },
};

holdsWhatARendererMust({ name: 'nginx', start: (serviceUrl) => startEdgeWithShop(nginx, serviceUrl), showsWhatCame: false });
holdsWhatAnEdgeMust(nginx);
holdsThatTheSharedCacheShares();

describe('nginx: a decision that is large when it is written', () => {
  // An apostrophe is one byte of an answer and five of a page, and an answer may have 64 KiB.
  it.each([
    ['shows approved words in the one box that is too large, and every other decision', { hero: 14_000 }, ['hero']],
    ['shows approved words in the larger of two boxes', { hero: 8000, offer_rail: 7000 }, ['hero']],
    ['shows what just fits', { hero: 11_500 }, []],
    [
      'shows a whole page where no two fit',
      Object.fromEntries(pageZones.map((zone) => [zone, zone === 'hero' ? 8999 : 9000])),
      pageZones.filter((zone) => zone !== 'hero'),
    ],
  ])('%s', async (_, apostrophes: Readonly<Record<string, number>>, tooLarge: readonly string[]) => {
    const decisions = pageZones.map((zone) => ({
      zone,
      tier: 'user',
      variant: `${zone}-decided`,
      content: "'".repeat(apostrophes[zone] ?? 1),
      render: 'now',
    }));
    const edge = await startEdgeWithShop(nginx, await serviceThatSays({ zones: decisions }));
    onTestFinished(() => edge.stop());
    const shown = pageZones.map((zone) =>
      tooLarge.includes(zone) ? { zone, ...approved(zone) } : decisions.find((one) => one.zone === zone),
    );
    const contents = new Map(shown.map((one) => [one?.variant ?? '', one?.content]));
    const expected = shown.map((one) => ({ zone: one?.zone, variant: one?.variant, tier: one?.tier }));
    expect(boxesOf(await (await fetch(edge.url)).text(), contents)).toEqual(expected);
  });
});

describe('nginx: a shop that hangs', () => {
  it('delays no page that has an old shell, for as long as it hangs', async () => {
    const hanging: ServerResponse[] = [];
    let isShellWell = true;
    const shell = createShop({ markup: 'ssi', service: { url: 'http://127.0.0.1:1' }, budgetMs: 100 });
    const port = await listening(
      createServer((request, response) => {
        if (request.url === '/' && !isShellWell) return void hanging.push(response);
        shell.emit('request', request, response);
      }),
    );
    // Old in a second, and given up by nobody while the test lasts.
    const edge = await startNginx(port, (conf) =>
      replaced(conf, {
        'proxy_cache shells;': 'proxy_cache shells; proxy_ignore_headers Cache-Control; proxy_cache_valid 1s;',
        ...patience,
      }),
    );
    onTestFinished(() => edge.stop());
    const view = async () => boxesOf(await (await fetch(edge.url)).text(), new Map(approvedContents));
    expect(await view()).toEqual(approvedBoxes);
    isShellWell = false;
    await expect.poll(async () => (await view()) && hanging.length).toBe(1);
    for (let page = 0; page < 5; page += 1) expect(await view()).toEqual(approvedBoxes);
    expect(await Promise.all([view(), view(), view()])).toEqual([approvedBoxes, approvedBoxes, approvedBoxes]);
    expect(hanging.map(({ destroyed }) => destroyed)).toEqual([false]);
  });

  it('is given up by who has no old shell, and the answer is nobody’s to keep', async () => {
    const port = await listening(createServer(() => {}));
    const edge = await startNginx(port, (conf) => replaced(conf, { 'proxy_read_timeout 5s;': 'proxy_read_timeout 100ms;' }));
    onTestFinished(() => edge.stop());
    const { status, headers } = await fetch(edge.url);
    expect([status, headers.get('cache-control')]).toEqual([504, 'private, no-store']);
  });

  const patience = { 'proxy_read_timeout 5s;': 'proxy_read_timeout 300s;', 'proxy_read_timeout 15s;': 'proxy_read_timeout 300s;' };
  const approvedContents = pageZones.map((zone) => [approved(zone).variant ?? '', approved(zone).content] as const);

  function replaced(conf: string, parts: Readonly<Record<string, string>>): string {
    let changed = conf;
    for (const [part, by] of Object.entries(parts)) {
      if (!changed.includes(part)) throw new Error(`nginx.conf does not hold ${part}`);
      changed = changed.replace(part, by);
    }
    return changed;
  }
});

async function serviceThatSays(answer: unknown): Promise<string> {
  return `http://127.0.0.1:${await listening(createServer((_, response) => void response.writeHead(200).end(JSON.stringify(answer))))}`;
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
