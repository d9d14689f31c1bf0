/**
 * The most steps that one evaluation of a condition can take, whatever a question brings: more rather than fewer, never fewer.
 * INVARIANT: it follows what `evaluate` counts, operation by operation.
 */
import {
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

/** How long a value can be, as a text and as a list: which of the two it is, nobody has to know. */
interface Span {
  readonly text: number;
  readonly items: number;
  /** Of a list the longest that an item can be. */
  readonly item: Span | null;
}

const short: Span = { text: 0, items: 0, item: null };
/** What a question brings. */
const ofTheVisitor: Span = { text: textLengthMax, items: listItemsMax, item: { text: textLengthMax, items: 0, item: null } };

type Spans = ReadonlyMap<string, Span>;

/** Steps of conditions in one step of finding out what they come to. */
const evaluatedPerStep = 20;

/** How dear it is to evaluate it once. */
export function evaluationWork(expression: Expression): number {
  return 1 + Math.min(stepsMaxOf(expression), expressionStepsMax) / evaluatedPerStep;
}

/** `variables`: of the macros outside. */
export function stepsMaxOf(expression: Expression, variables: Spans = new Map()): number {
  const stepsOf = (one: Expression): number => stepsMaxOf(one, variables);
  const span = (one: Expression): Span => spanOf(one, variables);
  switch (expression.op) {
    case 'if':
      return 1 + stepsOf(expression.condition) + Math.max(stepsOf(expression.then), stepsOf(expression.otherwise));
    case 'exists':
    case 'all': {
      const { items, item } = span(expression.list);
      const within = new Map([...variables, [expression.variable, item ?? short] as const]);
      return 1 + stepsOf(expression.list) + items * stepsMaxOf(expression.condition, within);
    }
    default:
      return operandsOf(expression).reduce((sum, one) => sum + stepsOf(one), 1 + Math.floor(ownStepsOf(expression, span)));
  }
}

/** What it takes besides its parts. */
function ownStepsOf(expression: Expression, span: (one: Expression) => Span): number {
  switch (expression.op) {
    case 'size':
      return span(expression.operand).text / countedPerStep;
    case 'in': {
      const { left, right } = expression;
      if (right.op === 'list') return 0;
      // What a question brings is a list of texts, in which a text is looked up; one that is not known is not.
      const isLookedUp = (right.op === 'audiences' || right.op === 'attribute') && left.op === 'literal' && typeof left.value === 'string';
      return isLookedUp ? lookUpSteps : Math.max(lookUpSteps, span(right).items / comparedPerStep);
    }
    case '==':
    case '!=': {
      const [left, right] = [span(expression.left), span(expression.right)];
      return Math.max(left.text / equalPerStep, Math.min(left.items, right.items));
    }
    case '<':
    case '<=':
    case '>':
    case '>=':
      return Math.min(span(expression.left).text, span(expression.right).text) / orderedPerStep;
    case 'contains':
      return (span(expression.left).text * span(expression.right).text) / searchedPerStep;
    default:
      return 0;
  }
}

function spanOf(expression: Expression, variables: Spans): Span {
  switch (expression.op) {
    case 'literal':
      return spanOfLiteral(expression.value);
    case 'list':
      return spanOfList(expression.items.map((item) => spanOf(item, variables)));
    case 'attribute':
    case 'audiences':
      return ofTheVisitor;
    case 'variable':
      return variables.get(expression.name) ?? short;
    case 'if':
      return longer(spanOf(expression.then, variables), spanOf(expression.otherwise, variables));
    default:
      return short;
  }
}

function spanOfLiteral(value: Literal): Span {
  if (typeof value === 'string') return { text: value.length, items: 0, item: null };
  return typeof value === 'object' ? spanOfList(value.map(spanOfLiteral)) : short;
}

function spanOfList(items: readonly Span[]): Span {
  return { text: 0, items: items.length, item: items.reduce(longer, short) };
}

function longer(a: Span, b: Span): Span {
  const item = a.item === null || b.item === null ? (a.item ?? b.item) : longer(a.item, b.item);
  return { text: Math.max(a.text, b.text), items: Math.max(a.items, b.items), item };
}
