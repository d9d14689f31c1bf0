/** The recipe for nginx, made one's own as the documentation says: with a rewrite before the cache, and with several replicas behind it. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Answer, createClient } from './client.ts';
import { startCache } from './start-cache.ts';
import { type CacheWorld, createCacheWorld } from './world.ts';

const client = createClient();
afterAll(() => client.close());

function edited(text: string, written: string, instead: string): string {
  if (!text.includes(written)) throw new Error(`the recipe says nowhere \`${written}\``);
  return text.replace(written, instead);
}

describe('an edge that adds the country it knows', () => {
  let world: CacheWorld;
  beforeAll(async () => {
    world = await createCacheWorld();
  });
  afterAll(() => world?.end());

  const rewrites = 'if ($http_x_country) {\n      set $args "$args&country=$http_x_country";\n    }\n    location = /v1/decide {';
  const rewriting = (text: string): string => edited(text, 'location = /v1/decide {', rewrites);

  async function edge(): Promise<(path: string, country?: string) => Promise<Answer>> {
    const cache = await startCache('nginx', 'ordinary', world.service.port, rewriting);
    onTestFinished(() => cache.stop());
    return (path, country) =>
      client.ask(cache.port, { method: 'GET', path, headers: country === undefined ? {} : { 'x-country': country } });
  }

  const truth = (path: string): Promise<Answer> => client.ask(world.service.port, { method: 'GET', path, headers: {} });

  it('gives each country its own answer, and keeps each', async () => {
    const ask = await edge();
    for (const country of ['DE', 'FR', 'US', 'DE', 'FR', 'US']) {
      const { status, body } = await ask('/v1/decide?page=home', country);
      expect([country, status, body]).toEqual([country, 200, (await truth(`/v1/decide?page=home&country=${country}`)).body]);
    }
    const [first, second] = [await ask('/v1/decide?page=home', 'DE'), await ask('/v1/decide?page=home&country=DE')];
    expect(second.headers['stepwell-request-id']).toBe(first.headers['stepwell-request-id']);
  });

  const home = '/v1/decide?page=home';
  const bent = [
    '/v1/decide%3Fpage=home',
    '/v1/decide%3fpage=home&country=DE',
    '/v1/%64ecide?page=home',
    '//v1/decide?page=home',
    '/v1/./decide?page=home',
    '/v1/decide/../decide?page=home',
    '/v1/decide?page=home#country=DE',
    '/v1/decide#?page=home',
    '/v1/decide?page=home%26country=DE',
    '/v1/decide?page=home%23',
    '/v1/decide?page=home%0a',
    '/v1/decide?page=home%0d%0aX-Injected:%20yes',
    '/v1/decide%0d%0aX-Injected:%20yes?page=home',
    '/v1/decide%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0aGET%20/v1/decide?page=home',
    '/v1/decide??page=home',
  ];
  const odd = [undefined, 'DE', 'DE&device=mobile', 'DE&page=plain', '%0d%0aX:%20y', 'DE%26device=mobile', 'DE#', '?', 'DE HTTP/1.1'];

  it('keeps nothing under a key that is another question’s, whatever is asked, before it and after it', async () => {
    const ask = await edge();
    const good = await truth(home);
    const german = await truth(`${home}&country=DE`);
    expect(good.body).not.toBe(german.body);
    for (const round of ['empty', 'filled']) {
      for (const path of [home, ...bent])
        for (const country of odd) {
          const { status, body } = await ask(path, country);
          const asked = `${round}: ${path} from ${country}`;
          if (path === home && country === undefined) expect(body, asked).toBe(good.body);
          else if (path === home && country === 'DE') expect(body, asked).toBe(german.body);
          else if (status === 200) expect(body, asked).toBe((await truth(writtenOut(path, country))).body);
          else expect(status, asked).toBeGreaterThanOrEqual(400);
        }
    }
    expect((await ask(home)).body).toBe(good.body);
    expect((await ask(home, 'DE')).body).toBe(german.body);
  });

  /** What goes to the service: as it was sent, or, once it is rewritten, the path as nginx writes it and no fragment. */
  function writtenOut(path: string, country: string | undefined): string {
    if (country === undefined) return path;
    const [, query = ''] = /^[^?#]*\?([^#]*)/.exec(path) ?? [];
    return `/v1/decide?${query}&country=${country}`;
  }
});

describe('several replicas', () => {
  /** Hangs up on whoever asks for it, and answers everybody else. */
  async function replica(name: string): Promise<Server> {
    const server = createServer((request, response) => {
      if (request.url === '/hang-up') request.socket.destroy();
      else response.setHeader('cache-control', 'private, no-store').end(name);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    return server;
  }

  const portOf = (server: Server): number => (server.address() as AddressInfo).port;

  it('are asked on when callers had all of them hang up, and one that is gone is passed over', async () => {
    const [one, two] = [await replica('one'), await replica('two')];
    const another = (text: string): string => {
      const line = /server 127\.0\.0\.1:\d+.*;/.exec(text)?.[0] ?? '';
      return edited(text, line, `${line}\n    ${line.replace(/:\d+/, `:${portOf(two)}`)}`);
    };
    const cache = await startCache('nginx', 'ordinary', portOf(one), another);
    onTestFinished(() => cache.stop());
    const ask = (path: string): Promise<Answer> => client.ask(cache.port, { method: 'POST', path, headers: {}, body: '{}' });
    for (let times = 0; times < 8; times += 1) expect((await ask('/hang-up')).status).toBe(502);
    const answers = [];
    for (let times = 0; times < 6; times += 1) answers.push((await ask('/v1/decide')).body);
    expect(new Set(answers)).toEqual(new Set(['one', 'two']));
    one.close();
    one.closeAllConnections();
    // Until nginx knows that the connections it has kept are closed.
    await expect.poll(async () => [(await ask('/v1/decide')).body, (await ask('/v1/decide')).body]).toEqual(['two', 'two']);
    for (let times = 0; times < 6; times += 1) expect((await ask('/v1/decide')).body).toBe('two');
  });
});
