/**
 * From the text of a condition to a syntax tree. The library parses; nothing of it is kept but the tree, and its errors become
 * sentences with an offset. Bounds hold before anything walks the tree.
 */
import { type ASTNode, Environment, ParseError } from '@marcbachmann/cel-js';

export type Syntax = ASTNode;

const expressionCharactersMax = 8_192;
const expressionNodesMax = 2_000;

const library = new Environment({
  limits: { maxAstNodes: expressionNodesMax, maxDepth: 100, maxListElements: 1_000, maxMapEntries: 100, maxCallArguments: 8 },
});

export type Parsed =
  | { readonly syntax: Syntax }
  | {
      readonly syntax: null;
      readonly code: 'expression-syntax' | 'expression-too-large';
      readonly offset: number;
      readonly message: string;
    };

export function parseCondition(source: string): Parsed {
  if (source.length > expressionCharactersMax) {
    const message = `a condition may have ${expressionCharactersMax} characters and this has ${source.length}: split it into several rules`;
    return { syntax: null, code: 'expression-too-large', offset: 0, message };
  }
  try {
    return { syntax: library.parse(source).ast };
  } catch (error) {
    if (error instanceof ParseError) return explain(error, source);
    // Thousands of `!` in a row exhaust the library's stack; nothing else is known to make it fail so.
    if (error instanceof RangeError) return tooLarge(0);
    throw error;
  }
}

function tooLarge(offset: number): Parsed {
  return {
    syntax: null,
    code: 'expression-too-large',
    offset,
    message: 'this condition is too large or nested too deep: split it into several rules',
  };
}

function explain(error: ParseError, source: string): Parsed {
  const offset = error.range?.start ?? 0;
  if (error.code === 'limit_exceeded') return tooLarge(offset);
  const said = `${error.summary.charAt(0).toLowerCase()}${error.summary.slice(1)}`;
  return { syntax: null, code: 'expression-syntax', offset, message: `this is not a CEL expression: ${hint(source, offset) ?? said}` };
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
