/** What the embedded store promises beyond the shared suite: it keeps its data, forgets on time, and shares its directory. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, open } from 'lmdb';
import { afterEach, describe, expect, it } from 'vitest';
import { type EmbeddedStore, openEmbeddedStore, sweepRecordsMax } from '../../src/embedded/embedded-store.ts';
import type { StoreWrite } from '../../src/records/store.ts';
import { keySecret } from '../support/key-names.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { daySeconds, goldProfile, noPlan, type OpenedStore, openPermission, sessionPlan, storeCases } from './store.cases.ts';

const directories: string[] = [];

function newDirectory(): string {
  const parent = mkdtempSync(join(tmpdir(), 'stepwell-embedded-'));
  directories.push(parent);
  // With a dot, as `.stepwell` has: the library takes such a path for a file's name unless it is told otherwise.
  return join(parent, '.stepwell');
}

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

const never = (): (() => void) => () => {};

/** A second handle on the same files, as another program would have. */
function underneath(directory: string): { records: Database<string, string>; expiries: Database<string, string>; close(): Promise<void> } {
  const root = open<string, string>({ path: join(directory, 'store.mdb'), noSubdir: true, maxDbs: 4, encoding: 'string' });
  return {
    records: root.openDB('records', { encoding: 'string' }),
    expiries: root.openDB('expiries', { encoding: 'string' }),
    close: () => root.close(),
  };
}

async function openForCases(): Promise<OpenedStore> {
  const directory = newDirectory();
  const clock = new VirtualClock();
  const store = openEmbeddedStore({ directory, clock, keySecret, repeat: never });
  const beneath = underneath(directory);
  return {
    store,
    nowMs: () => clock.nowMs(),
    async plant(key, text) {
      await beneath.records.put(key, String(clock.nowMs() + daySeconds * 1000).padStart(16, '0') + text);
    },
    async unplant(key) {
      await beneath.records.remove(key);
    },
    async dispose() {
      await beneath.close();
      await store.close();
    },
  };
}

storeCases('the embedded store', openForCases);

