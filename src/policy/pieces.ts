/**
 * An artefact as pieces of text, and from pieces again: it crosses from the thread that compiled it a little at a time, so that
 * the thread that answers never reads a large policy in one go. What arrives is frozen and without prototypes just as it left.
 */
import type { Artefact } from '../decision/artefact.ts';
import { deepFreeze, freezeForWriting } from './revision.ts';

/** What grows with the size of a policy. The rest is one piece, whose size is that of the declarations. */
const longSections = ['zones', 'variants', 'offers'] as const;
type LongSection = (typeof longSections)[number];

/** About a fifth of a millisecond's reading. */
const pieceCharacters = 32 * 1024;

type Path = readonly string[];

/** `bare` says which objects of `content` have no prototype: JSON cannot. */
interface Piece {
  readonly content: Partial<Artefact> | readonly Entry[];
  readonly bare: readonly Path[];
}

type Entry = readonly [section: LongSection, id: string, value: unknown];

export function* piecesOf(artefact: Artefact): Generator<string> {
  const { zones: _zones, variants: _variants, offers: _offers, ...head } = artefact;
  yield pieceOf(head);
  let entries: string[] = [];
  let bare: Path[] = [];
  let characters = 0;
  for (const section of longSections) {
    for (const [id, value] of Object.entries(artefact[section])) {
      const text = JSON.stringify([section, id, value]);
      bare.push(...bareIn(value, [String(entries.length), '2']));
      entries.push(text);
      characters += text.length;
      if (characters < pieceCharacters) continue;
      yield `{"content":[${entries.join(',')}],"bare":${JSON.stringify(bare)}}`;
      entries = [];
      bare = [];
      characters = 0;
    }
  }
  yield `{"content":[${entries.join(',')}],"bare":${JSON.stringify(bare)}}`;
}

function pieceOf(content: Partial<Artefact>): string {
  return JSON.stringify({ content, bare: [...bareIn(content, [])] });
}

function* bareIn(value: unknown, path: Path): Generator<Path> {
  if (typeof value !== 'object' || value === null) return;
  if (Object.getPrototypeOf(value) === null) yield path;
  for (const [name, member] of Object.entries(value)) yield* bareIn(member, [...path, name]);
}

export interface Assembly {
  /** In the order in which they were made. */
  add(piece: string): void;
  /** After the last piece. */
  artefact(): Artefact;
}

export function createAssembly(): Assembly {
  let head: Partial<Artefact> = {};
  const long: Record<LongSection, Record<string, unknown>> = {
    zones: Object.create(null),
    variants: Object.create(null),
    offers: Object.create(null),
  };
  return {
    add(text) {
      const piece = JSON.parse(text) as Piece;
      // The outer ones first: what a path names must be found in the object that stays.
      for (const path of piece.bare) makeBare(piece.content, path);
      if (!isEntries(piece.content)) head = deepFreeze(piece.content);
      else for (const [section, id, value] of piece.content) long[section][id] = frozen(section, value);
    },
    artefact() {
      for (const section of longSections) Object.freeze(long[section]);
      return Object.freeze({ ...head, ...long }) as Artefact;
    },
  };
}

function isEntries(content: Piece['content']): content is readonly Entry[] {
  return Array.isArray(content);
}

function frozen(section: LongSection, value: unknown): unknown {
  if (section === 'variants') freezeForWriting((value as { content: unknown }).content);
  return deepFreeze(value);
}

function makeBare(root: object, path: Path): void {
  const last = path.at(-1);
  if (last === undefined) return;
  let parent = root as Record<string, unknown>;
  for (const name of path.slice(0, -1)) parent = parent[name] as Record<string, unknown>;
  parent[last] = Object.assign(Object.create(null), parent[last]);
}
