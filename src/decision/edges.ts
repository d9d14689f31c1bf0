/**
 * When what a condition says of the decision's time changes. A condition that only compares `now`, or `now` and an offset, with
 * literals changes at a few instants; between two of them every decision hears the same from it.
 */
import { type Expression, operandsOf } from './expression.ts';
import type { Attributes } from './value.ts';

/**
 * Milliseconds since the epoch at which the condition may change, more rather than fewer; null where that cannot be told. Where the
 * question's own attributes are given, they count as literals, and the edges are those of that question.
 */
export function edgesOfNow(expression: Expression, request: Attributes | null = null): readonly number[] | null {
  if (expression.op === 'now') return null;
  const isComparison = 'left' in expression && comparisons.has(expression.op);
  return (
    (isComparison ? edgesOfComparison(expression.left, expression.right, request) : null) ?? edgesOfAll(operandsOf(expression), request)
  );
}

const comparisons: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);

/** Of all of them together; null where one cannot be told. */
export function edgesOfAll(expressions: readonly Expression[], request: Attributes | null = null): readonly number[] | null {
  const edges: number[] = [];
  for (const expression of expressions) {
    const own = edgesOfNow(expression, request);
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
function edgesOfComparison(left: Expression, right: Expression, request: Attributes | null): readonly number[] | null {
  if (isUnknown(left, request) || isUnknown(right, request)) return [];
  const difference = combined(linear(left, request), linear(right, request), -1);
  if (difference === null || Math.abs(difference.sign) !== 1) return null;
  const meetMs = difference.sign === 1 ? -difference.offset : difference.offset;
  return Number.isSafeInteger(meetMs + 1) ? [meetMs, meetMs + 1] : null;
}

/** Whether it has no value at any time, because the question lacks what it counts with. */
function isUnknown(expression: Expression, request: Attributes | null): boolean {
  switch (expression.op) {
    case 'attribute':
      return request !== null && expression.source === 'request' && !Object.hasOwn(request, expression.name);
    case 'negate':
      return isUnknown(expression.operand, request);
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return isUnknown(expression.left, request) || isUnknown(expression.right, request);
    default:
      return false;
  }
}

function linear(expression: Expression, request: Attributes | null): Linear | null {
  switch (expression.op) {
    case 'now':
      return { sign: 1, offset: 0 };
    case 'literal':
      return constant(expression.value);
    case 'attribute':
      return request !== null && expression.source === 'request' ? constant(request[expression.name]) : null;
    case '+':
      return combined(linear(expression.left, request), linear(expression.right, request), 1);
    case '-':
      return combined(linear(expression.left, request), linear(expression.right, request), -1);
    case 'negate':
      return combined({ sign: 0, offset: 0 }, linear(expression.operand, request), -1);
    default:
      return null;
  }
}

function constant(value: unknown): Linear | null {
  return Number.isSafeInteger(value) ? { sign: 0, offset: value as number } : null;
}

function combined(left: Linear | null, right: Linear | null, factor: 1 | -1): Linear | null {
  if (left === null || right === null) return null;
  const offset = left.offset + factor * right.offset;
  return Number.isSafeInteger(offset) ? { sign: left.sign + factor * right.sign, offset } : null;
}
