/** Chance that can be had again: the same seed gives the same choices on every machine. */
export interface Chance {
  /** From 0 up to and without `limit`. */
  below(limit: number): number;
  oneOf<T>(choices: readonly T[]): T;
  /** True once in so many times, on the whole. */
  onceIn(times: number): boolean;
}

/** mulberry32: thirty-two bits of state are enough to tell requests apart. */
export function chanceFrom(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  return {
    below,
    oneOf<T>(choices: readonly T[]): T {
      return choices[below(choices.length)] as T;
    },
    onceIn: (times) => below(times) === 0,
  };
}
