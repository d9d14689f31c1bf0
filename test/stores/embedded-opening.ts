/** An embedded store in a directory of its own, on a clock that stands still, and somebody who looks beneath it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import { keySecret } from '../support/key-names.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { daySeconds, type OpenedStore } from './store.cases.ts';

const instantDigits = 16;

export interface EmbeddedOpened extends OpenedStore {
  readonly clock: VirtualClock;
  /** Every key that is stored, with the instant in ms at which it ends. */
  keys(): (readonly [key: string, expiresAtMs: number])[];
}

export async function openBeneath(): Promise<EmbeddedOpened> {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-embedded-'));
  const clock = new VirtualClock();
  const store = openEmbeddedStore({ directory, clock, keySecret, repeat: () => () => {} });
  const beneath = open<string, string>({ path: join(directory, 'store.mdb'), noSubdir: true, maxDbs: 4, encoding: 'string' });
  const records = beneath.openDB<string, string>('records', { encoding: 'string' });
  return {
    store,
    clock,
    nowMs: () => clock.nowMs(),
    keys() {
      records.resetReadTxn();
      return [...records.getRange()].map(({ key, value }) => [key, Number(value.slice(0, instantDigits))] as const);
    },
    async plant(key, text) {
      await records.put(key, String(clock.nowMs() + daySeconds * 1000).padStart(instantDigits, '0') + text);
    },
    async unplant(key) {
      await records.remove(key);
    },
    async dispose() {
      await beneath.close();
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
