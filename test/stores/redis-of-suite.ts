/** One real Redis for the tests of a file, emptied before each, and somebody beside the store who looks at what it holds. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type RunningRedis, startRedis } from '../support/redis-server.ts';

export interface RedisOfSuite {
  readonly server: RunningRedis;
  readonly observer: Redis;
}

/** Called outside of any test; what it gives is there inside of one. */
export function redisOfSuite(): RedisOfSuite {
  let running: RedisOfSuite | null = null;
  const there = (): RedisOfSuite => {
    if (running === null) throw new Error('Redis is there inside of a test only');
    return running;
  };
  beforeAll(async () => {
    const server = await startRedis();
    running = { server, observer: new Redis(server.url) };
  });
  afterAll(async () => {
    running?.observer.disconnect();
    await running?.server.stop();
  });
  beforeEach(async () => {
    await there().observer.flushall();
  });
  return {
    get server() {
      return there().server;
    },
    get observer() {
      return there().observer;
    },
  };
}
