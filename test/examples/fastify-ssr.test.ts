/** The page that a server writes as its zones are decided: who sees what, in what order, and what is left when the service is in trouble. */
import type { AddressInfo } from 'node:net';
import { createPages } from '../../examples/fastify-ssr/server.ts';
import { holdsWhatARendererMust, type Renderer } from './support/renderer-claims.ts';

async function startPages(serviceUrl: string): Promise<Renderer> {
  const app = createPages({ service: { url: serviceUrl }, foldMs: 150, pageMs: 300 });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return { url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, stop: () => app.close() };
}

holdsWhatARendererMust({ name: 'Fastify', start: startPages, showsWhatCame: true });
