/** Erasing on both stores, and what only the servers can tell: which keys are left, which commands a read of somebody erased comes to. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { absent } from '../../src/decision/facts.ts';
import { encodeTombstone } from '../../src/records/erasure.ts';
import { generationKey, identityKey, linksKey, profileKey, secretKey, tombstoneKey } from '../../src/records/keys.ts';
import { linksPerSubjectMax, tombstoneLifeMs } from '../../src/records/limits.ts';
import { readingBy, tagsOf } from '../../src/records/reading.ts';
import type { Store } from '../../src/records/store.ts';
import { NearCache } from '../../src/redis/near-cache.ts';
import { names } from '../support/key-names.ts';
import { openBeneath } from './embedded-opening.ts';
import { erasureCases, planFor, writeAll } from './erasure.cases.ts';
import { redisOfSuite } from './redis-of-suite.ts';
import { forCases, openPatiently, openRemembering, rememberingForCases } from './redis-opening.ts';
import { daySeconds, goldProfile, openPermission } from './store.cases.ts';

const redisHere = redisOfSuite();

/** Without what the fleet has agreed on, which is of nobody. */
async function recordKeys(): Promise<readonly string[]> {
  return (await redisHere.observer.keys('*')).filter((key) => key !== secretKey).sort();
}

erasureCases('the embedded store', openBeneath);
erasureCases('the Redis store', async () => forCases(await openPatiently(redisHere.server.url), redisHere.observer));
erasureCases('the Redis store with a near cache that asks for versions', () =>
  rememberingForCases(redisHere.server.url, redisHere.observer, 0),
);
erasureCases('the Redis store with a near cache that trusts for a minute', () =>
  rememberingForCases(redisHere.server.url, redisHere.observer, 60_000),
);

const annaTag = names.subject('anna');

