/**
 * The Worker in Cloudflare's own runtime, on this machine.
 *
 *   node examples/cloudflare-worker/serve.ts
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Miniflare } from 'miniflare';
import { rolldown } from 'rolldown';
import { approvedInside, page } from '../shop/page.ts';

export interface WorkerParts {
  readonly stepwellUrl: string;
  readonly stepwellKey?: string | undefined;
  readonly shopUrl: string;
  readonly budgetMs: number;
  readonly port: number;
}

export async function startWorker({ stepwellUrl, stepwellKey, shopUrl, budgetMs, port }: WorkerParts) {
  const worker = new Miniflare({
    modules: true,
    script: await bundled(),
    compatibilityDate: '2026-04-01',
    // On its network Cloudflare says here where a visitor is; nobody does so on this machine, and nobody is asked.
    cf: {},
    host: '127.0.0.1',
    port,
    bindings: {
      STEPWELL_URL: stepwellUrl,
      ...(stepwellKey === undefined ? {} : { STEPWELL_KEY: stepwellKey }),
      SHOP_URL: shopUrl,
      DEPLOYED_SHELL: page(approvedInside),
      BUDGET_MS: String(budgetMs),
    },
  });
  const { origin } = await worker.ready;
  return { url: origin, stop: () => worker.dispose() };
}

/** One module, as it would be deployed. */
async function bundled(): Promise<string> {
  const build = await rolldown({ input: fileURLToPath(new URL('./worker.ts', import.meta.url)), platform: 'browser' });
  const { output } = await build.generate({ format: 'esm' });
  await build.close();
  return output[0].code;
}

/** Stands for the shop's site: it serves the shell. */
export async function startShopSite(): Promise<{ readonly url: string; readonly server: Server }> {
  const shell = page(approvedInside);
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'public, max-age=0, s-maxage=60' }).end(shell);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { STEPWELL_URL: stepwellUrl = 'http://127.0.0.1:8080', STEPWELL_KEY: stepwellKey, PORT = '8084' } = process.env;
  const site = await startShopSite();
  const { url } = await startWorker({ stepwellUrl, stepwellKey, shopUrl: site.url, budgetMs: 50, port: Number(PORT) });
  console.log(`The shop, written by a Cloudflare Worker, on ${url}`);
}
