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
    const gauge = createQueueGauge(clock, (callback) => ends.push(callback));
    return { clock, gauge, endTurn: () => ends.shift()?.() };
  }

  it('says that the first request of a quiet turn has not waited', () => {
    const { clock, gauge, endTurn } = scene();
    expect(gauge.waitedMs()).toBe(0);
    clock.advance(5);
    endTurn();
    clock.advance(100);
    expect(gauge.waitedMs()).toBe(0);
  });

  it('counts what was done in this turn before the request was read', () => {
    const { clock, gauge } = scene();
    gauge.waitedMs();
    clock.advance(30);
    expect(gauge.waitedMs()).toBe(30);
  });

  it('counts half of the turn before, when one follows the other', () => {
    const { clock, gauge, endTurn } = scene();
    gauge.waitedMs();
    clock.advance(40);
    endTurn();
    expect(gauge.waitedMs()).toBe(20);
    clock.advance(3);
    expect(gauge.waitedMs()).toBe(23);
  });
});

/** Every look at this clock takes time, so what is done in one turn of the event loop takes as long as the test wants. */
class BusyClock extends VirtualClock {
  lookMs = 0;

  override monotonicMs(): number {
    this.advance(this.lookMs);
    return super.monotonicMs();
  }
}

async function busyService(lookMs: number) {
  const clock = new BusyClock();
  const telemetry = await startTelemetry({ clock: new VirtualClock(), env: {} });
  onTestFinished(() => telemetry.shutdown());
  let reads = 0;
  const store = { kind: 'embedded', read: () => Promise.reject(new Error(`read ${++reads}`)) } as never;
  const service = await startService({ clock, store, telemetry });
  // The service's own clock signs tokens and moves; the token is good for as long as the test takes.
  const token = await service.tokenOf('ada');
  clock.lookMs = lookMs;
  const ask = () => service.app.inject({ method: 'POST', url: '/v1/decide', payload: { page: 'home', identity: { token } } });
  return { ...service, ask, told: () => telemetry.metricsText(), reads: () => reads };
}

describe('a busy service', () => {
  it('answers at once and asks nobody, once a request has waited for a quarter of its time', async () => {
    const { ask, reads } = await busyService(5);
    const [first, second] = await Promise.all([ask(), ask()]);
    expect([first.statusCode, second.statusCode]).toEqual([200, 200]);
    const { zones } = second.json();
    expect(reads()).toBeLessThan(2);
    for (const zone of zones) {
      expect(zone.downgrade).toMatchObject({ reason: 'overload', cause: 'load', dependency: null });
      expect(zone.cache).toMatchObject({ scope: 'none', degraded: true });
    }
  });

  it('refuses only a request whose time had passed before it was read, and says when to come back', async () => {
    const { ask, told } = await busyService(100);
    const [first, second] = await Promise.all([ask(), ask()]);
    expect(first.statusCode).toBe(200);
    expect(second.statusCode).toBe(503);
    expect(second.headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'private, no-store' });
    expect(second.json()).toMatchObject({ code: 'overloaded' });
    expect(await told()).toContain('stepwell_requests_shed_total 1');
  });

  it('does neither while nothing waits', async () => {
    const { ask, reads } = await busyService(0);
    for (const answer of await Promise.all([ask(), ask()])) {
      expect(answer.json().zones[0].downgrade).not.toMatchObject({ cause: 'load' });
    }
    expect(reads()).toBe(2);
  });
});
