/** The page that a server writes as its zones are decided: who sees what, in what order, and what is left when the service is in trouble. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createPages } from '../../examples/fastify-ssr/server.ts';
import { aboveFold, pageZones } from '../../examples/shop/page.ts';
import { holdsWhatARendererMust, type Renderer } from './support/renderer-claims.ts';

async function startPages(serviceUrl: string, deadlines = { foldMs: 100, pageMs: 200 }): Promise<Renderer> {
  const app = createPages({ service: { url: serviceUrl }, ...deadlines });
  await app.listen({ host: '127.0.0.1', port: 0 });
  // A page that a failed test left half written must not hold up the others.
  const stop = async () => {
    app.server.closeAllConnections();
    await app.close();
  };
  return { url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, stop };
}

holdsWhatARendererMust({ name: 'Fastify', start: (serviceUrl) => startPages(serviceUrl), showsWhatCame: true });

describe('Fastify: zones that are decided out of the order of the page', () => {
  it('puts every line into its own box, whatever order they come in', async () => {
    const script = await startScript();
    const { url } = await startPagesForTest(script.url);
    const page = fetch(url).then((response) => response.text());
    const send = await script.asked;
    for (const zone of [...pageZones].reverse()) send(lineOf(zone));
    send(null);
    const boxes = inBoxes(await page);
    expect(boxes).toEqual(pageZones.map((zone) => `Decided for ${zone}`));
  });

  it('sends the head before anything is decided, the fold when it is, and what is below it when it comes', async () => {
    const script = await startScript();
    const { url } = await startPagesForTest(script.url);
    const reader = await openReader(url);
    expect(await reader.until('<main>')).not.toContain('<section');
    const send = await script.asked;
    send(lineOf('newsletter_box'));
    for (const zone of aboveFold) send(lineOf(zone));
    const written = await reader.until('</footer>');
    expect(written).toContain('Decided for hero');
    expect(written).toContain('Decided for newsletter_box');
    expect(written).not.toContain('Decided for category_tiles');
    send(lineOf('category_tiles'));
    expect(await reader.until('</template>')).toContain('<template data-for="category_tiles"><div class="shown"');
    send(null);
    const end = await reader.until('</html>');
    expect(end).not.toContain('<template data-for="recently_viewed">');
  });

  it('ends the page when the stream breaks off, with what came and approved words for the rest', async () => {
    const script = await startScript();
    const { url } = await startPagesForTest(script.url);
    const page = fetch(url).then((response) => response.text());
    const send = await script.asked;
    send(lineOf('hero'));
    send('{"zone":"offer_rail","tier":"user","variant":"half-a-li');
    send(null);
    const boxes = inBoxes(await page);
    expect(boxes[pageZones.indexOf('hero')]).toBe('Decided for hero');
    expect(boxes[pageZones.indexOf('offer_rail')]).toContain('Our editors recommend');
  });

  it('lets no content end a script or open a tag', async () => {
    const script = await startScript();
    const { url } = await startPagesForTest(script.url);
    const page = fetch(url).then((response) => response.text());
    const send = await script.asked;
    const attack = '</section></template><script>alert(1)</script>"\'&\u001e\u001f';
    for (const zone of pageZones) send(JSON.stringify({ ...decisionOf(zone, attack), variant: attack, tier: attack }));
    send(null);
    const html = await page;
    expect(html).not.toContain('<script>alert');
    expect(html.match(/<section /g)?.length).toBe(pageZones.length);
    expect(html.match(/<\/section>/g)?.length).toBe(pageZones.length);
  });
});

/** A service whose lines the test sends one by one; null ends them. */
async function startScript() {
  const { promise: asked, resolve } = Promise.withResolvers<(line: string | null) => void>();
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' }).flushHeaders();
    resolve((line) => (line === null ? response.end() : response.write(`${line}\n`)));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** With deadlines that no test reaches: here the lines alone say when. */
async function startPagesForTest(serviceUrl: string): Promise<Renderer> {
  const pages = await startPages(serviceUrl, { foldMs: 60_000, pageMs: 120_000 });
  onTestFinished(() => pages.stop());
  return pages;
}

function decisionOf(zone: string, headline = `Decided for ${zone}`) {
  return { zone, tier: 'segment', variant: `${zone}-decided`, content: { headline }, render: 'now' };
}

function lineOf(zone: string): string {
  return JSON.stringify(decisionOf(zone));
}

function inBoxes(html: string): readonly string[] {
  return [...html.matchAll(/<section [^>]+>(.*?)<\/section>/gs)].map(([, inside = '']) => inside.replace(/<[^>]+>/g, ''));
}

async function openReader(url: string) {
  const response = await fetch(url);
  const pieces = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
  let unread = '';
  return {
    /** All up to and with the mark, as soon as it is there. */
    async until(mark: string): Promise<string> {
      while (!unread.includes(mark)) {
        const { done, value } = await pieces.read();
        if (done) throw new Error(`the page ended before ${mark}`);
        unread += value;
      }
      const end = unread.indexOf(mark) + mark.length;
      const read = unread.slice(0, end);
      unread = unread.slice(end);
      return read;
    },
  };
}
