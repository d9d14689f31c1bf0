/** Between JSON and the values of CEL: an answer on its way in, and what a mapping yields on its way out. */

/** Steps that are left for one answer. */
export interface MappingBudget {
  stepsLeft: number;
}

/** Says nothing more: the library's own errors quote the body. */
export class MappingError extends Error {
  override readonly name = 'MappingError';

  constructor() {
    super('a mapping could not be evaluated for this answer');
  }
}

export function toCel(json: unknown): unknown {
  if (typeof json === 'number') return Number.isSafeInteger(json) ? BigInt(json) : json;
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(toCel);
  // Not an object: the library would ask it for its `constructor`, which a body may name.
  return new Map(Object.entries(json).map(([name, value]) => [name, toCel(value)]));
}

/** `budget` pays for each value: a thousand mappings may yield the whole answer each. */
export function fromCel(value: unknown, budget: MappingBudget): unknown {
  budget.stepsLeft -= 1;
  if (budget.stepsLeft < 0) throw new MappingError();
  if (typeof value === 'bigint') {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new MappingError();
    return number;
  }
  if (value instanceof Date) return value.getTime();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => fromCel(item, budget));
  if (!(value instanceof Map) && Object.getPrototypeOf(value) !== Object.prototype) throw new MappingError();
  const map: Record<string, unknown> = Object.create(null);
  for (const [name, member] of value instanceof Map ? value : Object.entries(value)) map[String(name)] = fromCel(member, budget);
  return map;
}