describe('after an erasure', () => {
  it('Redis holds the tombstone for 45 days, and of the rest only a generation that was raised', async () => {
    const store = await openPatiently(redisHere.server.url);
    onTestFinished(() => store.close());
    await writeAll(store, 'anna');
    expect(await recordKeys()).toHaveLength(6);
    expect(await redisHere.observer.scard(linksKey(annaTag))).toBe(3);
    await store.raiseGeneration('anna');
    await store.erase('anna', { atMs: Date.now(), requestId: 'r-1' });
    await writeAll(store, 'anna');
    expect(await recordKeys()).toEqual([generationKey(annaTag), tombstoneKey(annaTag)]);
    const left = await redisHere.observer.pttl(tombstoneKey(annaTag));
    expect(left).toBeLessThanOrEqual(tombstoneLifeMs);
    expect(left).toBeGreaterThan(tombstoneLifeMs - daySeconds * 1000);
    expect(await redisHere.observer.get(tombstoneKey(annaTag))).not.toMatch(/anna|r-1/);
  });

  it('the embedded store does, and forgets the tombstone when its time is over', async () => {
    const { store, clock, keys, dispose } = await openBeneath();
    onTestFinished(dispose);
    await writeAll(store, 'anna');
    expect(keys()).toHaveLength(6);
    const { id, tombstoneUntilMs } = await store.erase('anna', { atMs: clock.nowMs(), requestId: null });
    expect(keys()).toEqual([[tombstoneKey(annaTag), tombstoneUntilMs]]);
    clock.advance(tombstoneLifeMs - 1);
    expect(await store.putProfile('anna', goldProfile, daySeconds)).toBe('erased');
    clock.advance(1);
    expect(await store.getErasure({ id })).toBeNull();
    expect(await store.putProfile('anna', goldProfile, daySeconds)).toBe('created');
  });

  it('45 days of late events leave no key', async () => {
    const { store, clock, keys, dispose } = await openBeneath();
    onTestFinished(dispose);
    await writeAll(store, 'anna');
    await store.erase('anna', { atMs: clock.nowMs(), requestId: null });
    for (let day = 0; day < 45; day += 1) {
      expect(new Set(await writeAll(store, 'anna'))).toEqual(new Set(['erased']));
      clock.advance(daySeconds * 1000 - 1);
    }
    expect(keys().map(([key]) => key)).toEqual([tombstoneKey(annaTag)]);
  });

  it('that was cut short in Redis, the receipt says so, nothing is read, and the same request does what is left', async () => {
    const store = await openPatiently(redisHere.server.url);
    onTestFinished(() => store.close());
    await writeAll(store, 'anna');
    const requestedAtMs = Date.now() - 1000;
    const begun = encodeTombstone({ subjectTag: annaTag, requestTag: names.request('r-1'), requestedAtMs, completedAtMs: null });
    await redisHere.observer.set(tombstoneKey(annaTag), begun, 'EX', daySeconds);
    const plan = planFor('nobody', { deviceId: 'device of anna' });
    expect(await store.getErasure({ subject: 'anna' })).toMatchObject({ requestedAtMs, completedAtMs: null });
    expect((await store.read(plan)).link).toBeNull();
    expect(await store.liftErasure(annaTag), 'or the link would count again').toBe('running');
    const { completedAtMs, ...receipt } = await store.erase('anna', { atMs: Date.now(), requestId: 'r-1' });
    expect(receipt).toMatchObject({ requestedAtMs });
    expect(completedAtMs).toBeGreaterThanOrEqual(requestedAtMs + 1000);
    expect(await store.getErasure({ subject: 'anna' })).toMatchObject({ requestedAtMs, completedAtMs });
    expect(await recordKeys()).toEqual([tombstoneKey(annaTag)]);
    expect(await redisHere.observer.ttl(tombstoneKey(annaTag))).toBeLessThanOrEqual(daySeconds);
    expect(await store.liftErasure(annaTag)).toBe('lifted');
  });

  it('links that ended make room in the index', async () => {
    const { store, clock, dispose } = await openBeneath();
    onTestFinished(dispose);
    const put = (to: Store, n: number) =>
      to.putIdentity('crm', `r-${n}`, { subject: 'anna', method: 'deterministic', confidencePpm: 1 }, n < 2 ? 10 : daySeconds);
    const redis = await openPatiently(redisHere.server.url);
    onTestFinished(() => redis.close());
    for (const to of [store, redis]) {
      for (let n = 0; n < linksPerSubjectMax; n += 1) await put(to, n);
      expect(await put(to, 1000)).toBe('too_many_links');
    }
    clock.advance(10_000);
    await redisHere.observer.del(...[0, 1].map((n) => identityKey(names.identity('crm', `r-${n}`))));
    for (const to of [store, redis]) {
      expect([await put(to, 1000), await put(to, 1001), await put(to, 1002)]).toEqual(['created', 'created', 'too_many_links']);
    }
    expect(await redisHere.observer.scard(linksKey(annaTag))).toBe(linksPerSubjectMax);
  });

  it('the index of links ends with the last of them', async () => {
    const store = await openPatiently(redisHere.server.url);
    onTestFinished(() => store.close());
    const link = { subject: 'anna', method: 'deterministic', confidencePpm: 1 } as const;
    await store.putIdentity('device', 'a', link, 100);
    await store.putIdentity('device', 'b', link, 50);
    expect(await redisHere.observer.pttl(linksKey(annaTag))).toBeGreaterThan(50_000);
  });
});

describe('erasing under load', () => {
  it('leaves no key but tombstones, whoever writes late and wherever, and no read that starts afterwards sees anything', async () => {
    const caches = [new NearCache({ bytesMax: 2 ** 22 }), new NearCache({ bytesMax: 2 ** 22 })];
    const stores = await Promise.all([
      ...caches.map((cache) => openPatiently(redisHere.server.url, cache)),
      openPatiently(redisHere.server.url),
    ]);
    onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))));
    const subjects = Array.from({ length: 60 }, (_, index) => `person-${index}`);
    const erased = new Set<string>();
    const seen: string[] = [];
    let reads = 0;
    let isOver = false;
    const plan = (who: string) => planFor(who, { deviceId: `device of ${who}` });
    const at = (turn: number) => subjects[(turn * 7) % subjects.length] ?? '';
    const writing = stores.map(async (store, offset) => {
      for (let turn = offset; !isOver; turn += 1) await writeAll(store, at(turn));
    });
    const reading = stores.map(async (store, offset) => {
      for (let turn = offset; !isOver; turn += 1) {
        const who = at(turn);
        const isErased = erased.has(who);
        const { profile, consent: record, link: found } = await store.read(plan(who));
        reads += 1;
        if (isErased && (profile.state === 'known' || record !== null || found !== null)) seen.push(who);
      }
    });
    for (const [index, who] of subjects.entries()) {
      await writeAll(stores[0] as Store, who);
      await (stores[index % stores.length] as Store).erase(who, { atMs: Date.now(), requestId: null });
      erased.add(who);
    }
    isOver = true;
    await Promise.all([...writing, ...reading]);
    // What was under way when it was erased may still have been on its way; from here on everything is late.
    for (const who of subjects) await writeAll(stores[1] as Store, who);
    console.log(`${reads} reads raced ${subjects.length} erasures`);
    expect(seen).toEqual([]);
    expect(await recordKeys()).toEqual(subjects.map((who) => tombstoneKey(names.subject(who))).sort());
    for (const store of stores) {
      const { erased: _, ...of } = await store.read(plan('person-0'));
      const { erased: __, ...never } = await store.read(plan('nobody'));
      expect(of).toEqual(never);
    }
  });
});

