/** The example's Worker in Cloudflare's runtime, with a site that serves its shell. */
import { startShopSite, startWorker } from '../../../examples/cloudflare-worker/serve.ts';
import type { Renderer } from './renderer-claims.ts';

export async function startWorkerWithSite(stepwellUrl: string, budgetMs: number): Promise<Renderer> {
  const site = await startShopSite();
  const worker = await startWorker({ stepwellUrl, shopUrl: site.url, budgetMs, port: 0 });
  const stop = async () => {
    await worker.stop();
    site.server.closeAllConnections();
    site.server.close();
  };
  return { url: worker.url, stop };
}
