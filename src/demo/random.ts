/**
 * A seeded source of integers: the same seed gives the same people on every machine, because nothing here is a float.
 * It is for demo data only and must never choose anything that a stranger could profit from guessing.
 */

export interface RandomSource {
  /** An integer from `least` to `most`, both included. */
  between(least: number, most: number): number;
  /** True in about `perMille` of a thousand calls. */
  chance(perMille: number): boolean;
  /** One of the values, in proportion to its weight. */
  weighted<T>(choices: readonly (readonly [value: T, weight: number])[]): T;
}

/** One stream for each pair of seed and index, so that a person does not depend on how many come before. */
export function randomSource(seed: number, index: number): RandomSource {
  let state = mix(mix(seed >>> 0) ^ index);

  function next(): number {
    state = (state + 0x9e3779b9) >>> 0;
    return mix(state);
  }

  function between(least: number, most: number): number {
    return least + (next() % (most - least + 1));
  }

  return {
    between,
    chance: (perMille) => between(0, 999) < perMille,
    weighted(choices) {
      let ticket = between(0, choices.reduce((sum, [, weight]) => sum + weight, 0) - 1);
      for (const [value, weight] of choices) {
        if (ticket < weight) return value;
        ticket -= weight;
      }
      throw new Error('weights must be positive integers');
    },
  };
}

/** The finaliser of MurmurHash3 for 32 bits: every input bit reaches every output bit. */
function mix(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  mixed ^= mixed >>> 16;
  return mixed >>> 0;
}
