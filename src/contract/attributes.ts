/**
 * Holds attributes and audiences against what the policy declares. A mistake names the place and what is allowed, in the
 * policy's words; an empty string is an absent signal.
 */
import type { Artefact, AttributeDeclaration } from '../decision/artefact.ts';
import { listItemsMax, textLengthMax } from '../decision/expression.ts';
import type { Attributes, Value } from '../decision/value.ts';
import { parseRecordedMs } from '../time/instant.ts';
import { type ProblemPlace, placesMax, pointerOf } from './problem.ts';
import { instantWanted, kindOf, oneOf, unknownMember } from './wording.ts';

export type Declarations = Readonly<Record<string, AttributeDeclaration>>;

export interface AttributeReading {
  /** As the core and the stores hold them: timestamps are integers of milliseconds. */
  readonly attributes: Attributes;
  readonly places: readonly ProblemPlace[];
}

/** `pointer` is where the attributes stand. */
export function readAttributes(given: Readonly<Record<string, unknown>>, declarations: Declarations, pointer: string): AttributeReading {
  const attributes: Record<string, Value> = Object.create(null);
  const places: ProblemPlace[] = [];
  for (const name of Object.keys(given)) {
    const value = given[name];
    const declaration = Object.hasOwn(declarations, name) ? declarations[name] : undefined;
    // A body can hold thousands of mistakes, and no answer tells more than these.
    if (places.length === placesMax) break;
    if (declaration === undefined) {
      places.push({ pointer: pointer + pointerOf([name]), detail: unknownMember(name, Object.keys(declarations), 'attributes') });
      continue;
    }
    if (value === '') continue;
    const read = readValue(value, declaration);
    if (read === null)
      places.push({ pointer: pointer + pointerOf([name]), detail: `${misfit(value, declaration)}: write ${describe(declaration)}` });
    else attributes[name] = read;
  }
  return { attributes, places };
}

/** The way back, for whoever asks what is stored. */
export function writtenAttributes(stored: Attributes, declarations: Declarations): Attributes {
  return Object.fromEntries(
    Object.entries(stored).map(([name, value]) => {
      const isInstant = Object.hasOwn(declarations, name) && declarations[name]?.type === 'timestamp' && typeof value === 'number';
      return [name, isInstant ? new Date(value).toISOString() : value];
    }),
  );
}

/** As the core wants it; null where it is not of the declared type or not among the declared values. */
export function readValue(value: unknown, { type, values }: AttributeDeclaration): Value | null {
  switch (type) {
    case 'string':
      return typeof value === 'string' && value.length <= textLengthMax && isAmong(value, values) ? value : null;
    case 'int':
      return Number.isSafeInteger(value) ? (value as number) : null;
    case 'bool':
      return typeof value === 'boolean' ? value : null;
    case 'timestamp':
      return typeof value === 'string' ? parseRecordedMs(value) : null;
    case 'strings':
      return isStrings(value) && !isTooLong(value) && value.every((item) => isAmong(item, values)) ? value : null;
  }
}

export function describe({ type, values }: AttributeDeclaration): string {
  if (values !== null) return type === 'strings' ? `a list of texts, each ${oneOf(values)}` : oneOf(values);
  return typeSentences[type];
}

const typeSentences = {
  string: 'text',
  int: 'a whole number within ±(2^53 − 1)',
  bool: 'true or false',
  timestamp: instantWanted,
  strings: 'a list of texts',
} as const;

/** No condition would read it. */
function isTooLong(value: unknown): boolean {
  if (typeof value === 'string') return value.length > textLengthMax;
  return isStrings(value) && (value.length > listItemsMax || value.some(isTooLong));
}

function misfit(value: unknown, { type, values }: AttributeDeclaration): string {
  if (isTooLong(value)) return `this is longer than ${textLengthMax} characters, or a list of more than ${listItemsMax}`;
  const isDeclaredKind = type === 'string' ? typeof value === 'string' : type === 'strings' && isStrings(value);
  if (isDeclaredKind && values !== null) return 'the policy declares other values';
  return type === 'timestamp' && typeof value === 'string' ? 'this is no timestamp' : `this is ${kindOf(value)}`;
}

/** Which audiences a request may name: those safely known before the person is. */
export function edgeAudiences(artefact: Artefact): readonly string[] {
  let names = edgeNames.get(artefact);
  if (names === undefined) {
    names = Object.entries(artefact.audiences).flatMap(([name, { edge }]) => (edge ? [name] : []));
    edgeNames.set(artefact, names);
  }
  return names;
}

const edgeNames = new WeakMap<Artefact, readonly string[]>();

export function audiencePlaces(given: readonly string[], allowed: readonly string[], pointer: string): readonly ProblemPlace[] {
  const places: ProblemPlace[] = [];
  if (given.length > listItemsMax) return [{ pointer, detail: `this list is too long: write a list of at most ${listItemsMax}` }];
  for (const [index, name] of given.entries()) {
    if (places.length === placesMax) break;
    if (!isAmong(name, allowed)) places.push({ pointer: `${pointer}/${index}`, detail: unknownAudience(allowed) });
  }
  return places;
}

export function unknownAudience(allowed: readonly string[]): string {
  return allowed.length === 0
    ? 'remove this audience: the policy declares none'
    : `this audience is not among the allowed: write ${oneOf(allowed)}`;
}

export function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isAmong(value: string, values: readonly string[] | null): boolean {
  if (values === null) return true;
  // A body may hold thousands of names, and so may a policy.
  if (values.length <= fewNames) return values.includes(value);
  let set = setsOfNames.get(values);
  if (set === undefined) {
    set = new Set(values);
    setsOfNames.set(values, set);
  }
  return set.has(value);
}

const fewNames = 8;
const setsOfNames = new WeakMap<readonly string[], ReadonlySet<string>>();
