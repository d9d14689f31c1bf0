/**
 * What a visitor can be asked, one thing at a time: the class of an attribute; of a list of which many items matter, whether there is one at
 * all, and each item by itself.
 */
import type { Scope } from '../decision/evaluate.ts';
import { type Expression, operandsOf } from '../decision/expression.ts';
import type { Value } from '../decision/value.ts';
import type { Domain } from './domain.ts';
import type { ClassedInput, Input, MembersRead } from './inputs.ts';
import { audiencesName } from './parts.ts';

export interface Column extends Pick<ClassedInput, 'name' | 'type' | 'values' | 'classOf' | 'domain'> {
  /** The place of its attribute among those that are read. */
  readonly input: number;
  readonly asks: 'class' | 'list' | 'item';
  /** Of the attribute, where it is a list that is asked for item by item. */
  readonly members: MembersRead | null;
}

/** Lists of fewer items are told apart whole. */
const itemsWholeMax = 3;

/** Null where one of them can only be told as it is. */
export function columnsOf(inputs: readonly Input[]): readonly Column[] | null {
  if (inputs.some(({ domain, members }) => domain === null && members === null)) return null;
  return inputs.flatMap((input, place): readonly Column[] => {
    const { name, type, members } = input;
    if (members === null || (input.domain !== null && members.items.length <= itemsWholeMax)) {
      return [{ ...(input as ClassedInput), input: place, asks: 'class' as const, members: null }];
    }
    const common = { name, type, input: place, members, classOf: [0, 1] };
    const list = { ...common, asks: 'list' as const, values: [undefined, members.other ?? ''], domain: presence(members) };
    const items = members.items.map((item) => ({ ...common, asks: 'item' as const, values: [undefined, item], domain: ofItem(item) }));
    return members.isPlain ? items : [list, ...items];
  });
}

function presence({ among }: MembersRead): Domain {
  return { values: [], tableBy: (classOf) => ({ type: 'strings', items: [], among, classes: [classOf(1)] }) };
}

function ofItem(item: string): Domain {
  return { values: [], tableBy: (classOf) => ({ type: 'strings', items: [item], among: null, classes: [classOf(0), classOf(1)] }) };
}

/** What was found out, by the place of the column; absent: it was not asked for. */
export type Given = ReadonlyMap<number, number>;

/** As conditions see it: of a list what was not asked for is not in it. */
export function scopeOf(columns: readonly Column[], given: Given, nowMs: number): Scope {
  const request: Record<string, Value> = {};
  let audiences: readonly string[] | undefined;
  for (const [place, value] of given) {
    const column = columns[place];
    if (column === undefined) continue;
    const { name, asks, values } = column;
    const before = name === audiencesName ? audiences : (request[name] as readonly string[] | undefined);
    const known = asks === 'class' ? values[value] : listWith(before, asks === 'item' && value === 1 ? [values[1] as string] : []);
    if (known === undefined || (asks === 'list' && value === 0)) continue;
    if (name === audiencesName) audiences = known as readonly string[];
    else Object.defineProperty(request, name, { value: known, enumerable: true, configurable: true, writable: true });
  }
  return { request, session: undefined, profile: undefined, audiences, audiencesOpen: false, nowMs };
}

function listWith(before: readonly string[] = [], items: readonly string[]): readonly string[] {
  return [...before, ...items];
}

/** A visitor of whom this is known and nothing else, by attribute; null: there is none, because the list would have to hold something. */
export function visitorOf(columns: readonly Column[], inputs: readonly Input[], given: Given): readonly (Value | undefined)[] | null {
  const visitor: (Value | undefined)[] = inputs.map(() => undefined);
  const held = inputs.map((): string[] => []);
  for (const [place, { input, asks, values }] of columns.entries()) {
    const value = given.get(place) ?? 0;
    if (asks === 'class') visitor[input] = values[value];
    if (asks === 'item' && value === 1) held[input]?.push(values[1] as string);
  }
  for (const [place, { input, asks, members }] of columns.entries()) {
    const items = held[input] ?? [];
    if (asks === 'list' && given.get(place) === 1 && items.length === 0) {
      const other = members?.other ?? unasked(columns, input, given);
      if (other === null) return null;
      items.push(other);
    }
    if (asks !== 'class' && items.length > 0) visitor[input] = items.toSorted();
  }
  return visitor;
}

function unasked(columns: readonly Column[], input: number, given: Given): string | null {
  const place = columns.findIndex((column, at) => column.input === input && column.asks === 'item' && !given.has(at));
  return place < 0 ? null : (columns[place]?.values[1] as string);
}

/** What has to be found out before the expression has a value, in the order of asking. */
export function columnsReader(columns: readonly Column[]): (expression: Expression) => readonly number[] {
  const placesOf = Map.groupBy(columns.keys(), (place) => columns[place]?.name);
  const placeOfItem = new Map(
    columns.map(({ name, asks, values }, place) => [asks === 'item' ? `${name}\n${values[1]}` : '', place] as const),
  );
  const isOfItem = (place: number): boolean => columns[place]?.asks === 'item';
  const named = (name: string, item?: string): readonly number[] => {
    const places = (placesOf.get(name) ?? []).filter((place) => item === undefined || !isOfItem(place));
    const ofItem = item === undefined ? undefined : placeOfItem.get(`${name}\n${item}`);
    return ofItem === undefined ? places : [...places, ofItem];
  };
  const readBy = (one: Expression): readonly number[] => {
    const looked = one.op === 'in' && one.left.op === 'literal' && typeof one.left.value === 'string' ? listNamed(one.right) : null;
    if (looked !== null && one.op === 'in' && one.left.op === 'literal') return named(looked, one.left.value as string);
    const name = listNamed(one);
    if (one.op === 'has' && one.source === 'request') return named(one.name).filter((place) => !isOfItem(place));
    return name === null ? operandsOf(one).flatMap(readBy) : named(name);
  };
  return (expression) => [...new Set(readBy(expression))];
}

function listNamed(expression: Expression): string | null {
  if (expression.op === 'audiences') return audiencesName;
  return expression.op === 'attribute' && expression.source === 'request' ? expression.name : null;
}
