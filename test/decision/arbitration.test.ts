import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foremostOf, priorityMax, ranked, scoreOf, timesPerMille } from '../../src/decision/arbitration.ts';
import type { Offer } from '../../src/decision/artefact.ts';
import type { Scope } from '../../src/decision/evaluate.ts';
import { stableHash } from '../../src/decision/hash.ts';

const anybody: Scope = { request: {}, session: undefined, profile: undefined, audiences: undefined, audiencesOpen: false, nowMs: 0 };

function offer(given: Partial<Offer>): Offer {
  return {
    variant: 'v',
    when: null,
    fromModel: false,
    propensityPpm: 0,
    value: 0,
    context: [],
    leversPerMille: 0,
    group: null,
    fromMs: null,
    untilMs: null,
    sensitivity: { class: 'S0', categories: [], uncategorised: false },
    reads: { request: [], session: false, profile: false, audience: false, model: false, audiences: false, now: false },
    lowestTier: 'segment',
    ...given,
  };
}

function exactPriority(propensityPpm: number, value: number, factors: readonly number[], levers: number): bigint {
  const clamp = (amount: bigint, max: bigint) => (amount < 1n ? 1n : amount > max ? max : amount);
  const context = clamp(
    factors.reduce((product, factor) => (product * BigInt(factor)) / 1000n, 1000n),
    100_000n,
  );
  const lever = clamp(1000n + BigInt(levers), 10_000n);
  return (((BigInt(propensityPpm) * BigInt(value) * context) / 1000n) * lever) / 1000n;
}

test('priority is exact at every bound of the policy', () => {
  const million = fc.oneof(fc.constantFrom(0, 1, 1_000_000), fc.integer({ min: 0, max: 1_000_000 }));
  const factor = fc.oneof(fc.constantFrom(0, 999, 1000, 1001, 100_000), fc.integer({ min: 0, max: 100_000 }));
  const levers = fc.integer({ min: -20_000, max: 20_000 });
  fc.assert(
    fc.property(million, million, fc.array(factor, { maxLength: 10 }), levers, (propensityPpm, value, factors, leversPerMille) => {
      const context = factors.map((perMille) => ({ when: { op: 'literal', value: true } as const, perMille }));
      const { priority } = scoreOf(offer({ value, context, leversPerMille }), propensityPpm, anybody);
      expect(BigInt(priority)).toBe(exactPriority(propensityPpm, value, factors, leversPerMille));
    }),
  );
});

test('a context factor counts only when its condition is true', () => {
  const unknown = { op: 'attribute', source: 'profile', name: 'x' } as const;
  const context = [
    { when: unknown, perMille: 5000 },
    { when: { op: 'literal', value: false } as const, perMille: 3000 },
    { when: { op: 'literal', value: true } as const, perMille: 2000 },
  ];
  expect(scoreOf(offer({ value: 10, context }), 10, anybody)).toEqual({
    propensityPpm: 10,
    value: 10,
    contextPerMille: 2000,
    leversPerMille: 1000,
    priority: 200,
  });
});

test('ranking does not depend on the order of the policy, and ties differ by visitor', () => {
  const score = scoreOf(offer({ value: 1 }), 1, anybody);
  const contenders = Array.from({ length: 20 }, (_, index) => ({ id: `offer-${index}`, score }));
  const first = (seed: string) => ranked(contenders, seed)[0]?.id;
  fc.assert(
    fc.property(fc.shuffledSubarray(contenders, { minLength: 20 }), fc.string(), (shuffled, seed) => {
      expect(ranked(shuffled, seed)).toEqual(ranked(contenders, seed));
    }),
  );
  expect(new Set(Array.from({ length: 100 }, (_, index) => first(`visitor-${index}`))).size).toBeGreaterThan(10);
});

const times = (count: number, perMille: number) => Array.from({ length: count }, () => perMille);

