/** What the store promises on a cluster, beyond the shared suite: one round trip side by side, and nothing read before consent allows it. */
import fc from 'fast-check';
import { Cluster, Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { IdentityLink, StoredConsent } from '../../src/decision/facts.ts';
import {
  consentKey,
  deviceNamespace,
  generationKey,
  identityKey,
  profileKey,
  revokedTokenKey,
  sessionConsentKey,
  sessionKey,
  tombstoneKey,
} from '../../src/records/keys.ts';
import { mayReadProfile } from '../../src/records/permission.ts';
import type { ReadPlan } from '../../src/records/store.ts';
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts';
import { slotCount, slotOf } from '../../src/redis/slots.ts';
import { names } from '../support/key-names.ts';
import { type RunningCluster, startCluster, until } from '../support/redis-deployments.ts';
import { asDocumentedUser, documentedRights } from '../support/redis-rights.ts';
import { consentCases } from './consent.cases.ts';
import { erasureCases } from './erasure.cases.ts';
import { forCases, openPatiently, openRemembering, patienceMs, rememberingForCases } from './redis-opening.ts';
import {
  casesPerProperty,
  daySeconds,
  goldProfile,
  noPlan,
  type OpenedStore,
  openPermission,
  openSession,
  type Situation,
  type Staged,
  sessionPlan,
  situations,
  stage,
  storeCases,
} from './store.cases.ts';

let cluster: RunningCluster;
/** See what the store does; no part of it. */
let observer: Cluster;
let masters: readonly Redis[];
const stores: RedisStore[] = [];

beforeAll(async () => {
  cluster = await startCluster();
  observer = new Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })));
  masters = cluster.nodes.slice(0, 3).map(({ url }) => new Redis(url));
});

afterAll(async () => {
  observer?.disconnect();
  for (const master of masters ?? []) master.disconnect();
  await cluster?.stop();
});

beforeEach(async () => {
  await Promise.all(masters.map((master) => master.flushall()));
});

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

async function patientStore(): Promise<RedisStore> {
  const store = await openPatiently(cluster.url);
  stores.push(store);
  return store;
}

const openForCases = async (): Promise<OpenedStore> => forCases(await patientStore(), observer);

storeCases('the Redis store on a cluster', openForCases);
erasureCases('the Redis store on a cluster', openForCases);
consentCases('the Redis store on a cluster', openForCases);
storeCases('the Redis store on a cluster, with a near cache that asks for versions', () => rememberingForCases(cluster.url, observer, 0));
storeCases('the Redis store on a cluster, with a near cache that trusts for a minute', () =>
  rememberingForCases(cluster.url, observer, 60_000),
);

/** An id whose key a certain master holds. */
function idAt(master: number, name: string, keyOf: (id: string) => string): string {
  for (let attempt = 0; ; attempt += 1) {
    const id = `${name}-${attempt}`;
    if (Math.floor((slotOf(keyOf(id)) * masters.length) / slotCount) === master) return id;
  }
}

/** Whose records are spread over all masters. */
function personApart(): { subject: string; token: string; device: string; session: string; other: string } {
  return {
    subject: idAt(0, 'anna', (id) => profileKey(names.subject(id))),
    token: idAt(1, 'token', (id) => revokedTokenKey(names.token(id))),
    device: idAt(2, 'device', (id) => identityKey(names.identity(deviceNamespace, id))),
    session: idAt(1, 'session', (id) => sessionKey(names.session(id))),
    other: idAt(1, 'bob', (id) => consentKey(names.subject(id))),
  };
}

it('a fleet on a cluster agrees on a secret without being told one', async () => {
  const opened = await Promise.all(
    [0, 1, 2].map(async () => {
      const store = openRedisStore({ url: cluster.url, commandTimeoutMs: patienceMs, silenceMaxMs: patienceMs });
      stores.push(store);
      expect(await store.connected(patienceMs)).toBe(true);
      return store;
    }),
  );
  await opened[0]?.putProfile('anna', goldProfile, daySeconds);
  for (const store of opened) expect(await store.getProfile('anna')).toMatchObject(goldProfile);
});

const link = (subject: string): IdentityLink => ({ subject, method: 'deterministic', confidencePpm: 1_000_000 });
const scripts = ['evalsha_ro', 'eval_ro', 'evalsha', 'eval'];

/** How often the masters ran the commands, from their own statistics. A command that a script ran counts as one. */
async function callsOf(commands: readonly string[], of: readonly Redis[] = masters): Promise<number> {
  const statistics = await Promise.all(of.map((master) => master.info('commandstats')));
  let calls = 0;
  for (const text of statistics) {
    for (const [, name = '', count] of text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) if (commands.includes(name)) calls += Number(count);
  }
  return calls;
}

