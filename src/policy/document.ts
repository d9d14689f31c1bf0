/**
 * Reads YAML 1.2, and so JSON too, into a tree of our own in which every node knows its place in the text. It refuses what a policy
 * never needs and an attacker likes: keys that are not text, duplicate and merge keys, aliases that explode, bottomless nesting.
 * It knows nothing of what a policy means.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document as YamlDocument } from 'yaml';
import { excerpt, sentenceOf } from './excerpt.ts';
import type { Report } from './problems.ts';
import { didYouMean } from './suggest.ts';

export type Node = MapNode | ListNode | ScalarNode;

export interface MapNode {
  readonly kind: 'map';
  /** Where it starts in the text, as an offset in characters. */
  readonly at: number;
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly key: string;
  readonly keyAt: number;
  readonly value: Node;
}

export interface ListNode {
  readonly kind: 'list';
  readonly at: number;
  readonly items: readonly Node[];
}

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly at: number;
  readonly end: number;
  readonly style: 'plain' | 'single' | 'double' | 'literal' | 'folded';
  readonly value: string | number | boolean | null;
}

/** A policy of 100,000 offers is some 30 MB. */
const documentCharactersMax = 64 * 1024 * 1024;
export const documentDepthMax = 64;
/** How many nodes all aliases together may stand for. */
const aliasNodesMax = 100_000;

export interface SourceText {
  readonly text: string;
  placeOf(offset: number): { line: number; column: number };
}

/** Positions for a text that is about to be read: the counter fills while `readDocument` parses. */
export function sourceText(text: string, lines: LineCounter): SourceText {
  return {
    text,
    placeOf(offset) {
      const { line, col } = lines.linePos(Math.max(0, Math.min(offset, text.length)));
      return { line: Math.max(1, line), column: Math.max(1, col) };
    },
  };
}

export function lineCounter(): LineCounter {
  return new LineCounter();
}

/** The document's root, or null when there is nothing to go on with; every reason is in the report. */
export function readDocument(text: string, lines: LineCounter, report: Report): Node | null {
  if (!fitsInMemory(text, report)) return null;
  const document = parse(text, lines, report);
  if (document === null) return null;
  if (document.contents === null && document.errors.length === 0) {
    report.error('missing-field', 0, 'the document is empty: begin with `stepwell: 1` and `policy: <name>`');
    return null;
  }
  // What follows a mistake in the syntax was read wrongly: problems found there would be about a policy nobody wrote.
  return document.errors.length > 0 ? null : convertDocument(document, report);
}

export function fitsInMemory(text: string, report: Report): boolean {
  if (text.length <= documentCharactersMax) return true;
  report.error('document-too-large', 0, `the document has ${text.length} characters: a policy may have ${documentCharactersMax}`);
  return false;
}

function parse(text: string, lines: LineCounter, report: Report): YamlDocument.Parsed | null {
  let document: YamlDocument.Parsed;
  try {
    // Uniqueness of keys is checked here, not there: the library compares every pair, which a map of 100,000 offers cannot afford.
    document = parseDocument(text, { lineCounter: lines, version: '1.2', schema: 'core', uniqueKeys: false, prettyErrors: false });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    reportTooDeep(report, 0);
    return null;
  }
  if (document.directives.yaml.explicit && document.directives.yaml.version !== '1.2') {
    report.error('yaml-version', 0, 'the document asks for another version of YAML: write `%YAML 1.2` or leave the directive out');
  }
  for (const error of [...document.errors, ...document.warnings]) {
    if (error.code === 'RESOURCE_EXHAUSTION') reportTooDeep(report, error.pos[0]);
    else report.error('syntax', error.pos[0], `this is not YAML 1.2 or JSON: ${advice[error.code] ?? sentenceOf(error.message)}`);
  }
  return document;
}

export function reportTooDeep(report: Report, at: number): void {
  report.error('document-too-deep', at, `this is nested too deep: stay within ${documentDepthMax} levels`);
}

/** True for a key that data may have and that its map has not `seen`; remembers it. */
export function checkKey(report: Report, seen: Set<string>, key: string, keyAt: number): boolean {
  if (key === '__proto__') report.error('invalid-name', keyAt, '`__proto__` is no name for data: choose another');
  else if (seen.has(key)) report.error('duplicate-key', keyAt, `\`${excerpt(key)}\` is written twice in one map: keep one of them`);
  else {
    seen.add(key);
    return true;
  }
  return false;
}

/** Where the library speaks to programmers. */
const advice: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'a policy is one document, so remove the `---` and what does not belong to it',
  TAG_RESOLVE_FAILED: 'tags with `!` are not part of a policy, so leave this one out',
};

/** Of more digits than a number keeps, some would be shown as others. */
export function isRounded(written: string, value: number): boolean {
  return /^[-+]?[1-9]\d{15,}$/.test(written) && String(value) !== written.replace('+', '');
}

export const roundedNumber = 'this number is too large to be kept to its last digit: write it as text, in quotes';

