/** What the store promises behind Sentinels: the whole suite on the master they name, and that it follows to the next. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { profileKey } from '../../src/records/keys.ts';
import { openRedisStore } from '../../src/redis/redis-store.ts';
import { keySecret, names } from '../support/key-names.ts';
import { type RunningSentinels, startSentinels, until } from '../support/redis-deployments.ts';
import { asDocumentedUser, documentedRights } from '../support/redis-rights.ts';
import { forCases, openPatiently, openRemembering, patienceMs, untilTrusted } from './redis-opening.ts';
import { daySeconds, goldProfile, noPlan, type OpenedStore, openPermission, storeCases } from './store.cases.ts';

const minuteMs = 60_000;

let deployment: RunningSentinels;
let observer: Redis;

beforeAll(async () => {
  deployment = await startSentinels();
  observer = new Redis(deployment.nodes[0]?.url ?? '');
  observer.on('error', () => {});
});

afterAll(async () => {
  observer?.disconnect();
  await deployment?.stop();
});

const openForCases = async (): Promise<OpenedStore> => forCases(await openPatiently(deployment.url), observer);

describe('while the first master serves', () => {
  beforeEach(async () => {
    await observer.flushall();
  });

  storeCases('the Redis store behind Sentinels', openForCases);

  it("the user of few rights is the data's: Sentinels that ask for nobody are asked as nobody", async () => {
    await observer.call('ACL', 'SETUSER', ...documentedRights());
    const store = await openPatiently(asDocumentedUser(deployment.url));
    expect(await store.putProfile('anna', goldProfile, daySeconds)).toBe('created');
    await store.close();
  });

  it('a name that no Sentinel knows is never connected to', async () => {
    const whys: (string | null)[] = [];
    const url = deployment.url.replace(deployment.masterName, 'nobody');
    const store = openRedisStore({ keySecret, url, onState: (_, why) => whys.push(why) });
    await until('it says so', async () => whys.length > 0);
    expect(whys).toEqual(['unknown_master']);
    await expect(store.read({ ...noPlan, subject: 'anna' })).rejects.toMatchObject({ code: 'disconnected' });
    await store.close();
  });
});

describe('when the master fails', () => {
  it('hangs for ever: the store follows to the replica that the Sentinels promote, and trusts nothing that the old one said', async () => {
    const store = openRedisStore({ keySecret, url: deployment.url });
    expect(await store.connected(patienceMs)).toBe(true);
    await store.putProfile('anna', goldProfile, daySeconds);
    const [master, replica] = deployment.nodes;
    const copy = new Redis(replica?.url ?? '');
    await until('the replica has the profile', async () => (await copy.exists(profileKey(names.subject('anna')))) === 1);
    copy.disconnect();
    const trusting = await openRemembering(deployment.url, minuteMs);
    const nobody = names.subject('nobody');
    process.kill(master?.pid ?? 0, 'SIGSTOP');
    const stoppedAtMs = performance.now();
    await until('the profile is read again', async () => {
      const { profile } = await store.read({ ...noPlan, subject: 'anna', profile: openPermission });
      return profile.state === 'known';
    });
    await until('it is written again', async () => (await store.putProfile('anna', goldProfile, daySeconds)) === 'replaced');
    await until('nobody is asked about again', async () => {
      await trusting.store.read({ ...noPlan, subject: 'nobody', freshnessMaxMs: minuteMs });
      return (trusting.nearCache.generations.get(nobody)?.provedAtMs ?? 0) > stoppedAtMs;
    });
    await untilTrusted(trusting.store, trusting.nearCache, minuteMs);
    await trusting.store.close();
    await store.close();
  });
});
