/**
 * Conditions of which some of what they read is known: what is left of one, as short as it can be told. Two that are the same are one object, so
 * that comparing is cheap. Three-valued, as conditions are.
 */
import { evaluate } from '../decision/evaluate.ts';
import type { Expression } from '../decision/expression.ts';
import { type Column, columnsReader, type Given, scopeOf } from './columns.ts';

export type Term = {
  readonly id: number;
  /** What has to be found out yet; the first is to be asked for first. */
  readonly columns: readonly number[];
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
  /** Whether it can not become true any more. */
  isHopeless(term: Term): boolean;
}

export function createTerms(columns: readonly Column[], nowMs: number): Terms {
  const known = new Map<string, Term>();
  const results = new Map<string, Term>();
  const atoms = new Map<string, number>();
  const columnsRead = columnsReader(columns);

  function made(name: string, shape: Shape, reads: readonly number[]): Term {
    let term = known.get(name);
    if (term === undefined) {
      term = { id: known.size, columns: reads, ...shape };
      known.set(name, term);
    }
    return term;
  }

  const constant = (value: unknown): Term => {
    const own = typeof value === 'boolean' ? value : undefined;
    return made(String(own), { op: 'constant', value: own }, []);
  };
  const [yes, never, unknown] = [constant(true), constant(false), constant(undefined)];

  /** `reads`: what is not known yet. */
  function atom(number: number, expression: Expression, reads: readonly number[], given: Given): Term {
    if (reads.length === 0) return constant(evaluate(expression, scopeOf(columns, given, nowMs)));
    return made(`atom ${number} ${[...given].sort().join(';')}`, { op: 'atom', number, expression, given }, reads);
  }

  function junction(op: 'and' | 'or', operands: readonly Term[]): Term {
    const decisive = op === 'and' ? never : yes;
    const neutral = op === 'and' ? yes : never;
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
        const number = atoms.get(text) ?? atoms.size;
        atoms.set(text, number);
        return atom(number, expression, columnsRead(expression), new Map());
      }
    }
  }

  function settled(term: Term, column: number, value: number): Term {
    if (!term.columns.includes(column)) return term;
    const name = `${term.id} ${column} ${value}`;
    let result = results.get(name);
    if (result === undefined) {
      result = settledAnew(term, column, value);
      results.set(name, result);
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

  return {
    yes,
    termOf,
    settled,
    isHopeless: (term) => term === never || term === unknown || (term.op === 'and' && term.operands.includes(unknown)),
  };
}

function readBy(terms: readonly Term[]): readonly number[] {
  return [...new Set(terms.flatMap(({ columns }) => columns))];
}
