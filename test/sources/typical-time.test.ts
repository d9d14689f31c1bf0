/** The figure by which a source is not asked when it would be too late anyway. */
import { describe, expect, it } from 'vitest';
import { createTypicalTime } from '../../src/sources/typical-time.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function knowing(durationsMs: readonly number[]) {
  const clock = new VirtualClock();
  const typical = createTypicalTime(clock);
  for (const durationMs of durationsMs) typical.answered(durationMs);
  return { clock, typical };
}

describe('the typical time', () => {
  it('is not known before twenty answers', () => {
    const { typical } = knowing(new Array(19).fill(5));
    expect(typical.medianMs()).toBe(null);
    typical.answered(5);
    expect(typical.medianMs()).toBe(5);
  });

  it('is the median: a few slow answers do not change it', () => {
    expect(knowing([...new Array(15).fill(4), ...new Array(10).fill(900)]).typical.medianMs()).toBe(4);
  });

  it('follows a source that becomes slower', () => {
    const { typical } = knowing(new Array(100).fill(4));
    expect(typical.medianMs()).toBe(4);
    for (let answer = 0; answer < 64; answer++) typical.answered(20);
    expect(typical.medianMs()).toBe(20);
  });

  it('is forgotten when no answer came for long, so that a source that was slow once is asked again', () => {
    const { clock, typical } = knowing(new Array(30).fill(80));
    expect(typical.medianMs()).toBe(80);
    clock.advance(31_000);
    expect(typical.medianMs()).toBe(null);
  });
});
