/**
 * A condition, lowered from CEL to plain data: no code generation, no library, no recursion deeper than `expressionDepthMax`.
 * The policy compiler has already checked names and types; the evaluator still treats any surprise as *unknown*.
 */
export type Expression =
  | { readonly op: 'literal'; readonly value: Literal }
  | { readonly op: 'list'; readonly items: readonly Expression[] }
  /** An attribute of a source. Unknown when the source's fact is not known, or when a known fact lacks it. */
  | { readonly op: 'attribute'; readonly source: AttributeSource; readonly name: string }
  /** `has(profile.x)`: false for a known fact without x, unknown when the fact is not known. */
  | { readonly op: 'has'; readonly source: AttributeSource; readonly name: string }
  /** The list `audiences`. */
  | { readonly op: 'audiences' }
  /** The decision's time, in milliseconds since the epoch. Timestamps and durations are both integers of milliseconds. */
  | { readonly op: 'now' }
  /** The variable of the nearest enclosing `exists` or `all` of that name. */
  | { readonly op: 'variable'; readonly name: string }
  | { readonly op: 'and' | 'or'; readonly operands: readonly Expression[] }
  | { readonly op: 'not' | 'negate' | 'size'; readonly operand: Expression }
  | { readonly op: 'if'; readonly condition: Expression; readonly then: Expression; readonly otherwise: Expression }
  | { readonly op: BinaryOperator; readonly left: Expression; readonly right: Expression }
  | { readonly op: 'exists' | 'all'; readonly list: Expression; readonly variable: string; readonly condition: Expression };

export type Literal = string | number | boolean | readonly Literal[];

export const binaryOperators = [
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  '+',
  '-',
  '*',
  '/',
  '%',
  'in',
  'startsWith',
  'endsWith',
  'contains',
] as const;
export type BinaryOperator = (typeof binaryOperators)[number];

/** `device`: what only the visitor's own device knows. A server never knows any of it. */
export const attributeSources = ['request', 'session', 'profile', 'device'] as const;
export type AttributeSource = (typeof attributeSources)[number];

/** The compiler refuses deeper expressions, so that evaluating one can never exhaust the stack. */
export const expressionDepthMax = 64;

/** Steps one condition may take before it is given up as unknown: bounds nested list macros. */
export const expressionStepsMax = 5_000;

/** Of an attribute's text, in UTF-16 units, and of an attribute's list: what is longer is as good as not there. It bounds what one step costs. */
export const textLengthMax = 1_024;
export const listItemsMax = 256;

/**
 * How much one step does, measured: pairs of characters when one text is searched in another, at its worst; characters put in order;
 * counted; found equal; and items of a list that is looked through.
 */
export const searchedPerStep = 180;
export const orderedPerStep = 6;
export const countedPerStep = 3;
export const equalPerStep = 200;
export const comparedPerStep = 4;
/** To look in a list of a visitor's, which is looked up. */
export const lookUpSteps = 8;

/** What an expression is made of, in the order in which it is written. */
export function operandsOf(expression: Expression): readonly Expression[] {
  switch (expression.op) {
    case 'literal':
    case 'attribute':
    case 'has':
    case 'audiences':
    case 'now':
    case 'variable':
      return [];
    case 'list':
      return expression.items;
    case 'and':
    case 'or':
      return expression.operands;
    case 'not':
    case 'negate':
    case 'size':
      return [expression.operand];
    case 'if':
      return [expression.condition, expression.then, expression.otherwise];
    case 'exists':
    case 'all':
      return [expression.list, expression.condition];
    default:
      return [expression.left, expression.right];
  }
}
