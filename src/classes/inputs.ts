/**
 * What the zones of a page read of visitors, attribute by attribute, and the classes of each: values for which every condition's parts are
 * worth the same are one.
 */
import type { Artefact, AttributeDeclaration } from '../decision/artefact.ts';
import { evaluate } from '../decision/evaluate.ts';
import type { Value } from '../decision/value.ts';
import { type Domain, domainOf, scopeWith } from './domain.ts';
import { audiencesName, type Part, type Parts } from './parts.ts';
import type { AttributeTable, AttributeType } from './table.ts';
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
}

export type Input = ClassedInput | RawInput;

/** Values times parts, of one attribute. */
const evaluationsMax = 200_000;
/** Evaluations between two pauses. */
const piece = 512;

export function* inputOf(artefact: Artefact, name: string, { parts, rawInputs }: Parts, nowMs: number): Generator<undefined, Input> {
  const declaration = declarationOf(artefact, name);
  const { type } = declaration;
  const own = parts.filter(({ input }) => input === name);
  const domain = rawInputs.has(name) ? null : domainOf(declaration, own, nowMs);
  const values = spaceOf(declaration);
  if (domain === null || domain.values.length * own.length > evaluationsMax)
    return { name, type, domain: null, space: { name, type, values, classes: null } };
  const classes = new Map<string, number>();
  const firsts: (Value | undefined)[] = [];
  const classOf: number[] = [];
  for (const value of domain.values) {
    const signature = yield* signatureOf(name, value, own, nowMs);
    const known = classes.get(signature) ?? classes.size;
    if (known === classes.size) {
      classes.set(signature, known);
      firsts.push(value);
    }
    classOf.push(known);
  }
  return { name, type, domain, classOf, values: firsts, space: { name, type, values, classes: firsts.length } };
}

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

/** What every part is worth for one value: nothing else of the value can matter. */
function* signatureOf(name: string, value: Value | undefined, parts: readonly Part[], nowMs: number): Generator<undefined, string> {
  const scope = scopeWith(name, value, nowMs);
  const worths: (Value | null)[] = [];
  for (const [index, { expression }] of parts.entries()) {
    if (index % piece === 0) yield;
    worths.push(evaluate(expression, scope) ?? null);
  }
  return JSON.stringify(worths);
}

/** As the query has it where nothing is known of what attributes come to together. */
export function separateTable(input: Input): AttributeTable {
  const { name, type } = input;
  if (input.domain === null) return { name, type, raw: true };
  const written = input.values.map((value) => (value === undefined ? '' : writtenValue(name, value, type)));
  return { name, absent: 0, ...input.domain.tableBy((place) => input.classOf[place] ?? 0), written };
}