test.each([
  ['none', [], 1000],
  ['six that change nothing', times(6, 1000), 1000],
  ['seven that change nothing', times(7, 1000), 1000],
  ['seven, floored after each', times(7, 1100), 1948],
  ['seven that are halved, floored after each', times(7, 500), 7],
  ['more than may be', times(64, 100_000), 100_000],
  ['less than may be', times(7, 0), 1],
  ['up to 10^18 and down again, exact to the last digit', [...times(10, 100_000), ...times(7, 1)], 100],
  ['up to 10^25 and down again, exact to the last digit', [...times(11, 100_000), ...times(7, 1)], 10_000],
])('context factors: %s', (_, factors, contextPerMille) => {
  const context = factors.map((perMille) => ({ when: { op: 'literal', value: true } as const, perMille }));
  expect(scoreOf(offer({ value: 1, context }), 1, anybody).contextPerMille).toBe(contextPerMille);
});

test('the foremost is the first of those ranked', () => {
  const contender = fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd'), value: fc.integer({ min: 0, max: 2 }) });
  fc.assert(
    fc.property(fc.array(contender, { maxLength: 6 }), fc.string({ maxLength: 2 }), (drawn, seed) => {
      const contenders = drawn.map(({ id, value }) => ({ id, score: scoreOf(offer({ value }), 1, anybody) }));
      expect(foremostOf(contenders, seed)).toBe(ranked(contenders, seed)[0]);
    }),
  );
});

test('ids of one hash are told apart by their names, and of one id the earlier stays', () => {
  const score = scoreOf(offer({ value: 1 }), 1, anybody);
  const ids = ['offer-1730540', 'offer-619082'];
  expect(new Set(ids.map((id) => stableHash(`${id}\nada`))).size).toBe(1);
  for (const order of [ids, ids.toReversed()]) {
    const contenders = order.map((id) => ({ id, score }));
    expect(foremostOf(contenders, 'ada')?.id).toBe('offer-1730540');
    expect(ranked(contenders, 'ada').map(({ id }) => id)).toEqual(ids);
  }
  const [first, second] = [
    { id: 'same', score },
    { id: 'same', score },
  ];
  expect(foremostOf([first, second], 'ada')).toBe(first);
  expect(ranked([first, second], 'ada')[0]).toBe(first);
});

test('the hash is the same on every engine: published vectors', () => {
  expect(['', 'a', 'offer-1\nada', 'ä', '\u{1f600}'].map(stableHash)).toMatchInlineSnapshot(`
    [
      2872998923,
      2448022055,
      2837706268,
      315228419,
      2916093958,
    ]
  `);
});

test('timesPerMille is floor(amount × perMille ÷ 1000)', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1_000_000_000_000 }), fc.integer({ min: 0, max: 100_000 }), (amount, perMille) => {
      expect(BigInt(timesPerMille(amount, perMille))).toBe((BigInt(amount) * BigInt(perMille)) / 1000n);
    }),
  );
});

test('nobody gives an offer a higher priority than its bound, and somebody reaches it', () => {
  const factors = fc.array(fc.tuple(fc.integer({ min: 0, max: 100_000 }), fc.boolean()), { maxLength: 12 });
  const amount = fc.integer({ min: 0, max: 1_000_000 });
  const levers = fc.integer({ min: -2000, max: 12_000 });
  fc.assert(
    fc.property(fc.boolean(), amount, amount, amount, factors, levers, (fromModel, written, said, value, drawn, leversPerMille) => {
      const withHolding = (isHolding: (perMille: number, drawn: boolean) => boolean) =>
        offer({
          fromModel,
          propensityPpm: written,
          value,
          leversPerMille,
          context: drawn.map(([perMille, yes]) => ({ when: { op: 'literal', value: isHolding(perMille, yes) }, perMille })),
        });
      const somebody = withHolding((_, yes) => yes);
      const luckiest = withHolding((perMille) => perMille > 1000);
      const bound = priorityMax(somebody);
      expect(scoreOf(somebody, fromModel ? said : written, anybody).priority).toBeLessThanOrEqual(bound);
      expect(scoreOf(luckiest, fromModel ? 1_000_000 : written, anybody).priority).toBe(bound);
    }),
  );
});
