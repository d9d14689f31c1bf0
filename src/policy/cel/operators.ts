/** Operators: which types they take, and the plain data they become. */
import type { Expression } from '../../decision/expression.ts';
import { excerpt } from '../excerpt.ts';
import { didYouMean, names } from '../suggest.ts';
import { complain, type Lowering, lowerInside, type Typed } from './lowering.ts';
import { literalText } from './names.ts';
import type { Syntax } from './parse.ts';
import { bool, describe, duration, eitherType, int, sameType, type Type, timestamp } from './types.ts';

type Binary<Op> = Syntax & { args: [Syntax, Syntax]; op: Op };

/** A chain of one connective becomes one node, so that long chains are not deep. */
export function lowerJunction(syntax: Binary<'&&' | '||'>, context: Lowering): Typed | null {
  const operands: (Typed | null)[] = [];
  const pending: Syntax[] = [syntax];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.op === syntax.op) pending.push(next.args[1], next.args[0]);
    else operands.push(lowerCondition(next, context, `\`${syntax.op}\``));
  }
  if (!allLowered(operands)) return null;
  return { expression: { op: syntax.op === '&&' ? 'and' : 'or', operands: operands.map((operand) => operand.expression) }, type: bool };
}

/** An operand that must be true or false. */
export function lowerCondition(syntax: Syntax, context: Lowering, where: string, variables = context.variables): Typed | null {
  const operand = lowerInside(syntax, context, variables);
  if (operand === null || operand.type.kind === 'bool') return operand;
  return complain(
    context,
    syntax,
    'expression-type',
    `${where} needs true or false and this is ${describe(operand.type)}: compare it with something`,
  );
}

export function lowerNot(syntax: Syntax & { op: '!_' }, context: Lowering): Typed | null {
  const operand = lowerCondition(syntax.args, context, '`!`');
  return operand && { expression: { op: 'not', operand: operand.expression }, type: bool };
}

export function lowerNegation(syntax: Syntax & { op: '-_' }, context: Lowering): Typed | null {
  const operand = lowerInside(syntax.args, context);
  if (operand === null) return null;
  if (operand.type.kind !== 'int') {
    return complain(context, syntax.args, 'expression-type', `\`-\` needs a whole number and this is ${describe(operand.type)}`);
  }
  const { expression } = operand;
  if (expression.op === 'literal') return { expression: { op: 'literal', value: 0 - Number(expression.value) }, type: int };
  return { expression: { op: 'negate', operand: expression }, type: int };
}

export function lowerChoice(syntax: Syntax & { op: '?:' }, context: Lowering): Typed | null {
  const [conditionSyntax, thenSyntax, otherwiseSyntax] = syntax.args;
  const condition = lowerCondition(conditionSyntax, context, '`? :`');
  const then = lowerInside(thenSyntax, context);
  const otherwise = lowerInside(otherwiseSyntax, context);
  if (condition === null || then === null || otherwise === null) return null;
  if (!sameType(then.type, otherwise.type)) {
    const message = `both sides of \`:\` must be of one type: this is ${describe(otherwise.type)}, the other ${describe(then.type)}`;
    return complain(context, otherwiseSyntax, 'expression-type', message);
  }
  // biome-ignore lint/suspicious/noThenProperty: the word of the house for this branch; an expression is data and is never awaited.
  const expression: Expression = { op: 'if', condition: condition.expression, then: then.expression, otherwise: otherwise.expression };
  return { expression, type: eitherType(then.type, otherwise.type) };
}

export function lowerComparison(syntax: Binary<'==' | '!=' | '<' | '<=' | '>' | '>='>, context: Lowering): Typed | null {
  const sides = lowerSides(syntax, context);
  if (sides === null) return null;
  const { left, right } = sides;
  if (!sameType(left.type, right.type)) {
    const message = `\`${syntax.op}\` compares values of one type: the left is ${describe(left.type)}, the right ${describe(right.type)}`;
    return complain(context, syntax.args[1], 'expression-type', message);
  }
  const ordering = syntax.op !== '==' && syntax.op !== '!=';
  if (ordering && left.type.kind === 'list') {
    return complain(
      context,
      syntax,
      'expression-type',
      `lists have no order: write \`size(…) ${syntax.op} …\`, \`in\`, \`exists\` or \`all\``,
    );
  }
  if (!ordering) {
    checkAllowed(left.type, syntax.args[1], context);
    checkAllowed(right.type, syntax.args[0], context);
  }
  return { expression: { op: syntax.op, left: left.expression, right: right.expression }, type: bool };
}

