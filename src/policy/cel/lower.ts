/**
 * From the text of a condition to the plain data the core evaluates, with types checked against what the policy declares. Every
 * mistake in it is reported, each at its own offset. The type checker is ours, not the library's, so that what is accepted is
 * exactly what the core can evaluate and what is refused comes with advice.
 */
import type { Literal } from '../../decision/expression.ts';
import { lowerCall, lowerMethod } from './calls.ts';
import {
  complain,
  type Environment,
  type ExpressionProblem,
  type Lowering,
  lowerInside,
  noUses,
  type Typed,
  type Uses,
} from './lowering.ts';
import { lowerAccess, lowerName } from './names.ts';
import {
  allLowered,
  lowerArithmetic,
  lowerChoice,
  lowerComparison,
  lowerJunction,
  lowerMembership,
  lowerNegation,
  lowerNot,
} from './operators.ts';
import { parseCondition, type Syntax } from './parse.ts';
import { anyString, bool, describe, eitherType, int, sameType, type Type } from './types.ts';

export interface Lowered {
  /** Null exactly when there are problems. */
  readonly typed: Typed | null;
  readonly uses: Uses;
  readonly problems: readonly ExpressionProblem[];
  readonly lints: readonly ExpressionProblem[];
}

/** `variables` are names in reach beyond those the environment declares. */
export function lowerExpression(source: string, environment: Environment, variables: ReadonlyMap<string, Typed> = new Map()): Lowered {
  const uses = noUses();
  const parsed = parseCondition(source);
  if (parsed.syntax === null) return { typed: null, uses, problems: [parsed], lints: [] };
  const problems: ExpressionProblem[] = [];
  const lints: ExpressionProblem[] = [];
  const typed = lower(parsed.syntax, { source, environment, uses, problems, lints, variables, depth: 1, lower });
  return { typed: problems.length === 0 ? typed : null, uses, problems, lints };
}

/** An expression that must be true or false. */
export function lowerWhen(source: string, environment: Environment): Lowered {
  const lowered = lowerExpression(source, environment);
  if (lowered.typed === null || lowered.typed.type.kind === 'bool') return lowered;
  const message = `a condition must be true or false and this is ${describe(lowered.typed.type)}: compare it with something`;
  return { ...lowered, typed: null, problems: [{ code: 'expression-type', offset: 0, message }] };
}

function lower(syntax: Syntax, context: Lowering): Typed | null {
  switch (syntax.op) {
    case 'value':
      return lowerLiteral(syntax, context);
    case 'id':
      return lowerName(syntax, context);
    case '.':
    case '[]':
      return lowerAccess(syntax, context);
    case 'list':
      return lowerList(syntax, context);
    case '&&':
    case '||':
      return lowerJunction(syntax, context);
    case '!_':
      return lowerNot(syntax, context);
    case '-_':
      return lowerNegation(syntax, context);
    case '?:':
      return lowerChoice(syntax, context);
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return lowerComparison(syntax as Syntax & { op: '==' }, context);
    case 'in':
      return lowerMembership(syntax as Syntax & { op: 'in' }, context);
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return lowerArithmetic(syntax as Syntax & { op: '+' }, context);
    case 'call':
      return lowerCall(syntax, context);
    case 'rcall':
      return lowerMethod(syntax, context);
    case 'map':
      return complain(
        context,
        syntax,
        'expression-unsupported',
        'maps are not supported: compare attributes one by one, or write a list `[ … ]`',
      );
    default:
      return complain(context, syntax, 'expression-unsupported', 'optional access is not supported: write `has(profile.<attribute>)`');
  }
}

function lowerLiteral(syntax: Syntax & { op: 'value' }, context: Lowering): Typed | null {
  const value = syntax.args;
  if (typeof value === 'string') return literal(value, anyString);
  if (typeof value === 'boolean') return literal(value, bool);
  if (typeof value === 'bigint') {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return literal(number, int);
    return complain(
      context,
      syntax,
      'integer-out-of-bounds',
      'whole numbers go from -9007199254740991 to 9007199254740991: write one of them',
    );
  }
  return complain(context, syntax, 'expression-unsupported', refusedLiteral(value));
}

function refusedLiteral(value: unknown): string {
  if (typeof value === 'number') return 'numbers with a fraction are not supported: write scaled integers, such as cents for money';
  if (value === null) return 'null is not supported: write `has(profile.<attribute>)` to ask whether it is there';
  if (value instanceof Uint8Array) return 'bytes are not supported: write text';
  return 'unsigned numbers are not supported: leave the `u` out';
}

function lowerList(syntax: Syntax & { op: 'list' }, context: Lowering): Typed | null {
  const items = syntax.args.map((item) => lowerInside(item, context));
  if (!allLowered(items)) return null;
  const first = items[0];
  const odd = items.findIndex((item) => first !== undefined && !sameType(first.type, item.type));
  if (first !== undefined && odd > 0) {
    const message = `a list holds values of one type: this is ${describe(items[odd]?.type ?? first.type)}, the first is ${describe(first.type)}`;
    return complain(context, syntax.args[odd] ?? syntax, 'expression-type', message);
  }
  const type: Type = { kind: 'list', item: itemType(items) };
  const literals = items.map((item) => (item.expression.op === 'literal' ? item.expression.value : undefined));
  if (literals.every((value) => value !== undefined)) return literal(literals, type);
  return { expression: { op: 'list', items: items.map((item) => item.expression) }, type };
}

/** Items may be attributes restricted to different values: the list is restricted to none. */
function itemType(items: readonly Typed[]): Type | null {
  const [first, ...others] = items;
  if (first === undefined) return null;
  return [first, ...others].reduce((type, item) => eitherType(type, item.type), first.type);
}

function literal(value: Literal, type: Type): Typed {
  return { expression: { op: 'literal', value }, type };
}