async function scriptsSentBy(work: () => Promise<unknown>): Promise<number> {
  const before = await callsOf(scripts);
  await work();
  return (await callsOf(scripts)) - before;
}

describe('a read', () => {
  it('sends one command for each slot that the plan names, and one more for each rare thing that only the answers tell', async () => {
    const store = await patientStore();
    const { subject, token, device, session, other } = personApart();
    await store.putProfile(subject, goldProfile, daySeconds);
    await store.putSession(session, { attributes: {} }, daySeconds);
    const plan: ReadPlan = { ...noPlan, subject, tokenId: token, consent: true, profile: openPermission };
    const withDevice: ReadPlan = { ...plan, deviceId: device };
    const withSession: ReadPlan = { ...withDevice, sessionId: session, session: openSession };
    const counts = async (): Promise<readonly number[]> => {
      const sent: number[] = [];
      for (const one of [plan, withDevice, withSession]) {
        await store.read(one);
        sent.push(await scriptsSentBy(() => store.read(one)));
      }
      return sent;
    };
    expect(await counts()).toEqual([2, 3, 5]);
    await store.putIdentity('device', device, link(subject), daySeconds);
    expect(await counts()).toEqual([2, 3, 5]);
    await store.putIdentity('device', device, link(other), daySeconds);
    expect(await counts()).toEqual([2, 4, 6]);
    await store.putConsent(subject, { useCases: { content_personalization: 'denied' }, recordedAtMs: 1 }, daySeconds);
    expect(await counts()).toEqual([2, 4, 5]);
    expect(await scriptsSentBy(() => store.read(sessionPlan(session)))).toBe(1);
  });

  it('waits for no answer before it sends the next command: each master is asked while the others say nothing', async () => {
    const store = await patientStore();
    const { subject, token, device } = personApart();
    const plan: ReadPlan = { ...noPlan, subject, tokenId: token, deviceId: device, consent: true, profile: openPermission };
    await store.putProfile(subject, goldProfile, daySeconds);
    await store.read(plan);
    for (const [index, master] of masters.entries()) {
      const silent = masters.filter((one) => one !== master);
      const before = await callsOf(scripts, [master]);
      await Promise.all(silent.map((one) => one.call('CLIENT', 'PAUSE', 1_000, 'ALL')));
      let isAnswered = false;
      const answer = store.read(plan).finally(() => {
        isAnswered = true;
      });
      await until(`master ${index} was asked`, async () => (await callsOf(scripts, [master])) > before);
      expect(isAnswered).toBe(false);
      expect((await answer).profile.state).toBe('known');
    }
  });

  it('touches no profile that its own subject forbids, and no session that any record forbids', async () => {
    const store = await patientStore();
    expect(await forbiddenTouches(store, fc.sample(situations, casesPerProperty))).toEqual({ profiles: [], sessions: [] });
  });

  it('of a store that asks for everything at once and judges afterwards is noticed', async () => {
    const store = await patientStore();
    const eager: RedisStore = {
      ...store,
      async read(plan) {
        if (plan.subject !== null) await store.getProfile(plan.subject);
        if (plan.sessionId !== null) await store.read(sessionPlan(plan.sessionId));
        return store.read(plan);
      },
    };
    const touches = await forbiddenTouches(eager, fc.sample(situations, { seed: 7, numRuns: 100 }));
    expect(touches.profiles).not.toEqual([]);
    expect(touches.sessions).not.toEqual([]);
  });

  it('works as the user of few rights', async () => {
    await Promise.all(masters.map((master) => master.call('ACL', 'SETUSER', ...documentedRights())));
    const store = await openPatiently(asDocumentedUser(cluster.url));
    stores.push(store);
    const { subject, token, device } = personApart();
    expect(await store.putProfile(subject, goldProfile, daySeconds)).toBe('created');
    expect(await store.putIdentity('device', device, link(subject), daySeconds)).toBe('created');
    await store.revokeToken(token, Date.now() + 60_000);
    const plan: ReadPlan = { ...noPlan, subject, tokenId: token, deviceId: device, consent: true, profile: openPermission };
    expect(await store.read(plan)).toMatchObject({ tokenRevoked: true, link: { subject }, profile: { state: 'refused' } });
  });
});

