/**
 * Conditions of which some of what they read is known: what is left of one, as short as it can be told. Two that are the same are one object, so
 * that comparing is cheap. Three-valued, as conditions are.
 */
import { evaluate } from '../decision/evaluate.ts';
import type { Expression } from '../decision/expression.ts';
import { type Column, columnsReader, type Given, scopeOf } from './columns.ts';
import { evaluationWork } from './steps.ts';

export type Term = {
  readonly id: number;
  /** What has to be found out yet; the first is to be asked for first. */
  readonly columns: readonly number[];
  /** Whether it can not become true any more. */
  readonly isHopeless: boolean;
} & Shape;

type Shape =
  | { readonly op: 'constant'; readonly value: boolean | undefined }
  /** Settled when all that it reads is known. */
  | { readonly op: 'atom'; readonly number: number; readonly expression: Expression; readonly given: Given }
  | { readonly op: 'and' | 'or'; readonly operands: readonly Term[] }
  | { readonly op: 'not'; readonly operand: Term }
  | { readonly op: 'if'; readonly condition: Term; readonly then: Term; readonly otherwise: Term };

export interface Terms {
  readonly yes: Term;
  termOf(expression: Expression): Term;
  /** What is left when one thing more is known. */
  settled(term: Term, column: number, value: number): Term;
}

/** Told what has been done, a microsecond or so each, and how many words of memory are kept for it, a word for eight bytes. */
export type Spend = (work: number, words: number) => void;

/** What a condition costs that is kept by its name, besides what it holds; what a result does; and one thing that is known. */
const wordsOfOne = 32;
const wordsOfResult = 16;
const wordsOfGiven = 6;
/** In one step of work: columns among which one is looked for, and parts that are put together. */
const searchedPerStep = 256;
const partsPerStep = 8;

export function createTerms(columns: readonly Column[], nowMs: number, spend: Spend): Terms {
  const known = new Map<string, Term>();
  const results = new Map<string, Term>();
  const atoms = new Map<string, number>();
  const evaluations = new Map<Expression, number>();
  const columnsRead = columnsReader(columns);

  function made(name: string, shape: Shape, reads: readonly number[]): Term {
    let term = known.get(name);
    const parts = reads.length + (shape.op === 'and' || shape.op === 'or' ? shape.operands.length : 0);
    if (term === undefined) {
      const isHopeless =
        shape.op === 'constant' ? shape.value !== true : shape.op === 'and' && shape.operands.some((operand) => operand.op === 'constant');
      term = { id: known.size, columns: reads, isHopeless, ...shape };
      known.set(name, term);
      spend(0, wordsOfOne + parts + name.length / 8 + (shape.op === 'atom' ? shape.given.size * wordsOfGiven : 0));
    }
    spend(1 + (parts + name.length / 4) / partsPerStep, 0);
    return term;
  }

  const constant = (value: unknown): Term => {
    const own = typeof value === 'boolean' ? value : undefined;
    return made(String(own), { op: 'constant', value: own }, []);
  };
  const [yes, never, unknown] = [constant(true), constant(false), constant(undefined)];

  /** `reads`: what is not known yet. */
  function atom(number: number, expression: Expression, reads: readonly number[], given: Given): Term {
    spend((reads.length + given.size) / partsPerStep, 0);
    if (reads.length === 0) {
      spend(evaluationOf(expression) + given.size, 0);
      return constant(evaluate(expression, scopeOf(columns, given, nowMs)));
    }
    return made(`atom ${number} ${[...given].sort().join(';')}`, { op: 'atom', number, expression, given }, reads);
  }

  function evaluationOf(expression: Expression): number {
    const steps = evaluations.get(expression) ?? evaluationWork(expression);
    evaluations.set(expression, steps);
    return steps;
  }

  function readBy(terms: readonly Term[]): readonly number[] {
    const reads = new Set<number>();
    for (const term of terms) {
      spend(term.columns.length / partsPerStep, 0);
      for (const column of term.columns) reads.add(column);
    }
    return [...reads];
  }

  function junction(op: 'and' | 'or', operands: readonly Term[]): Term {
    const decisive = op === 'and' ? never : yes;
    const neutral = op === 'and' ? yes : never;
    spend(operands.length / partsPerStep, 0);
    if (operands.includes(decisive)) return decisive;
    const [first, ...others] = [...new Set(operands)].filter((operand) => operand !== neutral);
    if (first === undefined) return neutral;
    if (others.length === 0) return first;
    return made(`${op} ${[first, ...others].map(({ id }) => id)}`, { op, operands: [first, ...others] }, readBy([first, ...others]));
  }

  const negation = (operand: Term): Term =>
    operand.op === 'constant'
      ? constant(operand.value === undefined ? undefined : !operand.value)
      : made(`not ${operand.id}`, { op: 'not', operand }, operand.columns);

  function choice(condition: Term, then: Term, otherwise: Term): Term {
    if (condition.op === 'constant') return condition === unknown ? unknown : condition === yes ? then : otherwise;
    const reads = readBy([condition, then, otherwise]);
    return made(`if ${condition.id} ${then.id} ${otherwise.id}`, { op: 'if', condition, then, otherwise }, reads);
  }

  function termOf(expression: Expression): Term {
    switch (expression.op) {
      case 'and':
      case 'or':
        return junction(expression.op, expression.operands.map(termOf));
      case 'not':
        return negation(termOf(expression.operand));
      case 'if':
        return choice(termOf(expression.condition), termOf(expression.then), termOf(expression.otherwise));
      default: {
        const text = JSON.stringify(expression);
        spend(1 + text.length / searchedPerStep, wordsOfOne + text.length / 8);
        const number = atoms.get(text) ?? atoms.size;
        atoms.set(text, number);
        return atom(number, expression, columnsRead(expression), new Map());
      }
    }
  }

  function settled(term: Term, column: number, value: number): Term {
    spend(term.columns.length / searchedPerStep, 0);
    if (!term.columns.includes(column)) return term;
    spend(1, 0);
    const name = `${term.id} ${column} ${value}`;
    let result = results.get(name);
    if (result === undefined) {
      result = settledAnew(term, column, value);
      results.set(name, result);
      spend(0, wordsOfResult);
    }
    return result;
  }

  function settledAnew(term: Term, column: number, value: number): Term {
    const settle = (part: Term): Term => settled(part, column, value);
    switch (term.op) {
      case 'constant':
        return term;
      case 'atom':
        return atom(term.number, term.expression, leftOf(term.columns, column, value), new Map([...term.given, [column, value]]));
      case 'and':
      case 'or':
        return junction(term.op, term.operands.map(settle));
      case 'not':
        return negation(settle(term.operand));
      case 'if':
        return choice(settle(term.condition), settle(term.then), settle(term.otherwise));
    }
  }

  /** Of a list that is not there no item has to be asked for. */
  function leftOf(reads: readonly number[], column: number, value: number): readonly number[] {
    const list = columns[column];
    const isMissing = list?.asks === 'list' && value === 0;
    return reads.filter((read) => read !== column && !(isMissing && columns[read]?.input === list.input));
  }

  return { yes, termOf, settled };
}