export function lowerMembership(syntax: Binary<'in'>, context: Lowering): Typed | null {
  const [elementSyntax, listSyntax] = syntax.args;
  const audience = literalText(elementSyntax);
  if (audience !== null && listSyntax.op === 'id' && listSyntax.args === 'audiences' && !context.variables.has('audiences')) {
    return lowerAudience(audience, elementSyntax, context);
  }
  const sides = lowerSides(syntax, context);
  if (sides === null) return null;
  const { left, right } = sides;
  if (right.type.kind !== 'list') {
    return complain(
      context,
      listSyntax,
      'expression-type',
      `\`in\` looks in a list and this is ${describe(right.type)}: write \`in [ … ]\``,
    );
  }
  const { item } = right.type;
  if (item !== null && !sameType(left.type, item)) {
    const message = `\`in\` looks for ${describe(left.type)} in ${describe(right.type)}: both must be of one type`;
    return complain(context, elementSyntax, 'expression-type', message);
  }
  if (item !== null) checkAllowed(item, elementSyntax, context);
  checkAllowed({ kind: 'list', item: left.type }, listSyntax, context);
  return { expression: { op: 'in', left: left.expression, right: right.expression }, type: bool };
}

function lowerAudience(name: string, at: Syntax, context: Lowering): Typed | null {
  const { audiences } = context.environment;
  if (!audiences.has(name)) {
    return complain(
      context,
      at,
      'unknown-audience',
      `no audience \`${excerpt(name)}\` is declared under \`audiences\`${didYouMean(name, audiences.keys())}`,
    );
  }
  context.uses.audiences.add(name);
  return { expression: { op: 'in', left: { op: 'literal', value: name }, right: { op: 'audiences' } }, type: bool };
}

export function lowerArithmetic(syntax: Binary<'+' | '-' | '*' | '/' | '%'>, context: Lowering): Typed | null {
  const sides = lowerSides(syntax, context);
  if (sides === null) return null;
  const { left, right } = sides;
  if (syntax.op === '+' && left.type.kind === right.type.kind && (left.type.kind === 'string' || left.type.kind === 'list')) {
    const message = 'texts and lists are not joined here: compare each part, or declare the joined value as an attribute';
    return complain(context, syntax, 'expression-unsupported', message);
  }
  const type = arithmeticType(syntax.op, left.type, right.type);
  if (type === null) {
    const message = `\`${syntax.op}\` does not take ${describe(left.type)} and ${describe(right.type)}: use whole numbers${
      syntax.op === '+' || syntax.op === '-' ? ', or times with durations' : ''
    }`;
    return complain(context, syntax, 'expression-type', message);
  }
  const zero = right.expression.op === 'literal' && right.expression.value === 0;
  if (zero && (syntax.op === '/' || syntax.op === '%')) {
    const message = 'nothing can be divided by 0, so this is never known: write another divisor';
    context.lints.push({ code: 'division-by-zero', offset: syntax.args[1].start, message });
  }
  return { expression: { op: syntax.op, left: left.expression, right: right.expression }, type };
}

function arithmeticType(op: '+' | '-' | '*' | '/' | '%', left: Type, right: Type): Type | null {
  switch (`${left.kind} ${op} ${right.kind}`) {
    case 'timestamp + duration':
    case 'duration + timestamp':
    case 'timestamp - duration':
      return timestamp;
    case 'timestamp - timestamp':
    case 'duration + duration':
    case 'duration - duration':
      return duration;
    default:
      return left.kind === 'int' && right.kind === 'int' ? int : null;
  }
}

function lowerSides(syntax: { args: [Syntax, Syntax] }, context: Lowering): { left: Typed; right: Typed } | null {
  const left = lowerInside(syntax.args[0], context);
  const right = lowerInside(syntax.args[1], context);
  return left === null || right === null ? null : { left, right };
}

/** Every literal that is compared with a restricted attribute must be a value the attribute can have. */
function checkAllowed(type: Type, syntax: Syntax, context: Lowering): void {
  if (type.kind === 'list') {
    if (syntax.op === 'list' && type.item !== null) for (const item of syntax.args) checkAllowed(type.item, item, context);
    return;
  }
  if (type.kind !== 'string' || type.values === null) return;
  if (syntax.op === '?:') {
    checkAllowed(type, syntax.args[1], context);
    checkAllowed(type, syntax.args[2], context);
    return;
  }
  const text = literalText(syntax);
  if (text === null || type.values.includes(text)) return;
  const close = type.values.length > 12 ? didYouMean(text, type.values) : `: write one of ${names(type.values)}`;
  complain(context, syntax, 'value-not-allowed', `\`${excerpt(text)}\` is never a value of this attribute${close}`);
}

export function allLowered(operands: (Typed | null)[]): operands is Typed[] {
  return operands.every((operand) => operand !== null);
}
