/** A page that uses OpenFeature in Chromium, with the SDK and the OFREP provider as published, from another origin and with a publishable key. */
import { describe, expect, it } from 'vitest';
import { checkDetails } from './check-details.ts';
import type { Context } from './clients.ts';
import { type OpenPage, startPages } from './open-page.ts';
import { scenarios } from './scenarios.ts';
import { type ServiceProcess, startProcess } from './service-process.ts';

const key = 'page';
const consent = { useCases: { content_personalization: 'granted', profile_activation_content: 'granted' } };

async function openShop(): Promise<{ readonly shop: OpenPage; readonly service: ServiceProcess; readonly baseUrl: string }> {
  const pages = await startPages();
  const service = await startProcess({ corsOrigins: [pages.origin] });
  return { shop: await pages.open(), service, baseUrl: service.url };
}

const greeting = async (shop: OpenPage) => (await shop.details('string-flag', 'string', 'its own')).value;
const personal = (shop: OpenPage) => shop.details('personal-flag', 'string', 'its own');

describe('OpenFeature in a page', () => {
  it('comes to what the table of scenarios says', async () => {
    const { shop, baseUrl } = await openShop();
    expect(await shop.provide({ baseUrl, key, cacheMode: 'disabled' }, {})).toBe('READY');
    let context: Context = {};
    for (const { suite, name, here } of scenarios) {
      for (const one of typeof here === 'string' ? [] : here) {
        const wanted: Context = { targetingKey: 'somebody', ...one.context };
        if (JSON.stringify(wanted) !== JSON.stringify(context)) await shop.setContext(wanted);
        context = wanted;
        const details = await shop.details(one.key, one.type, one.fallback);
        // What of the context was ignored is told once for all flags, which this provider keeps apart from each.
        const { metadata: { ignoredContext: _, ...metadata } = {}, ...rest } = one;
        try {
          checkDetails(details, { ...rest, metadata });
        } catch (error) {
          throw new Error(`${suite}: ${name}: ${one.key} with ${JSON.stringify(one.context ?? {})}`, { cause: error });
        }
      }
    }
  });

  it('polls without fetching again what did not change', async () => {
    const { shop, baseUrl } = await openShop();
    await shop.provide({ baseUrl, key, cacheMode: 'disabled', pollInterval: 20, changeDetection: 'polling' }, {});
    await expect.poll(() => shop.statuses.filter((status) => status === 304).length).toBeGreaterThan(3);
    expect(shop.statuses.filter((status) => status === 200)).toEqual([200]);
    expect(await greeting(shop)).toBe('hi');
  });

  it('keeps its values when it is told to ask less often, and asks again later', async () => {
    const { shop, baseUrl } = await openShop();
    await shop.provide({ baseUrl, key: 'slow', cacheMode: 'disabled', pollInterval: 20, changeDetection: 'polling' }, {});
    await expect.poll(() => shop.statuses.includes(429)).toBe(true);
    expect(await greeting(shop)).toBe('hi');
    await expect.poll(() => shop.statuses.slice(shop.statuses.indexOf(429)).includes(304)).toBe(true);
    expect(await greeting(shop)).toBe('hi');
  });

  it('sees a withdrawal with its next poll', async () => {
    const { shop, service, baseUrl } = await openShop();
    const token = await service.tokenOf('ada');
    const context = { targetingKey: 'ada', token, consent };
    await shop.provide({ baseUrl, key, cacheMode: 'disabled', pollInterval: 20, changeDetection: 'polling' }, context);
    expect(await personal(shop)).toMatchObject({ value: 'for you', flagMetadata: { tier: 'user' } });
    expect((await service.send('POST', '/v1/consents/ada/withdrawals', {})).status).toBe(200);
    await expect.poll(async () => (await personal(shop)).value).toBe('for everybody');
    expect((await personal(shop)).flagMetadata.downgradeReason).toBe('consent_denied');
  });
});

