/**
 * Three-valued evaluation of a condition, written to be obviously right and not to be fast: every integer is a BigInt, and
 * whatever cannot be said for certain is `unknown`.
 */
import type { AttributeSourceName, Condition } from './document.ts';

const unknown = Symbol('unknown');
type Known = bigint | string | boolean | KnownList;
/** `complete: false`: these are members for certain, and there may be others. */
interface KnownList {
  readonly items: readonly Known[];
  readonly complete: boolean;
}
type Result = Known | typeof unknown;

export interface Surroundings {
  /** Null: the fact is not known. */
  readonly attributes: Readonly<Record<AttributeSourceName, Readonly<Record<string, unknown>> | null>>;
  readonly audiences: { readonly names: readonly string[]; readonly complete: boolean } | null;
  readonly nowMs: number;
}

/** True only when the condition is certainly true. */
export function holds(condition: Condition, surroundings: Surroundings): boolean {
  return evaluate(condition, surroundings, new Map()) === true;
}

type Variables = ReadonlyMap<string, Known>;

function evaluate(ast: Condition, around: Surroundings, variables: Variables): Result {
  switch (ast.is) {
    case 'string':
    case 'bool':
      return ast.value;
    case 'int':
      return BigInt(ast.value);
    case 'strings':
      return { items: ast.value, complete: true };
    case 'ints':
      return { items: ast.value.map(BigInt), complete: true };
    case 'timestamp':
      return BigInt(ast.ms);
    case 'duration':
      return BigInt(ast.seconds) * 1000n;
    case 'now':
      return BigInt(around.nowMs);
    case 'attribute': {
      const attributes = around.attributes[ast.source];
      if (attributes === null || !Object.hasOwn(attributes, ast.name)) return unknown;
      return fromStored(attributes[ast.name]);
    }
    case 'has': {
      const attributes = around.attributes[ast.source];
      return attributes === null ? unknown : Object.hasOwn(attributes, ast.name);
    }
    case 'audiences':
      return around.audiences === null ? unknown : { items: around.audiences.names, complete: around.audiences.complete };
    case 'variable':
      return variables.get(ast.name) ?? unknown;
    case 'not': {
      const value = evaluate(ast.of, around, variables);
      return typeof value === 'boolean' ? !value : unknown;
    }
    case 'negate': {
      const value = evaluate(ast.of, around, variables);
      return typeof value === 'bigint' ? inRange(-value) : unknown;
    }
    case 'size':
      return size(evaluate(ast.of, around, variables));
    case '?:': {
      const condition = evaluate(ast.condition, around, variables);
      if (typeof condition !== 'boolean') return unknown;
      return evaluate(condition ? ast.yes : ast.no, around, variables);
    }
    case '&&':
      return and([evaluate(ast.left, around, variables), evaluate(ast.right, around, variables)]);
    case '||':
      return or([evaluate(ast.left, around, variables), evaluate(ast.right, around, variables)]);
    case 'exists':
    case 'all': {
      const list = evaluate(ast.list, around, variables);
      if (!isList(list)) return unknown;
      const results: Result[] = list.items.map((item) => evaluate(ast.condition, around, new Map([...variables, [ast.variable, item]])));
      if (!list.complete) results.push(unknown);
      return ast.is === 'exists' ? or(results) : and(results);
    }
    default: {
      const left = evaluate(ast.left, around, variables);
      const right = evaluate(ast.right, around, variables);
      if (left === unknown || right === unknown) return unknown;
      return combine(ast.is, left, right);
    }
  }
}

function combine(operator: string, left: Known, right: Known): Result {
  if (operator === 'in') return member(left, right);
  if (operator === '==') return equal(left, right);
  if (operator === '!=') {
    const same = equal(left, right);
    return same === unknown ? unknown : !same;
  }
  if (typeof left === 'string' && typeof right === 'string') {
    if (operator === 'startsWith') return left.startsWith(right);
    if (operator === 'endsWith') return left.endsWith(right);
    if (operator === 'contains') return left.includes(right);
    return unknown;
  }
  if (typeof left !== 'bigint' || typeof right !== 'bigint') return unknown;
  switch (operator) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    case '+':
      return inRange(left + right);
    case '-':
      return inRange(left - right);
    case '*':
      return inRange(left * right);
    case '/':
      return right === 0n ? unknown : inRange(left / right);
    case '%':
      return right === 0n ? unknown : inRange(left % right);
    default:
      return unknown;
  }
}

function and(results: readonly Result[]): Result {
  if (results.includes(false)) return false;
  return results.every((result) => result === true) ? true : unknown;
}

function or(results: readonly Result[]): Result {
  if (results.includes(true)) return true;
  return results.every((result) => result === false) ? false : unknown;
}

function member(item: Known, list: Known): Result {
  if (!isList(list)) return unknown;
  if (list.items.includes(item)) return true;
  return list.complete ? false : unknown;
}

function equal(left: Known, right: Known): boolean | typeof unknown {
  if (isList(left) || isList(right)) return unknown;
  return typeof left === typeof right ? left === right : unknown;
}

/** Characters of a text, not its UTF-16 units. */
function size(value: Result): Result {
  if (typeof value === 'string') return BigInt([...value].length);
  return isList(value) && value.complete ? BigInt(value.items.length) : unknown;
}

/** Integers live within ±(2^53 − 1); what would leave that range is not known. */
function inRange(value: bigint): Result {
  const most = BigInt(Number.MAX_SAFE_INTEGER);
  return value >= -most && value <= most ? value : unknown;
}

function isList(value: Result): value is KnownList {
  return typeof value === 'object' && value !== null;
}

function fromStored(value: unknown): Result {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return { items: value.map(fromStored).filter((item) => item !== unknown) as Known[], complete: true };
  return unknown;
}
