/** The full product of some factors, by number: any member can be made without making those before it, so a run can stride or be split. */
export type Factors<T> = { readonly [K in keyof T]: readonly T[K][] };

export interface Product<T> {
  readonly size: number;
  /** How many values each factor has. */
  readonly counts: Readonly<Record<keyof T, number>>;
  at(index: number): T;
}

export function productOf<T extends object>(factors: Factors<T>): Product<T> {
  const names = Object.keys(factors) as (keyof T)[];
  const counts = Object.fromEntries(names.map((name) => [name, factors[name].length])) as Record<keyof T, number>;
  return {
    size: names.reduce((size, name) => size * factors[name].length, 1),
    counts,
    at(index) {
      const one = {} as T;
      let rest = index;
      for (const name of names) {
        const values = factors[name];
        one[name] = values[rest % values.length] as T[keyof T];
        rest = Math.floor(rest / values.length);
      }
      return one;
    },
  };
}

/**
 * Numbers from 0 on, each to a place anywhere below the size: a sample of a product must not step through its factors in lockstep. The
 * same number has the same place in every run.
 */
export function scattered(number: number, size: number): number {
  return Math.floor((mixed(number) / 2 ** 32) * size);
}

/** The finaliser of MurmurHash3, which leaves no pattern of its 32 bits. */
function mixed(number: number): number {
  let bits = Math.imul(number + 0x9e3779b9, 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
