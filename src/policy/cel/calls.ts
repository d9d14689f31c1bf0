/** Functions, methods and list macros; and for what is not supported, a sentence that says what to write instead. */
import { parseDurationMs, parseTimestampMs } from '../../time/instant.ts';
import { excerpt } from '../excerpt.ts';
import { didYouMean } from '../suggest.ts';
import { complain, type Lowering, lowerInside, type Typed } from './lowering.ts';
import { literalText, lowerHas, reservedNames } from './names.ts';
import { lowerCondition } from './operators.ts';
import type { Syntax } from './parse.ts';
import { bool, describe, duration, int, timestamp } from './types.ts';

const functions = ['has', 'size', 'timestamp', 'duration'] as const;
const methods = ['startsWith', 'endsWith', 'contains', 'size', 'exists', 'all'] as const;

const conversion = 'types are declared under `attributes`: leave the conversion out';
const listMacro = 'only `exists` and `all` look through lists: write one of them';
const calendar = 'the parts of a date are not read here: compare with `timestamp("2026-11-01T00:00:00Z")`';

const refused: ReadonlyMap<string, string> = new Map([
  ['matches', 'backtracking regular expressions can stall the service: write `startsWith`, `endsWith`, `contains` or `in`'],
  ...['exists_one', 'existsOne', 'map', 'filter', 'transformList', 'transformMap'].map((name) => [name, listMacro] as const),
  ...['int', 'uint', 'double', 'string', 'bool', 'bytes', 'dyn', 'type'].map((name) => [name, conversion] as const),
  ...['FullYear', 'Month', 'Date', 'DayOfMonth', 'DayOfWeek', 'DayOfYear', 'Hours', 'Minutes', 'Seconds', 'Milliseconds'].map(
    (part) => [`get${part}`, calendar] as const,
  ),
]);

export function lowerCall(syntax: Syntax & { op: 'call' }, context: Lowering): Typed | null {
  const [name, args] = syntax.args;
  switch (name) {
    case 'has':
      return lowerHas(syntax, context);
    case 'size':
      return args.length === 1 && args[0] !== undefined
        ? lowerSize(args[0], context)
        : complain(context, syntax, 'expression-type', 'size() takes one text or list');
    case 'timestamp':
    case 'duration':
      return lowerTime(syntax, name, args, context);
    default:
      return refuse(name, syntax.start, false, context);
  }
}

export function lowerMethod(syntax: Syntax & { op: 'rcall' }, context: Lowering): Typed | null {
  const [name, receiver, args] = syntax.args;
  const nameAt = Math.max(syntax.start, syntax.input.indexOf(name, receiver.end));
  switch (name) {
    case 'startsWith':
    case 'endsWith':
    case 'contains':
      return lowerTextTest(name, nameAt, receiver, args, context);
    case 'size':
      return args.length === 0
        ? lowerSize(receiver, context)
        : complain(context, nameAt, 'expression-type', '`.size()` takes nothing between its parentheses');
    case 'exists':
    case 'all':
      return lowerQuantifier(name, nameAt, receiver, args, context);
    default:
      return refuse(name, nameAt, true, context);
  }
}

function lowerSize(syntax: Syntax, context: Lowering): Typed | null {
  const operand = lowerInside(syntax, context);
  if (operand === null) return null;
  if (operand.type.kind !== 'string' && operand.type.kind !== 'list') {
    return complain(context, syntax, 'expression-type', `size() takes a text or a list and this is ${describe(operand.type)}`);
  }
  return { expression: { op: 'size', operand: operand.expression }, type: int };
}

/** `timestamp('…')` and `duration('…')` are numbers of milliseconds from here on. */
function lowerTime(syntax: Syntax, name: 'timestamp' | 'duration', args: readonly Syntax[], context: Lowering): Typed | null {
  const example = name === 'timestamp' ? '`timestamp("2026-11-01T00:00:00Z")`' : '`duration("36h")`, with h, m, s or ms';
  const text = args.length === 1 && args[0] !== undefined ? literalText(args[0]) : null;
  const value = text === null ? null : name === 'timestamp' ? parseTimestampMs(text) : parseDurationMs(text);
  if (value === null)
    return complain(
      context,
      args[0] ?? syntax,
      'expression-type',
      `${name}() takes a literal text of whole milliseconds: write ${example}`,
    );
  return { expression: { op: 'literal', value }, type: name === 'timestamp' ? timestamp : duration };
}

function lowerTextTest(
  op: 'startsWith' | 'endsWith' | 'contains',
  nameAt: number,
  receiver: Syntax,
  args: readonly Syntax[],
  context: Lowering,
): Typed | null {
  const [argument] = args;
  if (argument === undefined || args.length > 1)
    return complain(context, nameAt, 'expression-type', `\`${op}\` takes one text: write \`.${op}("…")\``);
  const left = lowerInside(receiver, context);
  const right = lowerInside(argument, context);
  if (left === null || right === null) return null;
  if (left.type.kind === 'list' && op === 'contains') {
    return complain(context, receiver, 'expression-type', 'to look in a list, write `"…" in list`');
  }
  for (const [side, at] of [[left, receiver] as const, [right, argument] as const]) {
    if (side.type.kind !== 'string')
      return complain(context, at, 'expression-type', `\`${op}\` compares texts and this is ${describe(side.type)}`);
  }
  return { expression: { op, left: left.expression, right: right.expression }, type: bool };
}

function lowerQuantifier(op: 'exists' | 'all', nameAt: number, receiver: Syntax, args: readonly Syntax[], context: Lowering): Typed | null {
  const [variable, predicate] = args;
  if (variable?.op !== 'id' || predicate === undefined || args.length !== 2) {
    return complain(context, nameAt, 'expression-type', `\`${op}\` takes a name and a condition: write \`.${op}(item, item == "…")\``);
  }
  const name = variable.args;
  if (reservedNames.includes(name)) {
    return complain(context, variable, 'expression-type', `\`${excerpt(name)}\` has a meaning already: choose another name for the item`);
  }
  const list = lowerInside(receiver, context);
  if (list === null) return null;
  if (list.type.kind !== 'list') {
    return complain(context, receiver, 'expression-type', `\`${op}\` looks through a list and this is ${describe(list.type)}`);
  }
  // Nothing is ever asked of the items of an empty list.
  if (list.type.item === null) return { expression: { op: 'literal', value: op === 'all' }, type: bool };
  const item: Typed = { expression: { op: 'variable', name }, type: list.type.item };
  const condition = lowerCondition(predicate, context, `\`${op}\``, new Map(context.variables).set(name, item));
  if (condition === null) return null;
  return { expression: { op, list: list.expression, variable: name, condition: condition.expression }, type: bool };
}

function refuse(name: string, at: number, method: boolean, context: Lowering): null {
  const why = refused.get(name);
  if (why !== undefined) return complain(context, at, 'expression-unsupported', `\`${name}\` is not supported: ${why}`);
  if (!method && (methods as readonly string[]).includes(name)) {
    return complain(context, at, 'expression-type', `\`${name}\` is asked of a value: write \`value.${name}(…)\``);
  }
  return complain(
    context,
    at,
    'expression-unsupported',
    `there is no function \`${excerpt(name)}\`${didYouMean(name, method ? methods : functions)}`,
  );
}
