/**
 * A condition of the core in the short form that a device evaluates. What a device could not evaluate exactly as the core does is not
 * lowered at all: what it does not know, and what the core might give up as taking too many steps, for a device does not count them.
 */
import type { Artefact, AttributeDeclaration } from '../decision/artefact.ts';
import {
  type BinaryOperator,
  comparedPerStep,
  countedPerStep,
  type Expression,
  equalPerStep,
  expressionStepsMax,
  type Literal,
  listItemsMax,
  lookUpSteps,
  operandsOf,
  orderedPerStep,
  searchedPerStep,
  textLengthMax,
} from '../decision/expression.ts';
import type { Condition } from './device-artefact.ts';

export type Lowered =
  | { readonly condition: Condition }
  | { readonly why: 'reads' | 'special_feature' | 'instant' | 'text_order' | 'too_costly' };

export function lower(expression: Expression, artefact: Artefact): Lowered {
  const unknowns = sourcesOf(expression).find(({ source }) => !(source in letters));
  if (unknowns !== undefined) return { why: 'reads' };
  const special = sourcesOf(expression).some(
    ({ source, name }) => source === 'request' && artefact.attributes.request[name]?.specialFeature !== undefined,
  );
  if (special) return { why: 'special_feature' };
  if (sourcesOf(expression).some((read) => declarationOf(read, artefact)?.type === 'timestamp')) return { why: 'instant' };
  if (ordersTexts(expression, artefact)) return { why: 'text_order' };
  if (costOf(expression, {}).steps > expressionStepsMax) return { why: 'too_costly' };
  return { condition: shortened(expression, artefact) };
}

const letters: Readonly<Record<string, string>> = { request: 'r', device: 'd' };

type Read = Extract<Expression, { op: 'attribute' | 'has' }>;

function sourcesOf(expression: Expression): readonly Read[] {
  if (expression.op === 'attribute' || expression.op === 'has') return [expression as Read];
  return operandsOf(expression).flatMap(sourcesOf);
}

/** By code point, as CEL has it: engines order texts by their units, and a device has no room for another order. */
function ordersTexts(expression: Expression, artefact: Artefact): boolean {
  const orders =
    ['<', '<=', '>', '>='].includes(expression.op) && operandsOf(expression).every((part) => mayBeText(part, artefact.attributes));
  return orders || operandsOf(expression).some((part) => ordersTexts(part, artefact));
}

function mayBeText(expression: Expression, attributes: Artefact['attributes']): boolean {
  switch (expression.op) {
    case 'literal':
      return typeof expression.value === 'string';
    case 'attribute':
      return !['int', 'bool', 'timestamp'].includes(attributes[expression.source]?.[expression.name]?.type ?? '');
    case 'if':
      return mayBeText(expression.then, attributes) || mayBeText(expression.otherwise, attributes);
    default:
      return expression.op === 'variable';
  }
}

function shortened(expression: Expression, artefact: Artefact): Condition {
  const short = (part: Expression): Condition => shortened(part, artefact);
  switch (expression.op) {
    case 'literal':
      return shortLiteral(expression.value);
    case 'attribute':
      return ['.', ...place(expression, artefact)];
    case 'has':
      return ['h', ...place(expression as Read, artefact)];
    case 'audiences':
    case 'now':
      return ['c', expression.op];
    case 'variable':
      return ['c', `$${expression.name}`];
    case 'list':
      return ['[', ...expression.items.map(short)];
    case 'if':
      return ['?', short(expression.condition), short(expression.then), short(expression.otherwise)];
    case 'size':
      return ['#', short(expression.operand)];
    case 'negate':
      return ['*', -1, short(expression.operand)];
    case 'not':
      return not(short(expression.operand));
    case 'or':
      return ['|', ...expression.operands.map(short)];
    case 'and':
      return not(['|', ...expression.operands.map((operand) => not(short(operand)))]);
    case 'exists':
      return ['E', short(expression.list), `$${expression.variable}`, short(expression.condition)];
    case 'all':
      return not(['E', short(expression.list), `$${expression.variable}`, not(short(expression.condition))]);
    default:
      return shortOperator(expression.op, short(expression.left), short(expression.right));
  }
}