/** The library ends its sentences; ours do not. */
function convertDocument(document: YamlDocument.Parsed, report: Report): Node | null {
  let aliasDepth = 0;
  let aliasNodes = 0;
  let exploded = false;

  function convert(source: unknown, depth: number, fallbackAt: number): Node | null {
    if (exploded) return null;
    if (aliasDepth > 0 && ++aliasNodes > aliasNodesMax) {
      exploded = true;
      report.error('alias-too-large', fallbackAt, `aliases stand for more than ${aliasNodesMax} values: write the values out`);
      return null;
    }
    if (isAlias(source)) return convertAlias(source, depth, fallbackAt);
    const range = (source as { range?: [number, number, number] | null } | null)?.range;
    const at = range?.[0] ?? fallbackAt;
    if (depth > documentDepthMax) {
      reportTooDeep(report, at);
      return null;
    }
    if (isMap(source)) return { kind: 'map', at, entries: convertEntries(source.items, depth, at) };
    if (isSeq(source)) {
      const items = source.items.map((item) => convert(item, depth + 1, at)).filter((item) => item !== null);
      return { kind: 'list', at, items };
    }
    if (!isScalar(source)) return { kind: 'scalar', at, end: at, style: 'plain', value: null };
    const value = source.value;
    const style = styles[source.type ?? 'PLAIN'] ?? 'plain';
    if (typeof value === 'number' && isRounded(source.source ?? '', value)) {
      report.error('not-json', at, roundedNumber);
      return null;
    }
    if (value === null || typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') {
      if (typeof value !== 'number' || Number.isFinite(value)) return { kind: 'scalar', at, end: range?.[1] ?? at, style, value };
    }
    report.error('not-json', at, 'this value has no JSON form: write text, a finite number, true, false, a list or a map');
    return null;
  }

  function convertAlias(
    alias: { source: string; range?: [number, number, number] | null },
    depth: number,
    fallbackAt: number,
  ): Node | null {
    const at = alias.range?.[0] ?? fallbackAt;
    const target = anchors()
      .get(alias.source)
      ?.findLast((anchor) => anchor.at < at)?.node;
    if (target === undefined) {
      const names = [...anchors().keys()];
      report.error(
        'unknown-alias',
        at,
        `no anchor \`&${excerpt(alias.source)}\` stands before this alias${didYouMean(alias.source, names)}`,
      );
      return null;
    }
    aliasDepth++;
    const node = convert(target, depth, at);
    aliasDepth--;
    return node;
  }

  function convertEntries(pairs: readonly { key: unknown; value: unknown }[], depth: number, mapAt: number): Entry[] {
    const entries: Entry[] = [];
    const seen = new Set<string>();
    for (const pair of pairs) {
      const keyAt = (pair.key as { range?: [number, number, number] | null } | null)?.range?.[0] ?? mapAt;
      const key = isScalar(pair.key) ? pair.key.value : undefined;
      const plain = isScalar(pair.key) && pair.key.type === 'PLAIN';
      if (typeof key !== 'string') {
        report.error(
          'key-not-text',
          keyAt,
          `a key must be text: ${key === undefined ? 'write a plain name' : `write "${String(key)}" in quotes`}`,
        );
      } else if (key === '<<' && plain) {
        report.error('merge-key', keyAt, 'merge keys are not part of YAML 1.2: write the fields out');
      } else if (checkKey(report, seen, key, keyAt)) {
        const value = convert(pair.value, depth + 1, keyAt);
        if (value !== null) entries.push({ key, keyAt, value });
      }
    }
    return entries;
  }

  let anchorIndex: Map<string, { at: number; node: unknown }[]> | null = null;
  function anchors(): Map<string, { at: number; node: unknown }[]> {
    anchorIndex ??= indexAnchors(document.contents);
    return anchorIndex;
  }

  return convert(document.contents, 1, 0);
}

/** The library finds an alias's anchor by walking the whole document; an index makes many aliases cheap. */
function indexAnchors(contents: unknown): Map<string, { at: number; node: unknown }[]> {
  const index = new Map<string, { at: number; node: unknown }[]>();
  const pending: unknown[] = [contents];
  while (pending.length > 0) {
    const node = pending.pop();
    if (isMap(node)) for (const pair of node.items) pending.push(pair.key, pair.value);
    if (isSeq(node)) pending.push(...node.items);
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) {
      const at = node.range?.[0] ?? 0;
      const list = index.get(node.anchor) ?? [];
      list.push({ at, node });
      index.set(node.anchor, list);
    }
  }
  for (const list of index.values()) list.sort((a, b) => a.at - b.at);
  return index;
}

const styles: Readonly<Record<string, ScalarNode['style']>> = {
  PLAIN: 'plain',
  QUOTE_SINGLE: 'single',
  QUOTE_DOUBLE: 'double',
  BLOCK_LITERAL: 'literal',
  BLOCK_FOLDED: 'folded',
};
