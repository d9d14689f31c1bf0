/**
 * What the classes of many attributes come to together, without going through every combination: one attribute, or one item of a list, is
 * asked for at a time, always the one that the first open condition needs, and the core is asked once nothing is open any more. INVARIANT: what
 * each step keeps of the conditions is all that can still make a difference, so two ways that leave the same are one way from there.
 */
import { type PreparedRung, requestFactEntries } from '../decision/reading.ts';
import type { Column, Given } from './columns.ts';
import { createAnswers, createNodes, type Told } from './decision-graph.ts';
import { evaluationWork } from './steps.ts';
import { createTerms, type Spend, type Term } from './terms.ts';

/** Steps of simplifying conditions, and of deciding: a second or so in all. */
const workMax = 2_000_000;
/** What is kept meanwhile, in words of eight bytes: tens of megabytes. */
const wordsMax = 4_000_000;
/** Work between two pauses. */
const piece = 256;
/** What a step costs besides. */
const stepWork = 5;
/** Columns that are gone through in one step of work. */
const searchedPerStep = 64;
/** What an entry of a map costs besides its name, and what a condition that is left does on the way. */
const wordsOfOne = 16;
export const answersMax = 8192;
const nodesMax = 50_000;
/** Each is asked for below another. */
const columnsMax = 1000;

export interface Unfolding {
  readonly columns: readonly Column[];
  readonly rungs: readonly PreparedRung[];
  readonly nowMs: number;
  /** Of a visitor of whom this is known; null: there is no such visitor. */
  answerTo(given: Given): Told | null;
}

export interface Unfolded {
  readonly start: number;
  /** As in the table, by the place of the column. */
  readonly nodes: readonly (readonly number[])[];
  readonly queries: readonly string[];
}

/** An offer or a rule: whether it applies, and whatever else is held against a visitor. */
interface Entry {
  readonly place: number;
  readonly when: Term;
  readonly context: readonly Term[];
}

/** Of each rung what is still open or settled and matters. */
type State = readonly (readonly Entry[])[];

