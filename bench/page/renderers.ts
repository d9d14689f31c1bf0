/** The six example renderers as they are deployed, each with the time that its own README gives it, in front of one service. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { createSite } from '../../examples/browser/serve.ts';
import { createPages } from '../../examples/fastify-ssr/server.ts';
import { createShop, type Markup } from '../../examples/shop/shop.ts';
import { type EdgeProcess, startNginx, startVarnish } from '../../test/examples/support/edge-process.ts';
import { startNext } from '../../test/examples/support/next-process.ts';
import type { Renderer } from '../../test/examples/support/renderer-claims.ts';
import { startWorkerWithSite } from '../../test/examples/support/worker-process.ts';

type Start = (serviceUrl: string) => Promise<Renderer>;

export const servers: Readonly<Record<string, Start>> = {
  nginx: (serviceUrl) => startBehindEdge('ssi', startNginx, serviceUrl),
  Varnish: (serviceUrl) => startBehindEdge('esi', startVarnish, serviceUrl),
  async Fastify(serviceUrl) {
    const app = createPages({ service: { url: serviceUrl }, foldMs: 60, pageMs: 150 });
    return { url: await app.listen({ host: '127.0.0.1', port: 0 }), stop: () => app.close() };
  },
  'Cloudflare Worker': (serviceUrl) => startWorkerWithSite(serviceUrl, 50),
  'Next.js': (serviceUrl) => startNext(serviceUrl, 50),
};

async function startBehindEdge(markup: Markup, startEdge: (port: number) => Promise<EdgeProcess>, serviceUrl: string): Promise<Renderer> {
  const shop = createShop({ markup, service: { url: serviceUrl }, budgetMs: 60 });
  await new Promise<void>((resolve) => shop.listen(0, '127.0.0.1', resolve));
  const edge = await startEdge((shop.address() as AddressInfo).port);
  return {
    url: edge.url,
    async stop() {
      await edge.stop();
      shop.closeAllConnections();
      shop.close();
    },
  };
}

/** The static page, with the first calls of its client timed. Isolated from other origins, it has a clock of 5 µs. */
export async function startTimedSite(port: number, serviceUrl: string): Promise<Renderer> {
  const site = await createSite({ serviceUrl });
  const { output } = await build({
    input: fileURLToPath(new URL('../../examples/browser/page.ts', import.meta.url)),
    resolve: { alias: { 'stepwell/client': fileURLToPath(new URL('./timed-client.ts', import.meta.url)) } },
    output: { format: 'esm', minify: true },
    platform: 'browser',
    write: false,
  });
  const script = output[0].code;
  const server = createServer((request, response) => {
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', 'require-corp');
    if (request.url !== '/page.js') return void site.emit('request', request, response);
    response.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'public, max-age=60' }).end(script);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', () => resolve()));
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
