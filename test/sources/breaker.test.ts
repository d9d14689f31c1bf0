/** When a source is left alone, and how it is found again. */
import { describe, expect, it, vi } from 'vitest';
import { createBreaker } from '../../src/sources/breaker.ts';
import { SourceFault, type SourceFaultCode } from '../../src/sources/source-fault.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function scene() {
  const clock = new VirtualClock();
  const breaker = createBreaker(clock);
  const answered = () => breaker.run(() => Promise.resolve());
  const failed = (code: SourceFaultCode = 'connection_refused') => breaker.run(() => Promise.reject(new SourceFault(code))).catch(() => {});
  const times = async (count: number, what: () => Promise<unknown>) => {
    for (let time = 0; time < count; time++) await what();
  };
  return { clock, breaker, answered, failed, times };
}

describe('a breaker', () => {
  it('opens after five failures in a row, and not after four', async () => {
    const { breaker, answered, failed, times } = scene();
    await times(4, failed);
    await answered();
    await times(4, failed);
    expect(breaker.isOpen).toBe(false);
    await failed();
    expect(breaker.isOpen).toBe(true);
  });

  it('opens when over half of twenty fail within ten seconds', async () => {
    const { breaker, answered, failed, times } = scene();
    await times(9, async () => {
      await failed();
      await answered();
    });
    await failed();
    expect(breaker.isOpen).toBe(false);
    await failed();
    expect(breaker.isOpen).toBe(true);
  });

  it('stays closed when half fail, or when the failures are too far apart', async () => {
    const { clock, breaker, answered, failed, times } = scene();
    await times(100, async () => {
      await answered();
      await failed();
    });
    await answered();
    expect(breaker.isOpen).toBe(false);
    clock.advance(10_000);
    await times(100, async () => {
      await times(3, failed);
      await answered();
      clock.advance(3_000);
    });
    expect(breaker.isOpen).toBe(false);
  });

  it('does not open for what says nothing about the source', async () => {
    const { breaker, failed, times } = scene();
    for (const code of ['misfit', 'too_large', 'status_unexpected', 'overloaded', 'unsendable'] as const)
      await times(10, () => failed(code));
    await times(10, () => breaker.run(() => Promise.reject(new SourceFault('timed_out', false))).catch(() => {}));
    expect(breaker.isOpen).toBe(false);
  });

  it('refuses while it is open, and admits one probe a second', async () => {
    const { clock, breaker, failed, times } = scene();
    await times(5, failed);
    await expect(breaker.run(() => Promise.resolve())).rejects.toMatchObject({ code: 'circuit_open' });
    const admissions: string[] = [];
    for (let step = 0; step < 40; step++) {
      const admission = breaker.admit();
      admissions.push(admission);
      if (admission === 'probe') await breaker.probe(() => Promise.reject(new SourceFault('connection_refused'))).catch(() => {});
      clock.advance(100);
    }
    expect(admissions.filter((admission) => admission === 'probe').length).toBe(3);
    expect(admissions.slice(0, 10)).toEqual(new Array(10).fill('refuse'));
  });

  it('admits nobody else while a probe is under way, and closes when it is answered', async () => {
    const { clock, breaker, failed, times } = scene();
    await times(5, failed);
    clock.advance(1_000);
    const { promise, resolve } = Promise.withResolvers<void>();
    const probe = breaker.probe(() => promise);
    clock.advance(5_000);
    expect(breaker.admit()).toBe('refuse');
    resolve();
    await probe;
    expect(breaker.admit()).toBe('ask');
    // What went before the probe is forgotten.
    await times(4, failed);
    expect(breaker.isOpen).toBe(false);
  });

  it.each(['status_unexpected', 'too_large', 'too_deep', 'too_many'] as const)(
    'takes %s for the answer of a service that is there: failures before and after are not in a row',
    async (code) => {
      const { breaker, failed, times } = scene();
      await times(4, failed);
      await failed(code);
      await times(4, failed);
      expect(breaker.isOpen).toBe(false);
      await failed();
      expect(breaker.isOpen).toBe(true);
    },
  );

  it.each(['status_unexpected', 'too_large', 'closed'] as const)('forgets what went before a probe that ended with %s', async (code) => {
    const { clock, breaker, failed, times } = scene();
    await times(5, failed);
    clock.advance(1_000);
    expect(breaker.admit()).toBe('probe');
    await breaker.probe(() => Promise.reject(new SourceFault(code))).catch(() => {});
    await times(4, failed);
    expect(breaker.isOpen).toBe(false);
  });

  it('is not kept open by a wall clock that is set back', async () => {
    const { clock, breaker, failed, times } = scene();
    await times(5, failed);
    vi.useFakeTimers({ toFake: ['Date'], now: 0 });
    try {
      clock.advance(1_000);
      expect(breaker.admit()).toBe('probe');
      await breaker.probe(() => Promise.resolve());
      expect(breaker.isOpen).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });
});
