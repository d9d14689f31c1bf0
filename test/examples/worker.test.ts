/** The page that a Cloudflare Worker writes, in Cloudflare's own runtime: who sees what, and what is left when the service is in trouble. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startWorker } from '../../examples/cloudflare-worker/serve.ts';
import { approvedInside, page, pageZones } from '../../examples/shop/page.ts';
import { collapse } from '../../src/classes/collapse.ts';
import type { ClassTable } from '../../src/classes/table.ts';
import { approvedBoxes, boxesOf } from './support/page-check.ts';
import { heroOf, holdsWhatARendererMust } from './support/renderer-claims.ts';
import { startWorkerWithSite } from './support/worker-process.ts';

/** The machine may be busy with everything else. */
const budgetMs = 150;

const held = holdsWhatARendererMust({
  name: 'Cloudflare Worker',
  start: (url) => startWorkerWithSite(url, budgetMs),
  showsWhatCame: false,
});

describe('Cloudflare Worker: visitors of whom nothing is known', () => {
  it('get what everybody of their class gets, and the service is asked once for all of them', async () => {
    const { service, between } = held.trial;
    const table = (await (await fetch(`${service.url}/v1/decide/classes?page=home`)).json()) as ClassTable;
    const classOf = (country: string) => collapse(table, { country });
    const alike = ['US', 'JP', 'BR', 'CA', 'NZ', 'ZA'].filter((country) => classOf(country) === classOf('US'));
    expect(alike.length).toBeGreaterThan(2);
    // A Worker of its own, whose cache is empty, so that nothing in it grows old meanwhile.
    const url = await startWith(between.url, await siteAt(null));
    const heroIn = (country: string) => heroOf(url, { ...service.visitors.segment, headers: { 'x-country': country } }, service);
    const [first = '', ...others] = alike;
    await expect.poll(() => heroIn(first)).toEqual(service.visitors.anonymous.hero);
    const before = between.asked();
    for (const country of others) expect(await heroIn(country)).toEqual(service.visitors.anonymous.hero);
    expect(between.asked()).toBe(before);
    await expect.poll(() => heroIn('AT')).toEqual(service.visitors.segment.hero);
    expect(await heroIn('DE')).toEqual(service.visitors.segment.hero);
    expect(between.asked()).toBe(before + 1);
  });
});

describe('Cloudflare Worker: the shell', () => {
  it.each<[string, RequestListener | null]>([
    ['cannot be reached', null],
    ['answers 500', (_, response) => void response.writeHead(500).end(page(approvedInside))],
    ['ends in the middle', (_, response) => void response.writeHead(200).end(page(approvedInside).slice(0, 2000))],
    ['never ends', (_, response) => void response.writeHead(200).write(page(approvedInside))],
    ['is another page', (_, response) => void response.writeHead(200).end('<!doctype html><h1>Sign in</h1></html>')],
  ])('is the one of the deployment while the shop’s site %s', async (_, site) => {
    const { service } = held.trial;
    const url = await startWith(service.url, await siteAt(site));
    for (let view = 0; view < 3; view += 1)
      await expect.poll(() => heroOf(url, service.visitors.user, service)).toEqual({ tier: 'user', variant: 'hero-gold' });
  });

  it('is fetched without anything of a visitor’s, and kept for everybody', async () => {
    const { service } = held.trial;
    const heard: (string | undefined)[] = [];
    const shopUrl = await siteAt((request, response) => {
      heard.push(request.headers.cookie);
      response.writeHead(200, { 'set-cookie': 'sid=1' }).end(page(approvedInside).replace('Halden Outdoor', 'Halden, of today'));
    });
    const url = await startWith(service.url, shopUrl);
    const { headers } = service.visitors.user;
    await expect.poll(async () => (await fetch(url, { headers })).text()).toContain('Halden, of today');
    const other = await fetch(url);
    expect(await other.text()).toContain('Halden, of today');
    expect(other.headers.get('set-cookie')).toBeNull();
    expect(heard).toEqual([undefined]);
  });
});

describe('Cloudflare Worker: a decision that cannot be shown', () => {
  it('lets no content throw, end a box or open a tag: the page is whole', async () => {
    const attack = '</section></template><script>alert(1)</script>\ud800"\'&';
    const contents = [attack, { headline: attack, items: [attack, 7, null], link: '//evil.example' }, 0, false, [], {}, [[[]]]];
    const zones = pageZones.map((zone, index) => ({ zone, tier: attack, variant: attack, content: contents[index], render: 'now' }));
    const stepwellUrl = await siteAt((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ zones }));
    });
    const url = await startWith(stepwellUrl, await siteAt(null));
    const view = async () => (await fetch(url, { headers: { cookie: 'shop_consent=offers' } })).text();
    await expect.poll(view).toContain('alert(1)');
    const html = await view();
    expect(html).not.toContain('<script>alert');
    expect(html.match(/<section /g)?.length).toBe(pageZones.length);
    expect(html.trimEnd().endsWith('</html>')).toBe(true);
  });

  it('shows approved words where the service speaks of other zones, or of none', async () => {
    const { service } = held.trial;
    for (const zones of [[], [{ zone: 'elsewhere', tier: 'user', variant: 'a', content: 'b', render: 'now' }]]) {
      const stepwellUrl = await siteAt((_, response) => void response.writeHead(200).end(JSON.stringify({ zones })));
      const url = await startWith(stepwellUrl, await siteAt(null));
      const response = await fetch(url, { headers: { cookie: 'shop_consent=offers' } });
      expect(boxesOf(await response.text(), service.contents)).toEqual(approvedBoxes);
    }
  });
});

async function startWith(stepwellUrl: string, shopUrl: string): Promise<string> {
  const worker = await startWorker({ stepwellUrl, shopUrl, budgetMs, port: 0 });
  onTestFinished(() => worker.stop());
  return worker.url;
}

/** A server of the test's; null: an address where nobody listens. */
async function siteAt(listener: RequestListener | null): Promise<string> {
  const server = createServer(listener ?? (() => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  const { port } = server.address() as AddressInfo;
  if (listener === null) close();
  else onTestFinished(close);
  return `http://127.0.0.1:${port}`;
}