describe('a near cache that trusts', () => {
  const minuteMs = 60_000;

  it('asks again about what one master holds whose changes were not heard of for a moment, and only about that', async () => {
    const { store, nearCache } = await openRemembering(cluster.url, minuteMs);
    stores.push(store);
    const { subject, token } = personApart();
    const plans: readonly ReadPlan[] = [
      { ...noPlan, subject },
      { ...noPlan, tokenId: token },
    ];
    const provedAt = () => [
      nearCache.generations.get(names.subject(subject))?.provedAtMs,
      nearCache.revocations.get(names.token(token))?.provedAtMs,
    ];
    const readAll = async () => {
      for (const plan of plans) await store.read({ ...plan, freshnessMaxMs: minuteMs });
    };
    await until('both are trusted', async () => {
      await readAll();
      const [before, trusted] = [provedAt(), nearCache.reads.all.trusted];
      await readAll();
      return nearCache.reads.all.trusted === trusted + 2 && provedAt().every((at, index) => at === before[index]);
    });
    const [ofSubject, ofToken] = provedAt();
    await masters[1]?.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('the token is proved again', async () => {
      await readAll();
      return (provedAt()[1] ?? 0) > (ofToken ?? 0);
    });
    expect(provedAt()[0]).toBe(ofSubject);
  });
});

/** Beside what consent forbids, a profile may have come for a token that was revoked, or a device that is somebody else's: it is dropped. */
async function forbiddenTouches(
  store: RedisStore,
  cases: readonly Situation[],
): Promise<Readonly<Record<'profiles' | 'sessions', readonly string[]>>> {
  const opened: OpenedStore = { ...(await openForCases()), store };
  const staged: Staged[] = [];
  for (const situation of cases) staged.push(await stage(opened, situation));
  const touched = await touchedWhile(async () => {
    for (const { plan } of staged) await store.read(plan);
  });
  const forbidsItself = ({ plan, heard }: Staged): boolean =>
    !mayReadProfile(
      { ...plan, deviceId: null, tokenId: null },
      { ...heard, tokenRevoked: false, link: null, linkedConsent: null, sessionConsent: null },
    );
  return {
    profiles: staged.filter((one) => forbidsItself(one) && touched.has(one.profileKey)).map((one) => one.profileKey),
    sessions: staged.filter((one) => one.expected.session.state === 'refused' && touched.has(one.sessionKey)).map((one) => one.sessionKey),
  };
}

/** Every argument of every command that a master executes while `work` runs, scripts' own commands included, from its MONITOR. */
async function touchedWhile(work: () => Promise<unknown>): Promise<ReadonlySet<string>> {
  const touched = new Set<string>();
  const marker = `done-${Math.random()}`;
  const watching = await Promise.all(
    masters.map(async (master) => {
      const connection = master.duplicate();
      const monitor = await connection.monitor();
      const done = new Promise<void>((resolve) => {
        monitor.on('monitor', (_time: string, args: string[]) => {
          if (args[1] === marker) resolve();
          // A script names its keys before it knows which it will touch, so only what it runs counts.
          else if (!/^eval/i.test(args[0] ?? '')) for (const arg of args.slice(1)) touched.add(arg);
        });
      });
      return { done, end: () => [monitor, connection].map((one) => one.disconnect()) };
    }),
  );
  await work();
  await Promise.all(masters.map((master) => master.echo(marker)));
  for (const { done, end } of watching) {
    await done;
    end();
  }
  return touched;
}

/** Moves some keys of a slot, looks, moves the rest, and afterwards all of them back. */
async function whileMoving(
  keys: { readonly first: readonly string[]; readonly rest: readonly string[] },
  during: () => Promise<void>,
): Promise<void> {
  const slot = slotOf(keys.first[0] ?? '');
  const [from, to] = masters as [Redis, Redis];
  const [fromId = '', toId = ''] = await Promise.all([from, to].map((one) => one.call('CLUSTER', 'MYID') as Promise<string>));
  const begin = async (source: Redis, target: Redis, sourceId: string, targetId: string): Promise<void> => {
    await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId);
    await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
  };
  const carry = async (source: Redis, target: Redis, moved: readonly string[]): Promise<void> => {
    for (const key of moved) await source.call('MIGRATE', '127.0.0.1', target.options.port ?? 0, key, 0, 5_000);
  };
  const arrive = async (source: Redis, target: Redis, targetId: string): Promise<void> => {
    for (const one of [target, source]) await one.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
    // Moved back before everybody has heard of it, a slot may be claimed by two.
    await until('all nodes agree', async () => {
      const owners = await Promise.all(masters.map((one) => ownerOf(one, slot)));
      return owners.every((port) => port === target.options.port);
    });
  };
  try {
    await begin(from, to, fromId, toId);
    await carry(from, to, keys.first);
    await during();
    await carry(from, to, keys.rest);
    await arrive(from, to, toId);
    await during();
  } finally {
    await begin(to, from, toId, fromId);
    await carry(to, from, [...keys.first, ...keys.rest]);
    await arrive(to, from, fromId);
  }
  await during();
}

