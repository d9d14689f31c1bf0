import { expect, test } from 'vitest';
import { createInFlight } from '../../src/telemetry/in-flight.ts';
import { mergeMetrics } from '../../src/telemetry/merge-metrics.ts';
import { metricNames } from '../../src/telemetry/names.ts';

function stopwatch() {
  let nowMs = 0;
  return {
    monotonicMs: () => nowMs,
    advance(ms: number) {
      nowMs += ms;
    },
  };
}

/** `level` decisions under way for as long as asked, each of a second. */
function keepUp(inFlight: ReturnType<typeof createInFlight>, clock: ReturnType<typeof stopwatch>, level: number, seconds: number): void {
  for (let second = 0; second < seconds; second += 1) {
    for (let one = 0; one < level; one += 1) inFlight.began(clock.monotonicMs());
    clock.advance(1000);
    for (let one = 0; one < level; one += 1) inFlight.ended();
  }
}

test('decisions that follow each other count as those under way at once', () => {
  const clock = stopwatch();
  const inFlight = createInFlight(clock);
  keepUp(inFlight, clock, 8, 30);
  expect(inFlight.mean()).toBe(8);
  clock.advance(1000);
  expect(inFlight.mean()).toBeLessThan(8);
  expect(inFlight.mean()).toBeGreaterThan(7);
});

test('what is over is forgotten after twenty seconds, and a long quiet time does not thin out what comes after it', () => {
  const clock = stopwatch();
  const inFlight = createInFlight(clock);
  keepUp(inFlight, clock, 8, 30);
  clock.advance(20_000);
  expect(inFlight.mean()).toBe(0);
  clock.advance(3_600_000);
  keepUp(inFlight, clock, 8, 10);
  expect(inFlight.mean()).toBeGreaterThanOrEqual(4);
  keepUp(inFlight, clock, 8, 10);
  expect(inFlight.mean()).toBe(8);
});

test('waiting to be read counts as being under way', () => {
  const clock = stopwatch();
  const inFlight = createInFlight(clock);
  clock.advance(1000);
  inFlight.began(0);
  inFlight.ended();
  expect(inFlight.mean()).toBe(1);
});

test('of several processes they are added up, where of another gauge the highest stands', () => {
  const told = (count: number) => `# TYPE ${metricNames.decisionsInFlight} gauge\n${metricNames.decisionsInFlight} ${count}\n`;
  expect(mergeMetrics([told(1.5), told(2)])).toBe(told(3.5));
});
