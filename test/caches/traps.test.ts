/**
 * What must not be said beside `private, no-store`, and what must not be said instead of it: held on real caches with an origin that says it.
 * The service never does, which `test/http` holds; here is shown that it would leak, and that somebody would see it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Manner, ProductName } from './cache-products.ts';
import { type RunningCache, startCache } from './start-cache.ts';
import { leaks, startTrapOrigin, type TrapOrigin, traps } from './traps.ts';

let origin: TrapOrigin;
const running: RunningCache[] = [];

beforeAll(async () => {
  origin = await startTrapOrigin();
});

afterAll(async () => {
  for (const cache of running) await cache.stop();
  origin?.end();
});

async function leaking(name: ProductName, manner: Manner): Promise<readonly string[]> {
  const cache = await startCache(name, manner, origin.port);
  running.push(cache);
  const found = [];
  for (const [row, { says }] of traps.entries()) if (await leaks(row, cache.port)) found.push(says);
  return found;
}

const lifetimes = ['`max-age=60`', '`max-age=60` + `CDN-Cache-Control: no-store`'];
const surrogate = ['`private, no-store` + `Surrogate-Control: max-age=60`', '`private, no-store` + `Surrogate-Control: content="ESI/1.0"`'];
const misspelt = '`privat, nostore`';
const guessed = ['nothing', '`Pragma: no-cache` + `Expires: 0`', misspelt];
const varying = '`max-age=60` + `Vary: Authorization, Cookie`';
const cookie = '`max-age=60` + `Set-Cookie`';
const accelBefore = '`X-Accel-Expires: 60` before `private, no-store`';

describe('an origin that answers everybody by name', () => {
  it.each<{ name: ProductName; manner: Manner; leaky: readonly string[] }>([
    { name: 'nginx', manner: 'plain', leaky: [accelBefore, ...lifetimes] },
    { name: 'nginx', manner: 'hostile', leaky: [accelBefore, ...lifetimes, cookie, 'nothing', misspelt, varying] },
    { name: 'nginx', manner: 'ordinary', leaky: [] },
    { name: 'varnish', manner: 'plain', leaky: [] },
    { name: 'varnish', manner: 'hostile', leaky: [...surrogate, ...lifetimes, ...guessed, varying] },
    { name: 'varnish', manner: 'ordinary', leaky: [] },
  ])('leaks behind $name, $manner, exactly by what it must not say', async ({ name, manner, leaky }) => {
    expect((await leaking(name, manner)).toSorted()).toEqual(leaky.toSorted());
  });

  it('leaks whatever it says behind a cache that overrides it', async () => {
    for (const name of ['nginx', 'varnish'] as const) {
      const found = await leaking(name, 'overriding');
      for (const { says, isOurs } of traps) if (isOurs) expect(found, name).toContain(says);
    }
  });
});
