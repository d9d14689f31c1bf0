/**
 * How much work a policy can ask of one decision, counted when it is compiled: nothing that a visitor sends or that is stored about
 * them makes it more. A unit is what one step of a condition costs: 10 ns where a core is free, so that the bound is 5 ms, and 14 ns
 * measured where two cores were shared by many (7 to 11 ns for an item of a policy's list, 40 for an offer, 150 more for one that is
 * eligible; `bench/worst.ts` measures the largest policies that load). A request may ask for any zones, so the bound is for the
 * dearest 32, each with all of its rungs.
 */
import type { Artefact, Offer, Rung, Zone } from '../decision/artefact.ts';
import {
  comparedPerStep,
  countedPerStep,
  type Expression,
  equalPerStep,
  expressionStepsMax,
  type Literal,
  listItemsMax,
  lookUpSteps,
  orderedPerStep,
  searchedPerStep,
  textLengthMax,
} from '../decision/expression.ts';
import type { MapNode, Node } from './document.ts';
import type { Report } from './problems.ts';

export const workMax = 500_000;
export const workWarned = workMax / 2;
/** As many as one request may ask for. */
const zonesAskedMax = 32;

/** Of the caller and of the profile, each a list as long as may be. */
const audiencesMax = 2 * listItemsMax;

type Attributes = Artefact['attributes'];

/** What a value costs to find out, and how large it may be. */
interface Cost {
  /** Steps that the evaluator counts: a condition is given up as unknown after so many. */
  readonly steps: number;
  /** What it does beside them. */
  readonly work: number;
  readonly items: number;
  readonly length: number;
}

const offerWork = 8;
/** Its score, and its place among as many that are worth the same. */
const eligibleWork = 12;
const factorWork = 8;
/** Long chains of factors are multiplied exactly. */
const exactFactorsMax = 6;
const exactWork = 100;
const ruleWork = 3;
/** For who asks for a cacheable answer: each entry stands in the key. */
const keyWork = 8;

export function checkWork(report: Report, section: Node | undefined, content: Pick<Artefact, 'zones' | 'offers' | 'attributes'>): void {
  const offers = new Map<string, number>();
  const workOf = (id: string): number => {
    let work = offers.get(id);
    if (work === undefined) {
      const offer = content.offers[id];
      work = offer === undefined ? 0 : workOfOffer(offer, content.attributes);
      offers.set(id, work);
    }
    return work;
  };
  const zones = Object.entries(content.zones).map(([id, zone]) => ({ id, work: workOfZone(zone, content.attributes, workOf) }));
  const dearest = zones.sort((a, b) => b.work - a.work).slice(0, zonesAskedMax);
  const work = dearest.reduce((sum, zone) => sum + zone.work, 0) + workOfLists(content.attributes);
  const [first] = dearest;
  if (first === undefined || work <= workWarned) return;
  const at = (section as MapNode | undefined)?.entries.find(({ key }) => key === first.id)?.keyAt ?? 0;
  const among = dearest.length === 1 ? '' : `, ${percent(first.work, work)} of it for this one of ${dearest.length} zones`;
  const advice = 'give its rungs fewer offers or rules, or write shorter conditions and lists';
  const said = `a decision may take ${work} steps here${among}`;
  if (work > workMax) report.error('too-much-work', at, `zone \`${first.id}\`: ${said}, and ${workMax} are allowed: ${advice}`);
  else report.warning('too-much-work', at, `zone \`${first.id}\`: ${said}, more than half of the ${workMax} allowed: ${advice}`);
}

function percent(part: number, whole: number): string {
  return `${Math.round((part / whole) * 100)} %`;
}

/** What the first to look in each of a visitor's lists does for all who come after. */
function workOfLists(attributes: Attributes): number {
  const lists = Object.values(attributes).flatMap((of) => Object.values(of).filter(({ type }) => type === 'strings'));
  // A body and a record hold no more characters than these.
  return Math.min(lists.length * listItemsMax, 32_768) * 2 + audiencesMax * 2;
}

/** All of its rungs, for nothing may be eligible on any but the last. */
function workOfZone(zone: Zone, attributes: Attributes, workOf: (offer: string) => number): number {
  return zone.ladder.reduce((sum, rung) => sum + workOfRung(rung, attributes, workOf), 0);
}

function workOfRung({ tier, select }: Rung, attributes: Attributes, workOf: (offer: string) => number): number {
  const forKeys = tier === 'segment' ? keyWork : 0;
  if (select.by === 'arbitrate') return select.offers.reduce((sum, id) => sum + workOf(id) + forKeys, 0);
  return select.rules.reduce((sum, { when }) => sum + ruleWork + forKeys + (when === null ? 0 : workOfCondition(when, attributes)), 0);
}

