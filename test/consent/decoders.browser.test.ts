/** The decoders in a real browser: the very files of the service, types taken off, say of every vector what they say in Node. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hearConsent, type WireConsent } from '../../src/consent/signals.ts';
import { openBrowser } from '../support/browser.ts';
import { settings } from './states-of.ts';
import { vectorsOf } from './us-corpus.ts';

const html = `<!doctype html><title>decoders</title><script type="module">
  import { hearConsent } from '/src/consent/signals.ts';
  globalThis.hear = ({ cases, countries, hearing }) =>
    cases.flatMap(({ wire, secGpc }) => countries.map((country) => hearConsent(wire, secGpc, { ...hearing, country })));
</script>`;
const source = /^\/src\/[a-z/-]+\.ts$/;
const hearing = { settings: { ...settings, regimes: { US: 'us_opt_out' } }, nowMs: Date.parse('2026-11-20T00:00:00Z') };
const countries = ['US', 'DE'] as const;

interface Case {
  readonly wire: WireConsent;
  readonly secGpc: readonly string[];
}

interface TcfCorpus {
  readonly tcf: readonly { readonly input: string }[];
  readonly tcfCost: readonly { readonly input: string }[];
  readonly precedence: readonly { readonly consent: WireConsent; readonly secGpc?: readonly string[] }[];
}

const { tcf, tcfCost, precedence }: TcfCorpus = JSON.parse(readFileSync('test/conformance/consent/tc-strings-and-precedence.json', 'utf8'));

const cases: readonly Case[] = [
  ...vectorsOf('gpp').map(({ input }) => ({ wire: { gpp: input }, secGpc: [] })),
  ...vectorsOf('usp').map(({ input }) => ({ wire: { usPrivacy: input }, secGpc: [] })),
  ...vectorsOf('google-consent-mode').map(({ input }) => ({ wire: { googleConsentMode: input }, secGpc: [] })),
  ...vectorsOf('sec-gpc').map(({ input }) => ({ wire: {}, secGpc: input })),
  ...[...tcf, ...tcfCost].map(({ input }) => ({ wire: { tcf: input }, secGpc: [] })),
  ...precedence.map(({ consent, secGpc = [] }) => ({ wire: consent, secGpc })),
];

async function openPage() {
  const server = createServer(({ url = '' }, response) => {
    if (url === '/') response.writeHead(200, { 'content-type': 'text/html' }).end(html);
    else if (source.test(url))
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(stripTypeScriptTypes(readFileSync(`.${url}`, 'utf8')));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await openBrowser();
  onTestFinished(async () => {
    await browser.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('pageerror', ({ message }) => complaints.push(message));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return { page, complaints };
}

describe('the decoders in a browser', () => {
  it('say of every vector what they say in the service', async () => {
    const { page, complaints } = await openPage();
    const asked = { cases, countries, hearing };
    const heard = await page.evaluate((given) => (globalThis as unknown as { hear(all: typeof given): unknown[] }).hear(given), asked);
    const here = cases.flatMap(({ wire, secGpc }) => countries.map((country) => hearConsent(wire, secGpc, { ...hearing, country })));
    expect(complaints).toEqual([]);
    expect(heard).toEqual(JSON.parse(JSON.stringify(here)));
    expect(heard.length).toBeGreaterThan(100);
  });
});
