/**
 * What the zones of a page read of visitors, attribute by attribute, and the classes of each: values for which every condition's parts are
 * worth the same are one.
 */
import type { Artefact, AttributeDeclaration } from '../decision/artefact.ts';
import { evaluate } from '../decision/evaluate.ts';
import type { Value } from '../decision/value.ts';
import { isItem, isText } from './bounds.ts';
import { type Domain, domainOf, type Members, marksOf, membersOfList, scopeWith } from './domain.ts';
import { audiencesName, type Part, type Parts } from './parts.ts';
import type { AttributeTable, AttributeType, Cut } from './table.ts';
import { writtenValue } from './written.ts';

/** What the zones read, before and after. */
export interface AttributeSpace {
  readonly name: string;
  readonly type: AttributeType;
  /** How many values a question may bring, none among them; null: any number. */
  readonly values: number | null;
  /** How many of them the zones can tell apart when they look at nothing else; null: each from every other. */
  readonly classes: number | null;
}

export interface ClassedInput {
  readonly name: string;
  readonly type: AttributeType;
  readonly space: AttributeSpace;
  readonly domain: Domain;
  /** By the place of a value in the domain. */
  readonly classOf: readonly number[];
  /** For each class the first value of it; the class of absence is the first. */
  readonly values: readonly (Value | undefined)[];
}

interface RawInput {
  readonly name: string;
  readonly type: AttributeType;
  readonly space: AttributeSpace;
  readonly domain: null;
  readonly because: 'reads_raw' | 'too_long' | 'too_many_values';
  /** Of a text what it may be, of a list what may stand in it; null: anything. */
  readonly among: readonly string[] | null;
}

/** `members`: of a list that conditions only look for items in. */
export type Input = (ClassedInput | RawInput) & { readonly members: MembersRead | null };

export interface MembersRead extends Members {
  /** Whether no condition may hold for a list that is not there, or that holds none of them, and fail for the other. */
  readonly isPlain: boolean;
}

/** What the parts of one attribute are evaluated for. */
const evaluationsMax = 200_000;
/** Values held against what parts say, to know which of them are worth the same; a fraction of a second. */
const comparisonsMax = 5_000_000;
/** Evaluations between two pauses. */
const piece = 512;

export function* inputOf(artefact: Artefact, name: string, read: Parts, nowMs: number): Generator<undefined, Input> {
  const declaration = declarationOf(artefact, name);
  const { type } = declaration;
  const own = read.parts.filter(({ input }) => input === name);
  const isLong = read.rawInputs.has(name);
  const among = declaration.values?.filter(type === 'strings' ? isItem : isText) ?? null;
  const found = isLong || type !== 'strings' ? null : membersOfList(among, own, nowMs);
  const members = found === null ? null : { ...found, isPlain: !read.nuancedInputs.has(name) };
  const apart = domainOf(declaration, own, nowMs);
  const domain = isLong && apart !== 'reads_raw' ? 'too_long' : apart;
  const values = spaceOf(declaration);
  const raw = (because: RawInput['because']): Input => {
    const classes = members === null || members.items.length > itemsCountedMax ? null : 2 ** members.items.length;
    return { name, type, domain: null, because, among, members, space: { name, type, values, classes } };
  };
  if (typeof domain === 'string') return raw(domain);
  const signatures = yield* signaturesOf({ name, type }, domain.values, own, nowMs);
  if (signatures === null) return raw('too_many_values');
  const classes = new Map<number, number>();
  const firsts: (Value | undefined)[] = [];
  const classOf: number[] = [];
  for (const [place, signature] of signatures.entries()) {
    const known = classes.get(signature) ?? classes.size;
    if (known === classes.size) {
      classes.set(signature, known);
      firsts.push(domain.values[place]);
    }
    classOf.push(known);
  }
  return { name, type, domain, classOf, values: firsts, members, space: { name, type, values, classes: firsts.length } };
}

/** Two to the power of more is no number that anybody reads. */
const itemsCountedMax = 40;

function declarationOf(artefact: Artefact, name: string): Pick<AttributeDeclaration, 'type' | 'values'> {
  const declared = Object.hasOwn(artefact.attributes.request, name) ? artefact.attributes.request[name] : undefined;
  if (declared !== undefined && name !== audiencesName) return declared;
  return { type: 'strings', values: Object.entries(artefact.audiences).flatMap(([audience, { edge }]) => (edge ? [audience] : [])) };
}

function spaceOf({ type, values }: Pick<AttributeDeclaration, 'type' | 'values'>): number | null {
  if (type === 'bool') return 3;
  if (values === null || type === 'int' || type === 'timestamp') return null;
  return type === 'string' ? values.length + 1 : 2 ** values.length;
}

/**
 * A number for each value, the same for those for which every part is worth the same: nothing else of a value can matter. Each part is
 * evaluated once for all the values that it cannot tell apart. Null where that is too much work.
 */
