/** What every part of the lowering shares: the names in reach, what has been read so far, and how to complain. */
import type { AttributeDeclaration, AudienceDeclaration } from '../../decision/artefact.ts';
import type { AttributeSource, Expression } from '../../decision/expression.ts';
import { expressionDepthMax } from '../../decision/expression.ts';
import type { ProblemCode } from '../problems.ts';
import type { Syntax } from './parse.ts';
import type { Type } from './types.ts';

/** What a condition may name. */
export interface Environment {
  readonly attributes: Readonly<Record<AttributeSource, ReadonlyMap<string, AttributeDeclaration>>>;
  readonly audiences: ReadonlyMap<string, AudienceDeclaration>;
  /** Declarations whose type could not be read: what is compared with them is not judged. */
  readonly untyped: ReadonlySet<AttributeDeclaration>;
}

/** An expression and the type of its value. */
export interface Typed {
  readonly expression: Expression;
  readonly type: Type;
}

/** What a condition reads, as written. */
export interface Uses {
  readonly attributes: Record<AttributeSource, Set<string>>;
  /** Audiences asked for by name. */
  readonly audiences: Set<string>;
  /** True when the list of audiences is used as a whole, which can tell of every audience. */
  everyAudience: boolean;
  now: boolean;
}

export function noUses(): Uses {
  return {
    attributes: { request: new Set(), session: new Set(), profile: new Set(), device: new Set() },
    audiences: new Set(),
    everyAudience: false,
    now: false,
  };
}

export interface ExpressionProblem {
  readonly code: ProblemCode;
  /** In characters from the start of the expression. */
  readonly offset: number;
  readonly message: string;
}

export interface Lowering {
  readonly source: string;
  readonly environment: Environment;
  readonly uses: Uses;
  readonly problems: ExpressionProblem[];
  /** What is allowed and surely not meant. */
  readonly lints: ExpressionProblem[];
  /** Variables of enclosing macros. */
  readonly variables: ReadonlyMap<string, Typed>;
  readonly depth: number;
  lower(syntax: Syntax, context: Lowering): Typed | null;
}

/** Reports at the start of a node, or at an offset; answers null, so that a caller can `return complain(…)`. */
export function complain(context: Lowering, at: Syntax | number, code: ProblemCode, message: string): null {
  context.problems.push({ code, offset: typeof at === 'number' ? at : at.start, message });
  return null;
}

/** Lowers an operand, one level deeper. */
export function lowerInside(syntax: Syntax, context: Lowering, variables = context.variables): Typed | null {
  const depth = context.depth + 1;
  if (depth > expressionDepthMax) {
    return complain(
      context,
      syntax,
      'expression-too-large',
      `a condition may nest ${expressionDepthMax} levels deep: split it into several rules`,
    );
  }
  return context.lower(syntax, { ...context, depth, variables });
}
