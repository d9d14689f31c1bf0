/** The client against the service as it is run: a process of its own, real sockets, a key that anybody may read, and a policy that changes. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createStepwell } from '../../src/client/index.ts';
import type { FallbackPack, PageAnswer, Stepwell, StepwellOptions } from '../../src/client/types.ts';
import { root, stepwell, temporaryDirectory } from '../cli/run-stepwell.ts';
import { type ServiceProcess, startProcess } from '../openfeature/service-process.ts';
import { memoryStorage } from './around.ts';

const granted = { content_personalization: 'granted', offers: 'granted' } as const;
/** So long that a busy machine is no outage. */
const budgetMs = 20_000;

interface Shop {
  readonly service: ServiceProcess;
  readonly policyPath: string;
  visit(options?: Partial<StepwellOptions>): Stepwell;
}

async function openShop(): Promise<Shop> {
  const directory = await temporaryDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  const policyPath = join(directory.path, 'retail.yaml');
  const policy = await readFile(join(root, 'examples/retail.yaml'), 'utf8');
  // Nobody is in a hurry here.
  await writeFile(policyPath, policy.replace(/(deadlineMs|defaultMs|budgetMs): \d+/g, '$1: 500'));
  const fallbacks = JSON.parse((await stepwell(['fallbacks', policyPath])).stdout) as FallbackPack;
  const service = await startProcess({ policy: policyPath });
  const visit: Shop['visit'] = (options) => {
    const made = createStepwell({ url: service.url, key: 'key-page', fallbacks, storage: memoryStorage(), ...options });
    onTestFinished(() => made.close());
    return made;
  };
  return { service, policyPath, visit };
}

function hero({ zones }: PageAnswer) {
  return zones.find(({ zone }) => zone === 'hero');
}

test('a page with a publishable key decides with the service, and by its verified artefact once the service is gone', async () => {
  const { service, visit } = await openShop();
  const storage = memoryStorage();
  const context = { country: 'AT' };
  expect(hero(visit().now('home'))).toMatchObject({ variant: 'hero-standard', tier: 'anonymous', source: 'device', via: 'fallback' });
  const page = visit({ storage, context });
  expect(hero(await page.decide('home', { budgetMs }))).toMatchObject({
    variant: 'hero-dach',
    tier: 'segment',
    source: 'server',
    via: 'answer',
  });
  await page.refresh();
  await service.kill();
  const offline = visit({ storage, context });
  await offline.ready;
  expect(hero(offline.now('home'))).toMatchObject({ variant: 'hero-dach', tier: 'segment', source: 'device', via: 'artefact' });
  expect(hero(await visit({ storage }).decide('home', { budgetMs }))).toMatchObject({ variant: 'hero-standard', source: 'device' });
});

test('a withdrawal of a session reaches the service, and binds whoever asks for that session', async () => {
  const { service, visit } = await openShop();
  const made = await service.send('POST', '/v1/sessions', { attributes: { last_category: 'shoes' } });
  const { sessionId } = (await made.json()) as { readonly sessionId: string };
  const page = visit();
  const elsewhere = async (): Promise<string | undefined> => {
    // A key that anybody may read opens nothing for a session id that anybody may have copied.
    const other = visit({ key: 'key-app' });
    other.identify({ sessionId });
    other.setConsent(granted);
    return hero(await other.decide('home', { budgetMs }))?.tier;
  };
  page.identify({ sessionId });
  page.setConsent(granted);
  expect(await elsewhere()).toBe('session');
  page.setConsent({ content_personalization: 'denied', offers: 'denied' });
  expect(hero(page.now('home'))?.tier).not.toBe('session');
  await expect.poll(elsewhere, { timeout: 15_000, interval: 100 }).not.toBe('session');
});

test('a policy that switches devices off takes the artefact from a page that asks again', async () => {
  const { service, policyPath, visit } = await openShop();
  const storage = memoryStorage();
  const page = visit({ storage, context: { country: 'AT' } });
  await page.refresh();
  expect(hero(page.now('home'))?.via).toBe('artefact');
  await writeFile(policyPath, `${await readFile(policyPath, 'utf8')}\ndevice: { enabled: false }\n`);
  const shown = async (): Promise<unknown> => {
    await page.refresh();
    page.view();
    return hero(page.now('home'))?.via;
  };
  await expect.poll(shown, { timeout: 20_000, interval: 200 }).toBe('fallback');
  expect(storage.items.get(`stepwell:${service.url}:artefact`)).not.toMatch(/ey[\w-]+\.ey/);
});

vi.setConfig({ testTimeout: 60_000 });
