/** Stored consent on both stores, and where a near cache holds it. In a cluster: `redis-cluster.test.ts`. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { consentKey, sessionConsentKey } from '../../src/records/keys.ts';
import { names } from '../support/key-names.ts';
import { consentCases } from './consent.cases.ts';
import { openBeneath } from './embedded-opening.ts';
import { redisOfSuite } from './redis-of-suite.ts';
import { forCases, openPatiently, rememberingForCases } from './redis-opening.ts';
import { daySeconds } from './store.cases.ts';

const redisHere = redisOfSuite();

consentCases('the embedded store', openBeneath);
consentCases('the Redis store', async () => forCases(await openPatiently(redisHere.server.url), redisHere.observer));
consentCases('the Redis store with a near cache that asks for versions', () =>
  rememberingForCases(redisHere.server.url, redisHere.observer, 0),
);
consentCases('the Redis store with a near cache that trusts for a minute', () =>
  rememberingForCases(redisHere.server.url, redisHere.observer, 60_000),
);

describe('in Redis', () => {
  it('a consent record of a wrong type denies nobody a withdrawal or a put', async () => {
    const store = await openPatiently(redisHere.server.url);
    onTestFinished(() => store.close());
    const key = consentKey(names.subject('anna'));
    await redisHere.observer.lpush(key, 'x');
    await expect(store.getConsent('anna')).rejects.toMatchObject({ code: 'unreadable' });
    const withdrawal = { useCases: null, atMs: Date.now(), ttlSeconds: daySeconds };
    expect(await store.withdrawConsent('anna', withdrawal)).toMatchObject({ generation: 1 });
    await redisHere.observer.del(key);
    await redisHere.observer.lpush(key, 'x');
    expect(await store.putConsent('anna', { useCases: {}, recordedAtMs: 1 }, daySeconds)).toBe('created');
  });

  it('what was withdrawn in a session lives as long as it was told to, and in the slot of the session', async () => {
    const store = await openPatiently(redisHere.server.url);
    onTestFinished(() => store.close());
    await store.withdrawSessionConsent('s', { useCases: null, atMs: Date.now(), ttlSeconds: 100 });
    const key = sessionConsentKey(names.session('s'));
    expect(await redisHere.observer.pttl(key)).toBeGreaterThan(0);
    expect(await redisHere.observer.pttl(key)).toBeLessThanOrEqual(100_000);
    expect(key).toContain(`{${names.session('s')}}`);
  });
});
