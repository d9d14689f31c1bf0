/** What the near cache promises on a real Redis: nothing stale beyond the bound, whoever writes and whatever breaks, and less to fetch. */
import { afterEach, describe, expect, it } from 'vitest';
import type { IdentityLink } from '../../src/decision/facts.ts';
import { encodeProfile } from '../../src/records/codec.ts';
import { deviceNamespace, profileKey, sessionConsentKey, sessionKey, tombstoneKey } from '../../src/records/keys.ts';
import type { ReadPlan, Store } from '../../src/records/store.ts';
import { NearCache } from '../../src/redis/near-cache.ts';
import type { RedisStore } from '../../src/redis/redis-store.ts';
import { names } from '../support/key-names.ts';
import { until } from '../support/redis-deployments.ts';
import { type Eavesdropper, startEavesdropper } from './eavesdropper.ts';
import { redisOfSuite } from './redis-of-suite.ts';
import { openPatiently, openRemembering, type RememberingStore, untilTrusted } from './redis-opening.ts';
import { type Read, readOften, staleReads, startReadingProcess, type Written, writeOften } from './staleness.ts';
import { daySeconds, goldProfile, noPlan, openPermission, openSession, sessionPlan } from './store.cases.ts';

const isLong = process.env.STEPWELL_TEST_LONG === '1';
const minuteMs = 60_000;

const redisHere = redisOfSuite();
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function remembering(freshnessMaxMs: number, url = redisHere.server.url): Promise<RememberingStore> {
  const opened = await openRemembering(url, freshnessMaxMs);
  closing.push(() => opened.store.close());
  return opened;
}

async function holding(nearCache?: NearCache, url = redisHere.server.url): Promise<RedisStore> {
  const store = await openPatiently(url, nearCache);
  closing.push(() => store.close());
  return store;
}

async function eavesdropper(): Promise<Eavesdropper> {
  const opened = await startEavesdropper(redisHere.server.port);
  closing.push(() => opened.close());
  return opened;
}

const certain = (subject: string): IdentityLink => ({ subject, method: 'deterministic', confidencePpm: 1_000_000 });
const annaPlan: ReadPlan = { ...noPlan, subject: 'anna', consent: true, profile: openPermission };
const annaTag = names.subject('anna');
/** Everything a plan can name. */
const fullPlan: ReadPlan = { ...annaPlan, tokenId: 't', tokenGeneration: 9, deviceId: 'd', sessionId: 's', session: openSession };

async function writeAnna(store: Store): Promise<void> {
  await store.putProfile('anna', goldProfile, daySeconds);
  await store.putConsent('anna', { useCases: { offers: 'granted' }, recordedAtMs: 1 }, daySeconds);
  await store.putIdentity('device', 'd', certain('anna'), daySeconds);
  await store.putSession('s', { attributes: { seen: true } }, daySeconds);
}

/** What the server executes while `work` runs, scripts' own commands after those that called them, from its MONITOR. */
async function commandsOf(work: () => Promise<unknown>): Promise<readonly string[]> {
  const connection = redisHere.observer.duplicate();
  const monitor = await connection.monitor();
  const seen: string[] = [];
  const marker = `done-${Math.random()}`;
  const done = new Promise<void>((resolve) => {
    monitor.on('monitor', (_time: string, [name = '', ...args]: string[]) => {
      if (args[0] === marker) resolve();
      else if (name.toUpperCase() !== 'PING') seen.push(`${name.toUpperCase()} ${/^eval/i.test(name) ? '' : args[0]}`.trim());
    });
  });
  await work();
  await redisHere.observer.echo(marker);
  await done;
  monitor.disconnect();
  connection.disconnect();
  return seen;
}

class DeafCache extends NearCache {
  override changed(): void {}
}

