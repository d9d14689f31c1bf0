/**
 * A service in a process of its own answers over HTTP while policies are published one after another: every answer is wholly of one
 * of them, nobody goes without, and each comes into force. How late answers were is a matter of the bench, not of a test.
 */
import { expect, onTestFinished, test } from 'vitest';
import { editionFault } from '../../bench/reload-editions.ts';
import { runReloadTrial } from '../../bench/reload-trial.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';
import { startRedis } from '../support/redis-server.ts';

const isLong = process.env.STEPWELL_TEST_LONG === '1';
const reloads = isLong ? 1_000 : 20;
const muchTimeSeconds = 3_600;

/** A device that nobody knows makes each decision wait for the store: many begin under one policy and end under the next. */
const bodies = ['DE', 'FR'].map((country) =>
  JSON.stringify({
    page: 'home',
    deadlineMs: 500,
    identity: { deviceId: 'd-nobodys' },
    consent: { useCases: { content_personalization: 'granted', offers: 'granted' } },
    context: { country, device: 'mobile' },
  }),
);

test(`over ${reloads} published policies every answer over HTTP is wholly of one of them`, async () => {
  await using directory = await temporaryDirectory();
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const { traffic, published, effectiveMs } = await runReloadTrial({
    directory: directory.path,
    redisUrl: redis.url,
    bodies,
    requestsPerSecond: 200,
    reloadsPerSecond: 20,
    reloadsMax: reloads,
    windows: [{ isReloading: true, seconds: muchTimeSeconds }],
  });
  expect(traffic.torn).toEqual([]);
  expect(traffic.tornCount).toBe(0);
  // A machine that has much else to do may be told to come again.
  expect(Object.keys(traffic.lost).filter((why) => why !== 'status 503')).toEqual([]);
  expect(published).toBe(reloads);
  expect(effectiveMs).toHaveLength(reloads);
  expect(traffic.sentAtMs.length).toBeGreaterThan(reloads);
});

test('the judge of answers sees a zone of another edition, a revision that nobody published, and a policy that is stale', () => {
  const editionOf = { one: 1, two: 2 };
  const zones = [1, 1].map((edition) => ({ zone: 'hero', content: { edition } }));
  const policy = { revision: 'one', stale: false };
  const suppressed = { zone: 'rail', content: null };
  expect(editionFault({ policy, zones: [...zones, suppressed] }, editionOf)).toBeNull();
  expect(editionFault({ policy, zones: [...zones, { zone: 'rail', content: { edition: 2 } }] }, editionOf)).toContain(
    '`rail` of edition 2',
  );
  expect(editionFault({ policy, zones: [{ zone: 'rail', content: {} }] }, editionOf)).toContain('`rail`');
  expect(editionFault({ policy: { ...policy, revision: 'three' }, zones }, editionOf)).toContain('never published');
  expect(editionFault({ policy: { ...policy, stale: true }, zones }, editionOf)).toContain('stale');
});
