/**
 * The values of one attribute, cut into pieces of which each is sure to be worth the same in every part: one value of each piece stands
 * for it. Where a part does with the attribute what no such cut covers, there is no domain, and the attribute has to be told as it is.
 */
import type { AttributeDeclaration } from '../decision/artefact.ts';
import { evaluate, type Scope } from '../decision/evaluate.ts';
import { type Expression, operandsOf } from '../decision/expression.ts';
import type { Value } from '../decision/value.ts';
import { instants, isItem, isText } from './bounds.ts';
import { audiencesName, type Part } from './parts.ts';
import type { Classes } from './table.ts';

export interface Domain {
  /** One for each piece; the first is undefined: absent. */
  readonly values: readonly (Value | undefined)[];
  /** How a table tells the pieces apart, where each is in some class; `classOf` says in which, by the place in `values`. */
  tableBy(classOf: (place: number) => number): Classes;
}

/** Of a text that is held against beginnings and ends, each beginning with each end is one. */
export const valuesMax = 20_000;
/** More lists than these are not tried one by one. */
const itemsTriedMax = 6;
const itemsMax = 8;

export function domainOf(
  { type, values }: Pick<AttributeDeclaration, 'type' | 'values'>,
  parts: readonly Part[],
  nowMs: number,
): Domain | 'reads_raw' | 'too_many_values' {
  if (type === 'bool') return truths;
  const marks = marksOf(parts, nowMs);
  switch (type) {
    case 'string':
      if (values !== null) return declaredTexts(values.filter(isText));
      return marks === null ? 'reads_raw' : freeTexts(marks);
    case 'int':
      return marks === null ? 'reads_raw' : numbers('int', marks.numbers, [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]);
    case 'timestamp':
      return marks === null ? 'reads_raw' : numbers('timestamp', marks.numbers, [instants.firstMs, instants.lastMs]);
    case 'strings': {
      const among = values === null ? null : values.filter(isItem);
      if (among !== null && among.length <= itemsTriedMax) return lists(among, among);
      if (marks === null) return 'reads_raw';
      const { items } = membersOf(marks, values);
      return items.length > itemsMax ? 'too_many_values' : lists(items, among);
    }
  }
}

const truths: Domain = {
  values: [undefined, true, false],
  tableBy: (classOf) => ({ type: 'bool', true: classOf(1), false: classOf(2) }),
};

function declaredTexts(texts: readonly string[]): Domain {
  return {
    values: [undefined, ...texts],
    tableBy(classOf) {
      const listed = texts.map((text, index) => [text, classOf(index + 1)] as const).filter(([, one]) => one !== classOf(0));
      return { type: 'string', values: Object.fromEntries(listed), prefixes: [], suffixes: [], classes: [classOf(0)] };
    },
  };
}

function freeTexts(marks: Marks): Domain | 'too_many_values' {
  const texts = [...marks.texts].filter(isText);
  const prefixes = longestFirst(marks.prefixes);
  const suffixes = longestFirst(marks.suffixes);
  const filler = unusedCharacter([...texts, ...prefixes, ...suffixes]);
  if (filler === null || texts.length + (prefixes.length + 1) * (suffixes.length + 1) > valuesMax) return 'too_many_values';
  const others = [...prefixes, ''].flatMap((prefix) => [...suffixes, ''].map((suffix) => `${prefix}${filler}${suffix}`));
  return {
    values: [undefined, ...texts, ...others],
    tableBy(classOf) {
      const ofOthers = others.map((_, index) => classOf(1 + texts.length + index));
      const isOne = ofOthers.every((one) => one === ofOthers[0]);
      const classes = isOne ? ofOthers.slice(0, 1) : ofOthers;
      const listed = texts.map((text, index) => [text, classOf(index + 1)] as const).filter(([, one]) => !isOne || one !== classes[0]);
      const cuts = isOne ? { prefixes: [], suffixes: [] } : { prefixes, suffixes };
      return { type: 'string', values: Object.fromEntries(listed), ...cuts, classes };
    },
  };
}

function longestFirst(marks: ReadonlySet<string>): readonly string[] {
  return [...marks].filter(isText).sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
}

/** With it in the middle, a text begins and ends with what was put there and with nothing else that is asked for, and is no text that is. */
function unusedCharacter(texts: readonly string[]): string | null {
  const used = new Set(texts.flatMap((text) => [...text]));
  const letters = '~-_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  const free = [...letters].find((letter) => !used.has(letter));
  if (free !== undefined) return free;
  for (let code = 0x4e00; code < 0x9fff; code++) if (!used.has(String.fromCharCode(code))) return String.fromCharCode(code);
  return null;
}

function numbers(type: 'int' | 'timestamp', marks: ReadonlySet<number>, [first, last]: readonly [number, number]): Domain {
  const bounds = [...new Set([...marks].flatMap((mark) => [mark, mark + 1]))].filter((bound) => bound > first && bound <= last);
  bounds.sort((a, b) => a - b);
  const [lowest] = bounds;
  return {
    values: [undefined, lowest === undefined ? 0 : lowest - 1, ...bounds],
    tableBy(classOf) {
      const classes = [classOf(1)];
      const kept: number[] = [];
      for (const [index, bound] of bounds.entries()) {
        const next = classOf(index + 2);
        if (next === classes.at(-1)) continue;
        kept.push(bound);
        classes.push(next);
      }
      return { type, bounds: kept, classes };
    },
  };
}

