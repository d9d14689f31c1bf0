/** A page of another origin that uses OpenFeature in a real browser, and a way to play its script. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { rolldown } from 'rolldown';
import { onTestFinished } from 'vitest';
import { openBrowser } from '../support/browser.ts';
import { needPackage } from '../support/packages.ts';
import type { Context, Details } from './clients.ts';

export type CacheMode = 'local-cache-first' | 'network-first' | 'disabled';

export interface ProviderOptions {
  readonly baseUrl: string;
  readonly key: string;
  readonly cacheMode: CacheMode;
  /** Zero: it does not poll. */
  readonly pollInterval?: number;
  readonly changeDetection?: 'sse' | 'polling' | 'none';
}

export interface OpenPage {
  readonly page: Page;
  /** Of every answer of the service to this page. */
  readonly statuses: number[];
  reload(): Promise<void>;
  /** Resolves when the provider is ready, or has given up, with its state. */
  provide(options: ProviderOptions, context: Context): Promise<string>;
  setContext(context: Context): Promise<void>;
  details(key: string, type: string, fallback: unknown): Promise<Details>;
}

/** The origin is known before the service starts, which has to list it. */
export async function startPages(): Promise<{ readonly origin: string; open(script?: string): Promise<OpenPage> }> {
  needPackage('test/openfeature');
  let bundle = '';
  const server = createServer((request, response) => {
    if (request.url === '/page.js') response.setHeader('content-type', 'text/javascript').end(bundle);
    else
      response
        .setHeader('content-type', 'text/html')
        .end('<!doctype html><title>A shop</title><body><script type="module" src="/page.js"></script>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a port was asked for');
  const origin = `http://127.0.0.1:${address.port}`;
  return {
    origin,
    async open(script = bareScript) {
      bundle = await bundled(script);
      return openPage(await browse(), origin);
    },
  };
}

/** What a page bundles that uses OpenFeature: the SDK and the provider of OFREP, and nothing of ours. */
const bareScript = `
  import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
  import { OpenFeature } from '@openfeature/web-sdk';
  globalThis.openFeature = { OpenFeature, OFREPWebProvider };
`;

async function bundled(script: string): Promise<string> {
  const input = join(import.meta.dirname, 'script-of-the-page.js');
  const ours = {
    name: 'script of the page',
    resolveId: (id: string) => (id === input ? id : null),
    load: (id: string) => (id === input ? script : null),
  };
  const build = await rolldown({ input, platform: 'browser', plugins: [ours] });
  const { output } = await build.generate({ format: 'es' });
  await build.close();
  return output[0].code;
}

async function browse(): Promise<BrowserContext> {
  const browser = await openBrowser();
  onTestFinished(() => browser.close());
  return browser.newContext();
}

async function openPage(browser: BrowserContext, origin: string): Promise<OpenPage> {
  const page = await browser.newPage();
  const statuses: number[] = [];
  page.on('response', (response) => {
    if (response.request().method() === 'POST') statuses.push(response.status());
  });
  await page.goto(origin);
  return {
    page,
    statuses,
    async reload() {
      await page.reload();
    },
    provide: (options, context) => page.evaluate(provideInPage, { options, context }),
    setContext: (context) => page.evaluate(setContextInPage, context),
    details: (key, type, fallback) => page.evaluate(detailsInPage, { key, type, fallback }),
  };
}

/** What the page's script left on its window. */
interface Bundle {
  readonly OpenFeature: {
    setProviderAndWait(provider: unknown, context: object): Promise<void>;
    setContext(context: object): Promise<void>;
    getClient(): { readonly providerStatus: string } & Readonly<Record<string, (key: string, fallback: unknown) => Details>>;
  };
  readonly OFREPWebProvider: new (options: object) => unknown;
}

// The functions below are sent to the page as they stand, so they use nothing of this file.

async function provideInPage({ options, context }: { options: ProviderOptions; context: Context }): Promise<string> {
  const { OpenFeature, OFREPWebProvider } = (globalThis as unknown as { openFeature: Bundle }).openFeature;
  const { key, ...rest } = options;
  const provider = new OFREPWebProvider({ ...rest, headers: [['X-API-Key', `key-${key}`]] });
  await OpenFeature.setProviderAndWait(provider, context).catch(() => {});
  return OpenFeature.getClient().providerStatus;
}

async function setContextInPage(context: Context): Promise<void> {
  await (globalThis as unknown as { openFeature: Bundle }).openFeature.OpenFeature.setContext(context);
}

function detailsInPage({ key, type, fallback }: { key: string; type: string; fallback: unknown }): Details {
  const client = (globalThis as unknown as { openFeature: Bundle }).openFeature.OpenFeature.getClient();
  const ask = client[`get${type.charAt(0).toUpperCase()}${type.slice(1)}Details`];
  if (ask === undefined) throw new Error('the SDK has no such type');
  const { value, variant, reason, errorCode, flagMetadata } = ask.call(client, key, fallback);
  return JSON.parse(JSON.stringify({ value, variant, reason, errorCode, flagMetadata })) as Details;
}
