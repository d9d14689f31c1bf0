/**
 * Reads the query of a cacheable question. One answer has one address: parameters come in one order, lists are sorted, nothing
 * repeats, nothing is empty and no letter is spelled in two ways, because a cache must not hold two keys for one answer. The one
 * liberty is the marks that encoders differ on, the comma above all: they are taken as they are and percent-encoded, and are the
 * same value with the same cache key. In a list the comma separates, in either spelling, so no item of a list holds one.
 */
import type { Artefact, AttributeDeclaration } from '../decision/artefact.ts';
import type { Question } from '../decision/question.ts';
import type { Value } from '../decision/value.ts';
import { parseTimestampMs } from '../time/instant.ts';
import { describe, edgeAudiences, readValue, unknownAudience } from './attributes.ts';
import { checkZones, zonesOfPage } from './convert.ts';
import { invalidRequest, type ProblemPlace, tellableName } from './problem.ts';
import { zonesMax } from './schemas.ts';
import { unknownMember } from './wording.ts';

/** `query` is what stands after the question mark, as it was sent. */
export function readSharedQuery(query: string, artefact: Artefact, nowMs: number): Question {
  const parameters = readParameters(query);
  checkOrder(parameters);
  const { page, zones } = readPlace(parameters, artefact);
  const { request, audiences } = readContext(parameters, artefact);
  const ids = zones ?? zonesOfKnownPage(artefact, page);
  return { nowMs, audience: 'shared', page, zones: ids, shownOffers: [], request, audiences, explain: false };
}

/** Where an answer goes: what it is about without who asks. */
export interface SharedPlace {
  readonly page: string | null;
  /** Null: those of the page. */
  readonly zones: readonly string[] | null;
}

/** Of a question about every visitor: it has a place, and nothing that is known of anybody. */
export function readClassesQuery(query: string, artefact: Artefact): SharedPlace {
  const parameters = readParameters(query);
  checkOrder(parameters);
  for (const name of parameters.keys()) {
    if (name !== 'page' && name !== 'zones') throw wrong(tellableName(name), unknownMember(name, ['page', 'zones'], 'parameters'));
  }
  return readPlace(parameters, artefact);
}

function readPlace(parameters: ReadonlyMap<string, string>, artefact: Artefact): SharedPlace {
  const page = parameters.get('page') ?? null;
  const given = parameters.get('zones');
  if (page === null && given === undefined) throw wrong('', '`page` or `zones` is needed');
  const onPage = page === null ? [] : zonesOfPage(artefact, page, { in: 'query', pointer: '/page' });
  const zones = given === undefined ? null : readList('zones', given);
  if ((zones ?? onPage).length > zonesMax) throw wrong('zones', `at most ${zonesMax} zones are allowed`);
  checkZones(artefact, zones ?? onPage, () => ({ in: 'query', pointer: '/zones' }));
  return { page, zones };
}

function zonesOfKnownPage(artefact: Artefact, page: string | null): readonly string[] {
  return page === null ? [] : (artefact.pages[page]?.zones ?? []);
}

function readParameters(query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const part of query === '' ? [] : query.split('&')) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const told = tellableName(name);
    if (name === '') throw wrong('', 'a parameter has no name');
    if (parameters.has(name)) throw wrong(told, 'a parameter may stand only once');
    if (equals < 0 || equals === part.length - 1) throw wrong(told, 'a parameter must have a value; leave out what is not known');
    parameters.set(name, decode(told, part.slice(equals + 1)));
  }
  return parameters;
}

/** Percent-encoding has two spellings for many characters; only one is taken, but for the marks `!*'():/,@`, on which encoders differ. */
function decode(name: string, raw: string): string {
  const sentence =
    "percent-encode, in UTF-8 and upper-case hex, all but letters, digits and -_.~, and never those; only !*'():/,@ may stand either way; a space is %20";
  if (!/^(?:[A-Za-z0-9\-_.~!*'():/,@]|%[0-9A-F]{2})*$/.test(raw)) throw wrong(name, sentence);
  if (
    [...raw.matchAll(/%([0-9A-F]{2})/g)].some(([, hex]) => /[A-Za-z0-9\-_.~]/.test(String.fromCharCode(Number.parseInt(hex ?? '', 16))))
  ) {
    throw wrong(name, sentence);
  }
  try {
    return decodeURIComponent(raw);
  } catch {
    throw wrong(name, sentence);
  }
}

function checkOrder(parameters: ReadonlyMap<string, string>): void {
  const rank = (name: string): string => (name === 'page' ? '0' : name === 'zones' ? '1' : `2${name}`);
  let before = '';
  for (const name of parameters.keys()) {
    if (rank(name) < before)
      throw wrong(tellableName(name), 'parameters come as page, zones, then attributes and audiences in alphabetical order');
    before = rank(name);
  }
}

function readContext(parameters: ReadonlyMap<string, string>, artefact: Artefact): Pick<Question, 'request' | 'audiences'> {
  const request: Record<string, Value> = Object.create(null);
  let audiences: readonly string[] | null = null;
  for (const [name, text] of parameters) {
    if (name === 'page' || name === 'zones') continue;
    if (name === 'audiences') audiences = readAudiences(text, artefact);
    else request[name] = readAttribute(name, text, artefact);
  }
  return { request, audiences };
}

function readAudiences(text: string, artefact: Artefact): readonly string[] {
  const allowed = edgeAudiences(artefact);
  const given = readList('audiences', text);
  if (given.every((name) => allowed.includes(name))) return given;
  throw wrong('audiences', unknownAudience(allowed));
}

function readAttribute(name: string, text: string, artefact: Artefact): Value {
  const declarations = artefact.attributes.request;
  const declaration = Object.hasOwn(declarations, name) ? declarations[name] : undefined;
  if (declaration === undefined) {
    const allowed = ['page', 'zones', ...[...Object.keys(declarations), 'audiences'].sort()];
    throw wrong(tellableName(name), unknownMember(name, allowed, 'parameters'));
  }
  const value = readValue(spelledValue(name, text, declaration), declaration);
  if (value === null) throw wrong(name, `write ${describe(declaration)}, in its shortest form`);
  return value;
}

/** Of its one spelling; anything else is null, which is a value of no type. */
function spelledValue(name: string, text: string, { type }: AttributeDeclaration): unknown {
  switch (type) {
    case 'string':
      return text;
    case 'int':
      return String(Number(text)) === text ? Number(text) : null;
    case 'bool':
      return text === 'true' ? true : text === 'false' ? false : null;
    case 'timestamp':
      return isShortestInstant(text) ? text : null;
    case 'strings':
      return readList(name, text);
  }
}

/** In UTC, with milliseconds only where there are some. */
function isShortestInstant(text: string): boolean {
  const atMs = parseTimestampMs(text);
  return atMs !== null && new Date(atMs).toISOString().replace('.000Z', 'Z') === text;
}

function readList(name: string, text: string): readonly string[] {
  const items = text.split(',');
  if (items.includes('')) throw wrong(name, 'a list has an empty item');
  if (items.some((item, index) => index > 0 && item <= (items[index - 1] ?? '')))
    throw wrong(name, 'a list must be sorted and without repeats');
  return items;
}

function wrong(name: string, detail: string) {
  const place: ProblemPlace = { in: 'query', pointer: name === '' ? '' : `/${name}`, detail };
  return invalidRequest([place]);
}
