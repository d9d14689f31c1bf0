/** The page that nginx puts together with server-side includes: who sees what, and what is left when the service or the shop is in trouble. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { pageZones } from '../../examples/shop/page.ts';
import { approved } from '../../examples/shop/zones.ts';
import { startNginx } from './support/edge-process.ts';
import { type EdgeParts, holdsWhatAnEdgeMust, startEdgeWithShop } from './support/edge-with-shop.ts';
import { boxesOf } from './support/page-check.ts';
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

async function serviceThatSays(answer: unknown): Promise<string> {
  const server = createServer((_, response) => void response.writeHead(200).end(JSON.stringify(answer)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