describe('with versions asked for', () => {
  it('a record is fetched once, and after that only its version is looked at', async () => {
    const { store, nearCache } = await remembering(0);
    await writeAnna(store);
    const first = await store.read(fullPlan);
    const commands = await commandsOf(async () => expect(await store.read(fullPlan)).toEqual(first));
    expect(commands.filter((command) => command.startsWith('EVALSHA'))).toEqual(['EVALSHA_RO']);
    expect(commands).toContain(`GETRANGE ${profileKey(annaTag)}`);
    expect(commands).not.toContain(`GET ${profileKey(annaTag)}`);
    expect(commands).not.toContain(`GET ${sessionKey(names.session('s'))}`);
    const once = { validated: 1, trusted: 0, fetched: 1 };
    expect(nearCache.figures().reads).toEqual({ profile: once, session: once, link: once, all: once });
  });

  it('a bare session is asked about with its version too', async () => {
    const { store } = await remembering(0);
    await writeAnna(store);
    const first = await store.read(sessionPlan('s'));
    // The server does not know the script yet.
    await store.read(sessionPlan('s'));
    const commands = await commandsOf(async () => expect(await store.read(sessionPlan('s'))).toEqual(first));
    const tag = names.session('s');
    expect(commands).toEqual(['EVALSHA_RO', `GET ${sessionConsentKey(tag)}`, `GETRANGE ${sessionKey(tag)}`]);
  });

  /** What must be true of a store, whoever else writes: each change is seen by the next read. */
  async function eachChangeIsSeen(store: Pick<Store, 'read'>): Promise<void> {
    const other = await holding();
    const seen = async (): Promise<unknown> => {
      const { profile } = await store.read(annaPlan);
      return profile.state === 'known' ? profile.value.attributes : profile.state;
    };
    const put = (n: number) => other.putProfile('anna', { attributes: { n }, audiences: [] }, daySeconds);
    await put(1);
    for (const time of [1, 2]) expect([time, await seen()]).toEqual([time, { n: 1 }]);
    await put(2);
    for (const time of [1, 2]) expect([time, await seen()]).toEqual([time, { n: 2 }]);
    await other.deleteProfile('anna');
    expect(await seen()).toBe('absent');
    await put(2);
    for (const time of [1, 2]) expect([time, await seen()]).toEqual([time, { n: 2 }]);
    await redisHere.observer.pexpire(profileKey(annaTag), 1);
    await until('it has expired', async () => (await redisHere.observer.exists(profileKey(annaTag))) === 0);
    expect(await seen()).toBe('absent');
    await put(3);
    expect(await seen()).toEqual({ n: 3 });
    await redisHere.observer.set(profileKey(annaTag), encodeProfile(names.subject('bob'), goldProfile));
    expect(await seen()).toBe('failed');
    for (const garbage of ['=', '']) {
      await put(4);
      expect(await seen()).toEqual({ n: 4 });
      await redisHere.observer.set(profileKey(annaTag), garbage);
      expect([garbage, await seen()]).toEqual([garbage, 'failed']);
    }
    await put(5);
    await other.putConsent('anna', { useCases: { content_personalization: 'denied' }, recordedAtMs: 2 }, daySeconds);
    expect(await seen()).toBe('refused');
  }

  it('each change is seen by the next read: replaced, deleted, put back, expired, overwritten, withdrawn', async () => {
    await eachChangeIsSeen((await remembering(0)).store);
  });

  it('a store that uses what it holds whatever the version says is noticed', async () => {
    const { store } = await remembering(0);
    let held: Awaited<ReturnType<Store['read']>>['profile'] | null = null;
    const read: Store['read'] = async (plan) => {
      const reading = await store.read(plan);
      if (reading.profile.state === 'known') held ??= reading.profile;
      return reading.profile.state === 'known' && held !== null ? { ...reading, profile: held } : reading;
    };
    await expect(eachChangeIsSeen({ read })).rejects.toThrow();
  });

  it('the same content written again is fetched again, because its version is another', async () => {
    const { store, nearCache } = await remembering(0);
    const other = await holding();
    for (const fetched of [1, 2]) {
      await other.deleteProfile('anna');
      await other.putProfile('anna', goldProfile, daySeconds);
      expect((await store.read(annaPlan)).profile).toEqual({ state: 'known', value: goldProfile });
      expect(nearCache.figures().reads.profile.fetched).toBe(fetched);
    }
  });

  it('nothing stays in memory of a profile that is found deleted, or of a person found erased', async () => {
    const { store, nearCache } = await remembering(0);
    const other = await holding();
    for (const remove of [() => other.deleteProfile('anna'), () => redisHere.observer.set(tombstoneKey(annaTag), '1')]) {
      await writeAnna(other);
      await store.read(annaPlan);
      expect(nearCache.profiles.get(annaTag)).not.toBeNull();
      await remove();
      await store.read(annaPlan);
      expect(nearCache.profiles.get(annaTag)).toBeNull();
    }
  });

  it('nothing stays in memory of a person whom a device is linked to and who is found erased', async () => {
    const { store, nearCache } = await remembering(0);
    const deviceTag = names.identity(deviceNamespace, 'd');
    await writeAnna(await holding());
    await store.read(fullPlan);
    expect([nearCache.links.get(deviceTag), nearCache.profiles.get(annaTag)]).not.toContain(null);
    await redisHere.observer.set(tombstoneKey(annaTag), '1');
    for (const _ of [1, 2]) {
      expect((await store.read({ ...noPlan, deviceId: 'd', consent: true })).link).toBeNull();
      expect([nearCache.links.get(deviceTag), nearCache.profiles.get(annaTag)]).toEqual([null, null]);
    }
  });

  it('nothing is subscribed to', async () => {
    const { store } = await remembering(0);
    await store.read(annaPlan);
    expect(await redisHere.observer.client('LIST')).not.toMatch(/stepwell-near-cache/);
  });
});