async function ownerOf(node: Redis, slot: number): Promise<number | undefined> {
  const ranges = (await node.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
  return ranges.find(([first, last]) => first <= slot && slot <= last)?.[2][1];
}

describe('the near cache', () => {
  it('lets go of the link of a device whose person is found erased, be it the subject or another', async () => {
    const { store, nearCache } = await openRemembering(cluster.url, 0);
    stores.push(store);
    const { subject, device, other } = personApart();
    const deviceTag = names.identity(deviceNamespace, device);
    for (const [linked, asking] of [
      [other, subject],
      [other, null],
      [subject, subject],
    ] as const) {
      const plan: ReadPlan = { ...noPlan, subject: asking, deviceId: device, consent: true };
      await store.putIdentity('device', device, link(linked), daySeconds);
      expect((await store.read(plan)).link).not.toBeNull();
      expect(nearCache.links.get(deviceTag)).not.toBeNull();
      await observer.set(tombstoneKey(names.subject(linked)), '1');
      for (const _ of [1, 2]) {
        expect((await store.read(plan)).link).toBeNull();
        expect(nearCache.links.get(deviceTag)).toBeNull();
      }
      await observer.del(tombstoneKey(names.subject(linked)));
    }
  });
});

describe('a slot that moves', () => {
  it('is followed, while its records move, afterwards, and back', async () => {
    const store = await patientStore();
    const device = idAt(0, 'moving', (id) => identityKey(names.identity(deviceNamespace, id)));
    await store.putIdentity('device', device, link('anna'), daySeconds);
    await whileMoving({ first: [identityKey(names.identity(deviceNamespace, device))], rest: [] }, async () => {
      expect(await store.read({ ...noPlan, deviceId: device })).toMatchObject({ link: { subject: 'anna' } });
      expect(await store.putIdentity('device', device, link('anna'), daySeconds)).toBe('replaced');
    });
  });

  it('leaves nobody without a profile, and none unprotected, while half of the records are here and half are there', async () => {
    const store = await patientStore();
    const [willing, denying] = [0, 1].map((index) => idAt(0, `moving-${index}`, (id) => profileKey(names.subject(id)))) as [string, string];
    const denied: StoredConsent = { useCases: { content_personalization: 'denied' }, recordedAtMs: 1 };
    const allowed: StoredConsent = { useCases: { content_personalization: 'granted' }, recordedAtMs: 1 };
    for (const [subject, consent, state] of [
      [willing, allowed, 'known'],
      [denying, denied, 'refused'],
    ] as const) {
      await store.putProfile(subject, goldProfile, daySeconds);
      await store.putConsent(subject, consent, daySeconds);
      await store.raiseGeneration(subject);
      const plan: ReadPlan = { ...noPlan, subject, tokenGeneration: 1, consent: true, profile: openPermission };
      const tag = names.subject(subject);
      const keys = { first: [consentKey(tag), generationKey(tag)], rest: [profileKey(tag)] };
      await whileMoving(keys, async () => {
        expect(await store.read(plan)).toMatchObject({ generation: 1, consent, profile: { state } });
        expect(await store.read({ ...plan, tokenGeneration: 0 })).toMatchObject({ generation: 1, profile: { state: 'refused' } });
      });
    }
  });

  it('hears what was withdrawn in a session while its record is here and what was learned is there', async () => {
    const store = await patientStore();
    const [open, closed] = [0, 1].map((index) => idAt(0, `moving-visit-${index}`, (id) => sessionKey(names.session(id)))) as [
      string,
      string,
    ];
    for (const [session, useCase, state] of [
      [open, 'offers', 'known'],
      [closed, 'content_personalization', 'refused'],
    ] as const) {
      await store.withdrawSessionConsent(session, { useCases: [useCase], atMs: 5, ttlSeconds: daySeconds });
      await store.putSession(session, { attributes: { last_category: 'shoes' } }, daySeconds);
      const tag = names.session(session);
      await whileMoving({ first: [sessionConsentKey(tag)], rest: [sessionKey(tag)] }, async () => {
        const reading = await store.read({ ...sessionPlan(session), consent: true });
        expect(reading).toMatchObject({ sessionConsent: { useCases: { [useCase]: 'denied' } }, session: { state } });
      });
    }
  });
});

describe("a key's slot", () => {
  it('is what Redis says it is', async () => {
    const keys = [profileKey(names.subject('a')), sessionKey(names.session('b')), 'sw:{}:x', 'sw:{a', 'a{b}{c}', '{}{a}', '', '123456789'];
    for (const key of keys) expect(await masters[0]?.call('CLUSTER', 'KEYSLOT', key)).toBe(slotOf(key));
  });
});
