/**
 * What the classes of all attributes come to together: the core is asked for each combination, or, where these are many, for each that
 * conditions can tell from the others; visitors who get the same answer get one query, and the way there is a graph.
 */
import type { Artefact } from '../decision/artefact.ts';
import { decide } from '../decision/decide.ts';
import type { ZoneDecision } from '../decision/decision.ts';
import { noEvidence } from '../decision/facts.ts';
import type { Question } from '../decision/question.ts';
import type { PreparedRung } from '../decision/reading.ts';
import type { Value } from '../decision/value.ts';
import { columnsOf, visitorOf } from './columns.ts';
import { createAnswers, createNodes, type Told } from './decision-graph.ts';
import type { ClassedInput, Input } from './inputs.ts';
import { audiencesName } from './parts.ts';
import type { AttributeTable, DecisionGraph } from './table.ts';
import { unfold } from './unfold.ts';
import { writtenValue } from './written.ts';

/** Nodes made between two pauses. A combination is a decision, and may be the dearest that a policy allows: after each there is one. */
const piece = 512;

export function combinationsOf(inputs: readonly ClassedInput[]): number {
  return inputs.reduce((product, { values }) => product * values.length, 1);
}

interface Together<Read extends Input> {
  readonly artefact: Artefact;
  readonly question: { readonly page: string | null; readonly zones: readonly string[]; readonly nowMs: number };
  readonly base: string;
  readonly inputs: readonly Read[];
}

interface Merged {
  readonly attributes: readonly AttributeTable[];
  readonly decision: DecisionGraph;
}

export function* mergedAnswers(together: Together<ClassedInput & Input>): Generator<undefined, Merged> {
  const { inputs } = together;
  const answerTo = answererOf(together);
  const count = combinationsOf(inputs);
  const answers = createAnswers();
  const targets: number[] = [];
  for (let index = 0; index < count; index++) {
    yield;
    targets.push(-1 - answers.placeOf(answerTo(combination(inputs, index))));
  }
  const graph = yield* graphOf(
    targets,
    inputs.map(({ values }) => values.length),
  );
  return yield* mergedColumns(inputs, { ...graph, queries: answers.queries });
}

/** The same where the combinations are too many to be asked one by one. `rungs`: all that can apply to somebody. */
export function* unfoldedAnswers(
  together: Together<Input>,
  rungs: readonly PreparedRung[],
): Generator<undefined, Merged | 'reads_raw' | 'too_many_answers' | 'too_much_work'> {
  const { inputs, question } = together;
  const columns = columnsOf(inputs);
  if (columns === null) return 'reads_raw';
  const answerOf = answererOf(together);
  const unfolded = yield* unfold({
    columns,
    rungs,
    nowMs: question.nowMs,
    answerTo(given) {
      const values = visitorOf(columns, inputs, given);
      return values === null ? null : answerOf(values);
    },
  });
  return typeof unfolded === 'string' ? unfolded : yield* mergedColumns(columns, unfolded);
}

function answererOf({ artefact, question, base, inputs }: Together<Input>) {
  const outcomeOf = outcomeReader();
  return (values: readonly (Value | undefined)[]): Told => {
    const answer = outcomeOf(decide(artefact, questionOf(question, inputs, values), noEvidence).zones);
    return { answer, query: queryOf(base, inputs, values) };
  };
}

/** The last input changes fastest. */
function combination(inputs: readonly ClassedInput[], index: number): readonly (Value | undefined)[] {
  let rest = index;
  return inputs
    .toReversed()
    .map(({ values }) => {
      const value = values[rest % values.length];
      rest = Math.floor(rest / values.length);
      return value;
    })
    .reverse();
}

function questionOf(question: Together<Input>['question'], inputs: readonly Input[], values: readonly (Value | undefined)[]): Question {
  const known = inputs.flatMap(({ name }, index) => (values[index] === undefined ? [] : [[name, values[index]] as const]));
  const audiences = known.find(([name]) => name === audiencesName)?.[1];
  const request = Object.fromEntries(known.filter(([name]) => name !== audiencesName)) as Question['request'];
  const shared = { audience: 'shared', shownOffers: [], explain: false } as const;
  return { ...question, ...shared, request, audiences: audiences === undefined ? null : (audiences as readonly string[]) };
}

function queryOf(base: string, inputs: readonly Input[], values: readonly (Value | undefined)[]): string {
  const parts = inputs.map(({ name, type }, index) => (values[index] === undefined ? '' : writtenValue(name, values[index], type)));
  return [base, ...parts.filter((part) => part !== '')].join('&');
}

/**
 * All of an answer but the key, which names the question, and the content, which follows from the variant. What one zone says is named once, and
 * then by a number: thousands of answers are little to keep.
 */
function outcomeReader(): (zones: readonly ZoneDecision[]) => string {
  const numbers = new Map<string, number>();
  const numberOf = (zone: ZoneDecision): number => {
    const text = JSON.stringify({ ...zone, content: null, cache: { ...zone.cache, key: null } });
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  };
  return (zones) => zones.map(numberOf).join();
}

/** From the last input to the first, so that what follows alike is one node, and what makes no difference is none. */
function* graphOf(leaves: readonly number[], sizes: readonly number[]): Generator<undefined, Pick<DecisionGraph, 'start' | 'nodes'>> {
  const { nodes, placeOf } = createNodes();
  let level = leaves;
  for (const [attribute, size] of [...sizes.entries()].reverse()) {
    const above: number[] = [];
    for (let from = 0; from < level.length; from += size) {
      if (from % (size * piece) === 0) yield;
      const targets = level.slice(from, from + size);
      const [first = -1] = targets;
      above.push(targets.every((target) => target === first) ? first : placeOf([attribute, ...targets]));
    }
    level = above;
  }
  return { start: level[0] ?? -1, nodes };
}

/** Classes that lead to the same place in every node are one; an attribute that no node asks for is left out. */
function* mergedColumns(
  inputs: readonly Pick<ClassedInput, 'name' | 'values' | 'classOf' | 'domain'>[],
  { start, nodes, queries }: DecisionGraph,
): Generator<undefined, Merged> {
  const attributes: AttributeTable[] = [];
  const merged = nodes.map((node) => [...node]);
  for (const [attribute, input] of inputs.entries()) {
    yield;
    const own = nodes.flatMap((node, index) => (node[0] === attribute ? [{ node, index }] : []));
    if (own.length === 0) continue;
    const columns = new Map<string, number>();
    const firsts: number[] = [];
    const classOf = input.values.map((_, one) => {
      const column = own.map(({ node }) => node[one + 1]).join();
      const known = columns.get(column) ?? columns.size;
      if (known === columns.size) {
        columns.set(column, known);
        firsts.push(one);
      }
      return known;
    });
    for (const { node, index } of own) merged[index] = [attributes.length, ...firsts.map((one) => node[one + 1] ?? -1)];
    const tableBy = input.domain.tableBy((place) => classOf[input.classOf[place] ?? 0] ?? 0);
    attributes.push({ name: input.name, absent: classOf[0] ?? 0, ...tableBy });
  }
  return { attributes, decision: { start, nodes: merged, queries } };
}
