/** The client against servers that are slow, dead, dribbling, resetting and worse, over real sockets: an answer by the budget, always. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createStepwell } from '../../src/client/index.ts';
import { pack, zone } from './around.ts';

const whole = JSON.stringify({ zones: [zone('hero', 'hero-mine'), zone('rail', 'rail-mine')] });
const budgetMs = 100;
const rejections: unknown[] = [];
const onRejection = (reason: unknown): void => void rejections.push(reason);
const servers: Server[] = [];

beforeAll(() => void process.on('unhandledRejection', onRejection));
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
afterAll(async () => {
  await wait(0);
  process.off('unhandledRejection', onRejection);
  expect(rejections).toEqual([]);
});

async function serving(respond: RequestListener): Promise<string> {
  const server = createServer(respond);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const elsewhere = await (async () => {
  const asked: string[] = [];
  const server = createServer(({ headers }, response) => {
    asked.push(headers.authorization ?? '');
    response.end(whole);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
})();

const outages: Readonly<Record<string, RequestListener>> = {
  'that never answers': () => {},
  'that answers with nothing': (_request, response) => void response.end(),
  'that hangs up at once': ({ socket }) => void socket.destroy(),
  'that resets in the middle of its answer': ({ socket }, response) => {
    response.writeHead(200, { 'content-length': String(whole.length) });
    response.write(whole.slice(0, 40), () => socket.resetAndDestroy());
  },
  'that dribbles its body': (_request, response) => {
    response.writeHead(200, { 'content-length': String(whole.length) });
    let sent = 0;
    const timer = setInterval(() => {
      response.write(whole.slice(sent, ++sent));
      if (sent === whole.length) clearInterval(timer);
    }, 20);
    response.on('close', () => clearInterval(timer));
  },
  'that breaks': (_request, response) => void response.writeHead(500).end(whole),
  'that is overloaded': (_request, response) => void response.writeHead(503, { 'retry-after': '1' }).end(whole),
  'that says something else': (_request, response) => void response.end('<!doctype html><p>Hello'),
  'that never stops': (_request, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536))) {}
      response.once('drain', more);
    };
    more();
  },
  'that sends the client elsewhere': (_request, response) => void response.writeHead(307, { location: `${elsewhere.url}/v1/decide` }).end(),
};

describe('a service', () => {
  test.each(Object.entries(outages))(
    '%s leaves the page with what is approved',
    async (_what, respond) => {
      const stepwell = createStepwell({ url: await serving(respond), key: 'k', fallbacks: pack, storage: null });
      const { zones } = await stepwell.decide('home', { budgetMs });
      expect(zones.map(({ variant }) => variant)).toEqual(['hero-approved', 'rail-approved']);
      await stepwell.refresh();
      expect(stepwell.now('home').zones).toEqual(zones);
      stepwell.close();
    },
    60_000,
  );

  test('that nobody runs leaves the page with what is approved', async () => {
    const stepwell = createStepwell({ url: 'http://127.0.0.1:9', fallbacks: pack, storage: null });
    const { zones } = await stepwell.decide('home', { budgetMs });
    expect(zones.map(({ variant }) => variant)).toEqual(['hero-approved', 'rail-approved']);
    stepwell.close();
  });

  test('that answers is heard', async () => {
    const url = await serving((_request, response) => void response.end(whole));
    const stepwell = createStepwell({ url, fallbacks: pack, storage: null, artefact: false });
    const { zones } = await stepwell.decide('home', { budgetMs: 10_000 });
    expect(zones.map(({ variant }) => variant)).toEqual(['hero-mine', 'rail-mine']);
    stepwell.close();
  });

  test('that sends the client elsewhere does not send its key along', () => {
    expect(elsewhere.asked).toEqual([]);
  });
});
