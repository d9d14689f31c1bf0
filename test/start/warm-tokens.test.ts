/** The verifications that are done before anybody is served. That they save a caller time is for the benchmarks to say. */
import { expect, test } from 'vitest';
import { warmTokenVerification } from '../../src/start/warm-tokens.ts';
import { systemClock } from '../../src/time/clock.ts';

test("tokens of both algorithms are made and verified as a caller's would be", async () => {
  expect(await warmTokenVerification(systemClock)).toBe(4);
});

test('a machine on which it cannot be done starts all the same', async () => {
  const broken = {
    ...systemClock,
    nowMs: (): number => {
      throw new Error('no clock');
    },
  };
  expect(await warmTokenVerification(broken)).toBe(0);
});