/** Each set of the items, alone or, where there is such a thing, beside an item that nobody asks for. */
function lists(items: readonly string[], among: readonly string[] | null): Domain {
  const other = among === null ? (unusedCharacter(items) ?? '') : (among.find((item) => !items.includes(item)) ?? '');
  const sets = Array.from({ length: 2 ** items.length }, (_, set) =>
    items.filter((_item, index) => Math.floor(set / 2 ** index) % 2 === 1),
  );
  const values = sets.map((held) => (held.length > 0 ? held.toSorted() : other === '' ? undefined : [other]));
  return {
    values: [undefined, ...values],
    tableBy(classOf) {
      const classes = sets.map((_, set) => classOf(set + 1));
      return { type: 'strings', items, among: classes[0] === classOf(0) ? null : among, classes };
    },
  };
}

/** Of a list: what conditions look for in it. */
export interface Members {
  readonly items: readonly string[];
  /** All that it may hold; null: anything. */
  readonly among: readonly string[] | null;
  /** Something else that it may hold; null: there is nothing else. */
  readonly other: string | null;
}

/** Null where conditions do more with the list than to look for single items in it. */
export function membersOfList(declared: readonly string[] | null, parts: readonly Part[], nowMs: number): Members | null {
  const marks = marksOf(parts, nowMs);
  return marks === null ? null : membersOf(marks, declared);
}

function membersOf(marks: Marks, declared: readonly string[] | null): Members {
  const among = declared === null ? null : declared.filter(isItem);
  const may = among === null ? null : new Set(among);
  const items = [...marks.members].filter((item) => isItem(item) && (may?.has(item) ?? true));
  const held = new Set(items);
  const other = among === null ? unusedCharacter(items) : (among.find((item) => !held.has(item)) ?? null);
  return { items, among, other };
}

/** What the parts of one attribute hold it against. */
export interface Marks {
  readonly texts: Set<string>;
  readonly prefixes: Set<string>;
  readonly suffixes: Set<string>;
  readonly numbers: Set<number>;
  readonly members: Set<string>;
}

/** Null where a part does more with the attribute than to hold it against what the policy's author wrote. */
export function marksOf(parts: readonly Part[], nowMs: number): Marks | null {
  const marks: Marks = { texts: new Set(), prefixes: new Set(), suffixes: new Set(), numbers: new Set(), members: new Set() };
  return parts.every(({ input, expression }) => addMarks(expression, input, marks, nowMs)) ? marks : null;
}

function addMarks(expression: Expression, input: string, marks: Marks, nowMs: number): boolean {
  if (!reads(expression, input)) return true;
  switch (expression.op) {
    case 'has':
      return true;
    case 'and':
    case 'or':
    case 'not':
    case 'if':
      return operandsOf(expression).every((child) => addMarks(child, input, marks, nowMs));
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=': {
      const { op, left, right } = expression;
      if (isBare(left)) return addMark(right, input, marks, nowMs, op === '==' || op === '!=');
      if (isBare(right)) return addMark(left, input, marks, nowMs, op === '==' || op === '!=');
      return addMarks(left, input, marks, nowMs) && addMarks(right, input, marks, nowMs);
    }
    case 'in':
      if (isBare(expression.left)) return addList(expression.right, input, marks, nowMs);
      return isBare(expression.right) && addText(expression.left, input, marks.members, nowMs);
    case 'startsWith':
    case 'endsWith':
      return (
        isBare(expression.left) && addText(expression.right, input, expression.op === 'startsWith' ? marks.prefixes : marks.suffixes, nowMs)
      );
    default:
      return false;
  }
}

/** Where it reads the input at all. */
function isBare({ op }: Expression): boolean {
  return op === 'attribute' || op === 'audiences';
}

function addList(list: Expression, input: string, marks: Marks, nowMs: number): boolean {
  if (list.op === 'list') return list.items.every((item) => addMark(item, input, marks, nowMs, true));
  const value = worthOf(list, input, nowMs);
  if (value === notConstant || !Array.isArray(value?.known)) return value !== notConstant && value.known === undefined;
  return value.known.every((item) => addValue(item, marks, true));
}

function addMark(against: Expression, input: string, marks: Marks, nowMs: number, isEquality: boolean): boolean {
  const value = worthOf(against, input, nowMs);
  if (value === notConstant) return false;
  return value.known === undefined || addValue(value.known, marks, isEquality);
}

/** Order among texts is not told. */
function addValue(value: Value, marks: Marks, isEquality: boolean): boolean {
  if (typeof value === 'number') marks.numbers.add(value);
  else if (typeof value === 'string' && isEquality) marks.texts.add(value);
  else return false;
  return true;
}

function addText(against: Expression, input: string, texts: Set<string>, nowMs: number): boolean {
  const value = worthOf(against, input, nowMs);
  if (value === notConstant) return false;
  if (typeof value.known === 'string') texts.add(value.known);
  return typeof value.known === 'string' || value.known === undefined;
}

const notConstant = Symbol('not constant');

/** Of what reads no input; unknown may be what it is worth. */
function worthOf(expression: Expression, input: string, nowMs: number): { readonly known: Value | undefined } | typeof notConstant {
  return reads(expression, input) ? notConstant : { known: evaluate(expression, scopeWith(input, undefined, nowMs)) };
}

/** Of a part, which reads no other. */
function reads(expression: Expression, input: string): boolean {
  if (expression.op === 'audiences') return input === audiencesName;
  if (expression.op === 'attribute' || expression.op === 'has') return expression.source === 'request' && expression.name === input;
  return operandsOf(expression).some((child) => reads(child, input));
}

/** As the segment tier has it, of a visitor of whom one thing is known. */
export function scopeWith(input: string, value: Value | undefined, nowMs: number): Scope {
  const isAudiences = input === audiencesName;
  const request = value === undefined || isAudiences ? {} : Object.fromEntries([[input, value]]);
  const audiences = isAudiences ? (value as readonly string[] | undefined) : undefined;
  return { request, session: undefined, profile: undefined, audiences, audiencesOpen: false, nowMs };
}
