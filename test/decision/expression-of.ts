/** Conditions written by hand, without the compiler in between: what it would refuse must do no harm either. */
import { evaluate, type Scope } from '../../src/decision/evaluate.ts';
import {
  type AttributeSource,
  type BinaryOperator,
  type Expression,
  expressionStepsMax,
  type Literal,
} from '../../src/decision/expression.ts';
import type { Value } from '../../src/decision/value.ts';

export const nobody: Scope = {
  request: {},
  session: undefined,
  profile: undefined,
  audiences: undefined,
  audiencesOpen: false,
  nowMs: 0,
};

export const literal = (value: Literal): Expression => ({ op: 'literal', value });
export const attribute = (name: string, source: AttributeSource = 'request'): Expression => ({ op: 'attribute', source, name });
export const unknown = attribute('nothing', 'profile');
export const audiences: Expression = { op: 'audiences' };
export const variable = (name: string): Expression => ({ op: 'variable', name });
export const list = (...items: readonly Expression[]): Expression => ({ op: 'list', items });
export const and = (...operands: readonly Expression[]): Expression => ({ op: 'and', operands });
export const or = (...operands: readonly Expression[]): Expression => ({ op: 'or', operands });
export const not = (operand: Expression): Expression => ({ op: 'not', operand });
export const negate = (operand: Expression): Expression => ({ op: 'negate', operand });
export const size = (operand: Expression): Expression => ({ op: 'size', operand });
export const binary = (left: Expression, op: BinaryOperator, right: Expression): Expression => ({ op, left, right });
export const exists = (within: Expression, name: string, condition: Expression): Expression => ({
  op: 'exists',
  list: within,
  variable: name,
  condition,
});
export const all = (within: Expression, name: string, condition: Expression): Expression => ({
  op: 'all',
  list: within,
  variable: name,
  condition,
});
export const either = (condition: Expression, yes: Expression, no: Expression): Expression =>
  // Not written as an object: one that has a `then` looks like a promise.
  Object.fromEntries([
    ['op', 'if'],
    ['condition', condition],
    ['then', yes],
    ['otherwise', no],
  ]) as unknown as Expression;

/** What the expression is worth when it is given so many steps and no more. */
export function worthWithin(steps: number, expression: Expression, scope: Scope): Value | undefined {
  // The choice and its condition take a step each, and so does every operand.
  const spent = and(...Array.from({ length: expressionStepsMax - steps - 2 }, () => literal(true)));
  return evaluate(either(spent, expression, literal(false)), scope);
}
