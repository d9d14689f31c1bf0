/**
 * Validates bodies against the wire's schemas: zod to JSON Schema to one compiled function each, once, when it is first needed or
 * when there is time for it. A mistake becomes a problem that names the place, what is wrong there and what to write instead, never
 * the value that was sent.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { z } from 'zod';
import { invalidRequest, type ProblemPlace, placesMax, pointerOf } from './problem.ts';
import { sentenceOf } from './wording.ts';

const compiler = {
  strict: true,
  allowUnionTypes: true,
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  validateFormats: false,
  // The schemas are made by zod, not by people: to hold them against the meta-schema would be a sixth of a cold start.
  meta: false,
  validateSchema: false,
} as const;

/** `allErrors` only for a body that is known to be wrong: the answer to a good one comes from the short way. */
const first = new Ajv2020({ ...compiler, allErrors: false });
const all = new Ajv2020({ ...compiler, allErrors: true, verbose: true });

/** A function that hands back the body as its type, or throws the problem. */
export function validatorOf<S extends z.ZodType>(schema: S): (body: unknown) => z.output<S> {
  const jsonSchema = whenNeeded(() => jsonSchemaOf(schema));
  const isValid = whenNeeded<ValidateFunction>(() => first.compile(jsonSchema()));
  const findAll = whenNeeded<ValidateFunction>(() => all.compile(jsonSchema()));
  uncompiled.push(isValid, findAll);
  return (body) => {
    if (isValid()(body)) return body as z.output<S>;
    findAll()(body);
    throw invalidRequest(placesOf(findAll().errors ?? []));
  };
}

const uncompiled: (() => ValidateFunction)[] = [];

/** For whoever has a moment before anybody needs them: each takes a few milliseconds. */
export function compilations(): readonly (() => unknown)[] {
  return uncompiled;
}

function whenNeeded<T extends object>(make: () => T): () => T {
  let made: T | null = null;
  return () => {
    made ??= make();
    return made;
  };
}

export function jsonSchemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...jsonSchema } = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-2020-12',
    reused: 'inline',
    override: ({ jsonSchema: made }) => {
      // zod bounds every int by the safe integers; that is our rule too, but Ajv's `integer` and the document are clearer without a made-up floor.
      if (made.type === 'integer' && made.minimum === Number.MIN_SAFE_INTEGER) delete made.minimum;
    },
  }) as Record<string, unknown>;
  return jsonSchema;
}

/** Several errors may speak of one place: the first says enough. */
function placesOf(errors: readonly ErrorObject[]): readonly ProblemPlace[] {
  const places = new Map<string, ProblemPlace>();
  for (const error of worthTelling(errors)) {
    const place = placeOf(error);
    if (!places.has(place.pointer)) places.set(place.pointer, place);
    if (places.size === placesMax) break;
  }
  return [...places.values()];
}

/**
 * Each branch of a union reports why it failed, just before the union itself does. For an object, only what is wrong within it
 * helps; else only the union's own sentence. INVARIANT: one pass, for a small body can hold ten thousand mistakes.
 */
function worthTelling(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const worth: ErrorObject[] = [];
  let union: { readonly error: ErrorObject; readonly takesObject: boolean } | null = null;
  for (const error of errors.toReversed()) {
    if (union !== null && isWithin(error, union.error)) {
      const isOtherForm = error.keyword === 'type' && error.instancePath === union.error.instancePath;
      if (union.takesObject && !isOtherForm) worth.push(error);
      continue;
    }
    union = error.keyword === 'anyOf' ? { error, takesObject: isObject(error.data) && hasObjectBranch(error) } : null;
    if (union === null || !union.takesObject) worth.push(error);
  }
  return worth.reverse();
}

function isWithin(error: ErrorObject, union: ErrorObject): boolean {
  return (
    error.schemaPath.startsWith(`${union.schemaPath}/`) &&
    (error.instancePath === union.instancePath || error.instancePath.startsWith(`${union.instancePath}/`))
  );
}

function hasObjectBranch({ schema }: ErrorObject): boolean {
  return Array.isArray(schema) && schema.some((branch) => branch.properties !== undefined);
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The place of the member itself where it is one too many or missing. */
function placeOf(error: ErrorObject): ProblemPlace {
  const path = pathOf(error.instancePath);
  const { additionalProperty, missingProperty } = error.params;
  const member = error.keyword === 'additionalProperties' ? additionalProperty : error.keyword === 'required' ? missingProperty : undefined;
  const pointer = pathToPointer(member === undefined ? path : [...path, String(member)]);
  return { pointer, detail: sentenceOf(error, path.at(-1) ?? '') };
}

function pathOf(instancePath: string): string[] {
  return instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function pathToPointer(path: readonly string[]): string {
  return pointerOf(path.map((part) => (/^\d{1,6}$/.test(part) ? Number(part) : part)));
}
