/** Ids that authors choose: their one spelling rule, and maps by id that no prototype can add a name to. */
import type { Node } from './document.ts';
import { excerpt } from './excerpt.ts';
import type { Report } from './problems.ts';
import { readMap, readText } from './read.ts';
import { didYouMean } from './suggest.ts';

const pattern = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
const spelling = 'start with a letter, then up to 63 letters, digits, `_`, `.` or `-`';

/** True when the name is fit to be a key of the artefact; reports why it is not. */
export function checkName(report: Report, name: string, at: number, what: string): boolean {
  if (name in Object.prototype || name === 'prototype') {
    report.error('invalid-name', at, `${what} cannot be named \`${name}\`: the word is reserved, choose another`);
    return false;
  }
  if (pattern.test(name)) return true;
  report.error('invalid-name', at, `${what} cannot be named \`${excerpt(name)}\`: ${spelling}`);
  return false;
}

export interface Named {
  readonly id: string;
  readonly at: number;
  readonly node: Node;
}

/** The entries of a section that maps ids to things, with ids that may be used. A section left empty has none. */
export function readNamed(report: Report, node: Node | undefined, section: string, what: string, limit: number): Named[] {
  if (node === undefined || (node.kind === 'scalar' && node.value === null)) return [];
  const map = readMap(report, node, section);
  if (map === undefined) return [];
  if (map.entries.length > limit) {
    report.error('too-many', map.at, `${section} has ${map.entries.length} entries: ${limit} are allowed`);
    return [];
  }
  return map.entries
    .filter((entry) => checkName(report, entry.key, entry.keyAt, what))
    .map((entry) => ({ id: entry.key, at: entry.keyAt, node: entry.value }));
}

export interface Defined {
  /** Who names it, and what it names: ``page `home` `` names `a zone`. */
  readonly what: string;
  readonly names: 'variant' | 'zone';
  readonly among: ReadonlyMap<string, unknown>;
}

/** The name of something that its section defines. */
export function readDefinedName(report: Report, node: Node, { what, names, among }: Defined): string | undefined {
  const name = readText(report, node, `a ${names} of ${what}`);
  if (name === undefined || among.has(name)) return name;
  const message = `${what} names a ${names} \`${excerpt(name)}\` that \`${names}s\` does not define${didYouMean(name, among.keys())}`;
  report.error(`unknown-${names}`, node.at, message);
  return undefined;
}

/** A map by id, without a prototype and in one order whatever the author's, so that equal policies are equal artefacts. */
export function mapById<T>(entries: Iterable<readonly [string, T]>): Readonly<Record<string, T>> {
  const map: Record<string, T> = Object.create(null);
  for (const [id, value] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) map[id] = value;
  return map;
}
