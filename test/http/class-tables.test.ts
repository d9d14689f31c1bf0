/** Tables of classes as they are kept: never for an instant that is over, never waited for without end, pages before what callers put together. */
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createClassTables } from '../../src/http/class-tables.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const file = 'test/http/windows.yaml';
const home = { page: 'home', zones: null };

function start() {
  const clock = new VirtualClock();
  const { artefact } = compilePolicy(readFileSync(file, 'utf8'), { file, nowMs: clock.nowMs() });
  if (artefact === null) throw new Error('the policy does not compile');
  return { clock, artefact, tables: createClassTables(clock) };
}

async function endOf({ artefact, tables }: ReturnType<typeof start>): Promise<number> {
  const { validUntilMs } = await tables.tableFor(artefact, home);
  if (validUntilMs === null) throw new Error('the policy has no window');
  return validUntilMs;
}

const asksForMany = Array.from({ length: 15 }, (_, index) => ({
  page: null,
  zones: [...Array(4).keys()].filter((bit) => ((index + 1) >> bit) % 2 === 1).map((bit) => `z${bit}`),
}));

describe('a table of classes', () => {
  it('is for the instant at which its making begins, and not for that at which it was asked for', async () => {
    const endMs = await endOf(start());
    const { clock, artefact, tables } = start();
    clock.advance(endMs - clock.nowMs() - 1);
    const asked = tables.tableFor(artefact, home);
    clock.advance(1);
    const { validUntilMs } = await asked;
    expect(validUntilMs === null || validUntilMs > clock.nowMs()).toBe(true);
  });

  it('is made anew where it ended while it was made', async () => {
    const endMs = await endOf(start());
    const { clock, artefact, tables } = start();
    clock.advance(endMs - clock.nowMs() - 1);
    const asked = tables.tableFor(artefact, home);
    // It has begun, and is not done.
    await nextTurn();
    clock.advance(1);
    const { validUntilMs } = await asked;
    expect(validUntilMs === null || validUntilMs > clock.nowMs()).toBe(true);
  });

  it('is waited for two seconds at most, and there for who comes again', async () => {
    const { clock, artefact, tables } = start();
    const asked = asksForMany.map((one) => tables.tableFor(artefact, one));
    clock.advance(1_999);
    expect(clock.pendingTimers).toBe(asked.length);
    clock.advance(1);
    for (const one of asked) await expect(one).rejects.toMatchObject({ code: 'overloaded', retryAfterSeconds: 1 });
    await expect(tables.tableFor(artefact, asksForMany[0] ?? home)).resolves.toMatchObject({ etag: expect.any(String) });
    expect(clock.pendingTimers).toBe(0);
  });

  it('of a page waits for none that a caller put together', async () => {
    const { artefact, tables } = start();
    const done: string[] = [];
    const asked = asksForMany.map(async (one) => {
      await tables.tableFor(artefact, one);
      done.push('zones');
    });
    await tables.tableFor(artefact, home);
    done.push('page');
    await Promise.all(asked);
    expect(done.at(-1)).toBe('zones');
  });
});
