/** How often a key may ask: alone, together with others through a board, and where the board is gone. */
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { beatMs, createKeyLimits, type KeyLimits, shareLastsMs } from '../../src/http/key-limits.ts';
import { shareOf } from '../../src/http/rate-shares.ts';
import { limitedKeysMax, type Posted, postedCharsMax, type RateBoard } from '../../src/records/rate-board.ts';
import { openRateBoard, rateBoardKey } from '../../src/redis/rate-board.ts';
import { noTelemetry } from '../../src/telemetry/telemetry.ts';
import { until } from '../support/redis-deployments.ts';
import { asDocumentedUser, documentedRights } from '../support/redis-rights.ts';
import { startRedis } from '../support/redis-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { call, keyOf } from './callers.ts';
import { startService } from './service.ts';

const key = keyOf('edge', ['decide'], { requestsPerSecond: 10 });

describe('a key with a limit', () => {
  it('may ask a second’s worth at once, then is told when to ask again; other keys are not held up', async () => {
    const clock = new VirtualClock();
    const limited: string[] = [];
    const telemetry = { ...noTelemetry, metrics: { ...noTelemetry.metrics, requestLimited: (why: string) => void limited.push(why) } };
    const service = await startService({ apiKeys: [key, keyOf('other', ['decide'])], clock, telemetry });
    const ask = (name: string) => call(service, { url: '/v1/decide?page=home', key: name });
    for (let asked = 0; asked < 10; asked += 1) expect((await ask('key-edge')).status).toBe(200);
    const refused = await ask('key-edge');
    expect(refused.status).toBe(429);
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.json()).toMatchObject({ code: 'rate_limited', status: 429 });
    expect((await ask('key-other')).status).toBe(200);
    clock.advance(500);
    const statuses = [];
    for (let asked = 0; asked < 6; asked += 1) statuses.push((await ask('key-edge')).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
    expect(limited).toEqual(['key', 'key']);
  });

  it('is counted before its scope is looked at, and once where two scopes are asked for', async () => {
    const service = await startService({ apiKeys: [keyOf('edge', ['decide', 'explain'], { requestsPerSecond: 2 })] });
    const explained = { method: 'POST' as const, url: '/v1/decide', key: 'key-edge', payload: { page: 'home', explain: true } };
    expect((await call(service, explained)).status).toBe(200);
    expect((await call(service, { method: 'PUT', url: '/v1/profiles/ada', key: 'key-edge', payload: {} })).status).toBe(403);
    expect((await call(service, explained)).status).toBe(429);
  });
});

describe('the shares of one rate', () => {
  const seed = Number(process.env.STEPWELL_TEST_SEED ?? Date.now());

  it(`come to the rate, leave nobody without, and give who needs little what it needs (seed ${seed})`, () => {
    const demands = fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), demands, (rate, all) => {
        const shares = all.map((_, own) => shareOf(rate, all, own));
        const total = shares.reduce((sum, share) => sum + share, 0);
        expect(Math.abs(total - rate)).toBeLessThan(rate * 1e-9);
        const fair = rate / all.length;
        for (const [index, share] of shares.entries()) {
          expect(share).toBeGreaterThanOrEqual(fair / 10 - 1e-9);
          // Whoever asks for no more than an equal part gets it, however much others ask.
          expect(share).toBeGreaterThanOrEqual(Math.min(all[index] ?? 0, fair) - 1e-9);
        }
      }),
      { seed, numRuns: 500 },
    );
  });
});

/** Several processes, on a board in memory that can be taken away. */
class Fleet {
  readonly clock = new VirtualClock();
  readonly members: readonly KeyLimits[];
  isBroken = false;
  readonly #words = new Map<string, string>();

