/** What is wrong with an expression that reads the answer of an HTTP source: said where the policy is compiled, with its place. */
import type { ExpressionProblem } from './cel/lowering.ts';
import type { Syntax } from './cel/parse.ts';
import { excerpt, sentenceOf } from './excerpt.ts';
import { mappingLibrary } from './mapping-cost.ts';
import { functions, macros, methods, operandsOf, parseMapping } from './mapping-syntax.ts';
import { didYouMean, names } from './suggest.ts';

/** What is wrong with an expression; empty when it can be compiled. */
export function checkMapping(source: string): readonly ExpressionProblem[] {
  const parsed = parseMapping(source);
  if (parsed.syntax === null) return [parsed];
  const problems: ExpressionProblem[] = [];
  check(parsed.syntax, new Set(['response']), problems);
  if (problems.length > 0) return problems;
  const { error } = mappingLibrary.check(source);
  return error === undefined ? [] : [{ code: 'expression-type', offset: error.range?.start ?? 0, message: sentenceOf(error.summary) }];
}

function check(syntax: Syntax, known: ReadonlySet<string>, problems: ExpressionProblem[]): void {
  const complain = (at: number, code: ExpressionProblem['code'], message: string) => {
    problems.push({ code, offset: at, message });
  };
  if (syntax.op === 'id') {
    if (!known.has(syntax.args))
      complain(syntax.start, 'unknown-attribute', `there is no name \`${excerpt(syntax.args)}\`${didYouMean(syntax.args, known)}`);
    return;
  }
  if (syntax.op === 'call') {
    const [name, args] = syntax.args;
    if (!functions.includes(name)) complain(syntax.start, 'expression-unsupported', refusal(name, functions));
    for (const arg of args) check(arg, known, problems);
    return;
  }
  if (syntax.op === 'rcall') {
    const [name, receiver, args] = syntax.args;
    const at = Math.max(syntax.start, syntax.input.indexOf(name, receiver.end));
    check(receiver, known, problems);
    if (macros.includes(name)) {
      const [item, ...bodies] = args;
      if (item?.op !== 'id' || bodies.length === 0) {
        complain(at, 'expression-type', `\`${name}\` takes a name and what to do with it: write \`.${name}(item, …)\``);
        return;
      }
      for (const body of bodies) check(body, new Set([...known, item.args]), problems);
      return;
    }
    if (!methods.includes(name)) complain(at, 'expression-unsupported', refusal(name, [...methods, ...macros]));
    for (const arg of args) check(arg, known, problems);
    return;
  }
  for (const operand of operandsOf(syntax)) check(operand, known, problems);
}

function refusal(name: string, allowed: readonly string[]): string {
  const suggestion = didYouMean(name, allowed);
  return `a mapping cannot call \`${excerpt(name)}\`${suggestion === '' ? `: write one of ${names(allowed)}` : suggestion}`;
}