describe('the embedded store', () => {
  const stores: EmbeddedStore[] = [];
  const opened = (
    directory: string,
    clock: VirtualClock,
    repeat: (everyMs: number, callback: () => void) => () => void = never,
  ): EmbeddedStore => {
    const store = openEmbeddedStore({ directory, clock, repeat });
    stores.push(store);
    return store;
  };

  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });

  it('has its data after it was closed and opened again', async () => {
    const directory = newDirectory();
    const clock = new VirtualClock();
    const first = opened(directory, clock);
    await first.putProfile('anna', goldProfile, daySeconds);
    await first.raiseGeneration('anna');
    await first.revokeToken('t', clock.nowMs() + 60_000);
    await first.close();
    expect(existsSync(join(directory, 'store.mdb'))).toBe(true);
    const again = opened(directory, clock);
    expect(await again.getProfile('anna')).toMatchObject(goldProfile);
    expect(await again.read({ ...noPlan, subject: 'anna', tokenId: 't' })).toMatchObject({ generation: 1, tokenRevoked: true });
  });

  it('shows a record until the instant of its expiry and not at it', async () => {
    const clock = new VirtualClock();
    const store = opened(newDirectory(), clock);
    await store.putProfile('anna', goldProfile, 10);
    await store.putSession('s', { attributes: { a: 1 } }, 10);
    await store.putConsent('anna', { useCases: { offers: 'denied' }, recordedAtMs: 0 }, 20);
    await store.putIdentity('device', 'd', { subject: 'anna', method: 'deterministic', confidencePpm: 1 }, 10);
    await store.revokeToken('t', clock.nowMs() + 10_000);
    const plan = { ...sessionPlan('s'), subject: 'anna', deviceId: 'd', tokenId: 't', consent: true, profile: openPermission };
    clock.advance(9_999);
    expect(await store.read({ ...plan, tokenId: null })).toMatchObject({
      profile: { state: 'known' },
      session: { state: 'known', value: { attributes: { a: 1 } } },
      link: { subject: 'anna' },
    });
    expect(await store.read(plan)).toMatchObject({ tokenRevoked: true });
    clock.advance(1);
    expect(await store.read(plan)).toMatchObject({
      profile: { state: 'absent' },
      session: { state: 'absent' },
      link: null,
      tokenRevoked: false,
      consent: { useCases: { offers: 'denied' } },
    });
    expect(await store.getProfile('anna')).toBeNull();
    expect(await store.patchSession('s', { attributes: { b: 1 } })).toBe(false);
    expect(await store.putProfile('anna', goldProfile, 10)).toBe('created');
  });

  it('keeps the expiry of a session that is patched', async () => {
    const clock = new VirtualClock();
    const store = opened(newDirectory(), clock);
    await store.putSession('s', { attributes: { a: 1 } }, 10);
    clock.advance(9_000);
    expect(await store.patchSession('s', { attributes: { b: 1 } })).toBe(true);
    clock.advance(1_000);
    expect((await store.read(sessionPlan('s'))).session).toEqual({ state: 'absent' });
  });

  it('removes expired records from the disk, never one that was written anew', async () => {
    const directory = newDirectory();
    const clock = new VirtualClock();
    const store = opened(directory, clock);
    await store.putProfile('anna', goldProfile, 10);
    await store.putProfile('bob', goldProfile, 10);
    await store.putProfile('carl', goldProfile, 10);
    await store.deleteProfile('carl');
    await store.putProfile('anna', goldProfile, 100);
    clock.advance(11_000);
    expect(await store.sweepExpired()).toBe(1);
    expect(await store.sweepExpired()).toBe(0);
    expect(await store.getProfile('anna')).toMatchObject(goldProfile);
    const beneath = underneath(directory);
    expect([beneath.records.getCount(), beneath.expiries.getCount()]).toEqual([1, 1]);
    clock.advance(100_000);
    expect(await store.sweepExpired()).toBe(1);
    beneath.records.resetReadTxn();
    expect([beneath.records.getCount(), beneath.expiries.getCount()]).toEqual([0, 0]);
    await beneath.close();
  });

  it('spares a record that is written while the sweep that would have removed it begins', async () => {
    const clock = new VirtualClock();
    const store = opened(newDirectory(), clock);
    await store.putProfile('anna', goldProfile, 10);
    clock.advance(11_000);
    await Promise.all([store.putProfile('anna', goldProfile, 10), store.sweepExpired()]);
    expect(await store.getProfile('anna')).toMatchObject(goldProfile);
  });

  it('sweeps by itself, a bounded step at a time until nothing is left, and stops when it is closed', async () => {
    const directory = newDirectory();
    const clock = new VirtualClock();
    let beat = (): void => {};
    let stopped = false;
    const store = opened(directory, clock, (_, callback) => {
      beat = callback;
      return () => {
        stopped = true;
      };
    });
    const writes: StoreWrite[] = Array.from({ length: sweepRecordsMax + 5 }, (_, index) => ({
      kind: 'session',
      sessionId: `s-${index}`,
      session: { attributes: {} },
      ttlSeconds: 1,
    }));
    await store.writeBatch(writes);
    clock.advance(2_000);
    beat();
    beat();
    await store.close();
    expect(stopped).toBe(true);
    const beneath = underneath(directory);
    const left = beneath.records.getCount();
    await beneath.close();
    // Closing waits for the step under way and begins no other.
    expect([0, 5]).toContain(left);
  });

  it('names no id in its keys', async () => {
    const directory = newDirectory();
    const store = opened(directory, new VirtualClock());
    await store.putProfile('anna-the-subject', goldProfile, daySeconds);
    await store.putConsent('anna-the-subject', { useCases: {}, recordedAtMs: 0 }, daySeconds);
    await store.putIdentity('device', 'her-device', { subject: 'anna-the-subject', method: 'deterministic', confidencePpm: 1 }, daySeconds);
    await store.putSession('her-session', { attributes: {} }, daySeconds);
    await store.raiseGeneration('anna-the-subject');
    const beneath = underneath(directory);
    const keys = [...beneath.records.getKeys(), ...beneath.expiries.getKeys()];
    await beneath.close();
    expect(keys).toHaveLength(12);
    expect(keys.filter((key) => /anna|subject|her-/.test(key))).toEqual([]);
  });

  it('makes the secret of its names once, and finds all again, also when somebody gave the file a last line’s end', async () => {
    const directory = newDirectory();
    const first = opened(directory, new VirtualClock());
    await first.putProfile('anna', goldProfile, daySeconds);
    await first.close();
    const path = join(directory, 'key-secret');
    const secret = readFileSync(path, 'utf8');
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    writeFileSync(path, `${secret}\n`);
    const again = opened(directory, new VirtualClock());
    expect(await again.getProfile('anna')).toMatchObject(goldProfile);
    await again.close();
    const configured = openEmbeddedStore({ directory, clock: new VirtualClock(), keySecret: secret, repeat: never });
    stores.push(configured);
    expect(await configured.getProfile('anna')).toMatchObject(goldProfile);
  });

  it.each<[string, (path: string) => void, string?]>([
    ['whose secret is gone', (path) => rmSync(path)],
    ['whose secret was emptied', (path) => writeFileSync(path, '')],
    ['whose secret was cut short', (path) => writeFileSync(path, readFileSync(path, 'utf8').slice(0, 20))],
    ['whose secret is another one', (path) => writeFileSync(path, 'x'.repeat(43))],
    ['for which another secret is configured', () => {}, keySecret],
  ])('does not open one %s, which would forget every denial, and opens it when the secret is back', async (_, spoil, configured) => {
    const directory = newDirectory();
    const first = opened(directory, new VirtualClock());
    const withdrawal = { useCases: null, atMs: 0, ttlSeconds: daySeconds };
    await first.withdrawConsent('anna', withdrawal);
    await first.close();
    const path = join(directory, 'key-secret');
    const secret = readFileSync(path, 'utf8');
    spoil(path);
    const open = (): EmbeddedStore => openEmbeddedStore({ directory, clock: new VirtualClock(), keySecret: configured, repeat: never });
    for (const time of [1, 2]) {
      const failure = expect.objectContaining({ code: 'other_names', message: expect.stringContaining('store.mdb') });
      expect(open, `time ${time}`).toThrow(failure);
    }
    writeFileSync(path, secret);
    const again = opened(directory, new VirtualClock());
    expect(await again.getConsent('anna')).toMatchObject({ useCases: { offers: 'denied' } });
  });

  it('shares its directory with another process: each sees what the other wrote', async () => {
    const directory = newDirectory();
    const clock = new VirtualClock();
    const store = opened(directory, clock);
    await store.putProfile('anna', goldProfile, daySeconds);
    const other = await inAnotherProcess(directory, clock.nowMs());
    expect(other).toEqual({ anna: 'gold', generations: 50 });
    expect(await store.read({ ...noPlan, subject: 'anna' })).toMatchObject({ generation: 50 });
    expect(await store.getProfile('bob')).toMatchObject({ attributes: { from: 'the other' } });
    const both = await Promise.all([
      inAnotherProcess(directory, clock.nowMs()),
      ...Array.from({ length: 50 }, () => store.raiseGeneration('anna')),
    ]);
    expect(both).toHaveLength(51);
    expect(await store.read({ ...noPlan, subject: 'anna' })).toMatchObject({ generation: 150 });
  });

  it('reads what another process has committed, even within one turn of the event loop', async () => {
    const directory = newDirectory();
    const clock = new VirtualClock();
    const store = opened(directory, clock);
    await store.putProfile('anna', goldProfile, daySeconds);
    const before = store.read({ ...noPlan, subject: 'anna' });
    // Nothing of this process runs meanwhile, so a snapshot taken by the first read would still stand.
    expect(spawnSync(process.execPath, otherProgram(directory, clock.nowMs())).status).toBe(0);
    const after = store.read({ ...noPlan, subject: 'anna' });
    expect([(await before).generation, (await after).generation]).toEqual([0, 50]);
  });
});

/** Reads anna, writes bob and raises anna's generation fifty times. */
function otherProgram(directory: string, nowMs: number): string[] {
  const program = `
    import { openEmbeddedStore } from ${JSON.stringify(new URL('../../src/embedded/embedded-store.ts', import.meta.url).href)};
    const clock = { nowMs: () => ${nowMs}, monotonicMs: () => 0, after: () => () => {} };
    const store = openEmbeddedStore({ directory: ${JSON.stringify(directory)}, clock });
    const anna = (await store.getProfile('anna'))?.attributes.loyalty;
    await store.putProfile('bob', { attributes: { from: 'the other' }, audiences: [] }, 1000);
    let generations = 0;
    for (let n = 0; n < 50; n += 1) generations = await store.raiseGeneration('anna');
    await store.close();
    console.log(JSON.stringify({ anna, generations }));`;
  return ['--input-type=module', '--eval', program];
}

async function inAnotherProcess(directory: string, nowMs: number): Promise<unknown> {
  const child = spawn(process.execPath, otherProgram(directory, nowMs), { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`the other process ended with ${code}`);
  return JSON.parse(said);
}
