/** The management port: alive, ready with a policy whatever the store does, and never a word on the public port. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { buildManagement } from '../../src/app.ts';
import { watchStore } from '../../src/http/store-watch.ts';
import { emptyReading } from '../../src/records/reading.ts';
import type { Permission, ReadPlan, StoreReading } from '../../src/records/store.ts';
import { StoreError, type StoreErrorCode } from '../../src/records/store-error.ts';
import { noPlan } from '../stores/store.cases.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { startService } from './service.ts';

async function managed(changes: Parameters<typeof startService>[0] = {}) {
  const service = await startService(changes);
  const management = await buildManagement(service.parts);
  onTestFinished(async () => void (await management.close()));
  return { service, management };
}

describe('the management port', () => {
  it('is ready once a policy is loaded, however the store is', async () => {
    const { management } = await managed({ store: { kind: 'embedded', ping: async () => Promise.reject(new Error('gone')) } as never });
    expect((await management.inject('/livez')).statusCode).toBe(200);
    expect((await management.inject('/readyz')).statusCode).toBe(200);
    expect((await management.inject('/status')).json().dependencies.store).toMatchObject({
      kind: 'embedded',
      state: 'down',
      lastGood: null,
    });
    expect((await management.inject('/metrics')).headers['content-type']).toContain('text/plain');
  });

  it('is not ready without one', async () => {
    const { management } = await managed({ policy: { current: () => null } });
    expect((await management.inject('/readyz')).statusCode).toBe(503);
    expect((await management.inject('/livez')).statusCode).toBe(200);
  });

  it('says which policy answers and since when the store does', async () => {
    const { service, management } = await managed();
    const first = (await management.inject('/status')).json();
    expect(first.policy).toMatchObject({ id: 'retail', revision: service.artefact.revision, stale: false });
    service.clock.advance(5000);
    const second = (await management.inject('/status')).json().dependencies.store;
    expect(second.since).toBe(first.dependencies.store.since);
    expect(second.lastGood > first.dependencies.store.lastGood).toBe(true);
  });

  it('says how the approvals of the policy stand', async () => {
    const { service, management } = await managed();
    const approvals = async () => (await management.inject('/status')).json().policy.approvals;
    const { nextExpiry } = await approvals();
    expect(await approvals()).toEqual({ expired: 0, nextExpiry: expect.stringMatching(/T.*Z$/) });
    service.clock.advance(Date.parse(nextExpiry) - service.clock.nowMs());
    expect((await approvals()).expired).toBeGreaterThan(0);
  });

  it('is not on the public port, and lets nothing be cached', async () => {
    const { service, management } = await managed();
    for (const url of ['/livez', '/readyz', '/status', '/metrics']) {
      expect((await service.app.inject(url)).statusCode).toBe(404);
      expect((await management.inject(url)).headers['cache-control']).toBe('private, no-store');
    }
    expect((await management.inject('/v1/decide')).headers['cache-control']).toBe('private, no-store');
  });
});

describe('the status of the dependencies', () => {
  const anything: Permission = { alternatives: [[]], grantsCountFromMs: 0, grantsCountUntilMs: 0 };
  const ofSession: ReadPlan = { ...noPlan, sessionId: 's', session: anything };
  const ofPerson: ReadPlan = { ...noPlan, subject: 'p', consent: true, profile: anything };

  /** A store that answers as it is told. */
  function watched() {
    const clock = new VirtualClock();
    const says: { read: StoreErrorCode | null; ping: StoreErrorCode | null } = { read: null, ping: null };
    const answer = async <T>(code: StoreErrorCode | null, value: T): Promise<T> => {
      if (code !== null) throw new StoreError(code, 'as told');
      return value;
    };
    const store = {
      kind: 'redis' as const,
      read: (): Promise<StoreReading> => answer(says.read, emptyReading),
      ping: (): Promise<void> => answer(says.ping, undefined),
    };
    const watch = watchStore(store, clock);
    const read = (plan: ReadPlan) => watch.reads.read(plan).catch(() => {});
    const states = async () => Object.entries(await watch.look()).map(([name, { state }]) => `${name} ${state}`);
    return { clock, says, watch, read, states, nowIso: () => new Date(clock.nowMs()).toISOString() };
  }

  it('names each dependency and the store that holds them all', async () => {
    const { management } = await managed();
    const { dependencies } = (await management.inject('/status')).json();
    expect(Object.keys(dependencies)).toEqual(['identity', 'consent', 'profile', 'session', 'store']);
    for (const status of Object.values(dependencies)) {
      expect(status).toMatchObject({ state: 'up', since: expect.any(String), lastGood: expect.any(String), breaker: 'closed' });
    }
  });

  it('moves `lastGood` of what a read asked for with every answered read, and of nothing else', async () => {
    const { clock, says, watch, read, nowIso } = watched();
    says.ping = 'disconnected';
    clock.advance(1000);
    const readAt = nowIso();
    await read(ofSession);
    clock.advance(1000);
    const { session, profile, store } = await watch.look();
    expect([session.lastGood, store.lastGood, profile.lastGood]).toEqual([readAt, readAt, null]);
    expect(session).toMatchObject({ state: 'down', since: nowIso() });
  });

  it('takes nothing that was answered from memory for an answer of the store, nor for a call', async () => {
    const clock = new VirtualClock();
    const says: { fromMemory?: true } = { fromMemory: true };
    const store = {
      kind: 'redis' as const,
      read: async (): Promise<StoreReading> => ({ ...emptyReading, ...says }),
      ping: async () => Promise.reject(new StoreError('disconnected', 'as told')),
    };
    const watch = watchStore(store, clock);
    await watch.reads.read(ofPerson);
    const { profile, store: ofStore } = await watch.look();
    expect([profile.lastGood, ofStore.lastGood, watch.counts().calls]).toEqual([null, null, 0]);
    delete says.fromMemory;
    await watch.reads.read(ofPerson);
    expect((await watch.look()).profile.lastGood).toBe(new Date(clock.nowMs()).toISOString());
    expect(watch.counts().calls).toBe(1);
  });

  it('counts a link that was found out elsewhere as asking about identity: the store says whether it stands', async () => {
    const { says, watch, read, nowIso } = watched();
    says.ping = 'disconnected';
    await read({ ...noPlan, resolvedLink: { subject: 'p', method: 'deterministic', confidencePpm: 1_000_000 } });
    const { identity, profile } = await watch.look();
    expect([identity.lastGood, profile.lastGood]).toEqual([nowIso(), null]);
  });

  it('goes down with a read that found no store, and up again with the next that is answered', async () => {
    const { clock, says, watch, read, nowIso } = watched();
    await read(ofPerson);
    clock.advance(1000);
    const lostAt = nowIso();
    says.read = 'timed_out';
    says.ping = 'timed_out';
    await read(ofPerson);
    clock.advance(1000);
    await read(ofPerson);
    expect((await watch.look()).profile).toMatchObject({ state: 'down', since: lostAt });
    says.read = null;
    says.ping = null;
    const backAt = nowIso();
    await read(ofPerson);
    expect((await watch.look()).profile).toMatchObject({ state: 'up', since: backAt, lastGood: backAt });
  });

  it('says down of what the store refuses to read while it answers pings, until it reads it', async () => {
    const { says, read, states } = watched();
    await read(ofSession);
    says.read = 'refused';
    await read(ofPerson);
    expect(await states()).toEqual(['identity down', 'consent down', 'profile down', 'session up', 'store up']);
    says.read = null;
    await read(ofPerson);
    expect(await states()).toEqual(['identity up', 'consent up', 'profile up', 'session up', 'store up']);
  });

  it('tells that the breaker is open while reads are refused at once, and closed once the store serves', async () => {
    const { says, watch, read } = watched();
    const breakers = async () => Object.values(await watch.look()).map(({ breaker }) => breaker);
    says.read = 'circuit_open';
    says.ping = 'circuit_open';
    await read(ofPerson);
    expect(await breakers()).toEqual(Array(5).fill('open'));
    says.read = null;
    await read(ofPerson);
    expect(await breakers()).toEqual(Array(5).fill('closed'));
  });

  it.each(['overloaded', 'unreadable'] as const)('does not blame the store for `%s`', async (code) => {
    const { says, read, states } = watched();
    await read(ofPerson);
    says.read = code;
    await read(ofPerson);
    expect((await states()).every((state) => state.endsWith(' up'))).toBe(true);
  });

  it('hears the decisions of the other server', async () => {
    const clock = new VirtualClock();
    const asked: ReadPlan[] = [];
    const store = {
      kind: 'redis' as const,
      read: async (plan: ReadPlan) => {
        asked.push(plan);
        return emptyReading;
      },
      ping: async () => Promise.reject(new StoreError('disconnected', 'as told')),
    };
    const storeWatch = watchStore(store, clock);
    const { service, management } = await managed({ store: store as never, storeWatch });
    const token = await service.tokenOf('somebody');
    await service.app.inject({ method: 'POST', url: '/v1/decide', payload: { page: 'home', identity: { token } } });
    expect(asked.length).toBeGreaterThan(0);
    const { dependencies } = (await management.inject('/status')).json();
    expect(dependencies.identity.lastGood).not.toBeNull();
    expect(dependencies.store.lastGood).not.toBeNull();
  });
});
