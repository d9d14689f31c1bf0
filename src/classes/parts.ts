/**
 * Takes conditions apart into what each attribute alone contributes. INVARIANT: a condition's worth follows from the worths of its parts,
 * so two values of an attribute for which all its parts are worth the same cannot be told apart by any condition.
 */
import { edgesOfNow } from '../decision/edges.ts';
import { type Expression, expressionStepsMax, operandsOf } from '../decision/expression.ts';
import { stepsMaxOf } from './steps.ts';

/** As an input: `audiences` is no attribute's name, because requests take it. */
export const audiencesName = 'audiences';

export interface Part {
  readonly input: string;
  /** Reads this input and no other, no variable of an enclosing macro, and the time only where its edges are known. */
  readonly expression: Expression;
}

export interface Parts {
  readonly parts: readonly Part[];
  /** Inputs of conditions that may be given up for their length: then only the very same value is sure to be worth the same. */
  readonly rawInputs: ReadonlySet<string>;
  /** Inputs of conditions that may hold because something is known not to be so: then no list at all is not the same as an empty one. */
  readonly nuancedInputs: ReadonlySet<string>;
}

/** Conditions taken apart between two pauses: the longest takes a millisecond or two. */
const piece = 4;

/** `isInput`: of a request attribute, whether a question may bring it. */
export function* partsOf(conditions: readonly Expression[], isInput: (name: string) => boolean): Generator<undefined, Parts> {
  const parts = new Map<string, Part>();
  const rawInputs = new Set<string>();
  const nuancedInputs = new Set<string>();
  const readings = new Map<Expression, Reading>();

  const readingOf = (expression: Expression): Reading => {
    let reading = readings.get(expression);
    if (reading === undefined) {
      reading = readingBy(expression, isInput, readingOf);
      readings.set(expression, reading);
    }
    return reading;
  };

  const collect = (expression: Expression): void => {
    const { inputs, variables } = readingOf(expression);
    const [input] = inputs;
    if (input === undefined) return;
    // A list may be looked through item by item, and then an unknown item does not make all of it unknown.
    const isWhole = inputs.size === 1 && variables.size === 0 && expression.op !== 'list' && edgesOfNow(expression) !== null;
    if (isWhole) parts.set(`${input}\n${JSON.stringify(expression)}`, { input, expression });
    else for (const child of operandsOf(expression)) collect(child);
  };

  for (const [index, condition] of conditions.entries()) {
    if (index % piece === piece - 1) yield;
    collect(condition);
    for (const nuanced of nuancedIn(condition)) for (const input of readingOf(nuanced).inputs) nuancedInputs.add(input);
    if (stepsMaxOf(condition) > expressionStepsMax) for (const input of readingOf(condition).inputs) rawInputs.add(input);
    // What every level of a deep condition reads is too much to keep of all of them.
    readings.clear();
  }
  return { parts: [...parts.values()], rawInputs, nuancedInputs };
}

/** All but what is only looked for in a list, and stands below nothing but `&&` and `||`: for these unknown is as good as false. */
function nuancedIn(condition: Expression): readonly Expression[] {
  if (condition.op === 'and' || condition.op === 'or') return condition.operands.flatMap(nuancedIn);
  return condition.op === 'in' ? [condition.left] : [condition];
}

interface Reading {
  readonly inputs: ReadonlySet<string>;
  /** Of macros outside. */
  readonly variables: ReadonlySet<string>;
}

function readingBy(expression: Expression, isInput: (name: string) => boolean, readingOf: (child: Expression) => Reading): Reading {
  const inputs = new Set<string>();
  const variables = new Set<string>();
  if (expression.op === 'audiences') inputs.add(audiencesName);
  if (expression.op === 'variable') variables.add(expression.name);
  if ((expression.op === 'attribute' || expression.op === 'has') && expression.source === 'request' && isInput(expression.name))
    inputs.add(expression.name);
  for (const child of operandsOf(expression)) {
    const reading = readingOf(child);
    for (const input of reading.inputs) inputs.add(input);
    const isMacro = expression.op === 'exists' || expression.op === 'all';
    for (const name of reading.variables)
      if (!(isMacro && child === expression.condition && name === expression.variable)) variables.add(name);
  }
  return { inputs, variables };
}
