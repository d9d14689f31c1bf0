/** The page that Next.js writes: who sees what, what is left when the service is in trouble, and what caches are told of it. */
import { describe, expect, it } from 'vitest';
import { startNext } from './support/next-process.ts';
import { holdsWhatARendererMust } from './support/renderer-claims.ts';

/** The machine may be busy with everything else. */
const budgetMs = 200;

const held = holdsWhatARendererMust({ name: 'Next.js', start: (serviceUrl) => startNext(serviceUrl, budgetMs), showsWhatCame: false });

describe('Next.js: what caches are told', () => {
  it.each<[string, string, Record<string, string>]>([
    ['the page', '/', {}],
    ['the page with a question mark', '/?utm_source=letter', {}],
    ['what the browser fetches to show it again', '/?_rsc=1', { rsc: '1' }],
    ['what the browser fetches ahead', '/?_rsc=1', { rsc: '1', 'next-router-prefetch': '1' }],
    ['the page as a crawler sees it', '/', { 'user-agent': 'Googlebot' }],
  ])('nobody may keep %s', async (_, path, headers) => {
    const { renderer, service } = held.trial;
    const response = await fetch(`${renderer.url}${path}`, { headers: { ...service.visitors.user.headers, ...headers } });
    expect(response.ok).toBe(true);
    expect(response.headers.get('cache-control')).toBe('private, no-store');
    for (const name of ['cdn-cache-control', 'surrogate-control', 'etag']) expect(response.headers.has(name), name).toBe(false);
  });

  it('everybody may keep the scripts and styles, and they hold nothing of a visitor’s', async () => {
    const { renderer, service } = held.trial;
    const html = await (await fetch(renderer.url, { headers: service.visitors.user.headers })).text();
    const assets = [...html.matchAll(/(?:src|href)="(\/_next\/static\/[^"]+)"/g)].map(([, path = '']) => path);
    expect(assets.length).toBeGreaterThan(2);
    for (const path of assets) {
      const response = await fetch(`${renderer.url}${path}`);
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    }
  });
});
