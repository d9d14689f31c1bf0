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

/** Every member at a distance that shares no factor with the size meets all values of all factors, however few are taken. */
export function strideFor(size: number, wanted: number): number {
  let stride = Math.max(1, Math.floor(size / wanted));
  while (greatestCommonDivisor(stride, size) !== 1) stride += 1;
  return stride;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
