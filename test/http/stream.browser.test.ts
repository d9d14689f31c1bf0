/** What a browser's own EventSource makes of a stream that is refused or ends: it must not come back again and again. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AppDependencies } from '../../src/app.ts';
import { changeStreamsPerMarkMax, streamsEndWithinMs } from '../../src/http/change-streams.ts';
import { openBrowser } from '../support/browser.ts';
import { startService } from './service.ts';
import { listen, openStream } from './streaming.ts';

const ann = { subject: 'ann', sessionId: null };

async function openPage(changes?: Partial<AppDependencies>) {
  const service = await startService(changes);
  const origin = await listen(service.app);
  const browser = await openBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`${origin}/.well-known/stepwell-keys.json`);
  const statuses: number[] = [];
  page.on('response', (response) => {
    if (response.url().includes('/ofrep/v1/stream')) statuses.push(response.status());
  });
  const minted = service.parts.visitorTokens?.stream.mint(ann) ?? { token: '', expiresAtMs: 0 };
  return { ...service, page, statuses, minted, url: `${origin}/ofrep/v1/stream?t=${minted.token}` };
}

/** A page’s EventSource. `givenUp` resolves when it has, for good, which is what the standard calls a failed connection. */
async function listenTo(page: Page, url: string): Promise<void> {
  await page.evaluate((address) => {
    const source = new EventSource(address);
    const heard: string[] = [];
    const givenUp = new Promise((resolve) => {
      source.onerror = () => source.readyState === EventSource.CLOSED && resolve(heard);
    });
    source.onopen = () => heard.push('open');
    source.onmessage = ({ data }) => heard.push(data);
    Object.assign(globalThis, { heard, givenUp });
  }, url);
}

describe('EventSource in a browser', () => {
  it('gives up where its visitor has as many streams as one may', async () => {
    const { page, url, statuses } = await openPage();
    await Promise.all(Array.from({ length: changeStreamsPerMarkMax }, () => openStream(url)));
    await listenTo(page, url);
    expect(await page.evaluate('givenUp')).toEqual([]);
    expect(statuses).toEqual([204]);
  });

  it('is told to ask again when its token ends, comes back once with it, and gives up', async () => {
    const { page, url, statuses, clock, minted } = await openPage();
    await listenTo(page, url);
    await page.waitForFunction('heard.length === 1');
    clock.advance(minted.expiresAtMs - clock.nowMs() - streamsEndWithinMs);
    clock.advance(streamsEndWithinMs);
    expect(await page.evaluate('givenUp')).toEqual(['open', '{"type":"refetchEvaluation"}']);
    expect(statuses).toEqual([200, 401]);
  });

  it('comes back to a page of another origin without a preflight, and is told to ask again each time', async () => {
    const shop = createServer((_request, response) => void response.setHeader('content-type', 'text/html').end('a shop'));
    await new Promise<void>((resolve) => shop.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void shop.close());
    const corsOrigin = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`;
    const { artefact } = await startService();
    let revision = 'first';
    const current = () => ({ artefact: { ...artefact, revision }, stale: false });
    const { app, page, url } = await openPage({ policy: { current }, corsOrigins: [corsOrigin] });
    const asked: unknown[] = [];
    app.server.prependListener('request', ({ method, headers }) => asked.push([method, headers.origin, headers['last-event-id']]));
    await page.goto(corsOrigin);
    await listenTo(page, url);
    await page.waitForFunction('heard.length === 1');
    app.server.closeAllConnections();
    await page.waitForFunction('heard.length === 3');
    revision = 'second';
    app.server.closeAllConnections();
    await page.waitForFunction('heard.length === 5');
    const told = '{"type":"refetchEvaluation"}';
    expect(await page.evaluate('heard')).toEqual(['open', 'open', told, 'open', told]);
    expect(asked).toEqual([
      ['GET', corsOrigin, undefined],
      ['GET', corsOrigin, 'first'],
      ['GET', corsOrigin, 'first'],
    ]);
  });
});
