/** The page that nginx puts together with server-side includes: who sees what, and what is left when the service or the shop is in trouble. */
import { startNginx } from './support/edge-process.ts';
import { type EdgeParts, holdsWhatAnEdgeMust, startEdgeWithShop } from './support/edge-with-shop.ts';
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
