/** Announcements on real stores: what both promise, and what each alone does. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { announcementLifeMs } from '../../src/embedded/announcements.ts';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import { announcedWordsMax, announcementIn, announcementText } from '../../src/records/announcements.ts';
import { announcementChannel, unheardForMs } from '../../src/redis/announcements.ts';
import { openRedisStore } from '../../src/redis/redis-store.ts';
import { keySecret } from '../support/key-names.ts';
import { startCluster, until } from '../support/redis-deployments.ts';
import { startRedis } from '../support/redis-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { announcementCases, heardOnceBy, listening } from './announcements.cases.ts';
import { redisOfSuite } from './redis-of-suite.ts';
import { openPatiently, patienceMs } from './redis-opening.ts';

const redisHere = redisOfSuite();

async function openOn(url: string, clock = new VirtualClock()) {
  const store = await openPatiently(url, undefined, { after: (ms, callback) => clock.after(ms, callback) });
  onTestFinished(() => store.close());
  return store;
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'stepwell-announced-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function openIn(path: string, clock = new VirtualClock(), repeat?: (everyMs: number, callback: () => void) => () => void) {
  const store = openEmbeddedStore({ directory: path, clock, keySecret, ...(repeat === undefined ? {} : { repeat }) });
  onTestFinished(() => store.close());
  return store;
}

announcementCases('the embedded store', async () => {
  const path = directory();
  return [openIn(path), openIn(path)];
});
announcementCases('the Redis store', async () => [await openOn(redisHere.server.url), await openOn(redisHere.server.url)]);

describe('in the embedded store', () => {
  it('they stand for a minute and go, but for the last one, whose number is not given again', async () => {
    const path = directory();
    const clock = new VirtualClock();
    const [here, there] = [openIn(path, clock), openIn(path, clock, () => () => {})];
    const ears = listening(here);
    for (let count = 0; count < 5; count += 1) await there.announce([`old ${count}`]);
    await heardOnceBy(ears, here, 'seen');
    clock.advance(announcementLifeMs);
    await there.announce(['new']);
    const late = listening(there);
    await there.announce(['newer']);
    expect(late.heard).toEqual([['newer']]);
    await until('the other process heard all', async () => ears.heard.flat().includes('newer'));
    expect(ears.heard).not.toContain(null);
  });

  it('who slept for longer than they stand hears that something may have been missed', async () => {
    const path = directory();
    const clock = new VirtualClock();
    const looks: (() => void)[] = [];
    const sleeper = openIn(path, clock, (_everyMs, callback) => {
      looks.push(callback);
      return () => {};
    });
    const ears = listening(sleeper);
    const other = openIn(path, clock, () => () => {});
    await other.announce(['missed']);
    clock.advance(announcementLifeMs);
    await other.announce(['heard']);
    looks.at(-1)?.();
    expect(ears.heard).toEqual([null, ['heard']]);
  });
});

describe('in Redis', () => {
  /** The ids of the connections on which somebody listens. */
  const connected = async () =>
    Array.from(String(await redisHere.observer.client('LIST')).matchAll(/^id=(\d+) .*name=stepwell-changes/gm), ([, id]) => id);
  const connectionsMade = async () => /total_connections_received:(\d+)/.exec(await redisHere.observer.info('stats'))?.[1];

  it('nobody has a connection for them before somebody listens, and one that goes is made again and says that something may be missed', async () => {
    const store = await openOn(redisHere.server.url);
    expect(await connected()).toEqual([]);
    const ears = listening(store);
    await until('it is subscribed', async () => ears.heard.length === 1);
    expect(ears.heard).toEqual([null]);
    await redisHere.observer.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('it is subscribed again', async () => ears.heard.length === 2);
    expect(ears.heard).toEqual([null, null]);
    await heardOnceBy(ears, store, 'again');
  });

  it('who listens again and again keeps one connection, which goes a while after the last one stopped, or with the store', async () => {
    const clock = new VirtualClock();
    const store = await openOn(redisHere.server.url, clock);
    const first = listening(store);
    await heardOnceBy(first, store, 'first');
    const second = listening(store);
    const made = await connectionsMade();
    const ids = await connected();
    expect(ids).toHaveLength(1);
    second.dispose();
    second.dispose();
    expect(clock.pendingTimers).toBe(0);
    first.dispose();
    for (let times = 0; times < 50; times += 1) {
      const ears = listening(store);
      await store.announce([`${times}`]);
      expect(clock.pendingTimers).toBe(0);
      ears.dispose();
      expect(clock.pendingTimers).toBe(1);
      clock.advance(unheardForMs - 1);
    }
    expect([await connectionsMade(), await connected()]).toEqual([made, ids]);
    clock.advance(1);
    await until('the connection is gone', async () => (await connected()).length === 0);
    const again = listening(store);
    await heardOnceBy(again, store, 'again');
    again.dispose();
    await store.close();
    expect(clock.pendingTimers).toBe(0);
    await until('the connection is gone with the store', async () => (await connected()).length === 0);
  });

  it('what none of us wrote is that something may have been missed', async () => {
    const store = await openOn(redisHere.server.url);
    const ears = listening(store);
    await heardOnceBy(ears, store, 'ready');
    const before = ears.heard.length;
    for (const text of ['', '{}', '[1]', 'null', JSON.stringify(Array(17).fill('x'))])
      await redisHere.observer.publish(announcementChannel, text);
    await heardOnceBy(ears, store, 'after');
    expect(ears.heard.slice(before).filter((one) => one !== null && one[0] !== 'ready')).toEqual([['after']]);
    expect(ears.heard.slice(before).filter((one) => one === null)).toHaveLength(5);
  });

  it('who may not listen says so once, and goes on without', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const admin = new Redis(server.url);
    onTestFinished(() => admin.disconnect());
    await admin.call('ACL', 'SETUSER', 'deaf', 'on', '>pw', '~*', 'resetchannels', '+@all');
    const refusals: string[] = [];
    const url = server.url.replace('://', '://deaf:pw@');
    const store = openRedisStore({ url, keySecret, onAnnouncementsRefused: (code) => refusals.push(code) });
    onTestFinished(() => store.close());
    const ears = listening(store);
    await until('it was refused', async () => refusals.length > 0);
    await until('it is connected', () => store.connected(patienceMs));
    await expect(store.announce(['x'])).rejects.toThrow();
    expect([refusals, ears.heard]).toEqual([['NOPERM'], []]);
  });

  it('a cluster tells every node of what was said to any', async () => {
    const cluster = await startCluster();
    onTestFinished(() => cluster.stop());
    const [here, there] = [await openOn(cluster.url), await openOn(cluster.url)];
    await heardOnceBy(listening(there), here, 'word');
  });
});

describe('the text of an announcement', () => {
  it('holds a few short words', () => {
    const words = Array.from({ length: announcedWordsMax }, (_, index) => `${index}`.padStart(128, '"'));
    expect(announcementIn(announcementText(words.map((word) => word.replaceAll('"', 'x'))))).toHaveLength(announcedWordsMax);
    expect(announcementIn(announcementText(['x'.repeat(129)]))).toBeNull();
  });
});
