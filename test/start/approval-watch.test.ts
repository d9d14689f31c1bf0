/** An approval that expires while the service runs: told once, on a timer, whatever the clock does. */
import { describe, expect, test } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { watchApprovals } from '../../src/start/approval-watch.ts';
import { approvalStanding } from '../../src/telemetry/approvals.ts';
import { compiled } from '../http/service.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 10, 21, 12);
const base = compiled('test/http/policy.yaml', startMs);

/** The test policy with the anonymous approvals of its zones ending as many days from now as given, zone by zone. */
function endingIn(...days: readonly number[]): Artefact {
  const zones = Object.entries(base.zones).map(([id, zone], index) => {
    const untilMs = startMs + (days[index] ?? 36_500) * dayMs;
    return [id, { ...zone, ladder: zone.ladder.map((rung) => ({ ...rung, approved: rung.approved && { ...rung.approved, untilMs } })) }];
  });
  return { ...base, zones: Object.fromEntries(zones) };
}

function watched() {
  const clock = new VirtualClock(startMs);
  const told: string[] = [];
  const watch = watchApprovals(clock, ({ zone, tier, untilMs }) => told.push(`${zone} ${tier} ${(untilMs - startMs) / dayMs}`));
  return { clock, told, watch };
}

const [first, second] = Object.keys(base.zones);

describe('an approval that expires while the service runs', () => {
  test('is told once, at its instant, and months later still only once', () => {
    const { clock, told, watch } = watched();
    watch.follow(endingIn(40, 90));
    clock.advance(40 * dayMs - 1);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual([`${first} anonymous 40`]);
    clock.advance(40 * dayMs);
    expect(told).toHaveLength(1);
    clock.advance(20 * dayMs);
    expect(told).toEqual([`${first} anonymous 40`, `${second} anonymous 90`]);
    watch.dispose();
    expect(clock.pendingTimers).toBe(0);
  });

  test('is not told where the policy came with it: the compiler has', () => {
    const { clock, told, watch } = watched();
    watch.follow(endingIn(-1));
    clock.advance(dayMs);
    expect(told).toEqual([]);
  });

  test('is not told any more once another policy is in force, whose own are', () => {
    const { clock, told, watch } = watched();
    watch.follow(endingIn(1));
    watch.follow(endingIn(36_500, 2));
    clock.advance(3 * dayMs);
    expect(told).toEqual([`${second} anonymous 2`]);
    expect(clock.pendingTimers).toBe(1);
  });

  test('is heard of even where no timer can wait so long: none is longer than an hour', () => {
    const waits: number[] = [];
    const after = (ms: number) => {
      waits.push(ms);
      return () => {};
    };
    const clock = { nowMs: () => startMs, monotonicMs: () => 0, after };
    watchApprovals(clock, () => {}).follow(endingIn(40));
    expect(waits).toEqual([3_600_000]);
  });
});

test('the standing counts the expired and finds the next to expire', () => {
  const artefact = endingIn(-3, 5);
  expect(approvalStanding(artefact, startMs)).toEqual({ expired: 1, nextExpiryMs: startMs + 5 * dayMs });
  expect(approvalStanding(artefact, startMs + 5 * dayMs).expired).toBe(2);
});
