/**
 * Evaluates one condition against what is known, in Kleene's three-valued logic. It promises to be total: whatever the data
 * holds, the answer is a value or `undefined`, which means *unknown*. What CEL calls an error is unknown here, because a rule
 * applies only when its condition is true.
 */
import type { BinaryOperator, Expression } from './expression.ts';
import {
  comparedPerStep,
  countedPerStep,
  equalPerStep,
  expressionStepsMax,
  listItemsMax,
  lookUpSteps,
  orderedPerStep,
  searchedPerStep,
  textLengthMax,
} from './expression.ts';
import type { Attributes, Value } from './value.ts';

/** What a rung may read. A source is undefined when its fact is not known. */
export interface Scope {
  readonly request: Attributes | undefined;
  readonly session: Attributes | undefined;
  readonly profile: Attributes | undefined;
  /** Absent wherever a server decides. */
  readonly device?: Attributes | undefined;
  /** Audiences known to hold; undefined when nothing about them is known. */
  readonly audiences: readonly string[] | undefined;
  /** True when there may be more audiences than are listed: absence from the list then proves nothing. */
  readonly audiencesOpen: boolean;
  readonly nowMs: number;
}

type Unknown = undefined;

interface Run {
  readonly scope: Scope;
  stepsLeft: number;
}

interface Bindings {
  readonly name: string;
  readonly value: Value | Unknown;
  readonly outer: Bindings | null;
}

export function evaluate(expression: Expression, scope: Scope): Value | Unknown {
  return worth(expression, { scope, stepsLeft: expressionStepsMax }, null);
}

/** A rule without a condition applies to everybody. */
export function holds(condition: Expression | null, scope: Scope): 'true' | 'false' | 'unknown' {
  if (condition === null) return 'true';
  const value = evaluate(condition, scope);
  return value === true ? 'true' : value === false ? 'false' : 'unknown';
}

function worth(expression: Expression, run: Run, bindings: Bindings | null): Value | Unknown {
  if (--run.stepsLeft < 0) return undefined;
  switch (expression.op) {
    case 'literal':
      return expression.value;
    case 'attribute':
      return attributeOf(run.scope[expression.source], expression.name);
    case 'has': {
      const attributes = run.scope[expression.source];
      return attributes === undefined ? undefined : Object.hasOwn(attributes, expression.name);
    }
    case 'audiences':
      return run.scope.audiencesOpen ? undefined : run.scope.audiences;
    case 'now':
      return admissible(run.scope.nowMs);
    case 'variable':
      return boundValue(expression.name, bindings);
    case 'list':
      return listOf(expression.items, run, bindings);
    case 'and':
      return junction(expression.operands, false, run, bindings);
    case 'or':
      return junction(expression.operands, true, run, bindings);
    case 'not': {
      const value = worth(expression.operand, run, bindings);
      return typeof value === 'boolean' ? !value : undefined;
    }
    case 'negate': {
      const value = worth(expression.operand, run, bindings);
      return typeof value === 'number' ? integer(-value) : undefined;
    }
    case 'size':
      return sizeOf(worth(expression.operand, run, bindings), run);
    case 'if': {
      const condition = worth(expression.condition, run, bindings);
      if (typeof condition !== 'boolean') return undefined;
      return worth(condition ? expression.then : expression.otherwise, run, bindings);
    }
    case 'exists':
    case 'all':
      return quantified(expression, run, bindings);
    case 'in': {
      const element = worth(expression.left, run, bindings);
      if (expression.right.op === 'list') return isAmong(element, expression.right.items, run, bindings);
      const { known, open } = listItems(expression.right, run, bindings);
      const texts = typeof element === 'string' && isOfTheVisitor(expression.right) && known !== undefined ? textsOf(known) : null;
      if (!canAfford(texts === null ? (known?.length ?? 0) / comparedPerStep : lookUpSteps, run)) return undefined;
      if (texts !== null) return texts.has(element as string) || (open ? undefined : false);
      return membership(element, known, open);
    }
    default:
      return binary(expression.op, worth(expression.left, run, bindings), worth(expression.right, run, bindings), run);
  }
}

function attributeOf(attributes: Attributes | undefined, name: string): Value | Unknown {
  if (attributes === undefined || !Object.hasOwn(attributes, name)) return undefined;
  return admissible(attributes[name]);
}

