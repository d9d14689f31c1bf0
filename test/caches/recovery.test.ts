/**
 * A store that is gone and comes back, and a service that is gone, behind real caches: an answer of the bad time is shown to nobody
 * afterwards, neither when the service could do better nor when it can do nothing.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type FaultProxy, startFaultProxy } from '../../bench/faults/proxy.ts';
import { findProgram, missingSentence, programs } from '../support/programs.ts';
import { type Manner, type ProductName, productsTried } from './cache-products.ts';
import { type Answer, type Client, createClient } from './client.ts';
import { startCache, userInsteadOfRoot } from './start-cache.ts';
import { type CacheWorld, createCacheWorld, keyOf } from './world.ts';

let world: CacheWorld;
const client: Client = createClient();

beforeAll(async () => {
  world = await createCacheWorld();
});

afterAll(async () => {
  client.close();
  await world?.end();
});

const cases = productsTried.flatMap((name) => (['ordinary', 'hostile'] as const).map((manner) => ({ name, manner })));

interface Scene {
  /** Between the cache and the service. */
  readonly way: FaultProxy;
  readonly cachePort: number;
}

async function scene(name: ProductName, manner: Manner): Promise<Scene> {
  await world.store('healthy');
  const way = await startFaultProxy({ target: { host: '127.0.0.1', port: world.service.port } });
  onTestFinished(() => way.close());
  if ('path' in way.address) throw new Error('the proxy listens on TCP');
  const cache = await startCache(name, manner, way.address.port);
  onTestFinished(() => cache.stop());
  return { way, cachePort: cache.port };
}

/** Somebody whose every zone is theirs as long as the store is there. */
function askAs(port: number): Promise<Answer> {
  const known = world.people.find(({ group }) => group === 'known, stored grant');
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${keyOf('edge')}` };
  return client.ask(port, { method: 'POST', path: '/v1/decide', headers, body: JSON.stringify({ ...known?.body, deadlineMs: 500 }) });
}

const shared = (port: number, query: string): Promise<Answer> =>
  client.ask(port, { method: 'GET', path: `/v1/decide?${query}`, headers: {} });

interface Told {
  readonly id: string;
  readonly tiers: readonly string[];
  readonly isDegraded: boolean;
}

function told({ status, body }: Answer): Told | null {
  if (status !== 200) return null;
  const { decisionId, zones } = JSON.parse(body) as { decisionId: string; zones: { tier: string; cache: { degraded: boolean } }[] };
  return { id: decisionId, tiers: zones.map(({ tier }) => tier), isDegraded: zones.some(({ cache }) => cache.degraded) };
}

const allTheirs = ['user', 'user', 'user'];

/** Asks on until it is so, and says what was answered on the way. */
async function until(port: number, isSo: (answer: Told) => boolean): Promise<readonly Told[]> {
  const answers: Told[] = [];
  await expect
    .poll(async () => {
      const answer = told(await askAs(port));
      if (answer !== null) answers.push(answer);
      return answer !== null && isSo(answer);
    })
    .toBe(true);
  return answers;
}

function varnishtest(): string {
  const program = { ...programs.varnish, commands: ['varnishtest'] };
  const path = findProgram(program);
  if (path === null) throw new Error(missingSentence(program));
  return path;
}

describe('varnishtest, with what the service says of what it answers', () => {
  it.each(['no-leak', 'trap'])('%s', async (name) => {
    await world.store('healthy');
    const whole = await askAs(world.service.port);
    await world.store('gone');
    await until(world.service.port, ({ isDegraded }) => isDegraded);
    const poor = await askAs(world.service.port);
    const file = fileURLToPath(new URL(`varnishtest/${name}.vtc`, import.meta.url));
    const macros = ['-D', `personal=${whole.headers['cache-control']}`, '-D', `degraded=${poor.headers['cache-control']}`];
    const { status, stdout, stderr } = spawnSync(varnishtest(), [...macros, file], { encoding: 'utf8', ...userInsteadOfRoot() });
    expect(status, `${stdout}${stderr}`).toBe(0);
  });
});

describe.each(cases)('behind $name, $manner', ({ name, manner }) => {
  it('an answer without the store gives way as soon as the service has a better one', async () => {
    const { cachePort } = await scene(name, manner);
    await until(cachePort, ({ tiers }) => tiers.join() === allTheirs.join());
    await world.store('gone');
    const poor = [...(await until(cachePort, ({ isDegraded }) => isDegraded))];
    for (let more = 0; more < 20; more += 1) poor.push(...[told(await askAs(cachePort))].filter((answer) => answer !== null));
    await world.store('healthy');
    await until(world.service.port, ({ tiers }) => tiers.join() === allTheirs.join());
    const after = await until(cachePort, ({ tiers }) => tiers.join() === allTheirs.join());
    const before = new Set(poor.map(({ id }) => id));
    expect(before.size).toBe(poor.length);
    expect(after.filter(({ id }) => before.has(id))).toEqual([]);
  });

  it('an answer without the store is not shown when the service is gone, and what is shared is still the service’s own', async () => {
    const { way, cachePort } = await scene(name, manner);
    const queries = ['page=home&country=DE', 'page=plain', 'page=shelf&country=FR&device=mobile', 'page=never'];
    const truths = new Map<string, string>();
    for (const query of queries) {
      await expect.poll(async () => (await shared(world.service.port, query)).status).toBe(200);
      truths.set(query, (await shared(world.service.port, query)).body);
      await shared(cachePort, query);
    }
    await world.store('gone');
    await until(cachePort, ({ isDegraded }) => isDegraded);
    await way.behave({ refused: true });
    for (let times = 0; times < 3; times += 1) {
      const answer = await askAs(cachePort);
      expect(answer.status).toBeGreaterThanOrEqual(502);
      if (manner === 'ordinary') expect(answer.headers['cache-control']).toMatch(/no-store/);
      for (const query of queries) {
        const { status, body } = await shared(cachePort, query);
        if (status === 200) expect(body).toBe(truths.get(query));
        else expect(status).toBeGreaterThanOrEqual(502);
      }
    }
  });
});
