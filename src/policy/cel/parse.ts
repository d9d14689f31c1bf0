/**
 * From the text of an expression to a syntax tree. The library parses; nothing of it is kept but the tree, and its errors become
 * sentences with an offset. Bounds hold before anything walks the tree.
 */
import { type ASTNode, Environment, ParseError } from '@marcbachmann/cel-js';
import { sentenceOf } from '../excerpt.ts';

export type Syntax = ASTNode;

const expressionCharactersMax = 8_192;
const expressionNodesMax = 2_000;

export const expressionLimits = {
  maxAstNodes: expressionNodesMax,
  maxDepth: 100,
  maxListElements: 1_000,
  maxMapEntries: 100,
  maxCallArguments: 8,
};

const library = new Environment({ limits: expressionLimits });

export type Parsed =
  | { readonly syntax: Syntax }
  | {
      readonly syntax: null;
      readonly code: 'expression-syntax' | 'expression-too-large';
      readonly offset: number;
      readonly message: string;
    };

interface Purpose {
  /** What the expression is to its author. */
  readonly noun: string;
  /** What to do where it is too large. */
  readonly advice: string;
}

export function parseCondition(source: string): Parsed {
  return parseExpression(source, { noun: 'condition', advice: 'split it into several rules' });
}

export function parseExpression(source: string, purpose: Purpose): Parsed {
  if (source.length > expressionCharactersMax) {
    const message = `a ${purpose.noun} may have ${expressionCharactersMax} characters and this has ${source.length}: ${purpose.advice}`;
    return { syntax: null, code: 'expression-too-large', offset: 0, message };
  }
  try {
    return { syntax: library.parse(source).ast };
  } catch (error) {
    if (error instanceof ParseError) return explain(error, source, purpose);
    // Thousands of `!` in a row exhaust the library's stack; nothing else is known to make it fail so.
    if (error instanceof RangeError) return tooLarge(0, purpose);
    throw error;
  }
}

function tooLarge(offset: number, { noun, advice }: Purpose): Parsed {
  return {
    syntax: null,
    code: 'expression-too-large',
    offset,
    message: `this ${noun} is too large or nested too deep: ${advice}`,
  };
}

function explain(error: ParseError, source: string, purpose: Purpose): Parsed {
  const offset = error.range?.start ?? 0;
  if (error.code === 'limit_exceeded') return tooLarge(offset, purpose);
  return {
    syntax: null,
    code: 'expression-syntax',
    offset,
    message: `this is not a CEL expression: ${hint(source, offset) ?? sentenceOf(error.summary)}`,
  };
}

/** The slips that other languages teach. */
function hint(source: string, offset: number): string | null {
  const rest = source.slice(offset).trimStart();
  if (rest === '') return 'it ends too soon';
  if (rest.startsWith('=')) return 'write `==` to compare';
  if (rest.startsWith('&')) return 'write `&&` for "and"';
  if (rest.startsWith('|')) return 'write `||` for "or"';
  if (/^and\b/i.test(rest)) return 'write `&&` for "and"';
  if (/^or\b/i.test(rest)) return 'write `||` for "or"';
  if (/^not\b/i.test(rest)) return 'write `!` for "not"';
  return null;
}
