/**
 * CEL that reads the answer of an HTTP source: `response` is the parsed JSON body, and the library evaluates. A body comes from
 * outside, so what evaluating one may cost is bounded, and of what goes wrong nothing is told that the body held.
 */
import { Environment, EvaluationError, serialize } from '@marcbachmann/cel-js';
import type { ExpressionProblem } from './cel/lowering.ts';
import { expressionLimits, parseExpression, type Syntax } from './cel/parse.ts';
import { didYouMean, names } from './suggest.ts';

/**
 * From a parsed JSON body to the value that the expression yields: numbers that are whole and safe as numbers, times as milliseconds
 * since the epoch. `undefined` where the body lacks what the expression asks for; a `MappingError` where it cannot be evaluated.
 */
export type Mapping = (response: unknown) => unknown;

/** Says nothing more: the library's own errors quote the body. */
export class MappingError extends Error {
  override readonly name = 'MappingError';

  constructor() {
    super('a mapping could not be evaluated for this answer');
  }
}

/**
 * Items gone through and 16ths of texts read while one expression is evaluated: enough to walk the largest body that a source may send
 * by default several times over, and done in some 20 ms.
 */
const stepsMax = 200_000;
const charactersPerStep = 16;
/** What goes through a list and forgives errors may make one of each item, and the library takes its time to make them. */
const stepsPerError = 40;

const functions = ['has', 'size', 'int', 'double', 'string', 'bool', 'timestamp'];
const methods = ['startsWith', 'endsWith', 'contains', 'lowerAscii', 'upperAscii', 'trim', 'size'];
const macros = ['map', 'filter', 'exists', 'exists_one', 'all'];

/** What is wrong with an expression; empty when it can be compiled. */
export function checkMapping(source: string): readonly ExpressionProblem[] {
  const parsed = parse(source);
  if (parsed.syntax === null) return [parsed];
  const problems: ExpressionProblem[] = [];
  check(parsed.syntax, new Set(['response']), problems);
  if (problems.length > 0) return problems;
  const { error } = library.check(source);
  return error === undefined ? [] : [{ code: 'expression-type', offset: error.range?.start ?? 0, message: lowerCase(error.summary) }];
}

/** For an expression in which `checkMapping` found nothing. */
export function compileMapping(source: string): Mapping {
  const { syntax } = parse(source);
  if (syntax === null) throw new MappingError();
  const evaluate = library.parse(serialize(counting(syntax) as Syntax));
  return (response) => {
    stepsLeft = stepsMax;
    try {
      const value = evaluate({ response: asCel(response) });
      if (stepsLeft < 0) throw new MappingError();
      return fromCel(value);
    } catch (error) {
      if (error instanceof EvaluationError && missing.includes(error.code)) return undefined;
      throw new MappingError();
    }
  };
}

const missing: readonly string[] = ['no_such_key', 'index_out_of_bounds'];

function parse(source: string) {
  return parseExpression(source, { noun: 'mapping', advice: 'let the source answer something simpler' });
}

function lowerCase(summary: string): string {
  return `${summary.charAt(0).toLowerCase()}${summary.slice(1)}`;
}

/** Evaluating is synchronous, so one count serves all. */
let stepsLeft = 0;

/**
 * Once the steps are spent every list is empty and every text short, so that the rest is done soon: an error would not end it, since
 * `exists`, `all`, `&&` and `||` forgive errors.
 */
function weigh(value: unknown, stepsPerItem = 1): unknown {
  stepsLeft -= 1;
  if (typeof value === 'string') stepsLeft -= value.length / charactersPerStep;
  else if (Array.isArray(value)) stepsLeft -= value.length * stepsPerItem;
  else if (value instanceof Map) stepsLeft -= value.size * stepsPerItem;
  else return value;
  if (stepsLeft >= 0) return value;
  return typeof value === 'string' ? '' : [];
}

/** The library compares lists and maps to the last leaf, which no count of ours would see. */
function weighScalar(value: unknown): unknown {
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) throw new MappingError();
  return weigh(value);
}

const library = new Environment({ homogeneousAggregateLiterals: false, limits: { ...expressionLimits, maxAstNodes: 20_000 } })
  .registerVariable('response', 'dyn')
  .registerFunction('weighed(dyn): dyn', (value) => weigh(value))
  .registerFunction('weighedHeavily(dyn): dyn', (value) => weigh(value, stepsPerError))
  .registerFunction('weighedScalar(dyn): dyn', weighScalar);