function workOfOffer({ when, context }: Offer, attributes: Attributes): number {
  const factors = context.reduce((sum, factor) => sum + factorWork + workOfCondition(factor.when, attributes), 0);
  const exact = context.length > exactFactorsMax ? exactWork : 0;
  return offerWork + eligibleWork + (when === null ? 0 : workOfCondition(when, attributes)) + factors + exact;
}

export function workOfCondition(expression: Expression, attributes: Attributes): number {
  const { steps, work } = costOf(expression, attributes, {});
  return Math.ceil(Math.min(steps, expressionStepsMax) + work);
}

type Variables = Readonly<Record<string, Cost>>;

function costOf(expression: Expression, attributes: Attributes, variables: Variables): Cost {
  const cost = (inner: Expression): Cost => costOf(inner, attributes, variables);
  switch (expression.op) {
    case 'literal':
      return { ...oneStep, ...sizeOfLiteral(expression.value) };
    case 'attribute':
      return ofAttribute(attributes[expression.source]?.[expression.name]?.type);
    case 'audiences':
      return { ...oneStep, items: audiencesMax, length: textLengthMax };
    case 'has':
    case 'now':
      return oneStep;
    case 'variable':
      return variables[expression.name] ?? ofAttribute('string');
    case 'list': {
      const items = expression.items.map(cost);
      return { ...together(items), items: items.length, length: longest(items) };
    }
    case 'and':
    case 'or':
      return together(expression.operands.map(cost));
    case 'not':
    case 'negate':
      return together([cost(expression.operand)]);
    case 'size': {
      const operand = cost(expression.operand);
      return together([operand], { steps: operand.items > 0 ? 0 : operand.length / countedPerStep });
    }
    case 'if': {
      const [then, otherwise] = [cost(expression.then), cost(expression.otherwise)];
      const { steps, work } = together([cost(expression.condition), then, otherwise]);
      return { steps, work, items: Math.max(then.items, otherwise.items), length: longest([then, otherwise]) };
    }
    case 'exists':
    case 'all': {
      const list = cost(expression.list);
      const item = { ...oneStep, length: list.length };
      const each = costOf(expression.condition, attributes, { ...variables, [expression.variable]: item });
      return together([list], { steps: list.items * each.steps, work: list.items * each.work });
    }
    case 'in': {
      const [element, list] = [cost(expression.left), cost(expression.right)];
      const looksUp = expression.right.op === 'audiences' || expression.right.op === 'attribute';
      if (looksUp && element.items === 0) return together([element, list], { steps: lookUpSteps });
      return together([element, list], { steps: list.items / comparedPerStep, work: list.items * (1 + equalSteps(element, list)) });
    }
    default: {
      const [left, right] = [cost(expression.left), cost(expression.right)];
      return together([left, right], ofTwo(expression.op, left, right));
    }
  }
}

/** One step, and those of its parts. */
function together(parts: readonly Cost[], more: Partial<Pick<Cost, 'steps' | 'work'>> = {}): Cost {
  return {
    steps: parts.reduce((sum, { steps }) => sum + steps, 1) + (more.steps ?? 0),
    work: parts.reduce((sum, { work }) => sum + work, 0) + (more.work ?? 0),
    items: 0,
    length: 0,
  };
}

function ofTwo(op: string, left: Cost, right: Cost): Partial<Pick<Cost, 'steps' | 'work'>> {
  switch (op) {
    case '==':
    case '!=':
    case 'startsWith':
    case 'endsWith':
      return { steps: equalSteps(left, right) + Math.min(left.items, right.items) };
    case '<':
    case '<=':
    case '>':
    case '>=':
      return { steps: Math.min(left.length, right.length) / orderedPerStep };
    case 'contains':
      return { steps: (left.length * right.length) / searchedPerStep };
    default:
      return {};
  }
}

function equalSteps(left: Cost, right: Cost): number {
  return Math.floor(Math.min(left.length, right.length) / equalPerStep);
}

const oneStep: Cost = { steps: 1, work: 0, items: 0, length: 0 };

function ofAttribute(type: string | undefined): Cost {
  switch (type) {
    case 'string':
      return { ...oneStep, length: textLengthMax };
    case 'strings':
      return { ...oneStep, work: 2, items: listItemsMax, length: textLengthMax };
    default:
      return oneStep;
  }
}

function sizeOfLiteral(value: Literal): Pick<Cost, 'items' | 'length'> {
  if (typeof value === 'string') return { items: 0, length: value.length };
  if (typeof value !== 'object') return { items: 0, length: 0 };
  return { items: value.length, length: value.reduce((most: number, item) => Math.max(most, sizeOfLiteral(item).length), 0) };
}

function longest(costs: readonly Cost[]): number {
  return costs.reduce((most, { length }) => Math.max(most, length), 0);
}