describe('OpenFeature in a page that hears of changes', () => {
  it('asks again as soon as consent is withdrawn, and never polls', async () => {
    const { shop, service, baseUrl } = await openShop();
    const context = { targetingKey: 'ada', token: await service.tokenOf('ada'), consent };
    const isListening = shop.page.waitForResponse((response) => response.url().includes('/ofrep/v1/stream') && response.status() === 200);
    await shop.provide({ baseUrl, key, cacheMode: 'disabled' }, context);
    expect((await personal(shop)).value).toBe('for you');
    await isListening;
    expect((await service.send('POST', '/v1/consents/ada/withdrawals', {})).status).toBe(200);
    await expect.poll(async () => (await personal(shop)).value).toBe('for everybody');
    // Once to begin with, and once because it was told to.
    expect(shop.statuses).toEqual([200, 200]);
  });

  it('does so too when the visitor withdraws with nothing but the session', async () => {
    const { shop, service, baseUrl } = await openShop();
    const { sessionId } = (await (await service.send('POST', '/v1/sessions', {})).json()) as { sessionId: string };
    const context = { token: await service.tokenOf('ada'), sessionId, consent };
    const isListening = shop.page.waitForResponse((response) => response.url().includes('/ofrep/v1/stream') && response.status() === 200);
    await shop.provide({ baseUrl, key, cacheMode: 'disabled' }, context);
    expect((await personal(shop)).value).toBe('for you');
    await isListening;
    expect((await fetch(`${baseUrl}/v1/sessions/${sessionId}/withdrawals`, { method: 'POST' })).status).toBe(204);
    await expect.poll(async () => (await personal(shop)).value).toBe('for everybody');
  });
});

describe('OpenFeature in a page, while nobody serves', () => {
  it('keeps what the page has, starts anew with the application’s own values, and has ours when we are back', async () => {
    const { shop, service, baseUrl } = await openShop();
    const options = { baseUrl, key, cacheMode: 'disabled' } as const;
    await shop.provide(options, {});
    await service.kill();
    await shop.setContext({ plan: 'inner' });
    expect(await greeting(shop)).toBe('hi');
    await shop.reload();
    expect(await shop.provide(options, {})).toBe('ERROR');
    expect(await greeting(shop)).toBe('its own');
    await service.start();
    await shop.reload();
    expect(await shop.provide(options, {})).toBe('READY');
    expect(await greeting(shop)).toBe('hi');
  });

  it('has what it stored, where it stores', async () => {
    const { shop, service, baseUrl } = await openShop();
    const options = { baseUrl, key, cacheMode: 'network-first' } as const;
    await shop.provide(options, { targetingKey: 'somebody' });
    await service.kill();
    await shop.reload();
    await shop.provide(options, { targetingKey: 'somebody' });
    expect(await shop.details('string-flag', 'string', 'its own')).toMatchObject({ value: 'hi', reason: 'CACHED' });
  });
});

describe('what a page stores, by its cache mode', () => {
  async function reloadedAfterWithdrawal(cacheMode: 'local-cache-first' | 'network-first' | 'disabled') {
    const { shop, service, baseUrl } = await openShop();
    const context = { targetingKey: 'ada', token: await service.tokenOf('ada'), consent };
    await shop.provide({ baseUrl, key, cacheMode }, context);
    expect((await personal(shop)).value).toBe('for you');
    await service.send('POST', '/v1/consents/ada/withdrawals', {});
    await shop.reload();
    await shop.provide({ baseUrl, key, cacheMode }, context);
    return { first: (await personal(shop)).value, stored: await shop.page.evaluate('JSON.stringify(localStorage)') };
  }

  it.each(['network-first', 'disabled'] as const)('shows nothing personal on the first view after a withdrawal: %s', async (cacheMode) => {
    expect((await reloadedAfterWithdrawal(cacheMode)).first).toBe('for everybody');
  });

  it('leaves nothing on the device: disabled', async () => {
    expect((await reloadedAfterWithdrawal('disabled')).stored).toBe('{}');
  });

  // The provider's own default. It is why docs/openfeature.md asks for another: this holds that the advice is needed.
  it('shows what it stored before it asks: local-cache-first', async () => {
    const { shop, service, baseUrl } = await openShop();
    const context = { targetingKey: 'ada', token: await service.tokenOf('ada'), consent };
    await shop.provide({ baseUrl, key, cacheMode: 'local-cache-first' }, context);
    await service.kill();
    await shop.reload();
    await shop.provide({ baseUrl, key, cacheMode: 'local-cache-first' }, context);
    expect(await personal(shop)).toMatchObject({ value: 'for you', reason: 'CACHED' });
  });
});