/** Stored data may be anything: only strings, booleans, safe integers and lists of those are values. */
function admissible(value: unknown): Value | Unknown {
  if (typeof value === 'string') return value.length <= textLengthMax ? value : undefined;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return integer(value);
  if (!Array.isArray(value) || value.length > listItemsMax) return undefined;
  if (textSets.has(value)) return value as readonly Value[];
  const scalars = value.every((item) => typeof item === 'string' || typeof item === 'boolean' || Number.isSafeInteger(item));
  return scalars ? (value as readonly Value[]) : undefined;
}

/** Adding zero turns −0 into 0, so that no answer depends on the sign of nothing. */
function integer(value: number): number | Unknown {
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}

function boundValue(name: string, bindings: Bindings | null): Value | Unknown {
  for (let binding = bindings; binding !== null; binding = binding.outer) {
    if (binding.name === name) return binding.value;
  }
  return undefined;
}

function listOf(items: readonly Expression[], run: Run, bindings: Bindings | null): readonly Value[] | Unknown {
  const values: Value[] = [];
  for (const item of items) {
    const value = worth(item, run, bindings);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

/** `&&` is decided by a false, `||` by a true; an unknown operand leaves it unknown only when nothing decided it. */
function junction(operands: readonly Expression[], decisive: boolean, run: Run, bindings: Bindings | null): boolean | Unknown {
  let unknown = false;
  for (const operand of operands) {
    const value = worth(operand, run, bindings);
    if (value === decisive) return decisive;
    if (value !== !decisive) unknown = true;
  }
  return unknown ? undefined : !decisive;
}

interface ListItems {
  readonly known: readonly (Value | Unknown)[] | Unknown;
  readonly open: boolean;
}

/** A list whose items need not all be known: `audiences` without the profile, and literals with an unknown item. */
function listItems(list: Expression, run: Run, bindings: Bindings | null): ListItems {
  if (list.op === 'audiences') return { known: run.scope.audiences, open: run.scope.audiencesOpen };
  if (list.op === 'list') return { known: list.items.map((item) => worth(item, run, bindings)), open: false };
  const value = worth(list, run, bindings);
  return { known: Array.isArray(value) ? (value as readonly Value[]) : undefined, open: false };
}

/** As `membership`, item by item as far as needed. */
function isAmong(element: Value | Unknown, items: readonly Expression[], run: Run, bindings: Bindings | null): boolean | Unknown {
  if (element === undefined) return undefined;
  let unknown = false;
  for (const expression of items) {
    const item = worth(expression, run, bindings);
    const same = equal(element, item);
    if (same === true) return true;
    if (same === undefined) unknown = true;
  }
  return unknown ? undefined : false;
}

function membership(element: Value | Unknown, items: readonly (Value | Unknown)[] | Unknown, open: boolean): boolean | Unknown {
  if (element === undefined || items === undefined) return undefined;
  let unknown = open;
  for (const item of items) {
    const same = equal(element, item);
    if (same === true) return true;
    if (same === undefined) unknown = true;
  }
  return unknown ? undefined : false;
}

/** Thousands of offers may look in the same list of a visitor's; a policy's own lists are looked in once each. */
function isOfTheVisitor({ op }: Expression): boolean {
  return op === 'audiences' || op === 'attribute';
}

const textSets = new WeakMap<readonly unknown[], ReadonlySet<string>>();
const fewItems = 8;

/** The items of a list of nothing but texts that are not too long; null for any other, and for one that is as quickly looked through. */
function textsOf(items: readonly (Value | Unknown)[]): ReadonlySet<string> | null {
  if (items.length <= fewItems) return null;
  let texts = textSets.get(items);
  if (texts === undefined) {
    if (!items.every((item): item is string => typeof item === 'string')) return null;
    texts = new Set(items);
    textSets.set(items, texts);
  }
  return texts;
}

function quantified(expression: Expression & { op: 'exists' | 'all' }, run: Run, bindings: Bindings | null): boolean | Unknown {
  const decisive = expression.op === 'exists';
  const { known, open } = listItems(expression.list, run, bindings);
  if (known === undefined) return undefined;
  let unknown = open;
  for (const item of known) {
    const value = worth(expression.condition, run, { name: expression.variable, value: item, outer: bindings });
    if (value === decisive) return decisive;
    if (value !== !decisive) unknown = true;
  }
  return unknown ? undefined : !decisive;
}

/** Length in Unicode code points, as CEL counts. */
function sizeOf(value: Value | Unknown, run: Run): number | Unknown {
  if (Array.isArray(value)) return value.length;
  if (typeof value !== 'string' || !canAfford(value.length / countedPerStep, run)) return undefined;
  let size = 0;
  for (const _ of value) size++;
  return size;
}

/** What long texts make dear takes as many steps as it is worth. */
function canAfford(steps: number, run: Run): boolean {
  run.stepsLeft -= Math.floor(steps);
  return run.stepsLeft >= 0;
}

function stepsOfEquality(left: Value, right: Value): number {
  if (typeof left === 'string') return left.length / equalPerStep;
  return Array.isArray(left) && Array.isArray(right) ? Math.min(left.length, right.length) : 0;
}

function stepsOfOrder(left: Value, right: Value): number {
  return typeof left === 'string' && typeof right === 'string' ? Math.min(left.length, right.length) / orderedPerStep : 0;
}

function binary(op: Exclude<BinaryOperator, 'in'>, left: Value | Unknown, right: Value | Unknown, run: Run): Value | Unknown {
  if (left === undefined || right === undefined) return undefined;
  switch (op) {
    case '==':
      return canAfford(stepsOfEquality(left, right), run) ? equal(left, right) : undefined;
    case '!=': {
      if (!canAfford(stepsOfEquality(left, right), run)) return undefined;
      const same = equal(left, right);
      return same === undefined ? undefined : !same;
    }
    case '<':
    case '<=':
    case '>':
    case '>=':
      return canAfford(stepsOfOrder(left, right), run) ? ordered(op, compare(left, right)) : undefined;
    case 'startsWith':
    case 'endsWith':
      return typeof left === 'string' && typeof right === 'string' ? left[op](right) : undefined;
    case 'contains':
      if (typeof left !== 'string' || typeof right !== 'string') return undefined;
      return canAfford((left.length * right.length) / searchedPerStep, run) ? left.includes(right) : undefined;
    default:
      return typeof left === 'number' && typeof right === 'number' ? arithmetic(op, left, right) : undefined;
  }
}

/** Undefined for values of different types, as of one that is unknown: the compiler lets none through, so the data is not what was declared. */
function equal(left: Value, right: Value | Unknown): boolean | Unknown {
  if (typeof left !== 'object' || typeof right !== 'object') return typeof left === typeof right ? left === right : undefined;
  if (left.length !== right.length) return false;
  let unknown = false;
  for (const [index, item] of left.entries()) {
    const same = equal(item, right[index]);
    if (same === false) return false;
    if (same === undefined) unknown = true;
  }
  return unknown ? undefined : true;
}

function compare(left: Value, right: Value): number | Unknown {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left === 'boolean' && typeof right === 'boolean') return Number(left) - Number(right);
  if (typeof left === 'string' && typeof right === 'string') return compareStrings(left, right);
  return undefined;
}

/** By Unicode code point, as CEL orders strings; comparing UTF-16 units would put U+FFFD above U+10000. */
export function compareStrings(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) return codePointRank(a) - codePointRank(b);
  }
  return left.length - right.length;
}

/** Surrogates stand for code points above every other unit. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

function ordered(op: '<' | '<=' | '>' | '>=', difference: number | Unknown): boolean | Unknown {
  if (difference === undefined) return undefined;
  switch (op) {
    case '<':
      return difference < 0;
    case '<=':
      return difference <= 0;
    case '>':
      return difference > 0;
    case '>=':
      return difference >= 0;
  }
}

/** Integers within ±(2^53 − 1): beyond that the answer is unknown, and so is a division by zero, which is no integer. */
function arithmetic(op: '+' | '-' | '*' | '/' | '%', left: number, right: number): number | Unknown {
  switch (op) {
    case '+':
      return integer(left + right);
    case '-':
      return integer(left - right);
    case '*':
      return integer(left * right);
    case '/':
      return integer((left - (left % right)) / right);
    case '%':
      return integer(left % right);
  }
}
