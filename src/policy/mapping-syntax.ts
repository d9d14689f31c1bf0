/** What a mapping may call, and how its syntax tree is walked. */
import { parseExpression, type Syntax } from './cel/parse.ts';

export const functions = ['has', 'size', 'int', 'double', 'string', 'bool', 'timestamp'];
export const methods = ['startsWith', 'endsWith', 'contains', 'lowerAscii', 'upperAscii', 'trim', 'size'];
export const macros = ['map', 'filter', 'exists', 'exists_one', 'all'];

export function parseMapping(source: string) {
  return parseExpression(source, { noun: 'mapping', advice: 'let the source answer something simpler' });
}

export function operandsOf(syntax: Syntax): readonly Syntax[] {
  switch (syntax.op) {
    case 'value':
    case 'id':
      return [];
    case 'call':
      return syntax.args[1];
    case 'rcall':
      return [syntax.args[1], ...syntax.args[2]];
    case '.':
    case '.?':
      return [syntax.args[0]];
    case 'map':
      return syntax.args.flat();
    case '!_':
    case '-_':
      return [syntax.args];
    default:
      return syntax.args;
  }
}

/** Of which it consists, itself among them. */
export function nodesIn(syntax: Syntax): number {
  return operandsOf(syntax).reduce((nodes, operand) => nodes + nodesIn(operand), 1);
}
