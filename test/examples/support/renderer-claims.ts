/** What every renderer among the examples must hold, said once. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startSharedCache } from './edge-process.ts';
import { everyOutage, type MisbehavingService, openMisbehavingService, outages } from './misbehaving-service.ts';
import { approvedBoxes, boxesOf } from './page-check.ts';
import { openShopService, type ShopService, type Visitor } from './shop-service.ts';

export interface Renderer {
  readonly url: string;
  stop(): Promise<void>;
}

export interface RendererClaims {
  readonly name: string;
  /** Starts it in front of a service. */
  start(serviceUrl: string): Promise<Renderer>;
  /** Whether it shows the zones that came before an answer broke off: each of them was decided, and whole. */
  readonly showsWhatCame: boolean;
}

/** What the hero falls back to. */
const standard = 'hero-standard';

export interface Trial {
  readonly service: ShopService;
  /** Between the renderer and the service. */
  readonly between: MisbehavingService;
  readonly renderer: Renderer;
}

export function holdsWhatARendererMust({ name, start, showsWhatCame }: RendererClaims): { readonly trial: Trial } {
  const held = {} as { trial: Trial };
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    const service = await openShopService();
    ends.push(() => service.stop());
    const between = await openMisbehavingService(service.url);
    ends.push(() => between.stop());
    const renderer = await start(between.url);
    ends.push(() => renderer.stop());
    held.trial = { service, between, renderer };
  });
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });

  describe(`${name}: who sees what`, () => {
    for (const tier of ['user', 'session', 'segment', 'anonymous'] as const) {
      it(`shows the ${tier} tier to whom it is for`, async () => {
        const { service, renderer } = held.trial;
        const visitor = service.visitors[tier];
        await expect.poll(() => heroOf(renderer.url, visitor, service)).toEqual(visitor.hero);
      });
    }

    it('sends a page that no cache may hold, and that has no validator of the shell’s', async () => {
      const { service, renderer } = held.trial;
      const response = await fetch(renderer.url, { headers: service.visitors.user.headers });
      expect(response.headers.get('cache-control')).toBe('private, no-store');
      for (const header of ['etag', 'last-modified', 'age', 'accept-ranges']) expect(response.headers.has(header), header).toBe(false);
      boxesOf(await response.text(), service.contents);
    });

    it('never answers 304 or a part to somebody who brings a validator or a range', async () => {
      const { service, renderer } = held.trial;
      const since = { 'if-modified-since': new Date().toUTCString() };
      for (const conditions of [{ 'if-none-match': '*' }, since, { range: 'bytes=0-99' }, { 'if-none-match': '*', ...since }]) {
        const response = await fetch(renderer.url, { headers: { ...service.visitors.segment.headers, ...conditions } });
        expect(response.status, JSON.stringify(conditions)).toBe(200);
        boxesOf(await response.text(), service.contents);
      }
    });

    it('says of whatever else it answers that no cache may hold it', async () => {
      const { renderer } = held.trial;
      const asked = [
        ['GET', '/nothing-here'],
        ['HEAD', '/nothing-here'],
        ['GET', '/_zones/home'],
        ['GET', '/%zz'],
        ['POST', '/'],
        ['DELETE', '/nothing-here'],
      ] as const;
      for (const [method, path] of asked) {
        const { status, headers } = await fetch(`${renderer.url}${path}`, { method, redirect: 'manual' });
        expect(headers.get('cache-control'), `${method} ${path}: ${status}`).toMatch(/\bno-store\b/);
      }
    });

    it('answers who asks for the headers alone with those of the page', async () => {
      const { service, renderer } = held.trial;
      const { status, headers } = await fetch(renderer.url, { method: 'HEAD', headers: service.visitors.user.headers });
      expect([status, headers.get('cache-control')]).toEqual([200, 'private, no-store']);
      expect(headers.get('content-type')).toMatch(/^text\/html/);
    });
  });

  describe(`${name}: a service in trouble`, () => {
    for (const outage of everyOutage) {
      it(`shows approved words in every box while the service ${outages[outage]}, and the visitor’s own right after`, async () => {
        const { service, between, renderer } = held.trial;
        const visitor = service.visitors.user;
        await between.behave(outage);
        onTestFinished(() => between.behave('well'));
        const page = await fetch(renderer.url, { headers: visitor.headers });
        expect(page.status).toBe(200);
        const boxes = boxesOf(await page.text(), service.contents);
        if (showsWhatCame) {
          for (const [index, box] of boxes.entries()) if (box.tier === 'approved') expect(box).toEqual(approvedBoxes[index]);
        } else expect(boxes).toEqual(approvedBoxes);
        await between.behave('well');
        await expect.poll(() => heroOf(renderer.url, visitor, service)).toEqual(visitor.hero);
      });
    }
  });

  describe(`${name}: behind a cache that people share`, () => {
    it('gives each visitor their own page and nobody another’s, through an outage too', async () => {
      const { service, between, renderer } = held.trial;
      const shared = await startSharedCache(Number(new URL(renderer.url).port));
      onTestFinished(() => shared.stop());
      onTestFinished(() => between.behave('well'));
      const everybody = Object.values(service.visitors);
      const heroesOf = () => Promise.all([...everybody, ...everybody].map((visitor) => heroOf(shared.url, visitor, service)));
      const own = [...everybody, ...everybody].map(({ hero }) => hero);
      for (const manner of ['well', 'dead', 'well', 'dribbling', 'well'] as const) {
        await between.behave(manner);
        for (const [index, { variant }] of (await heroesOf()).entries()) expect([own[index]?.variant, standard]).toContain(variant);
        if (manner === 'well') await expect.poll(heroesOf).toEqual(own);
      }
    });
  });
  return held;
}

/** Else the claims above would be blind: the cache does give one visitor's page to another where the page lets it. */
export function holdsThatTheSharedCacheShares(): void {
  it('would give away a page that does not say whose it is', async () => {
    const careless = createServer((request, response) => {
      response.writeHead(200, { 'cache-control': 'public, s-maxage=60' }).end(`For ${request.headers.cookie}`);
    });
    await new Promise<void>((resolve) => careless.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void careless.close());
    const shared = await startSharedCache((careless.address() as AddressInfo).port);
    onTestFinished(() => shared.stop());
    const pageFor = async (cookie: string) => (await fetch(shared.url, { headers: { cookie } })).text();
    expect([await pageFor('ada'), await pageFor('grace')]).toEqual(['For ada', 'For ada']);
  });
}

export async function heroOf(url: string, visitor: Visitor, service: ShopService): Promise<{ tier: string; variant: string }> {
  const response = await fetch(url, { headers: visitor.headers });
  const hero = boxesOf(await response.text(), service.contents).find(({ zone }) => zone === 'hero');
  return { tier: hero?.tier ?? '', variant: hero?.variant ?? '' };
}