/** How often the server ran each command, scripts' own included, while `work` ran. */
async function commandsOf(work: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
  const counts = async (): Promise<Record<string, number>> => {
    const lines = (await redisHere.observer.info('commandstats')).matchAll(/cmdstat_([^:]+):calls=(\d+)/g);
    return Object.fromEntries([...lines].map(([, name = '', calls]) => [name, Number(calls)]));
  };
  const before = await counts();
  await work();
  const after = await counts();
  const ran = Object.entries(after).map(([name, calls]) => [name, calls - (before[name] ?? 0)] as const);
  return Object.fromEntries(ran.filter(([name, calls]) => calls > 0 && !['info', 'ping'].includes(name)));
}

describe('a read of somebody erased', () => {
  it.each([0, 60_000])('comes to the commands of a read of somebody never seen, with trust for %i ms', async (freshnessMaxMs) => {
    // Its connections have introduced themselves by then.
    const { store } = await openRemembering(redisHere.server.url, freshnessMaxMs);
    onTestFinished(() => store.close());
    await writeAll(store, 'anna');
    await writeAll(store, 'bob');
    await store.read(planFor('anna', { deviceId: 'device of anna', freshnessMaxMs }));
    await store.erase('anna', { atMs: Date.now(), requestId: null });
    const reading = (who: string) => () => store.read(planFor(who, { tokenId: `t-${who}`, deviceId: `device of ${who}`, freshnessMaxMs }));
    const ran = async (who: string) => [await commandsOf(reading(who)), await commandsOf(reading(who))];
    const [erased, never, known] = [await ran('anna'), await ran('nobody'), await ran('bob')];
    expect(erased).toEqual(never);
    expect(known).not.toEqual(never);
    // The tombstone and the denylist; the link, the generation, consent and profile.
    expect(erased[0]).toEqual({ evalsha_ro: 1, exists: 2, get: 4 });
  });

  it('looks for the same things as a read of somebody never seen, in a store that looks for one thing after the other', () => {
    const lookedFor = (isErased: boolean): readonly string[] => {
      const asked: string[] = [];
      const looking = <T>(what: string, answer: T) => {
        asked.push(what);
        return answer;
      };
      readingBy(planFor('anna', { tokenId: 't', deviceId: 'd', sessionId: 's', session: openPermission }), tagsOf(planFor('anna'), names), {
        isErased: () => looking('tombstone', isErased),
        link: () => looking('link', null),
        generation: () => looking('generation', 0),
        isRevoked: () => looking('revoked', false),
        consent: () => looking('consent', null),
        sessionConsent: () => looking('session consent', null),
        profile: () => looking('profile', absent),
        session: () => looking('session', absent),
      });
      return asked;
    };
    expect(lookedFor(true)).toEqual(lookedFor(false));
    expect(lookedFor(true)).toContain('profile');
  });

  it('whose records somebody put back behind the store’s back is still told nothing of them', async () => {
    const store = await openPatiently(redisHere.server.url);
    onTestFinished(() => store.close());
    await writeAll(store, 'anna');
    const text = await redisHere.observer.getBuffer(profileKey(annaTag));
    await store.erase('anna', { atMs: Date.now(), requestId: null });
    await redisHere.observer.set(profileKey(annaTag), text ?? '', 'EX', daySeconds);
    expect(await store.read(planFor('anna'))).toMatchObject({ erased: true, consent: null, profile: { state: 'absent' } });
    expect(await store.getProfile('anna')).toBeNull();
  });
});
