/**
 * Reads typed fields out of a document's nodes. Each reader reports what is wrong, says what to write, and answers `undefined`,
 * so that its caller goes on and every mistake is found in one pass.
 */
import type { Json } from '../decision/value.ts';
import { parseInstantMs } from '../time/instant.ts';
import type { Entry, ListNode, MapNode, Node, ScalarNode } from './document.ts';
import { excerpt } from './excerpt.ts';
import type { Report } from './problems.ts';
import { didYouMean, names } from './suggest.ts';

/** A map whose fields are known by name. */
export interface Fields {
  readonly at: number;
  get(name: string): Node | undefined;
  keyAt(name: string): number;
}

export function readFields(report: Report, node: Node, what: string, known: readonly string[]): Fields | undefined {
  const map = readMap(report, node, what);
  if (map === undefined) return undefined;
  const byName = new Map<string, Entry>();
  for (const entry of map.entries) {
    if (known.includes(entry.key)) byName.set(entry.key, entry);
    else report.error('unknown-field', entry.keyAt, `${what} has no field \`${excerpt(entry.key)}\`${didYouMean(entry.key, known)}`);
  }
  return { at: map.at, get: (name) => byName.get(name)?.value, keyAt: (name) => byName.get(name)?.keyAt ?? map.at };
}

/** The field's node, or a report at the map that lacks it. */
export function required(report: Report, fields: Fields, name: string, what: string, example: string): Node | undefined {
  const node = fields.get(name);
  if (node === undefined) report.error('missing-field', fields.at, `${what} needs \`${name}\`: write ${example}`);
  return node;
}

export function readMap(report: Report, node: Node, what: string): MapNode | undefined {
  if (node.kind === 'map') return node;
  report.error('wrong-type', node.at, `${what} must be a map of fields, not ${kindOf(node)}`);
  return undefined;
}

/** A list; `limit` bounds how many items. */
export function readList(report: Report, node: Node, what: string, limit: number): ListNode | undefined {
  if (node.kind !== 'list') {
    report.error('wrong-type', node.at, `${what} must be a list, not ${kindOf(node)}: write [ … ]`);
    return undefined;
  }
  if (node.items.length > limit) {
    report.error('too-many', node.at, `${what} has ${node.items.length} items: ${limit} are allowed`);
    return undefined;
  }
  return node;
}

export function readText(report: Report, node: Node, what: string): string | undefined {
  if (node.kind === 'scalar' && typeof node.value === 'string') {
    if (node.value.trim() !== '') return node.value;
    report.error('wrong-type', node.at, `${what} is empty: write some text`);
    return undefined;
  }
  const quoted = node.kind === 'scalar' && node.value !== null ? `: write "${String(node.value)}" in quotes` : '';
  report.error('wrong-type', node.at, `${what} must be text, not ${kindOf(node)}${quoted}`);
  return undefined;
}

/** Text that keeps its place, for a condition. */
export function readTextScalar(report: Report, node: Node, what: string): (ScalarNode & { readonly value: string }) | undefined {
  return readText(report, node, what) === undefined ? undefined : (node as ScalarNode & { readonly value: string });
}

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

export function readInteger(report: Report, node: Node, what: string, bounds: Bounds): number | undefined {
  const value = node.kind === 'scalar' ? node.value : undefined;
  if (typeof value !== 'number') {
    report.error('wrong-type', node.at, `${what} must be a whole number from ${bounds.min} to ${bounds.max}, not ${kindOf(node)}`);
    return undefined;
  }
  if (!Number.isInteger(value) || value < bounds.min || value > bounds.max) {
    report.error('out-of-bounds', node.at, `${what} is ${value}: write a whole number from ${bounds.min} to ${bounds.max}`);
    return undefined;
  }
  return value + 0;
}

export function readBoolean(report: Report, node: Node, what: string): boolean | undefined {
  if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value;
  report.error('wrong-type', node.at, `${what} must be true or false, not ${kindOf(node)}`);
  return undefined;
}

export function readOneOf<T extends string>(report: Report, node: Node, what: string, allowed: readonly T[]): T | undefined {
  const value = node.kind === 'scalar' ? node.value : undefined;
  const found = allowed.find((name) => name === value);
  if (found !== undefined) return found;
  if (typeof value === 'string') {
    report.error('unknown-value', node.at, `${what} cannot be \`${excerpt(value)}\`${didYouMean(value, allowed)}`);
  } else {
    report.error('wrong-type', node.at, `${what} must be one of ${names(allowed)}, not ${kindOf(node)}`);
  }
  return undefined;
}

export function readInstantMs(report: Report, node: Node, what: string): number | undefined {
  const value = node.kind === 'scalar' ? node.value : undefined;
  const instant = typeof value === 'string' ? parseInstantMs(value) : null;
  if (instant !== null) return instant;
  const written = typeof value === 'string' ? `\`${excerpt(value)}\`` : kindOf(node);
  report.error('invalid-date', node.at, `${what} must be a date, not ${written}: write 2026-11-01 (midnight UTC) or 2026-11-01T08:30:00Z`);
  return undefined;
}

/** Distinct texts, each accepted by `readItem`. */
export function readTexts(
  report: Report,
  node: Node,
  what: string,
  limit: number,
  readItem: (item: Node) => string | undefined = (item) => readText(report, item, `an item of ${what}`),
): string[] | undefined {
  const list = readList(report, node, what, limit);
  if (list === undefined) return undefined;
  const texts = new Set<string>();
  for (const item of list.items) {
    const text = readItem(item);
    if (text === undefined) continue;
    if (texts.has(text)) report.error('repeated-value', item.at, `${what} names \`${excerpt(text)}\` twice: keep one of them`);
    texts.add(text);
  }
  return [...texts];
}

/** Any JSON, with the members of maps in one order, so that policies of one revision answer with the same bytes. */
export function readJson(node: Node): Json {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(readJson);
  return Object.fromEntries(node.entries.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map((entry) => [entry.key, readJson(entry.value)]));
}

function kindOf(node: Node): string {
  if (node.kind !== 'scalar') return node.kind === 'map' ? 'a map' : 'a list';
  if (node.value === null) return 'nothing';
  if (typeof node.value === 'string') return 'text';
  return typeof node.value === 'boolean' ? 'true or false' : Number.isInteger(node.value) ? 'a number' : 'a number with a fraction';
}
