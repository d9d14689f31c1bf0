/** The page that Varnish puts together with Edge Side Includes: who sees what, and what is left when the service or the shop is in trouble. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { approvedVcl } from '../../examples/varnish/approved.ts';
import { startVarnish } from './support/edge-process.ts';
import { type EdgeParts, holdsWhatAnEdgeMust, startEdgeWithShop } from './support/edge-with-shop.ts';
import { holdsWhatARendererMust } from './support/renderer-claims.ts';

const varnish: EdgeParts = {
  name: 'Varnish',
  markup: 'esi',
  startEdge: startVarnish,
  guard: { line: 'resp.http.Cache-Control = "private, no-store"', without: 'resp.http.X-Nothing = "said"' },
};

it('has the approved words of the present fallbacks built in', () => {
  expect(readFileSync('examples/varnish/approved.vcl', 'utf8')).toBe(approvedVcl());
});

holdsWhatARendererMust({ name: 'Varnish', start: (serviceUrl) => startEdgeWithShop(varnish, serviceUrl), showsWhatCame: false });
holdsWhatAnEdgeMust(varnish);
