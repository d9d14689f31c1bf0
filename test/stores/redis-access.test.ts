/** The store over TLS, and as a user who may do no more than it needs: both with the whole suite, on real servers. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NearCache } from '../../src/redis/near-cache.ts';
import { openRedisStore } from '../../src/redis/redis-store.ts';
import { throwAwayCertificate } from '../support/certificate.ts';
import { keySecret } from '../support/key-names.ts';
import { until } from '../support/redis-deployments.ts';
import { asDocumentedUser, documentedRights } from '../support/redis-rights.ts';
import { freePort, type RunningRedis, startRedis } from '../support/redis-server.ts';
import { erasureCases } from './erasure.cases.ts';
import { forCases, openPatiently, patienceMs, rememberingForCases } from './redis-opening.ts';
import { daySeconds, goldProfile, noPlan, type OpenedStore, openPermission, storeCases } from './store.cases.ts';

const openForCases = async (url: string, observer: Redis): Promise<OpenedStore> => forCases(await openPatiently(url), observer);

describe('over TLS', () => {
  let server: RunningRedis;
  let observer: Redis;
  let url: string;
  const { certificate, key } = throwAwayCertificate();
  const trusted = getCACertificates('default');

  beforeAll(async () => {
    const tlsPort = await freePort();
    server = await startRedis({
      more(_port, directory) {
        const [certificatePath, keyPath] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')];
        writeFileSync(certificatePath, certificate);
        writeFileSync(keyPath, key);
        const files = ['--tls-cert-file', certificatePath, '--tls-key-file', keyPath, '--tls-ca-cert-file', certificatePath];
        return ['--tls-port', String(tlsPort), '--tls-auth-clients', 'no', ...files];
      },
    });
    url = `rediss://127.0.0.1:${tlsPort}`;
    observer = new Redis(server.url);
  });

  afterAll(async () => {
    setDefaultCACertificates(trusted);
    observer?.disconnect();
    await server?.stop();
  });

  beforeEach(async () => {
    // What NODE_EXTRA_CA_CERTS does for a process that starts.
    setDefaultCACertificates([...trusted, certificate]);
    await observer.flushall();
  });

  storeCases('the Redis store', () => openForCases(url, observer));

  it('a server whose certificate nobody vouches for is not spoken to', async () => {
    setDefaultCACertificates(trusted);
    const whys: (string | null)[] = [];
    const store = openRedisStore({ keySecret, url, onState: (_, why) => whys.push(why) });
    await until('it says why', async () => whys.length > 0);
    await store.close();
    expect(whys).toEqual(['DEPTH_ZERO_SELF_SIGNED_CERT']);
  });
});

describe('as a user of few rights', () => {
  let server: RunningRedis;
  let observer: Redis;
  let url: string;

  beforeAll(async () => {
    server = await startRedis();
    const admin = new Redis(server.url);
    await admin.call('ACL', 'SETUSER', 'observer', 'on', '>seeing', '~*', '&*', '+@all');
    await admin.call('ACL', 'SETUSER', ...documentedRights());
    observer = new Redis(server.url, { username: 'observer', password: 'seeing' });
    await observer.call('ACL', 'SETUSER', 'default', 'off');
    admin.disconnect();
    url = asDocumentedUser(server.url);
  });

  afterAll(async () => {
    observer?.disconnect();
    await server?.stop();
  });

  beforeEach(async () => {
    await observer.flushall();
  });

  storeCases('the Redis store', () => openForCases(url, observer));
  erasureCases('the Redis store', () => openForCases(url, observer));
  storeCases('the Redis store with a near cache that trusts for a minute', () => rememberingForCases(url, observer, 60_000));

  it('may hold records without the rights of the near cache: then they are fetched whole, every time, and it says why', async () => {
    const rights = documentedRights().map((word) => (word === 'stepwell' ? 'unheard' : word));
    await observer.call('ACL', 'SETUSER', ...rights, '-getrange', '-client|tracking');
    const nearCache = new NearCache({ bytesMax: 2 ** 20 });
    const codes: string[] = [];
    const store = openRedisStore({
      keySecret,
      url: url.replace('stepwell:', 'unheard:'),
      nearCache,
      onTrackingRefused: (code) => codes.push(code),
    });
    await store.connected(patienceMs);
    await store.putProfile('anna', goldProfile, daySeconds);
    const plan = { ...noPlan, subject: 'anna', profile: openPermission, freshnessMaxMs: 60_000 };
    for (const time of [1, 2]) expect([time, (await store.read(plan)).profile]).toEqual([time, { state: 'known', value: goldProfile }]);
    await until('it says why', async () => codes.length > 0);
    expect(codes).toEqual(['NOPERM']);
    expect(nearCache.reads.profile).toEqual({ validated: 0, trusted: 0, fetched: 2 });
    await store.close();
  });

  it('read-only scripts are done without where the user, or a Redis before 7, has none', async () => {
    const rights = documentedRights().map((word) => (word === 'stepwell' ? 'older' : word));
    await observer.call('ACL', 'SETUSER', ...rights, '-evalsha_ro', '-eval_ro');
    const { store, dispose } = await openForCases(url.replace('stepwell:', 'older:'), observer);
    await store.putProfile('anna', goldProfile, daySeconds);
    for (const time of ['first', 'second']) {
      const { profile } = await store.read({ ...noPlan, subject: 'anna', profile: openPermission });
      expect([time, profile.state]).toEqual([time, 'known']);
    }
    await dispose();
  });

  it('it can do nothing else', async () => {
    const user = new Redis(url, { lazyConnect: true, enableReadyCheck: false, disableClientInfo: true });
    await user.connect();
    for (const words of [
      ['SET', 'other', '1'],
      ['KEYS', '*'],
      ['FLUSHALL'],
      ['CONFIG', 'GET', '*'],
      ['EVAL', 'return redis.call("keys", "*")', '0'],
    ]) {
      const [name = '', ...args] = words;
      await expect(user.call(name, ...args)).rejects.toThrow(/NOPERM|can't run/);
    }
    user.disconnect();
  });

  it('nobody else gets in, and the store says why', async () => {
    for (const other of [server.url, url.replace('change-me', 'guess')]) {
      const whys: (string | null)[] = [];
      const store = openRedisStore({ keySecret, url: other, onState: (_, why) => whys.push(why) });
      await until('it says why', async () => whys.length > 0);
      await store.close();
      expect(whys).toEqual([other === server.url ? 'NOAUTH' : 'WRONGPASS']);
    }
  });
});