export function* unfold({
  columns,
  rungs,
  nowMs,
  answerTo,
}: Unfolding): Generator<undefined, Unfolded | 'too_many_answers' | 'too_much_work'> {
  if (columns.length > columnsMax) return 'too_much_work';
  let work = 0;
  let words = 0;
  /** Of these what is kept until we are back. */
  let wordsOnTheWay = 0;
  let workAtPause = 0;
  const spend = (more: number, kept: number): void => {
    work += more;
    words += kept;
  };
  const isTooMuch = (): boolean => work > workMax || words + wordsOnTheWay > wordsMax;
  const terms = createTerms(columns, nowMs, spend);
  const { nodes, placeOf } = createNodes((node, name) => spend(0, wordsOfOne + node.length + name.length / 8));
  const targets = new Map<string, number | null>();
  const answers = createAnswers(({ answer, query }) => spend(0, wordsOfOne + (answer.length + query.length) / 8));
  const { queries } = answers;
  const chooses = rungs.map(({ rung }) => rung.select.by === 'choose');
  /** Of a decision. */
  let conditions = 1;
  let stopped: 'too_many_answers' | 'too_much_work' | null = null;

  const narrowed = (state: State): State =>
    state.map((entries, rung) => {
      const hopeful = entries.filter(({ when }) => !when.isHopeless);
      if (!chooses[rung]) return hopeful;
      const first = hopeful.findIndex(({ when }) => when === terms.yes);
      return first < 0 ? hopeful : hopeful.slice(0, first + 1);
    });

  function* pause(): Generator<undefined, void> {
    if (work - workAtPause < piece) return;
    workAtPause = work;
    yield;
  }

  /** All of it or, where it is too much work, some: it is given up then. */
  function* narrowedBy(state: State, column: number, value: number): Generator<undefined, State> {
    const settle = (term: Term): Term => terms.settled(term, column, value);
    const settled: Entry[][] = [];
    for (const entries of state) {
      const some: Entry[] = [];
      settled.push(some);
      wordsOnTheWay += entries.length;
      for (const entry of entries) {
        if (isTooMuch()) break;
        spend(1 + entry.context.length, 0);
        const when = settle(entry.when);
        const context = entry.context.map(settle);
        const isSame = when === entry.when && context.every((term, index) => term === entry.context[index]);
        if (!isSame) wordsOnTheWay += wordsOfOne + context.length;
        some.push(isSame ? entry : { place: entry.place, when, context });
        if (work - workAtPause >= piece) yield* pause();
      }
    }
    return narrowed(settled);
  }

  const mustHold = columns.some(({ asks, members }) => asks === 'list' && members?.other === null);
  /** What was asked for on the way to where we are, in that order. */
  const given = new Map<number, number>();
  const keyOf = (state: State): string => {
    const text = state
      .map((entries) => entries.map(({ place, when, context }) => [place, when.id, ...context.map(({ id }) => id)].join()).join(';'))
      .join('|');
    if (!mustHold) return text;
    spend((given.size * columns.length) / searchedPerStep, 0);
    return `${text}|${emptyLists(columns, given, openIn(state, spend))}`;
  };

  function leaf(): number | null {
    spend(conditions + columns.length / searchedPerStep, 0);
    const told = answerTo(given);
    if (told === null) return null;
    const place = answers.placeOf(told);
    if (queries.length > answersMax) stopped = 'too_many_answers';
    return -1 - place;
  }

  function* targetOf(state: State): Generator<undefined, number | null> {
    if (isTooMuch() || nodes.length > nodesMax) stopped ??= 'too_much_work';
    if (stopped !== null) return null;
    spend(stepWork, 0);
    yield* pause();
    const key = keyOf(state);
    const known = targets.get(key);
    if (known !== undefined) return known;
    const column = firstOpen(state);
    const target = column === null ? leaf() : yield* nodeFor(state, column);
    targets.set(key, target);
    spend(0, wordsOfOne + key.length / 8);
    return target;
  }

  function* nodeFor(state: State, column: number): Generator<undefined, number | null> {
    const below: (number | null)[] = [];
    for (const value of (columns[column] as Column).values.keys()) {
      const wordsBefore = wordsOnTheWay;
      const narrower = yield* narrowedBy(state, column, value);
      given.set(column, value);
      below.push(yield* targetOf(narrower));
      given.delete(column);
      wordsOnTheWay = wordsBefore;
      if (stopped !== null) return null;
    }
    // Where there is no such visitor, nobody will go.
    const some = below.find((target) => target !== null);
    if (some === undefined || some === null) return null;
    const node = [column, ...below.map((target) => target ?? some)];
    if (node.every((target, index) => index === 0 || target === node[1])) return some;
    spend(node.length / searchedPerStep, 0);
    return placeOf(node);
  }

  const start: Entry[][] = [];
  for (const rung of rungs) {
    const entries: Entry[] = [];
    start.push(entries);
    const inForce = new Set<unknown>(requestFactEntries(rung, nowMs));
    const all = rung.rung.select.by === 'choose' ? rung.rules : rung.candidates;
    for (const [place, entry] of all.entries()) {
      if (isTooMuch()) return 'too_much_work';
      yield* pause();
      spend(1, 0);
      if (!inForce.has(entry)) continue;
      const { when, context } = 'rule' in entry ? { when: entry.rule.when, context: [] } : entry.offer;
      conditions += (when === null ? 1 : evaluationWork(when)) + context.reduce((sum, factor) => sum + evaluationWork(factor.when), 0);
      entries.push({
        place,
        when: when === null ? terms.yes : terms.termOf(when),
        context: context.map((factor) => terms.termOf(factor.when)),
      });
    }
  }
  const target = yield* targetOf(narrowed(start));
  return stopped ?? { start: target ?? -1, nodes, queries };
}

function firstOpen(state: State): number | null {
  for (const entries of state) {
    for (const { when, context } of entries) {
      for (const term of [when, ...context]) if (term.columns[0] !== undefined) return term.columns[0];
    }
  }
  return null;
}

function openIn(state: State, spend: Spend): ReadonlySet<number> {
  const open = new Set<number>();
  for (const entries of state) {
    for (const { when, context } of entries) {
      for (const { columns } of [when, ...context]) {
        spend(columns.length / searchedPerStep, 0);
        for (const column of columns) open.add(column);
      }
    }
  }
  return open;
}

/** Lists that are there, of which nothing is known to be held and every other item was asked for: of these it matters that one is held yet. */
function emptyLists(columns: readonly Column[], given: Given, open: ReadonlySet<number>): string {
  const names: string[] = [];
  for (const [list, value] of given) {
    const column = columns[list];
    if (column?.asks !== 'list' || value === 0 || column.members === null || column.members.other !== null) continue;
    const isEmpty = columns.every((one, place) => {
      if (one.input !== column.input || one.asks !== 'item') return true;
      return given.get(place) === 0 || (!given.has(place) && open.has(place));
    });
    if (isEmpty) names.push(column.name);
  }
  return names.sort().join();
}
