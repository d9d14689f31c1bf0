/** Reading the store again: only what failed quickly, only while there is time, and never much more often than it is asked. */
import { expect, test } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { createGatherer } from '../../src/evidence/gather.ts';
import { createStoreReader, type StoreReader } from '../../src/evidence/store-reader.ts';
import type { ReadPlan, StoreReading } from '../../src/records/store.ts';
import { StoreError, type StoreErrorCode } from '../../src/records/store-error.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { artefactWith, fullReading, nothing, person, settled } from './scene.ts';

const plan = {} as ReadPlan;
const plenty = () => 50;

/** A store that fails in one way until it is told otherwise. */
class FailingStore {
  reads = 0;
  code: StoreErrorCode | null = 'disconnected';

  read(): Promise<StoreReading> {
    this.reads += 1;
    return this.code === null ? Promise.resolve(fullReading) : Promise.reject(new StoreError(this.code, 'no'));
  }
}

/** What asks again is loaded with the first read that may need it. */
async function readerOf(store: FailingStore): Promise<StoreReader> {
  const reader = createStoreReader(store, new VirtualClock());
  await reader.readPatiently(plan, 1, plenty).catch(() => {});
  await import('../../src/sources/retry.ts');
  await settled();
  store.reads = 0;
  return reader;
}

test('a read that found no connection is made again, as often as is allowed', async () => {
  const store = new FailingStore();
  const reader = await readerOf(store);
  const reading = reader.readPatiently(plan, 1, plenty);
  await settled();
  store.code = null;
  expect(await reading).toBe(fullReading);
  expect(store.reads).toBe(2);
});

test('where what asks again cannot be loaded, reads go on without it and the next one loads it', async () => {
  const store = new FailingStore();
  let loads = 0;
  const reader = createStoreReader(store, new VirtualClock(), () => {
    loads += 1;
    return loads === 1 ? Promise.reject(new Error('planted')) : import('../../src/sources/retry.ts');
  });
  const readsOfOne = async (): Promise<number> => {
    store.reads = 0;
    await reader.readPatiently(plan, 1, plenty).catch(() => {});
    await import('../../src/sources/retry.ts');
    await settled();
    return store.reads;
  };
  expect([await readsOfOne(), await readsOfOne(), await readsOfOne()]).toEqual([1, 1, 2]);
  expect(loads).toBe(2);
});

test.each([
  ['it failed in another way', 2, 'refused', 50],
  ['it timed out', 2, 'timed_out', 50],
  ['less than a millisecond is left', 2, 'disconnected', 0.5],
] as const)('it is not where %s', async (_, retries, code, leftMs) => {
  const store = new FailingStore();
  const reader = await readerOf(store);
  store.code = code;
  await expect(reader.readPatiently(plan, retries, () => leftMs)).rejects.toMatchObject({ code });
  expect(store.reads).toBe(1);
});

test('a store that is gone sees at most a tenth more reads than it was asked for', async () => {
  const store = new FailingStore();
  const reader = await readerOf(store);
  for (let asked = 0; asked < 50; asked += 1) {
    await Promise.all(Array.from({ length: 20 }, () => reader.readPatiently(plan, 5, plenty).catch(() => {})));
    expect(store.reads).toBeLessThanOrEqual((asked + 1) * 20 * 1.1 + 1);
  }
  expect(store.reads).toBeGreaterThan(1_050);
});

test.each([
  [{ identity: 2, consent: 1 }, 2],
  [{ identity: 1, consent: 2 }, 2],
  [{ identity: 2, consent: 0 }, 1],
  [{ identity: 0, consent: 2 }, 1],
])('a decision is retried no more often than each dependency that it asks allows: %o', async (retries, reads) => {
  const store = new FailingStore();
  const clock = new VirtualClock();
  const verifier = { verify: () => ({ evidence: person, tokenId: null }) };
  const gatherer = createGatherer({ store, verifier, sessionIds: { verify: () => ({ state: 'none' }) }, clock });
  const plain = artefactWith({});
  const dependencies = {
    ...plain.dependencies,
    identity: { ...plain.dependencies.identity, retries: retries.identity },
    consent: { ...plain.dependencies.consent, retries: retries.consent },
  };
  const readsOfDecision = async (artefact: Artefact): Promise<number> => {
    store.reads = 0;
    const gathering = gatherer.gather({
      artefact,
      needs: { ...nothing, identity: true, consent: true },
      identity: { token: 'token' },
      consent: { signals: [], gpc: false },
      nowMs: 0,
      deadlineAtMs: clock.monotonicMs() + 50,
    });
    await gathering.until(clock.monotonicMs() + 50);
    return store.reads;
  };
  // The first that may retry loads what retries.
  const { identity, consent } = dependencies;
  await readsOfDecision({
    ...plain,
    dependencies: { ...dependencies, identity: { ...identity, retries: 1 }, consent: { ...consent, retries: 1 } },
  });
  await import('../../src/sources/retry.ts');
  await settled();
  expect(await readsOfDecision({ ...plain, dependencies })).toBe(reads);
});

/** A store that takes as long as it is told, and a token whose verification does. */
function slowScene() {
  const clock = new VirtualClock();
  const tookMs = { store: 10, token: 0 };
  let reads = 0;
  const after = <T>(ms: number, value: T): Promise<T> => new Promise((resolve) => void clock.after(ms, () => resolve(value)));
  const gatherer = createGatherer({
    store: {
      read: () => {
        reads += 1;
        return after(tookMs.store, fullReading);
      },
    },
    verifier: { verify: () => after(tookMs.token, { evidence: person, tokenId: null }) },
    sessionIds: { verify: () => ({ state: 'none' }) },
    clock,
  });
  /** What the generation was known to be in the end, and whether the store was asked. */
  const ask = async () => {
    const readsBefore = reads;
    const deadlineAtMs = clock.monotonicMs() + 50;
    const gathering = gatherer.gather({
      artefact: artefactWith({}),
      needs: { ...nothing, identity: true, consent: true },
      identity: { token: 'token' },
      consent: { signals: [], gpc: false },
      nowMs: 0,
      deadlineAtMs,
    });
    for (let ms = 0; ms < 50; ms += 1) {
      await settled();
      clock.advance(1);
    }
    await settled();
    const { generation } = gathering.snapshot(deadlineAtMs).identity;
    gathering.close();
    return { generation, wasAsked: reads > readsBefore };
  };
  return { tookMs, ask };
}

const known = { state: 'known', value: 2 } as const;
const tooShort = { state: 'late', why: 'deadline_too_short' } as const;

test('a store is not asked when less time is left than its answers usually take', async () => {
  const { tookMs, ask } = slowScene();
  for (let count = 0; count < 20; count += 1) expect(await ask()).toEqual({ generation: known, wasAsked: true });
  tookMs.token = 38;
  expect(await ask()).toEqual({ generation: known, wasAsked: true });
  tookMs.token = 42;
  expect(await ask()).toEqual({ generation: tooShort, wasAsked: false });
});

test('but with half of the time left it is asked however slow it was, so that nobody takes it for slow for ever', async () => {
  const { tookMs, ask } = slowScene();
  tookMs.store = 45;
  for (let count = 0; count < 20; count += 1) await ask();
  tookMs.store = 1;
  tookMs.token = 24;
  expect(await ask()).toEqual({ generation: known, wasAsked: true });
  tookMs.token = 26;
  expect(await ask()).toEqual({ generation: tooShort, wasAsked: false });
});