describe('with trust', () => {
  const trusted = (nearCache: NearCache): number => nearCache.reads.all.trusted;

  it('a second read asks nobody and says so, also about what is not there', async () => {
    const { store, nearCache } = await remembering(minuteMs);
    const plans: readonly ReadPlan[] = [
      fullPlan,
      { ...fullPlan, subject: 'nobody', tokenId: 'x', deviceId: 'y', sessionId: 'z' },
      { ...annaPlan, resolvedLink: certain('bob') },
      { ...noPlan, deviceId: 'd', consent: true },
      sessionPlan('s'),
      { ...noPlan, tokenId: 't' },
    ];
    await writeAnna(store);
    // Before the last write, after it, and when Redis tells of it: then it has told of the others too.
    await until('all is told', async () => (nearCache.heard.get(sessionKey(names.session('s'))) ?? 0) >= 3);
    for (const plan of plans) {
      const asked = { ...plan, freshnessMaxMs: minuteMs };
      const first = await store.read(asked);
      await untilTrusted(store, nearCache, minuteMs, plan);
      expect(await commandsOf(async () => expect(await store.read(asked)).toEqual({ ...first, fromMemory: true }))).toEqual([]);
    }
  });

  it.each([
    ['behind', -1_000_000_000],
    ['ahead of', 1_000_000_000],
  ])('counts by the near cache’s clock, also one that is far %s the process’s', async (_, aheadMs) => {
    const nearCache = new NearCache({ bytesMax: 2 ** 20, now: () => performance.now() + aheadMs });
    const store = await holding(nearCache);
    const asked = { ...annaPlan, freshnessMaxMs: minuteMs };
    await store.read(asked);
    await until('changes are heard of', async () =>
      /name=stepwell-near-cache .*sub=1/.test(String(await redisHere.observer.client('LIST'))),
    );
    // What was proved before is not to be trusted, what is proved from now on is.
    await store.read(asked);
    expect(trusted(nearCache)).toBe(0);
    await untilTrusted(store, nearCache, minuteMs, annaPlan);
  });

  it('nothing stays in memory of a person whom a device is linked to and who is found erased, the consent record included', async () => {
    const { store, nearCache } = await remembering(minuteMs);
    await writeAnna(await holding());
    const held = () => [
      nearCache.links.get(names.identity(deviceNamespace, 'd')),
      nearCache.profiles.get(annaTag),
      nearCache.consents.get(annaTag),
    ];
    await untilTrusted(store, nearCache, minuteMs, fullPlan);
    expect(held()).not.toContain(null);
    await redisHere.observer.set(tombstoneKey(annaTag), '1');
    await until(
      'it is found',
      async () => (await store.read({ ...noPlan, deviceId: 'd', consent: true, freshnessMaxMs: minuteMs })).link === null,
    );
    expect(held()).toEqual([null, null, null]);
  });

  it('no read asks nobody whose plan trusts nothing', async () => {
    const { store } = await remembering(minuteMs);
    for (const _ of [1, 2, 3]) expect(await commandsOf(() => store.read(annaPlan))).toContain('EVALSHA_RO');
  });

  /** What each change must lead to, in a store that trusts for a minute: soon another answer, long before the minute is over. */
  async function everyChangeIsHeardOf(nearCache: NearCache): Promise<void> {
    const store = await holding(nearCache);
    const other = await holding();
    await writeAnna(other);
    const asked = { ...fullPlan, freshnessMaxMs: minuteMs };
    const changes: readonly (readonly [what: string, change: () => Promise<unknown>])[] = [
      ['profile', () => other.putProfile('anna', { attributes: {}, audiences: [] }, daySeconds)],
      ['session', () => other.patchSession('s', { attributes: { seen: false } })],
      ['session expires', () => redisHere.observer.pexpire(sessionKey(names.session('s')), 1)],
      ['consent', () => other.putConsent('anna', { useCases: { offers: 'denied' }, recordedAtMs: 2 }, daySeconds)],
      [
        'withdrawal in the session',
        () => other.withdrawSessionConsent('s', { useCases: ['offers'], atMs: Date.now(), ttlSeconds: daySeconds }),
      ],
      ['withdrawal', () => other.withdrawConsent('anna', { useCases: null, atMs: Date.now(), ttlSeconds: daySeconds })],
      ['link', () => other.putIdentity('device', 'd', certain('bob'), daySeconds)],
      ['consent of whom the device is linked to', () => other.putConsent('bob', { useCases: {}, recordedAtMs: 3 }, daySeconds)],
      ['generation', () => other.raiseGeneration('anna')],
      ['revocation', () => other.revokeToken('t', Date.now() + minuteMs)],
      ['tombstone', () => redisHere.observer.set(tombstoneKey(annaTag), '1')],
      ['everything', () => redisHere.observer.flushall()],
      ['link to somebody', () => other.putIdentity('device', 'd', certain('carl'), daySeconds)],
      // The last, because such a link is asked about again and again.
      ['tombstone of whom the device is linked to', () => redisHere.observer.set(tombstoneKey(names.subject('carl')), '1')],
    ];
    for (const [what, change] of changes) {
      await untilTrusted(store, nearCache, minuteMs, fullPlan);
      const before = JSON.stringify(await store.read(asked));
      await change();
      const endMs = performance.now() + waitForChangesMs;
      while (JSON.stringify(await store.read(asked)) === before) {
        if (performance.now() > endMs) throw new Error(`not heard of: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }
  let waitForChangesMs = 20_000;

  it('every change that another makes is heard of long before the time is over', async () => {
    await everyChangeIsHeardOf(new NearCache({ bytesMax: 2 ** 20 }));
  });

  it('a near cache that hears of no change is noticed', async () => {
    waitForChangesMs = 500;
    await expect(everyChangeIsHeardOf(new DeafCache({ bytesMax: 2 ** 20 }))).rejects.toThrow('not heard of: profile');
  });

  it('its own writes are seen at once', async () => {
    const { store } = await remembering(minuteMs);
    const asked = { ...fullPlan, freshnessMaxMs: minuteMs };
    await writeAnna(store);
    for (let n = 1; n <= 50; n += 1) {
      await store.read(asked);
      await store.putProfile('anna', { attributes: { n }, audiences: [] }, daySeconds);
      await store.patchSession('s', { attributes: { n } });
      expect(await store.read(asked)).toMatchObject({
        profile: { value: { attributes: { n } } },
        session: { value: { attributes: { n } } },
      });
      expect(await store.raiseGeneration('bob')).toBe(n);
      expect(await store.read({ ...asked, subject: 'bob' })).toMatchObject({ generation: n });
    }
    await store.deleteProfile('anna');
    expect((await store.read(asked)).profile.state).toBe('absent');
    await store.revokeToken('t', Date.now() + minuteMs);
    expect((await store.read(asked)).tokenRevoked).toBe(true);
    await store.writeBatch([{ kind: 'consent', subject: 'anna', consent: { useCases: {}, recordedAtMs: 77 }, ttlSeconds: daySeconds }]);
    expect((await store.read(asked)).consent?.recordedAtMs).toBe(77);
  });

  it('is withdrawn while the connection that hears of changes is gone, and what was proved before it came back stays unproved', async () => {
    const proxy = await eavesdropper();
    const { store, nearCache } = await remembering(minuteMs, proxy.url);
    const asked = { ...annaPlan, freshnessMaxMs: minuteMs };
    await untilTrusted(store, nearCache, minuteMs, annaPlan);
    const before = nearCache.generations.get(annaTag)?.provedAtMs ?? Number.NaN;
    proxy.cut();
    await until('the loss is seen', async () => {
      const seen = trusted(nearCache);
      await store.read(asked);
      return trusted(nearCache) === seen;
    });
    await untilTrusted(store, nearCache, minuteMs, annaPlan);
    expect(nearCache.generations.get(annaTag)?.provedAtMs).toBeGreaterThan(before);
  });

  it('is withdrawn when the connection that hears of changes says nothing any more, though it stands', async () => {
    const proxy = await eavesdropper();
    const { store, nearCache } = await remembering(minuteMs, proxy.url);
    const asked = { ...annaPlan, freshnessMaxMs: minuteMs };
    await untilTrusted(store, nearCache, minuteMs, annaPlan);
    proxy.stall();
    const untrusting = async (): Promise<boolean> => {
      const seen = trusted(nearCache);
      await store.read(asked);
      return trusted(nearCache) === seen;
    };
    await until('nothing is trusted', untrusting);
    // The next connection does not come to speak either.
    for (let time = 0; time < 20; time += 1) expect(await untrusting()).toBe(true);
    proxy.resume();
    await untilTrusted(store, nearCache, minuteMs, annaPlan);
  });

  it('is never given to a reading of a store that is closed', async () => {
    const { store, nearCache } = await remembering(minuteMs);
    await untilTrusted(store, nearCache, minuteMs, annaPlan);
    await store.close();
    await expect(store.read({ ...annaPlan, freshnessMaxMs: minuteMs })).rejects.toMatchObject({ code: 'closed' });
  });

  it('costs a store that is switched off nothing: it opens no connection for it', async () => {
    const store = await holding(new NearCache({ bytesMax: 0 }));
    for (const _ of [1, 2]) await store.read({ ...annaPlan, freshnessMaxMs: minuteMs });
    expect(await redisHere.observer.client('LIST')).not.toMatch(/stepwell-near-cache/);
  });
});

describe('a withdrawal that races reads', () => {
  const readsMin = isLong ? 100_000 : 20_000;

  interface Race {
    readonly freshnessMaxMs: number;
    readonly readsMin: number;
    /** In place of the readers' own stores. */
    readonly readers?: readonly Pick<Store, 'read'>[];
    readonly processes?: number;
    /** At least. */
    readonly durationMs?: number;
  }

  async function race({
    freshnessMaxMs,
    readsMin,
    readers,
    processes = 0,
    durationMs = 0,
  }: Race): Promise<{ reads: readonly Read[]; written: Written }> {
    const writer = await holding();
    await writer.putProfile('anna', { attributes: { n: 0 }, audiences: [] }, daySeconds);
    const stores = readers ?? [(await remembering(freshnessMaxMs)).store, (await remembering(freshnessMaxMs)).store];
    const others = await Promise.all(Array.from({ length: processes }, () => startReadingProcess(redisHere.server.url, freshnessMaxMs)));
    let made = 0;
    let isOver = false;
    const counted = stores.map((store) => ({
      read: async (plan: ReadPlan) => {
        made += 1;
        return store.read(plan);
      },
    }));
    const writing = writeOften(writer, () => isOver);
    const endMs = performance.now() + durationMs;
    const areEnough = (): boolean => made >= readsMin && performance.now() >= endMs;
    const here = await Promise.all(counted.map((store) => readOften(store, { freshnessMaxMs, until: areEnough })));
    const there = await Promise.all(others.map((other) => other.stop()));
    isOver = true;
    return { reads: [...here, ...there].flat(), written: await writing };
  }

  it('is seen by every read that starts after it was acknowledged, where nothing is trusted', async () => {
    const { reads, written } = await race({ freshnessMaxMs: 0, readsMin, processes: 2 });
    console.log(`${reads.length} reads raced ${written.consentAckedAtMs.length} withdrawals and grants`);
    expect(reads.length).toBeGreaterThanOrEqual(readsMin);
    expect(written.consentAckedAtMs.length).toBeGreaterThan(100);
    expect(reads.filter(({ profile }) => profile !== null).length).toBeGreaterThan(readsMin / 10);
    expect(staleReads(reads, written, 0)).toEqual([]);
  });

  it('is seen by every read that starts later than the bound after it, where there is trust', async () => {
    const { reads, written } = await race({ freshnessMaxMs: 200, readsMin, durationMs: 1_000, processes: 2 });
    expect(reads.length).toBeGreaterThanOrEqual(readsMin);
    expect(staleReads(reads, written, 200)).toEqual([]);
  });

  it('is seen by every read that starts later than the bound after it, while the connection that hears of changes is frozen', async () => {
    const proxy = await eavesdropper();
    const readers = await Promise.all([remembering(200, proxy.url), remembering(200, proxy.url)]);
    proxy.stall();
    const stores = readers.map(({ store }) => store);
    const { reads, written } = await race({ freshnessMaxMs: 200, readsMin: readsMin / 10, durationMs: 1_500, readers: stores });
    expect(staleReads(reads, written, 200)).toEqual([]);
  });

  /** Readers that hear of no change at all, so that the bound is all there is. */
  async function deafRace(trustedMs: number) {
    const store = await holding(new DeafCache({ bytesMax: 2 ** 20 }));
    const read: Store['read'] = (plan) => store.read({ ...plan, freshnessMaxMs: trustedMs });
    return race({ freshnessMaxMs: trustedMs, readsMin: readsMin / 10, durationMs: 1_000, readers: [{ read }] });
  }

  it('is seen by every read that starts later than the bound after it, though nobody hears of changes: the bound alone holds', async () => {
    const { reads, written } = await deafRace(200);
    expect(staleReads(reads, written, 200)).toEqual([]);
    // That changes came late is what makes the bound worth testing.
    expect(staleReads(reads, written, 0)).not.toEqual([]);
  });

  it('of a store that trusts for longer than it may is noticed', async () => {
    const { reads, written } = await deafRace(minuteMs);
    expect(staleReads(reads, written, 200)).not.toEqual([]);
  });

  it('of a store that trusts where nothing may be trusted is noticed', async () => {
    const { reads, written } = await deafRace(20);
    expect(staleReads(reads, written, 0)).not.toEqual([]);
  });
});
