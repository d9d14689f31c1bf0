/**
 * What the classes of many attributes come to together, without going through every combination: one attribute, or one item of a list, is
 * asked for at a time, always the one that the first open condition needs, and the core is asked once nothing is open any more. INVARIANT: what
 * each step keeps of the conditions is all that can still make a difference, so two ways that leave the same are one way from there.
 */
import { type PreparedRung, requestFactEntries } from '../decision/reading.ts';
import type { Column, Given } from './columns.ts';
import { createTerms, type Term } from './terms.ts';

/** Steps of simplifying conditions, and decisions for each condition that stands: a second or so in all. */
const workMax = 1_000_000;
/** What a step costs besides. */
const stepWork = 5;
export const answersMax = 8192;
const nodesMax = 50_000;
/** Each is asked for below another. */
const columnsMax = 1000;

export interface Unfolding {
  readonly columns: readonly Column[];
  readonly rungs: readonly PreparedRung[];
  readonly nowMs: number;
  /** Of a visitor of whom this is known; null: there is no such visitor. */
  answerTo(given: Given): { readonly answer: string; readonly query: string } | null;
  isShorter(query: string, than: string): boolean;
}

export interface Unfolded {
  readonly start: number;
  /** As in the table, by the place of the column. */
  readonly nodes: readonly (readonly number[])[];
  readonly queries: readonly string[];
}

/** Conditions taken up between two pauses. */
const piece = 64;

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
  isShorter,
}: Unfolding): Generator<undefined, Unfolded | 'too_many_answers' | 'too_much_work'> {
  if (columns.length > columnsMax) return 'too_much_work';
  const terms = createTerms(columns, nowMs);
  const nodes: number[][] = [];
  const places = new Map<string, number>();
  const targets = new Map<string, number | null>();
  const answers = new Map<string, number>();
  const queries: string[] = [];
  const chooses = rungs.map(({ rung }) => rung.select.by === 'choose');
  const conditions = rungs.reduce((sum, rung) => sum + rung.rules.length + rung.candidates.length, 1);
  let work = 0;
  let stopped: 'too_many_answers' | 'too_much_work' | null = null;

  const narrowed = (state: State): State =>
    state.map((entries, rung) => {
      const hopeful = entries.filter(({ when }) => !terms.isHopeless(when));
      if (!chooses[rung]) return hopeful;
      const first = hopeful.findIndex(({ when }) => when === terms.yes);
      return first < 0 ? hopeful : hopeful.slice(0, first + 1);
    });

  const narrowedBy = (state: State, column: number, value: number): State => {
    const settle = (term: Term): Term => terms.settled(term, column, value);
    return narrowed(
      state.map((entries) =>
        entries.map(({ place, when, context }) => {
          work += 1 + context.length;
          return { place, when: settle(when), context: context.map(settle) };
        }),
      ),
    );
  };

  const mustHold = columns.some(({ asks, members }) => asks === 'list' && members?.other === null);
  const keyOf = (state: State, given: Given): string => {
    const text = state
      .map((entries) => entries.map(({ place, when, context }) => [place, when.id, ...context.map(({ id }) => id)].join()).join(';'))
      .join('|');
    return mustHold ? `${text}|${emptyLists(columns, given, openIn(state))}` : text;
  };

  function leaf(given: Given): number | null {
    work += conditions;
    const told = answerTo(given);
    if (told === null) return null;
    const place = answers.get(told.answer) ?? answers.size;
    answers.set(told.answer, place);
    const shortest = queries[place];
    if (shortest === undefined || isShorter(told.query, shortest)) queries[place] = told.query;
    if (answers.size > answersMax) stopped = 'too_many_answers';
    return -1 - place;
  }

  function* targetOf(state: State, given: Given): Generator<undefined, number | null> {
    if (work > workMax || nodes.length > nodesMax) stopped ??= 'too_much_work';
    if (stopped !== null) return null;
    work += stepWork;
    yield;
    const key = keyOf(state, given);
    const known = targets.get(key);
    if (known !== undefined) return known;
    const column = firstOpen(state);
    const target = column === null ? leaf(given) : yield* nodeFor(state, given, column);
    targets.set(key, target);
    return target;
  }

  function* nodeFor(state: State, given: Given, column: number): Generator<undefined, number | null> {
    const below: (number | null)[] = [];
    for (const value of (columns[column] as Column).values.keys()) {
      below.push(yield* targetOf(narrowedBy(state, column, value), new Map([...given, [column, value]])));
      if (stopped !== null) return null;
    }
    // Where there is no such visitor, nobody will go.
    const some = below.find((target) => target !== null);
    if (some === undefined || some === null) return null;
    const node = [column, ...below.map((target) => target ?? some)];
    if (node.every((target, index) => index === 0 || target === node[1])) return some;
    const name = node.join();
    const place = places.get(name) ?? nodes.length;
    if (place === nodes.length) nodes.push(node);
    places.set(name, place);
    return place;
  }

  const start: Entry[][] = [];
  for (const rung of rungs) {
    const entries: Entry[] = [];
    start.push(entries);
    const inForce = new Set<unknown>(requestFactEntries(rung, nowMs));
    const all = rung.rung.select.by === 'choose' ? rung.rules : rung.candidates;
    for (const [place, entry] of all.entries()) {
      if (place % piece === 0) yield;
      if (!inForce.has(entry)) continue;
      const { when, context } = 'rule' in entry ? { when: entry.rule.when, context: [] } : entry.offer;
      entries.push({
        place,
        when: when === null ? terms.yes : terms.termOf(when),
        context: context.map((factor) => terms.termOf(factor.when)),
      });
    }
  }
  const target = yield* targetOf(narrowed(start), new Map());
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

function openIn(state: State): ReadonlySet<number> {
  return new Set(state.flatMap((entries) => entries.flatMap(({ when, context }) => [when, ...context].flatMap((term) => term.columns))));
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
