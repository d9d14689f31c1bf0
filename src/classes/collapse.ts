/**
 * From raw signals to the one query of their class, by a table of classes. It runs wherever the signals are, in a service, an edge worker
 * or a browser: no dependency, nothing ambient, and it cannot fail; a signal that it cannot use is as if it were absent.
 */
import { listItemsMax } from '../decision/expression.ts';
import { parseRecordedMs } from '../time/instant.ts';
import { instants, isItem, isText } from './bounds.ts';
import type { AttributeTable, ClassTable, Cut, DecisionGraph } from './table.ts';
import { writtenValue } from './written.ts';

export type { ClassTable } from './table.ts';

/**
 * What is known of a visitor, by the name of the attribute, and `audiences`. Numbers, truths, timestamps and lists may come as text, as a
 * header or cookie has them.
 */
export type VisitorContext = { readonly [name: string]: unknown };

/** What to put after the question mark of `GET /v1/decide`: visitors of whom the zones think alike get the same. */
export function collapse(table: ClassTable, context: VisitorContext): string {
  const { attributes, decision } = table;
  const classOf = attributes.map((attribute) => () => ('raw' in attribute ? 0 : classIn(attribute, signalOf(context, attribute))));
  if (decision !== null) return answeredBy(decision, classOf);
  const parts = attributes.map((attribute, index) => {
    if (!('raw' in attribute)) return attribute.written?.[classOf[index]?.() ?? 0] ?? '';
    const signal = signalOf(context, attribute);
    const value = attribute.cut === undefined ? signal : partOf(attribute.cut, signal as readonly string[] | undefined);
    return value === undefined ? '' : writtenValue(attribute.name, value, attribute.type);
  });
  return [table.query, ...parts.filter((part) => part !== '')].join('&');
}

function partOf({ items, among, other }: Cut, list: readonly string[] = []): readonly string[] | undefined {
  const held = list.filter((item) => among === null || among.includes(item));
  const kept = held.filter((item) => items.includes(item));
  if (kept.length > 0) return kept;
  return held.length === 0 || other === null ? undefined : [other];
}

function answeredBy({ start, nodes, queries }: DecisionGraph, classOf: readonly (() => number)[]): string {
  let target = start;
  while (target >= 0) {
    const [attribute = 0, ...targets] = nodes[target] ?? [];
    target = targets[classOf[attribute]?.() ?? 0] ?? -1;
  }
  return queries[-1 - target] ?? '';
}

type Signal = string | number | boolean | readonly string[];

function classIn(attribute: Exclude<AttributeTable, { raw: true }>, signal: Signal | undefined): number {
  if (signal === undefined) return attribute.absent;
  switch (attribute.type) {
    case 'bool':
      return signal === true ? attribute.true : attribute.false;
    case 'string': {
      const { values, prefixes, suffixes, classes, absent } = attribute;
      const text = signal as string;
      if (Object.hasOwn(values, text)) return values[text] ?? absent;
      const prefix = firstOrNone(prefixes, (one) => text.startsWith(one));
      const suffix = firstOrNone(suffixes, (one) => text.endsWith(one));
      return classes[prefix * (suffixes.length + 1) + suffix] ?? absent;
    }
    case 'int':
    case 'timestamp': {
      const passed = attribute.bounds.filter((bound) => bound <= (signal as number)).length;
      return attribute.classes[passed] ?? attribute.absent;
    }
    case 'strings': {
      const { items, among, classes, absent } = attribute;
      const held = (signal as readonly string[]).filter((item) => among === null || among.includes(item));
      if (held.length === 0) return absent;
      return classes[items.reduce((sum, item, index) => (held.includes(item) ? sum + 2 ** index : sum), 0)] ?? absent;
    }
  }
}

function firstOrNone(marks: readonly string[], fits: (mark: string) => boolean): number {
  const index = marks.findIndex(fits);
  return index < 0 ? marks.length : index;
}

/** Undefined for what `GET /v1/decide` would not take: it is then no signal. */
function signalOf(context: VisitorContext, { name, type }: AttributeTable): Signal | undefined {
  const given = Object.hasOwn(context, name) ? context[name] : undefined;
  switch (type) {
    case 'string':
      return typeof given === 'string' && isText(given) ? given : undefined;
    case 'bool':
      return given === true || given === 'true' ? true : given === false || given === 'false' ? false : undefined;
    case 'int': {
      const value = typeof given === 'string' && /^-?\d{1,16}$/.test(given) ? Number(given) : given;
      return Number.isSafeInteger(value) ? (value as number) + 0 : undefined;
    }
    case 'timestamp':
      return instantOf(given);
    case 'strings': {
      const items = typeof given === 'string' ? given.split(',') : Array.isArray(given) ? given : [];
      const usable = [...new Set<string>(items.filter((item) => typeof item === 'string' && isItem(item)))].sort();
      return usable.length === 0 || usable.length > listItemsMax ? undefined : usable;
    }
  }
}

function instantOf(given: unknown): number | undefined {
  const atMs = typeof given === 'string' ? parseRecordedMs(given) : given;
  return Number.isSafeInteger(atMs) && (atMs as number) >= instants.firstMs && (atMs as number) <= instants.lastMs
    ? (atMs as number)
    : undefined;
}
