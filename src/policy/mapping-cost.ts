/**
 * What evaluating mappings may cost. All expressions that read one answer share its budget: a body comes from outside, and a policy
 * may have a thousand expressions. Whatever reads a whole text or list, or goes through one, is rewritten so that it is counted.
 */
import { Environment } from '@marcbachmann/cel-js';
import { expressionLimits, type Syntax } from './cel/parse.ts';
import { macros, nodesIn, operandsOf } from './mapping-syntax.ts';
import { type MappingBudget, MappingError } from './mapping-values.ts';

/** A step is an item gone through, for each part of what is done with it, or 16 characters read; all are done in some 5 ms. */
export const stepsMax = 40_000;
const charactersPerStep = 16;
/** What goes through a list and forgives errors may make one of each item, and the library takes its time to make them. */
const stepsPerError = 40;

/** Evaluating is synchronous, so one place serves all. */
let budget: MappingBudget = { stepsLeft: 0 };

/** What is evaluated within spends of `spent`; a `MappingError` where that is not enough. */
export function spending<T>(spent: MappingBudget, evaluate: () => T): T {
  budget = spent;
  const value = evaluate();
  if (spent.stepsLeft < 0) throw new MappingError();
  return value;
}

/**
 * Once the steps are spent every list is empty and every text short, so that the rest is done soon: an error would not end it, since
 * `exists`, `all`, `&&` and `||` forgive errors.
 */
function weigh(value: unknown, stepsPerItem = 1): unknown {
  budget.stepsLeft -= 1;
  if (typeof value === 'string') budget.stepsLeft -= value.length / charactersPerStep;
  else if (Array.isArray(value)) budget.stepsLeft -= value.length * stepsPerItem;
  else if (value instanceof Map) budget.stepsLeft -= value.size * stepsPerItem;
  else return value;
  if (budget.stepsLeft >= 0) return value;
  return typeof value === 'string' ? '' : [];
}

/** The library compares lists and maps to the last leaf, which no count of ours would see. */
function weighScalar(value: unknown): unknown {
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) throw new MappingError();
  return weigh(value);
}

export const mappingLibrary = new Environment({ homogeneousAggregateLiterals: false, limits: { ...expressionLimits, maxAstNodes: 20_000 } })
  .registerVariable('response', 'dyn')
  .registerFunction('weighed(dyn): dyn', (value) => weigh(value))
  .registerFunction('weighed(dyn, int): dyn', (value, stepsPerItem) => weigh(value, Number(stepsPerItem)))
  .registerFunction('weighedScalar(dyn): dyn', weighScalar);

/** The same expression, in which everything that reads a whole text or list, or goes through one, is counted. */
interface Plain {
  readonly op: string;
  readonly args: unknown;
}

export function counting(syntax: Syntax): Plain {
  const inside = (node: Syntax) => counting(node);
  switch (syntax.op) {
    case 'value':
    case 'id':
      return syntax;
    case '.':
      return { op: '.', args: [inside(syntax.args[0]), syntax.args[1]] };
    case 'call': {
      const [name, args] = syntax.args;
      // `has` looks at its argument and does not evaluate it.
      return name === 'has' ? syntax : { op: 'call', args: [name, args.map((arg) => counted(arg))] };
    }
    case 'rcall': {
      const [name, receiver, args] = syntax.args;
      if (!macros.includes(name)) return { op: 'rcall', args: [name, counted(receiver), args.map((arg) => counted(arg))] };
      const [item, ...bodies] = args;
      const list = counted(receiver, stepsPerItem(syntax, bodies));
      return { op: 'rcall', args: [name, list, [item, ...bodies.map(inside)]] };
    }
    case 'in':
    case '+':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return { op: syntax.op, args: syntax.args.map((operand) => counted(operand)) };
    case '==':
    case '!=':
      return { op: syntax.op, args: syntax.args.map((operand) => countedScalar(operand)) };
    case 'map':
      return { op: 'map', args: syntax.args.map(([key, value]) => [inside(key), inside(value)]) };
    case '!_':
    case '-_':
      return { op: syntax.op, args: inside(syntax.args) };
    default:
      return { op: syntax.op, args: (syntax.args as readonly Syntax[]).map(inside) };
  }
}

/** A literal weighs nothing, and where it stands its type may matter. */
function counted(syntax: Syntax, stepsPerItem = 1): Plain {
  if (syntax.op === 'value') return syntax;
  const steps: readonly Plain[] = stepsPerItem === 1 ? [] : [{ op: 'value', args: BigInt(stepsPerItem) }];
  return { op: 'call', args: ['weighed', [counting(syntax), ...steps]] };
}

function countedScalar(syntax: Syntax): Plain {
  return syntax.op === 'value' ? syntax : { op: 'call', args: ['weighedScalar', [counting(syntax)]] };
}

function stepsPerItem(macro: Syntax, bodies: readonly Syntax[]): number {
  const parts = bodies.reduce((nodes, body) => nodes + nodesIn(body), 0);
  return parts + (forgives(macro) ? stepsPerError : 0);
}

/** Whether errors may be made in it, one after the other, before it ends. */
function forgives(syntax: Syntax): boolean {
  if (syntax.op === '&&' || syntax.op === '||') return true;
  if (syntax.op === 'rcall' && (syntax.args[0] === 'exists' || syntax.args[0] === 'all' || syntax.args[0] === 'exists_one')) return true;
  return operandsOf(syntax).some(forgives);
}
