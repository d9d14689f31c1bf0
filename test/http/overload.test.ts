/** What gives way when requests wait: first the tiers, then the request itself. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { createQueueGauge } from '../../src/http/queue-gauge.ts';
import { startTelemetry } from '../../src/telemetry/start.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { startService } from './service.ts';

describe('the gauge of the queue', () => {
  function scene() {
    const clock = new VirtualClock();
    const ends: (() => void)[] = [];
    const turns: number[] = [];
    const gauge = createQueueGauge({
      clock,
      onTurn: (_endMs, durationMs) => turns.push(durationMs),
      afterTurn: (callback) => ends.push(callback),
    });
    const endTurn = () => ends.shift()?.();
    const turnOf = (durationMs: number) => {
      gauge.turnMs();
      clock.advance(durationMs);
      endTurn();
    };
    return { clock, gauge, turns, endTurn, turnOf };
  }

  it('counts what was done in this turn before the request was read', () => {
    const { clock, gauge } = scene();
    expect(gauge.turnMs()).toBe(0);
    clock.advance(30);
    expect(gauge.turnMs()).toBe(30);
  });

  it('charges nothing of one long turn to the next: what comes after a pause has mostly just come', () => {
    const { clock, gauge, turnOf } = scene();
    turnOf(130);
    expect(gauge.turnMs()).toBe(0);
    clock.advance(3);
    expect(gauge.turnMs()).toBe(3);
  });

  it('charges the shorter of two long turns to all that is read in the third', () => {
    const { clock, gauge, turns, turnOf } = scene();
    turnOf(130);
    turnOf(40);
    expect(turns).toEqual([130, 40]);
    expect([gauge.turnMs(), gauge.lastingMs()]).toEqual([0, 40]);
    clock.advance(55);
    expect([gauge.turnMs(), gauge.lastingMs()]).toEqual([55, 40]);
  });

  it('forgets long turns once it has rested', () => {
    const { clock, gauge, turnOf } = scene();
    turnOf(40);
    turnOf(40);
    clock.advance(41);
    expect([gauge.turnMs(), gauge.lastingMs()]).toEqual([0, 0]);
  });
});

async function serviceThatWaits(waitedMs: number, declared: { deadlineMs?: number; header?: string; lastingMs?: number } = {}) {
  const { deadlineMs, header, lastingMs = 0 } = declared;
  const telemetry = await startTelemetry({ clock: new VirtualClock(), env: {} });
  onTestFinished(() => telemetry.shutdown());
  let reads = 0;
  const store = { kind: 'embedded', read: () => Promise.reject(new Error(`read ${++reads}`)) } as never;
  const service = await startService({ store, telemetry, queue: { turnMs: () => waitedMs, lastingMs: () => lastingMs } });
  const token = await service.tokenOf('ada');
  const answer = await service.app.inject({
    method: 'POST',
    url: '/v1/decide',
    headers: header === undefined ? {} : { 'stepwell-deadline-ms': header },
    payload: { page: 'home', identity: { token }, ...(deadlineMs === undefined ? {} : { deadlineMs }) },
  });
  return { ...service, answer, reads, told: await telemetry.metricsText() };
}

/** The page's deadline is 60 ms, of which 2 are kept back. */
describe('a busy service', () => {
  it('answers at once and asks nobody, once a request has waited for a third of its time', async () => {
    const { answer, reads } = await serviceThatWaits(20);
    expect(answer.statusCode).toBe(200);
    expect(reads).toBe(0);
    for (const zone of answer.json().zones) {
      expect(zone.downgrade).toMatchObject({ reason: 'overload', cause: 'load', dependency: null });
      expect(zone.cache).toMatchObject({ scope: 'none', degraded: true });
    }
  });

  it('asks as ever before that, and what a request has waited counts towards its deadline', async () => {
    const { answer, reads } = await serviceThatWaits(19);
    expect(reads).toBe(1);
    expect(answer.json().deadline).toEqual({ declaredMs: null, effectiveMs: 39 });
    expect(answer.json().zones[0].downgrade).toMatchObject({ cause: 'fault' });
  });

  it('takes the time that the caller declares for the whole of it', async () => {
    const reasonAfter = async (waitedMs: number) => {
      const { answer } = await serviceThatWaits(waitedMs, { header: '500' });
      return answer.json().zones[0].downgrade.reason;
    };
    expect(await reasonAfter(166)).toBe('consent_timeout');
    expect(await reasonAfter(167)).toBe('overload');
  });

  it('still answers a request that has hardly any time left', async () => {
    const { answer } = await serviceThatWaits(59);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ deadline: { effectiveMs: 0 }, zones: [{ downgrade: { reason: 'overload' } }, {}] });
  });

  it.each([
    ['the default deadline of the policy', 60, {}],
    ['the longest deadline of the policy, which its header says', 500, { header: '2000' }],
    ['the deadline in its header', 40, { header: '40' }],
    ['the shortest deadline of the policy, whatever the header says', 5, { header: '1' }],
  ])('refuses a request that waited for %s before it was read, and says when to come back', async (_, waitedMs, declared) => {
    expect((await serviceThatWaits(waitedMs - 1, declared)).answer.statusCode).toBe(200);
    const { answer, told } = await serviceThatWaits(waitedMs, declared);
    expect(answer.statusCode).toBe(503);
    expect(answer.headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'private, no-store' });
    expect(answer.json()).toMatchObject({ code: 'overloaded' });
    expect(told).toContain('stepwell_requests_shed_total 1');
  });

  it('refuses while turns of the event loop take most of the time that there is', async () => {
    expect((await serviceThatWaits(0, { lastingMs: 44 })).answer.statusCode).toBe(200);
    expect((await serviceThatWaits(0, { lastingMs: 45 })).answer.statusCode).toBe(503);
    expect((await serviceThatWaits(0, { lastingMs: 45, header: '61' })).answer.statusCode).toBe(200);
  });

  it.each([
    ['is not asked for, and is answered with nobody asked, where turns last long', { lastingMs: 20 }, 'overload'],
    ['counts as ever where they do not', { lastingMs: 0 }, 'consent_failed'],
  ])('a store %s', async (_, { lastingMs }, reason) => {
    const { answer } = await serviceThatWaits(0, { lastingMs });
    expect(answer.json().zones[0].downgrade.reason).toBe(reason);
  });

  it('decides the cacheable half as ever, for it asks nobody anyway', async () => {
    const { app } = await serviceThatWaits(59);
    expect((await app.inject({ method: 'GET', url: '/v1/decide?page=home' })).statusCode).toBe(200);
  });
});
