/** What docs/openfeature.md tells a newcomer to paste works as it stands, but for the port. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { needPackage } from '../support/packages.ts';
import { startPages } from './open-page.ts';
import { startProcess } from './service-process.ts';

const policy = 'examples/retail.yaml';

/** The page's blocks of JavaScript, the server's first. */
function snippets(url: string): readonly string[] {
  const blocks = readFileSync('docs/openfeature.md', 'utf8').matchAll(/^```js\n(.*?)^```$/gms);
  return [...blocks].map(([, code = '']) => code.replaceAll('http://127.0.0.1:8080', url));
}

describe('the quick start', () => {
  it('shows on a server what was decided, and how', async () => {
    needPackage('test/openfeature');
    const { url } = await startProcess({ policy, needsNoKeys: true });
    const [code = ''] = snippets(url);
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { cwd: import.meta.dirname });
    const [output, complaints] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect(complaints).toBe('');
    expect(output).toMatch(/^\S.* hero-dach TARGETING_MATCH segment\n$/);
  });

  it('shows it in a page', async () => {
    const { text: shown } = await openShop();
    await expect.poll(shown).toMatch(/\S/);
    expect(await shown()).not.toBe('Welcome');
  });

  it('shows in a page what is written there while nobody serves, and what was decided once somebody does', async () => {
    const { text: shown, service, page } = await openShop({ isDown: true });
    await expect.poll(shown).toBe('Welcome');
    await service.start();
    await expect.poll(shown, { timeout: 15_000 }).not.toBe('Welcome');
    expect(await page.evaluate('document.querySelectorAll("h1").length')).toBe(1);
    // As if nothing had been: the next asking does not wait longer for those that failed long ago.
    await expect.poll(() => page.evaluate('waitMs()')).toBe(1_000);
  });

  it.each([
    ['no key', [], 401],
    ['a key that may not', [['X-API-Key', 'key-narrow']], 403],
  ] as const)('shows in a page what is written there with %s', async (_, headers, status) => {
    const { text: shown, statuses } = await openShop({ headers });
    await expect.poll(() => statuses).toContain(status);
    await expect.poll(shown).toBe('Welcome');
  });

  it('shows in a page what is written there where it is told to wait', async () => {
    const { text: shown, statuses } = await openShop({ url: await startRefusing() });
    await expect.poll(() => statuses).toContain(429);
    await expect.poll(shown).toBe('Welcome');
  });

  it('shows nothing of who has logged out, while nobody serves', async () => {
    const { text: shown, service, page } = await openShop();
    await expect.poll(shown).toMatch(/\S/);
    expect(await shown()).not.toBe('Welcome');
    await service.kill();
    await page.evaluate('logOut()');
    expect(await shown()).toBe('Welcome');
  });

  it('shows nothing for long that was not confirmed when the page was told to ask again', async () => {
    const { text: shown, service } = await openShop();
    await expect.poll(shown).toMatch(/\S/);
    expect(await shown()).not.toBe('Welcome');
    await service.kill();
    await expect.poll(shown, { timeout: 15_000 }).toBe('Welcome');
  });
});

interface ShopOptions {
  readonly isDown?: boolean;
  /** Absent: it needs no key. */
  readonly headers?: readonly (readonly [string, string])[];
  /** Absent: of the service. */
  readonly url?: string;
}

/** A page with all of the script that the document gives pages. */
async function openShop({ isDown = false, headers, url }: ShopOptions = {}) {
  const pages = await startPages();
  const service = await startProcess({ policy, needsNoKeys: headers === undefined, corsOrigins: [pages.origin] });
  if (isDown) await service.kill();
  const [, ...blocks] = snippets(url ?? service.url);
  const script = `${blocks.join('')}\nglobalThis.logOut = logOut;\nglobalThis.waitMs = () => waitMs;`;
  const withKey = headers === undefined ? script : script.replace('timeoutMs:', `headers: ${JSON.stringify(headers)}, timeoutMs:`);
  const { page, statuses } = await pages.open(withKey);
  return { page, statuses, service, text: () => page.evaluate('document.body.innerText') };
}

/** Tells every page to wait for a minute. */
async function startRefusing(): Promise<string> {
  const cors = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*', 'access-control-expose-headers': '*' };
  const server = createServer((request, response) => {
    const isPreflight = request.method === 'OPTIONS';
    response.writeHead(isPreflight ? 204 : 429, { ...cors, 'retry-after': '60' });
    response.end(isPreflight ? undefined : '{"errorCode":"GENERAL"}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
