/**
 * CEL that reads the answer of an HTTP source: `response` is the parsed JSON body, and the library evaluates. A body comes from
 * outside, so what evaluating all that reads it may cost is bounded, and of what goes wrong nothing is told that the body held.
 */
import { EvaluationError, serialize } from '@marcbachmann/cel-js';
import type { Syntax } from './cel/parse.ts';
import { counting, mappingLibrary, spending, stepsMax } from './mapping-cost.ts';
import { nodesIn, parseMapping } from './mapping-syntax.ts';
import { fromCel, type MappingBudget, MappingError, toCel } from './mapping-values.ts';

/** One body, which several mappings may read, and what all of them together may still cost. */
export interface MappedAnswer extends MappingBudget {
  readonly response: unknown;
}

export function createMappedAnswer(body: unknown): MappedAnswer {
  return { response: toCel(body), stepsLeft: stepsMax };
}

/**
 * From a parsed JSON body to the value that the expression yields: numbers that are whole and safe as numbers, times as milliseconds
 * since the epoch. `undefined` where the body lacks what the expression asks for; a `MappingError` where it cannot be evaluated.
 */
export type Mapping = (answer: MappedAnswer) => unknown;

/** For an expression in which `checkMapping` found nothing. */
export function compileMapping(source: string): Mapping {
  const { syntax } = parseMapping(source);
  if (syntax === null) throw new MappingError();
  const evaluate = mappingLibrary.parse(serialize(counting(syntax) as Syntax));
  const parts = nodesIn(syntax);
  return (answer) => {
    try {
      return spending(answer, () => {
        answer.stepsLeft -= parts;
        return fromCel(evaluate({ response: answer.response }), answer);
      });
    } catch (error) {
      if (error instanceof EvaluationError && missing.includes(error.code) && answer.stepsLeft >= 0) return undefined;
      throw new MappingError();
    }
  };
}

const missing: readonly string[] = ['no_such_key', 'index_out_of_bounds'];
