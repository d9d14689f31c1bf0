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

/** What an object holds under a name, never what it inherits. */
export function own<T>(of: Readonly<Record<string, T>>, name: string): T | Unknown {
  return Object.hasOwn(of, name) ? of[name] : undefined;
}

export function holds(condition: Condition | Unknown, scope: DeviceScope): boolean {
  return condition === undefined || worth(condition, scope) === true;
}

function worth(condition: Condition | Unknown, scope: DeviceScope): Value | Unknown {
  if (!isOperation(condition)) return condition;
  const [operation, a, b, c] = condition;
  const source = scope[a as 'r' | 'd'];
  switch (operation) {
    case '.':
      return source ? admissible(own(source, b as string)) : undefined;
    case 'h':
      return source ? Object.hasOwn(source, b as string) : undefined;
    case 'c':
      return scope.c[a as string];
    case '[': {
      const items = itemsOf(condition, scope) ?? [];
      return items.includes(undefined) ? undefined : (items as readonly Value[]);
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
  if (operation === '#') return typeof left === 'object' || typeof left === 'string' ? [...left].length : undefined;
  const right = worth(b, scope);
  return operation === '==' ? equal(left, right) : typeof left === typeof right ? binary(operation, left, right as Value) : undefined;
}

function isOperation(condition: Condition | Unknown): condition is readonly [string, ...Condition[]] {
  return Array.isArray(condition);
}

/** Not all items of a written list need be known. */
function itemsOf(list: Condition | Unknown, scope: DeviceScope): readonly (Value | Unknown)[] | Unknown {
  if (isOperation(list) && list[0] === '[') return list.slice(1).map((item) => worth(item, scope));
  const value = worth(list, scope);
  return typeof value === 'object' ? value : undefined;
}

/** Decided by a true; what is unknown leaves it unknown only when nothing decided it. */
function some<T>(items: readonly T[] | Unknown, worthOf: (item: T, index: number) => Value | Unknown): boolean | Unknown {
  const values = items?.map(worthOf);
  return values?.includes(true) || (values?.every((value) => value === false) ? false : undefined);
}

/** What a page says may be anything: only texts, truths, safe integers and lists of those are values. */
function admissible(value: Value | Unknown): Value | Unknown {
  if (Array.isArray(value)) return value.length <= listItemsMax && value.every(isScalar) ? value : undefined;
  return isScalar(value) && !((value as string).length > textLengthMax) ? value : undefined;
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value);
}

/** Unknown for values of different types: the data is not what was declared. */
function equal(left: Value, right: Value | Unknown): boolean | Unknown {
  if (typeof left !== 'object' || typeof right !== 'object') return typeof left === typeof right ? left === right : undefined;
  const differs =
    left.length !== right.length ||
    some(left, (item, index) => {
      const same = equal(item, right[index]);
      return same === undefined ? same : !same;
    });
  return differs === undefined ? differs : !differs;
}

/** Of two values of one type. What is no safe integer is unknown, and so is a division by zero. */
function binary(operator: string, left: Value, right: Value): Value | Unknown {
  if (typeof left === 'object') return undefined;
  // Texts have no order here: what puts them in one never leaves for a device.
  if (typeof left === 'string') return left[operator as 'startsWith' | 'endsWith' | 'includes']?.(right as string);
  if (operator === '<') return left < right;
  if (typeof left === 'boolean') return undefined;
  const other = right as number;
  if (operator === '+') return admissible(left + other);
  if (operator === '*') return admissible(left * other);
  const rest = left % other;
  return admissible(operator === '%' ? rest : (left - rest) / other);
}
