/**
 * What a mistake in a body is called, in plain words: what stands there, and what to write instead. One sentence for each keyword
 * that the wire's schemas use. INVARIANT: names of fields at most, never a value that was sent.
 */
import type { ErrorObject } from 'ajv/dist/2020.js';
import { nearestName } from '../policy/suggest.ts';
import { tellableName } from './problem.ts';

/** The part of JSON Schema that `wanted` can say. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly description?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** `noun` is what a list is a list of. */
type Sentence = (error: ErrorObject, schema: Schema, noun: string) => string;

const sentences: Readonly<Record<string, Sentence>> = {
  type: ({ data }, schema, noun) => `this is ${kindOf(data)}: write ${wanted(schema, noun)}`,
  anyOf: ({ data }, schema, noun) => `this is ${kindOf(data)} that does not fit: write ${wanted(schema, noun)}`,
  enum: (_, schema) => `this is none of the words known here: write ${wanted(schema)}`,
  required: ({ params }, { properties }) =>
    `this is missing: write ${wanted(properties?.[String(params.missingProperty)] ?? {}, String(params.missingProperty))}`,
  additionalProperties: ({ params }, { properties = {} }) => unknownMember(String(params.additionalProperty), Object.keys(properties)),
  propertyNames: () => 'a member’s name is not allowed: write another',
  minLength: (_, schema) => `this text is ${schema.minLength === 1 ? 'empty' : 'too short'}: write ${wanted(schema)}`,
  maxLength: (_, schema) => `this text is too long: write ${wanted(schema)}`,
  minItems: (_, schema, noun) => `this list is ${schema.minItems === 1 ? 'empty' : 'too short'}: write ${wanted(schema, noun)}`,
  maxItems: (_, schema, noun) => `this list is too long: write ${wanted(schema, noun)}`,
  minimum: (_, schema) => `this number is too small: write ${wanted(schema)}`,
  maximum: (_, schema) => `this number is too large: write ${wanted(schema)}`,
};

/** The keywords that have a sentence. */
export const wordedKeywords: readonly string[] = Object.keys(sentences);

/** `field` is the name of the field at the error's place, or the empty string. */
export function sentenceOf(error: ErrorObject, field: string): string {
  const sentence = sentences[error.keyword];
  const schema = (error.parentSchema ?? {}) as Schema;
  return sentence === undefined ? `this is not allowed: write ${wanted(schema, field)}` : sentence(error, schema, field);
}

/** A name that is not declared: what to do with it, and which names there are. */
export function unknownMember(name: string, known: readonly string[], noun = 'members'): string {
  const told = tellableName(name);
  if (known.length === 0) return `remove \`${told}\`: no ${noun} are known here`;
  const nearest = known.length > candidatesMax ? null : nearestName(name, known);
  const question = nearest === null ? '' : `; did you mean \`${nearest}\`?`;
  return `remove \`${told}\`: known ${noun} are ${known.slice(0, namesToldMax).join(', ')}${known.length > namesToldMax ? ' and more' : ''}${question}`;
}

/** A policy may declare a thousand names: a suggestion must not make a wrong request dear, nor its answer long. */
const candidatesMax = 256;
const namesToldMax = 64;

/** What a schema takes, to be read behind "write". */
function wanted(schema: Schema, noun = ''): string {
  if (schema.anyOf !== undefined) return schema.description ?? schema.anyOf.map((form) => wanted(form, noun)).join(' or ');
  if (schema.enum !== undefined) return oneOf(schema.enum.filter((value) => value !== ''));
  if (schema.format === 'date-time') return instantWanted;
  switch (schema.type) {
    case 'string':
      return `text${counted(schema.minLength, schema.maxLength, 'characters')}`;
    case 'integer':
      return `a whole number${between(schema.minimum, schema.maximum)}`;
    case 'number':
      return `a number${between(schema.minimum, schema.maximum)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return `a list${counted(schema.minItems, schema.maxItems, isWord(noun) ? noun : 'items')}`;
    case 'object':
      return objectWanted(Object.keys(schema.properties ?? {}));
    default:
      return 'another value';
  }
}

export const instantWanted = 'an RFC 3339 timestamp, such as 2026-11-21T12:00:00Z';

export function oneOf(allowed: readonly unknown[]): string {
  const more = allowed.length > namesToldMax ? ' and more' : '';
  return allowed.length === 1 ? String(allowed[0]) : `one of ${allowed.slice(0, namesToldMax).join(', ')}${more}`;
}

function objectWanted(names: readonly string[]): string {
  return names.length === 0 ? 'an object' : `an object { ${names.map((name) => `"${name}"`).join(', ')} }`;
}

/** How many `units` there may be; nothing where there is no bound. */
function counted(min = 0, max: number | undefined, units: string): string {
  if (max !== undefined) return min > 0 ? ` of ${min} to ${max} ${units}` : ` of at most ${max} ${units}`;
  return min > 0 ? ` of ${min} ${units} or more` : '';
}

/** The largest safe integer is a bound of the machine, not of the field. */
function between(min: number | undefined, max = Number.MAX_SAFE_INTEGER): string {
  if (max < Number.MAX_SAFE_INTEGER) return min === undefined ? `, at most ${max}` : ` from ${min} to ${max}`;
  return min === undefined ? '' : `, ${min} or more`;
}

/** What kind of JSON a value is. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return 'text';
    case 'number':
      return Number.isInteger(value) ? 'a number' : 'a number with a fraction';
    case 'boolean':
      return 'true or false';
    default:
      return 'an object';
  }
}

function isWord(text: string): boolean {
  return /^[a-z]+$/i.test(text);
}