function check(syntax: Syntax, known: ReadonlySet<string>, problems: ExpressionProblem[]): void {
  const complain = (at: number, code: ExpressionProblem['code'], message: string) => {
    problems.push({ code, offset: at, message });
  };
  if (syntax.op === 'id') {
    if (!known.has(syntax.args))
      complain(syntax.start, 'unknown-attribute', `there is no name \`${syntax.args}\`${didYouMean(syntax.args, known)}`);
    return;
  }
  if (syntax.op === 'call') {
    const [name, args] = syntax.args;
    if (!functions.includes(name)) complain(syntax.start, 'expression-unsupported', refusal(name, functions));
    for (const arg of args) check(arg, known, problems);
    return;
  }
  if (syntax.op === 'rcall') {
    const [name, receiver, args] = syntax.args;
    const at = Math.max(syntax.start, syntax.input.indexOf(name, receiver.end));
    check(receiver, known, problems);
    if (macros.includes(name)) {
      const [item, ...bodies] = args;
      if (item?.op !== 'id' || bodies.length === 0) {
        complain(at, 'expression-type', `\`${name}\` takes a name and what to do with it: write \`.${name}(item, …)\``);
        return;
      }
      for (const body of bodies) check(body, new Set([...known, item.args]), problems);
      return;
    }
    if (!methods.includes(name)) complain(at, 'expression-unsupported', refusal(name, [...methods, ...macros]));
    for (const arg of args) check(arg, known, problems);
    return;
  }
  for (const operand of operandsOf(syntax)) check(operand, known, problems);
}

function refusal(name: string, allowed: readonly string[]): string {
  const suggestion = didYouMean(name, allowed);
  return `a mapping cannot call \`${name.slice(0, 64)}\`${suggestion === '' ? `: write one of ${names(allowed)}` : suggestion}`;
}

/** The same expression, in which everything that reads a whole text or list, or goes through one, is counted. */
interface Plain {
  readonly op: string;
  readonly args: unknown;
}

function counting(syntax: Syntax): Plain {
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
      const list = counted(receiver, forgives(syntax) ? 'weighedHeavily' : 'weighed');
      return { op: 'rcall', args: [name, list, [item, ...bodies.map(inside)]] };
    }
    case 'in':
    case '+':
      return { op: syntax.op, args: syntax.args.map((operand) => counted(operand)) };
    case '==':
    case '!=':
      return { op: syntax.op, args: syntax.args.map((operand) => counted(operand, 'weighedScalar')) };
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
function counted(syntax: Syntax, by: 'weighed' | 'weighedHeavily' | 'weighedScalar' = 'weighed'): Plain {
  return syntax.op === 'value' ? syntax : { op: 'call', args: [by, [counting(syntax)]] };
}

/** Whether errors may be made in it, one after the other, before it ends. */
function forgives(syntax: Syntax): boolean {
  if (syntax.op === '&&' || syntax.op === '||') return true;
  if (syntax.op === 'rcall' && (syntax.args[0] === 'exists' || syntax.args[0] === 'all' || syntax.args[0] === 'exists_one')) return true;
  return operandsOf(syntax).some(forgives);
}

function operandsOf(syntax: Syntax): readonly Syntax[] {
  switch (syntax.op) {
    case 'value':
    case 'id':
      return [];
    case 'call':
      return syntax.args[1];
    case 'rcall':
      return [syntax.args[1], ...syntax.args[2]];
    case '.':
    case '.?':
      return [syntax.args[0]];
    case 'map':
      return syntax.args.flat();
    case '!_':
    case '-_':
      return [syntax.args];
    default:
      return syntax.args;
  }
}

/** One body is read by several expressions. */
const converted = new WeakMap<object, unknown>();

function asCel(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return toCel(json);
  let value = converted.get(json);
  if (value === undefined) {
    value = toCel(json);
    converted.set(json, value);
  }
  return value;
}

function toCel(json: unknown): unknown {
  if (typeof json === 'number') return Number.isSafeInteger(json) ? BigInt(json) : json;
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(toCel);
  // Not an object: the library would ask it for its `constructor`, which a body may name.
  return new Map(Object.entries(json).map(([name, value]) => [name, toCel(value)]));
}

function fromCel(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new MappingError();
    return number;
  }
  if (value instanceof Date) return value.getTime();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(fromCel);
  if (!(value instanceof Map) && Object.getPrototypeOf(value) !== Object.prototype) throw new MappingError();
  const map: Record<string, unknown> = Object.create(null);
  for (const [name, member] of value instanceof Map ? value : Object.entries(value)) map[String(name)] = fromCel(member);
  return map;
}