/** Where it is found, and what a caller may say there: a device is told anything, and the service only what is declared. */
function place(read: Read, artefact: Artefact): readonly Condition[] {
  const { type, values } = declarationOf(read, artefact) ?? { type: 'string', values: null };
  const isMany = type === 'strings';
  const declared: Condition = [isMany ? 'string' : typeNames[type as keyof typeof typeNames], ...(values ?? [])];
  return [letters[read.source] ?? '', read.name, declared, ...(isMany ? [true] : [])];
}

const typeNames = { string: 'string', int: 'number', bool: 'boolean' } as const;

function declarationOf({ source, name }: Read, { attributes }: Artefact): AttributeDeclaration | undefined {
  return attributes[source as 'request' | 'device']?.[name];
}

function shortOperator(operator: BinaryOperator, left: Condition, right: Condition): Condition {
  switch (operator) {
    case '!=':
      return not(['==', left, right]);
    case '>':
      return ['<', right, left];
    case '<=':
      return not(['<', right, left]);
    case '>=':
      return not(['<', left, right]);
    case '-':
      return ['+', left, ['*', -1, right]];
    case 'contains':
      return ['includes', left, right];
    default:
      return [operator, left, right];
  }
}

/** What these yield is a truth or unknown, never another value: only of them a negation of a negation is the thing itself. */
const truths: ReadonlySet<string> = new Set(['h', '|', 'E', 'in', '==', '<', 'startsWith', 'endsWith', 'includes']);

function not(condition: Condition): Condition {
  const inner = typeof condition === 'object' && condition[0] === '==' && condition[2] === false ? condition[1] : undefined;
  if (typeof inner === 'object' && truths.has(inner[0])) return inner;
  return ['==', condition, false];
}

function shortLiteral(value: Literal): Condition {
  return typeof value === 'object' ? ['[', ...value.map(shortLiteral)] : value;
}

/** At most so many steps, and so large a value: as the core counts them, for the longest texts and lists that there may be. */
interface Cost {
  readonly steps: number;
  readonly items: number;
  readonly length: number;
}

const longestList: Cost = { steps: 1, items: 2 * listItemsMax, length: textLengthMax };
const oneStep: Cost = { steps: 1, items: 0, length: 0 };

function costOf(expression: Expression, variables: Readonly<Record<string, Cost>>): Cost {
  const cost = (part: Expression): Cost => costOf(part, variables);
  switch (expression.op) {
    case 'literal':
      return { ...oneStep, ...sizeOfLiteral(expression.value) };
    case 'attribute':
    case 'audiences':
      return longestList;
    case 'has':
    case 'now':
      return oneStep;
    case 'variable':
      return variables[expression.name] ?? longestList;
    case 'exists':
    case 'all': {
      const list = cost(expression.list);
      const each = costOf(expression.condition, { ...variables, [expression.variable]: { ...list, steps: 1 } });
      return { ...oneStep, steps: 1 + list.steps + list.items * each.steps };
    }
    default: {
      const parts = operandsOf(expression).map(cost);
      const steps = parts.reduce((sum, part) => sum + part.steps, 1) + ownSteps(expression, parts);
      // What is reckoned is a number or a truth; a choice is as large as what is chosen from.
      const largest = { items: Math.max(...parts.map(({ items }) => items), 0), length: Math.max(...parts.map(({ length }) => length), 0) };
      if (expression.op === 'list') return { steps, items: parts.length, length: largest.length };
      return expression.op === 'if' ? { steps, ...largest } : { ...oneStep, steps };
    }
  }
}

function ownSteps({ op }: Expression, [left = oneStep, right = oneStep]: readonly Cost[]): number {
  const shorter = Math.min(left.length, right.length);
  switch (op) {
    case 'size':
      return left.length / countedPerStep;
    case 'in':
      return Math.max(lookUpSteps, right.items / comparedPerStep);
    case '==':
    case '!=':
      return shorter / equalPerStep + Math.min(left.items, right.items);
    case '<':
    case '<=':
    case '>':
    case '>=':
      return shorter / orderedPerStep;
    case 'contains':
      return (left.length * right.length) / searchedPerStep;
    default:
      return 0;
  }
}

function sizeOfLiteral(value: Literal): Pick<Cost, 'items' | 'length'> {
  if (typeof value === 'string') return { items: 0, length: value.length };
  if (typeof value !== 'object') return { items: 0, length: 0 };
  return { items: value.length, length: value.reduce((most: number, item) => Math.max(most, sizeOfLiteral(item).length), 0) };
}
