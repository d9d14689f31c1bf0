/**
 * Whether a condition holds on a device: the meaning that `src/decision/evaluate.ts` gives it, in Kleene's three-valued logic, for the
 * few operations that `lower` writes all others with. `undefined` is *unknown*, and a rule applies only when its condition is true.
 * Steps are not counted here: what may take too many never leaves for a device.
 */
import { listItemsMax, textLengthMax } from '../decision/expression.ts';
import type { Attributes, Value } from '../decision/value.ts';
import type { Condition } from './device-artefact.ts';

/** What a rung may read on a device, by the letters that conditions use. */
export interface DeviceScope {
  /** `request.*` */
  readonly r: Attributes;
  /** `device.*`; null where the rung may not read it, or nothing is kept about this visitor. */
  readonly d: Attributes | null;
  /** `now`, `audiences` where the caller named any, and the variables, each after a `$`. */
  readonly c: Readonly<Record<string, Value | Unknown>>;
}

type Unknown = undefined;

/** What an object holds under a name, never what it inherits. Nothing holds nothing. */
export function own<T>(of: Readonly<Record<string, T>> | null | Unknown, name: string): T | Unknown {
  return of && Object.hasOwn(of, name) ? of[name] : undefined;
}

export function holds(condition: Condition | Unknown, scope: DeviceScope): boolean {
  return condition === undefined || worth(condition, scope) === true;
}

function worth(condition: Condition | Unknown, scope: DeviceScope): Value | Unknown {
  if (!isList(condition)) return condition;
  const [operation, a, b, c, d] = condition;
  const source = scope[a as 'r' | 'd'];
  switch (operation) {
    case '.':
      return asDeclared(own(source, b as string), c as Declared, d);
    case 'h':
      return source ? asDeclared(own(source, b as string), c as Declared, d) !== undefined : undefined;
    case 'c':
      return scope.c[a as string];
    case '[': {
      const items = itemsOf(condition, scope) as readonly Value[];
      return items.includes(undefined as never) ? undefined : items;
    }
    case '|':
      return some(condition.slice(1), (operand) => worth(operand, scope));
    case '?': {
      const value = worth(a, scope);
      return typeof value === 'boolean' ? worth(value ? b : c, scope) : undefined;
    }
    case 'E':
      return some(itemsOf(a, scope), (item) => worth(c, { ...scope, c: { ...scope.c, [b as string]: item } }));
  }
  const left = worth(a, scope);
  if (left === undefined) return undefined;
  if (operation === 'in') return some(itemsOf(b, scope), (item) => equal(left, item));
  // In Unicode code points, as CEL counts.
  if (operation === '#') return (left as string).length === undefined ? undefined : [...(left as string)].length;
  const right = worth(b, scope);
  return operation === '==' ? equal(left, right) : typeof left === typeof right ? binary(operation, left, right as Value) : undefined;
}

/** A value that is a list, and a condition that is no scalar. */
export function isList<T>(value: T): value is Extract<T, readonly unknown[]> {
  return Array.isArray(value);
}

/** Not all items of a written list need be known. */
function itemsOf(list: Condition | Unknown, scope: DeviceScope): readonly (Value | Unknown)[] | Unknown {
  if (isList(list) && list[0] === '[') return list.slice(1).map((item) => worth(item, scope));
  const value = worth(list, scope);
  return isList(value) ? value : undefined;
}

/** Decided by a true; what is unknown leaves it unknown only when nothing decided it. */
function some<T>(items: readonly T[] | Unknown, worthOf: (item: T, index: number) => Value | Unknown): boolean | Unknown {
  const values = items?.map(worthOf);
  return values?.includes(true) || (values?.every((value) => value === false) ? false : undefined);
}

type Declared = readonly [type: string, ...values: Value[]];

/** What a page says may be anything: what the service would refuse, or take for absent, is as if it had not been said. */
function asDeclared(value: Value | Unknown, [type, ...values]: Declared, isMany: unknown): Value | Unknown {
  const items = [value].flat() as Value[];
  const fits = (item: Value): boolean =>
    typeof item === type &&
    !((item as string).length > textLengthMax) &&
    (type !== 'number' || Number.isSafeInteger(item)) &&
    (!values[0] || values.includes(item));
  return value !== '' && isList(value) === !!isMany && items.length <= listItemsMax && items.every(fits) ? value : undefined;
}

function exact(value: number): number | Unknown {
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Unknown for values of different types: the data is not what was declared. */
function equal(left: Value, right: Value | Unknown): boolean | Unknown {
  if (!isList(left) || !isList(right)) return typeof left === typeof right ? left === right : undefined;
  return left.length === right.length && not(some(left, (item, index) => not(equal(item, right[index]))));
}

function not(truth: boolean | Unknown): boolean | Unknown {
  return truth === undefined ? truth : !truth;
}

/** Of two values of one type. What is no safe integer is unknown, and so is a division by zero. */
function binary(operator: string, left: Value, right: Value): Value | Unknown {
  if (isList(left)) return undefined;
  // Texts have no order here: what puts them in one never leaves for a device.
  if (typeof left === 'string') return left[operator as 'startsWith' | 'endsWith' | 'includes']?.(right as string);
  if (operator === '<') return left < right;
  if (typeof left === 'boolean') return undefined;
  const other = right as number;
  if (operator === '+') return exact(left + other);
  if (operator === '*') return exact(left * other);
  const rest = left % other;
  return exact(operator === '%' ? rest : (left - rest) / other);
}