  constructor(count: number) {
    this.members = Array.from({ length: count }, (_, index) =>
      createKeyLimits({ clock: this.clock, process: `p${index}`, keys: () => [key], openBoard: async () => this.#board() }),
    );
  }

  #board(): RateBoard {
    return {
      post: async (process, words) => {
        if (this.isBroken) throw new Error('gone');
        this.#words.set(process, words);
        return [...this.#words].map(([name, said]): Posted => ({ process: name, words: said }));
      },
      close() {},
    };
  }

  /** `asks` of each member in each tenth of a second; how many were let through. */
  async seconds(count: number, asks: readonly number[]): Promise<readonly number[]> {
    const passed = this.members.map(() => 0);
    for (let tenth = 0; tenth < count * 10; tenth += 1) {
      for (const [index, member] of this.members.entries()) {
        for (let ask = 0; ask < (asks[index] ?? 0); ask += 1) if (member.take(key) === null) passed[index] = (passed[index] ?? 0) + 1;
      }
      this.clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return passed;
  }
}

describe('processes that share a board', () => {
  it('let through together what the key may ask, wherever its callers go', async () => {
    const fleet = new Fleet(4);
    for (const member of fleet.members) member.share();
    await fleet.seconds(4, [20, 20, 20, 20]);
    const even = await fleet.seconds(10, [20, 20, 20, 20]);
    expect(sum(even)).toBeGreaterThanOrEqual(95);
    expect(sum(even)).toBeLessThanOrEqual(110);
    await fleet.seconds(4, [20, 0, 0, 0]);
    const toOne = await fleet.seconds(10, [20, 0, 0, 0]);
    // The idle keep a little, so that they can begin.
    expect(sum(toOne)).toBeGreaterThanOrEqual(85);
    expect(sum(toOne)).toBeLessThanOrEqual(110);
  });

  it('go by the whole rate each once the board has been gone for as long as shares last', async () => {
    const fleet = new Fleet(2);
    for (const member of fleet.members) member.share();
    await fleet.seconds(4, [20, 20]);
    fleet.isBroken = true;
    await fleet.seconds(Math.ceil(shareLastsMs / 1000) + 1, [20, 20]);
    const alone = await fleet.seconds(5, [20, 20]);
    for (const passed of alone) {
      expect(passed).toBeGreaterThanOrEqual(49);
      expect(passed).toBeLessThanOrEqual(52);
    }
    fleet.isBroken = false;
    await fleet.seconds(2, [20, 20]);
    expect(sum(await fleet.seconds(10, [20, 20]))).toBeLessThanOrEqual(110);
  });

  it('say of as many keys as a file may limit no more than the board takes, and nothing of those nobody asks for', async () => {
    const clock = new VirtualClock();
    const keys = Array.from({ length: limitedKeysMax }, (_, index) => keyOf(`k${index}`, ['decide'], { requestsPerSecond: 1e6 }));
    const said: string[] = [];
    const post = async (process: string, words: string): Promise<readonly Posted[]> => {
      said.push(words);
      return [{ process, words }];
    };
    const limits = createKeyLimits({ clock, process: 'p', keys: () => keys, openBoard: async () => ({ post, close() {} }) });
    const stop = limits.share();
    const posted = () => new Promise((resolve) => setImmediate(resolve));
    await posted();
    for (let asked = 0; asked < 100; asked += 1) for (const one of keys) limits.take(one);
    clock.advance(beatMs);
    await posted();
    stop();
    const [idle, busy = ''] = said;
    expect(idle).toBe('-');
    const words = busy.split(',');
    expect(words).toHaveLength(limitedKeysMax);
    const longest = words.map((word) => word.replace(/:\d+$/, ':999999999')).join(',');
    expect(longest.length).toBeLessThanOrEqual(postedCharsMax);
  });

  it('ask nobody while no key has a limit, and leave no timer behind', async () => {
    const clock = new VirtualClock();
    let opened = 0;
    const openBoard = async (): Promise<RateBoard> => {
      opened += 1;
      return { post: async () => [], close() {} };
    };
    const limits = createKeyLimits({ clock, process: 'p', keys: () => [keyOf('free', ['decide'])], openBoard });
    const stop = limits.share();
    for (let beats = 0; beats < 5; beats += 1) {
      clock.advance(beatMs);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(opened).toBe(0);
    stop();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('the board in Redis', () => {
  it('shows every process what all said lately, forgets who is gone, ends by itself, and needs no rights but the store’s', async () => {
    const redis = await startRedis();
    const observer = new Redis(redis.url);
    await observer.call('ACL', 'SETUSER', ...documentedRights());
    const url = asDocumentedUser(redis.url);
    const [one, two] = [openRateBoard({ url, heardForMs: 60_000 }), openRateBoard({ url, heardForMs: 60_000 })];
    onTestFinished(async () => {
      one.close();
      two.close();
      observer.disconnect();
      await redis.stop();
    });
    /** As soon as it is connected. */
    const post = async (board: RateBoard, process: string, words: string): Promise<readonly Posted[]> => {
      let posted: readonly Posted[] | null = null;
      await until('the board answers', async () => {
        posted = await board.post(process, words).catch(() => null);
        return posted !== null;
      });
      return posted ?? [];
    };
    expect(await post(one, 'p1', 'abc:5')).toEqual([{ process: 'p1', words: 'abc:5' }]);
    expect(await post(two, 'p2', 'abc:7')).toEqual([
      { process: 'p1', words: 'abc:5' },
      { process: 'p2', words: 'abc:7' },
    ]);
    expect(await post(one, 'p1', 'abc:6')).toEqual([
      { process: 'p2', words: 'abc:7' },
      { process: 'p1', words: 'abc:6' },
    ]);
    expect(await observer.pttl(rateBoardKey)).toBeGreaterThan(0);
    await observer.set(rateBoardKey, 'p9 1 abc:9\nrubbish\n\u0000');
    expect(await post(two, 'p2', 'abc:1')).toEqual([{ process: 'p2', words: 'abc:1' }]);
    await observer.del(rateBoardKey);
    await observer.hset(rateBoardKey, 'a', 'b');
    expect(await post(two, 'p2', 'abc:2')).toEqual([{ process: 'p2', words: 'abc:2' }]);
    expect(await observer.pttl(rateBoardKey)).toBeGreaterThan(0);
  });
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
