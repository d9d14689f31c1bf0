/**
 * How often a property is tried and from which seed. `FC_SEED` replays a run, `STEPWELL_TEST_RUNS` multiplies the number of cases.
 */
import fc from 'fast-check';

export const seed = process.env.FC_SEED === undefined ? Date.now() % 2 ** 31 : Number(process.env.FC_SEED);
const factor = Number(process.env.STEPWELL_TEST_RUNS ?? 1);

console.log(`property tests: seed ${seed}, replay with FC_SEED=${seed}`);

/** Holds for every case tried, or throws with the smallest case it found. */
export function holdsFor<T>(cases: number, arbitrary: fc.Arbitrary<T>, check: (drawn: T) => void): void {
  fc.assert(
    fc.property(arbitrary, (drawn) => {
      check(drawn);
    }),
    { seed, numRuns: Math.max(1, Math.round(cases * factor)), endOnFailure: false },
  );
}

/** Whether some case breaks the claim: what a planted fault must do to it. Never shrinks, always the same cases. */
export function isBrokenBySome<T>(cases: number, arbitrary: fc.Arbitrary<T>, check: (drawn: T) => void): boolean {
  const found = fc.check(
    fc.property(arbitrary, (drawn) => {
      check(drawn);
    }),
    { seed: 20_261_121, numRuns: cases, endOnFailure: true },
  );
  return found.failed;
}

export const casesPerProperty = 2000;
export const casesToFindFault = 4000;
