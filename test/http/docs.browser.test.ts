/** What a reader does first: open /docs, try a call, and see the answer. In a real browser, with nothing but this machine. */
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/time/clock.ts';
import { openBrowser } from '../support/browser.ts';
import { startService } from './service.ts';

async function openDocs(): Promise<{ page: Page; strangers: string[]; complaints: string[] }> {
  const { app } = await startService({ clock: systemClock }, 'examples/retail.yaml');
  await app.listen({ host: '127.0.0.1', port: 0 });
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const browser = await openBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
  const strangers: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) strangers.push(request.url());
  });
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(`${origin}/docs`);
  return { page, strangers, complaints };
}

describe('/docs in a browser', () => {
  it('opens offline, tries a decide and shows its answer', async () => {
    const { page, strangers, complaints } = await openDocs();
    const operation = page.locator('#operations-decide-decide');
    await operation.locator('.opblock-summary-control').click();
    await operation.locator('button.execute').click();
    const live = operation.locator('.live-responses-table');
    await live.locator('.response-col_status', { hasText: '200' }).first().waitFor();
    expect(await live.textContent()).toContain('hero-dach');
    const shots = join(tmpdir(), 'stepwell-screenshots');
    mkdirSync(shots, { recursive: true });
    await page.screenshot({ path: join(shots, 'docs.png'), fullPage: true });
    expect(strangers).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
