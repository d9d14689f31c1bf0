import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchesOf } from '../../src/evidence/batches.ts';

describe('the instants of zones', () => {
  it('come earliest first, share one decision where they are the same, and never lie beyond the deadline', () => {
    const zones = [
      { zone: 'slow', budgetMs: 900 },
      { zone: 'hero', budgetMs: 40 },
      { zone: 'open', budgetMs: null },
      { zone: 'rail', budgetMs: 25 },
      { zone: 'aside', budgetMs: 40 },
    ];
    expect(batchesOf(zones, { startedAtMs: 1000, deadlineAtMs: 1060 })).toEqual([
      { atMs: 1025, zones: ['rail'] },
      { atMs: 1040, zones: ['hero', 'aside'] },
      { atMs: 1060, zones: ['slow', 'open'] },
    ]);
  });

  it('hold every zone once, in rising instants', () => {
    const zone = fc.record({ zone: fc.uuid(), budgetMs: fc.option(fc.nat(100)) });
    fc.assert(
      fc.property(fc.uniqueArray(zone, { selector: (drawn) => drawn.zone }), fc.nat(100), (zones, deadlineMs) => {
        const batches = batchesOf(zones, { startedAtMs: 500, deadlineAtMs: 500 + deadlineMs });
        expect(batches.flatMap((batch) => batch.zones).toSorted()).toEqual(zones.map((drawn) => drawn.zone).toSorted());
        expect(batches.every(({ atMs }, index) => atMs <= 500 + deadlineMs && atMs > (batches[index - 1]?.atMs ?? 0))).toBe(true);
      }),
    );
  });
});
