/**
 * What a withdrawal promises to a person, held against a fleet of real processes with near caches on: no decision that begins after
 * the answer uses what was withdrawn, and a process that cannot find out grants nothing.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { policyText, sessionContender, subjectContender } from '../../bench/withdrawals/contenders.ts';
import { type Fleet, startFleet } from '../../bench/withdrawals/fleet.ts';
import { type Contender, race } from '../../bench/withdrawals/race.ts';
import { keySetOf } from '../../src/identity/key-set.ts';
import { generateIssuerKeys, mintToken } from '../../src/identity/mint.ts';
import { createTokenVerifier } from '../../src/identity/token.ts';
import type { ConsentRecord } from '../../src/records/consent-record.ts';
import type { Store } from '../../src/records/store.ts';
import { systemClock } from '../../src/time/clock.ts';
import { startService } from '../http/service.ts';
import { openRemembering } from '../stores/redis-opening.ts';
import { startRedis } from '../support/redis-server.ts';

const isLong = process.env.STEPWELL_TEST_LONG === '1';
const decisionsMin = isLong ? 100_000 : 2_000;
const processes = 3;
/** Long enough that a process which heard of nothing would be seen to trust what it holds. */
const trustMs = 3_000;

async function fleetWith(freshnessMaxMs: number): Promise<Fleet> {
  const fleet = await startFleet({ processes, freshnessMaxMs });
  onTestFinished(() => fleet.end());
  return fleet;
}

async function tiersOf({ urls }: Pick<Fleet, 'urls'>, contender: Contender): Promise<readonly string[]> {
  return Promise.all(
    urls.map(async (url) => {
      const body = JSON.stringify(contender.question());
      const response = await fetch(`${url}/v1/decide`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      return ((await response.json()) as { zones: [{ tier: string }] }).zones[0].tier;
    }),
  );
}

describe('a fleet whose withdrawals race its decisions', () => {
  it.each([
    { freshnessMaxMs: 0, what: 'that proves everything each time obeys from the acknowledgement on' },
    { freshnessMaxMs: trustMs, what: 'that is allowed to trust for a while obeys within it' },
  ])('$what', async ({ freshnessMaxMs }) => {
    const fleet = await fleetWith(freshnessMaxMs);
    const contenders = await fleet.contenders({ subjects: 4, sessions: 4 });
    const report = await race({ ...fleet, contenders, decisionsMin, freshnessMaxMs });
    expect(report.stale).toEqual([]);
    // Else nothing was raced.
    expect(report.decisions).toBeGreaterThanOrEqual(decisionsMin);
    for (const count of [report.shown, report.afterWithdrawal]) expect(count).toBeGreaterThan(decisionsMin / 20);
    expect(report.withdrawals).toBeGreaterThan(10);
    if (freshnessMaxMs === 0) expect(report.withinBound).toBe(0);
    expect((await fleet.readsTrusted()) > 0).toBe(freshnessMaxMs > 0);
  });

  it('would be caught, did its store answer a withdrawal before it wrote it', async () => {
    const { urls, contenders } = await hastyServices();
    const { stale } = await race({ urls, contenders, decisionsMin: 600, freshnessMaxMs: 0 });
    expect(new Set(stale.map(({ what }) => what))).toEqual(new Set(['subject', 'session']));
  });
});

describe('a fleet whose Redis', () => {
  it.each([
    { what: 'has stopped answering', stop: (fleet: Fleet) => process.kill(fleet.redis.pid, 'SIGSTOP') },
    { what: 'is gone', stop: (fleet: Fleet) => fleet.redis.stop() },
  ])('$what grants nothing to anybody who may have withdrawn', async ({ stop }) => {
    const fleet = await fleetWith(0);
    const contenders = await fleet.contenders({ subjects: 1, sessions: 1 });
    const ask = async (method: string, path: string, body?: object) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(fleet.urls[0] + path, {
        method,
        ...(body === undefined ? {} : { headers, body: JSON.stringify(body) }),
      });
      return { status: response.status, text: await response.text() };
    };
    for (const contender of contenders) {
      await contender.grant(ask);
      // On a busy machine an answer may come without what Redis had to say.
      await expect.poll(() => tiersOf(fleet, contender)).toEqual(Array(processes).fill(contender.tier));
    }
    await stop(fleet);
    for (const contender of contenders) expect(await tiersOf(fleet, contender)).toEqual(Array(processes).fill('anonymous'));
  });
});

/** Two services in this process, on one real Redis, that say a withdrawal is done some moments before they do it. */
async function hastyServices(): Promise<{ readonly urls: readonly string[]; readonly contenders: readonly Contender[] }> {
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const keys = await generateIssuerKeys();
  const parties = { issuer: 'https://issuer.example', audience: 'stepwell' } as const;
  const verifier = createTokenVerifier({ keySet: await keySetOf(keys.jwks), ...parties, clock: systemClock });
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-hasty-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const policyPath = join(directory, 'policy.yaml');
  writeFileSync(policyPath, policyText(0));
  const urls = [];
  for (const _ of ['one', 'another']) {
    const { store } = await openRemembering(redis.url, 0);
    onTestFinished(() => store.close());
    const { app } = await startService({ store: hasty(store), clock: systemClock, verifier }, policyPath);
    urls.push(await app.listen({ port: 0, host: '127.0.0.1' }));
  }
  const token = await mintToken({ ...keys, ...parties, subject: 'ada', nowMs: Date.now(), lifetimeSeconds: 3600 });
  return { urls, contenders: [subjectContender('ada', token), sessionContender()] };
}

const hasteMs = 40;

function hasty(store: Store): Store {
  const later = (write: () => Promise<unknown>): void => void setTimeout(() => void write().catch(() => {}), hasteMs);
  return {
    ...store,
    async withdrawConsent(subject, withdrawal): Promise<ConsentRecord> {
      later(() => store.withdrawConsent(subject, withdrawal));
      return { useCases: {}, recordedAtMs: withdrawal.atMs, generation: 1, withdrawnGeneration: 1, source: 'withdrawal' };
    },
    async withdrawSessionConsent(sessionId, withdrawal) {
      later(() => store.withdrawSessionConsent(sessionId, withdrawal));
    },
  };
}
