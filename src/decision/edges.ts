/**
 * When what a condition says of the decision's time changes. A condition that only compares `now`, or `now` and an offset, with
 * literals changes at a few instants; between two of them every decision hears the same from it.
 */
import type { Expression } from './expression.ts';

/** Milliseconds since the epoch at which the condition may change, more rather than fewer; null where that cannot be told. */
export function edgesOfNow(expression: Expression): readonly number[] | null {
  switch (expression.op) {
    case 'now':
      return null;
    case 'literal':
    case 'attribute':
    case 'has':
    case 'audiences':
    case 'variable':
      return [];
    case 'list':
      return allEdges(expression.items);
    case 'and':
    case 'or':
      return allEdges(expression.operands);
    case 'not':
    case 'negate':
    case 'size':
      return edgesOfNow(expression.operand);
    case 'if':
      return allEdges([expression.condition, expression.then, expression.otherwise]);
    case 'exists':
    case 'all':
      return allEdges([expression.list, expression.condition]);
    default:
      return (
        (comparisons.has(expression.op) ? edgesOfComparison(expression.left, expression.right) : null) ??
        allEdges([expression.left, expression.right])
      );
  }
}

const comparisons: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);

function allEdges(expressions: readonly Expression[]): readonly number[] | null {
  const edges: number[] = [];
  for (const expression of expressions) {
    const own = edgesOfNow(expression);
    if (own === null) return null;
    edges.push(...own);
  }
  return edges;
}

/** `sign` × now + `offset`. */
interface Linear {
  readonly sign: number;
  readonly offset: number;
}

/** The two sides meet at one instant; a comparison changes there, just after it, or both. */
function edgesOfComparison(left: Expression, right: Expression): readonly number[] | null {
  const difference = combined(linear(left), linear(right), -1);
  if (difference === null || Math.abs(difference.sign) !== 1) return null;
  const meetMs = difference.sign === 1 ? -difference.offset : difference.offset;
  return Number.isSafeInteger(meetMs + 1) ? [meetMs, meetMs + 1] : null;
}

function linear(expression: Expression): Linear | null {
  switch (expression.op) {
    case 'now':
      return { sign: 1, offset: 0 };
    case 'literal':
      return Number.isSafeInteger(expression.value) ? { sign: 0, offset: expression.value as number } : null;
    case '+':
      return combined(linear(expression.left), linear(expression.right), 1);
    case '-':
      return combined(linear(expression.left), linear(expression.right), -1);
    case 'negate':
      return combined({ sign: 0, offset: 0 }, linear(expression.operand), -1);
    default:
      return null;
  }
}

function combined(left: Linear | null, right: Linear | null, factor: 1 | -1): Linear | null {
  if (left === null || right === null) return null;
  const offset = left.offset + factor * right.offset;
  return Number.isSafeInteger(offset) ? { sign: left.sign + factor * right.sign, offset } : null;
}