function* signaturesOf(
  { name, type }: Pick<AttributeSpace, 'name' | 'type'>,
  values: readonly (Value | undefined)[],
  parts: readonly Part[],
  nowMs: number,
): Generator<undefined, readonly number[] | null> {
  const signatures: number[] = values.map(() => 0);
  const known = new Map<string, number>();
  const placeOf = new Map(values.map((value, place) => [value, place]));
  const last = values.length - 1;
  let comparisons = 0;
  let evaluations = 0;
  for (const [index, part] of parts.entries()) {
    const kinds = kindsOf(part, type, nowMs);
    // Of a text that is held against whole texts alone, every other is worth what the last is, which nobody names or which is one of these.
    const places = kinds.named === null ? values.keys() : [0, ...[...kinds.named].flatMap((text) => placeOf.get(text) ?? [])];
    const worths = new Map<number | string, string>();
    const worthAt = (place: number): string => {
      const kind = kinds.kindOf(values[place], place);
      let worth = worths.get(kind);
      if (worth === undefined) {
        evaluations++;
        worth = JSON.stringify([evaluate(part.expression, scopeWith(name, values[place], nowMs)) ?? null]);
        worths.set(kind, worth);
      }
      return worth;
    };
    const most = worthAt(kinds.named === null ? last : unnamedPlace(values, kinds.named));
    for (const place of places) {
      comparisons += kinds.comparisons;
      if (comparisons % piece < kinds.comparisons) yield;
      if (comparisons > comparisonsMax || evaluations > evaluationsMax) return null;
      const worth = worthAt(place);
      if (worth === most) continue;
      const signature = `${signatures[place]} ${index} ${worth}`;
      const number = known.get(signature) ?? known.size + 1;
      known.set(signature, number);
      signatures[place] = number;
    }
  }
  return signatures;
}

/** Where all are named, the last, which is then among those that are looked at. */
function unnamedPlace(values: readonly (Value | undefined)[], named: ReadonlySet<string>): number {
  const place = values.findIndex((value) => value !== undefined && !named.has(value as string));
  return place < 0 ? values.length - 1 : place;
}

interface Kinds {
  /** Of one kind are values that the part cannot tell apart. */
  kindOf(value: Value | undefined, place: number): number | string;
  /** How dear that is. */
  readonly comparisons: number;
  /** Whole texts that the part names, where it knows no other way to tell texts apart. */
  readonly named: ReadonlySet<string> | null;
}

function kindsOf(part: Part, type: AttributeType, nowMs: number): Kinds {
  const marks = type === 'bool' || type === 'strings' ? null : marksOf([part], nowMs);
  if (marks === null) return { kindOf: (_, place) => place, comparisons: 1, named: null };
  if (type === 'string') {
    const cuts = [
      ...[...marks.prefixes].map((mark) => ['startsWith', mark] as const),
      ...[...marks.suffixes].map((mark) => ['endsWith', mark] as const),
    ];
    const kindOf = (value: Value | undefined): string => {
      if (value === undefined) return 'absent';
      const text = value as string;
      return `${marks.texts.has(text) ? `=${text}` : ''}\n${cuts.map(([op, mark]) => (text[op](mark) ? 1 : 0)).join('')}`;
    };
    return { kindOf, comparisons: 1 + cuts.length, named: cuts.length === 0 ? marks.texts : null };
  }
  const bounds = [...marks.numbers].flatMap((mark) => [mark, mark + 1]);
  const kindOf = (value: Value | undefined): number =>
    value === undefined ? -1 : bounds.reduce((passed, bound) => (bound <= (value as number) ? passed + 1 : passed), 0);
  return { kindOf, comparisons: 1 + bounds.length, named: null };
}

/** As the query has it where nothing is known of what attributes come to together. */
export function separateTable(input: Input): AttributeTable {
  const { name, type } = input;
  if (input.domain === null) {
    const { members, among } = input;
    if (members !== null) return { name, type, raw: true, cut: cutTo(members) };
    if (among !== null && type === 'string') return eachApart(name, among);
    return { name, type, raw: true, ...(among === null ? {} : { cut: { items: among, among, other: null } }) };
  }
  const written = input.values.map((value) => (value === undefined ? '' : writtenValue(name, value, type)));
  return { name, absent: 0, ...input.domain.tableBy((place) => input.classOf[place] ?? 0), written };
}

/** What is not declared stands in no query, because no question may say it. */
function eachApart(name: string, texts: readonly string[]): AttributeTable {
  const values = Object.fromEntries(texts.map((text, index) => [text, index + 1]));
  const written = ['', ...texts.map((text) => writtenValue(name, text, 'string'))];
  return { name, type: 'string', absent: 0, values, prefixes: [], suffixes: [], classes: [0], written };
}

function cutTo({ items, among, other, isPlain }: MembersRead): Cut {
  return { items: items.toSorted(), among, other: isPlain ? null : other };
}
