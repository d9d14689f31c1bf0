/**
 * Validates bodies against the wire's schemas: zod to JSON Schema to one compiled function each, once, at start. A mistake
 * becomes a problem that names the place and what is allowed there, never the value that was sent.
 */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { z } from 'zod';
import { invalidRequest, type ProblemPlace, pointerOf, tellableName } from './problem.ts';

const compiler = {
  strict: true,
  allowUnionTypes: true,
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  validateFormats: false,
} as const;

/** `allErrors` only for a body that is known to be wrong: the answer to a good one comes from the short way. */
const first = new Ajv2020({ ...compiler, allErrors: false });
const all = new Ajv2020({ ...compiler, allErrors: true, verbose: true });

/** A function that hands back the body as its type, or throws the problem. */
export function validatorOf<S extends z.ZodType>(schema: S): (body: unknown) => z.output<S> {
  const jsonSchema = jsonSchemaOf(schema);
  const isValid: ValidateFunction = first.compile(jsonSchema);
  const findAll: ValidateFunction = all.compile(jsonSchema);
  return (body) => {
    if (isValid(body)) return body as z.output<S>;
    findAll(body);
    throw invalidRequest(placesOf(findAll.errors ?? []));
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
  const unions = errors.filter(({ keyword }) => keyword === 'anyOf');
  const places = new Map<string, ProblemPlace>();
  for (const error of errors) {
    if (isInsideUnion(error, unions)) continue;
    const place = placeOf(error);
    if (!places.has(place.pointer)) places.set(place.pointer, place);
  }
  return [...places.values()];
}

/** Each branch of a union reports why it failed. For an object, only what is wrong within it helps; else only the union's own sentence. */
function isInsideUnion(error: ErrorObject, unions: readonly ErrorObject[]): boolean {
  return unions.some((union) => {
    const isObject = typeof union.data === 'object' && union.data !== null && !Array.isArray(union.data);
    const hasObjectBranch = JSON.stringify(union.schema).includes('"properties"');
    if (error === union) return isObject && hasObjectBranch;
    if (!error.schemaPath.startsWith(union.schemaPath) || !error.instancePath.startsWith(union.instancePath)) return false;
    return !(isObject && hasObjectBranch) || (error.keyword === 'type' && error.instancePath === union.instancePath);
  });
}

function placeOf(error: ErrorObject): ProblemPlace {
  const path = pathOf(error.instancePath);
  const { params, parentSchema } = error;
  switch (error.keyword) {
    case 'additionalProperties': {
      const name = String(params.additionalProperty);
      const allowed = Object.keys((parentSchema?.properties as object | undefined) ?? {});
      return at([...path, name], `unknown field \`${tellableName(name)}\`; allowed here: ${allowed.join(', ')}`);
    }
    case 'required':
      return at([...path, String(params.missingProperty)], 'this field is needed');
    case 'type':
      return at(path, `must be ${typeNames[String(params.type)] ?? String(params.type)}`);
    case 'enum':
      return at(
        path,
        `must be one of: ${(params.allowedValues as unknown[]).map((value) => (value === '' ? '(empty)' : value)).join(', ')}`,
      );
    case 'anyOf':
      return at(path, parentSchema?.description ?? 'must have another form');
    default:
      return at(path, error.message ?? 'is not allowed');
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
};

function pathOf(instancePath: string): string[] {
  return instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function at(path: readonly string[], detail: string): ProblemPlace {
  return { pointer: pathToPointer(path), detail };
}

function pathToPointer(path: readonly string[]): string {
  return pointerOf(path.map((part) => (/^\d{1,6}$/.test(part) ? Number(part) : part)));
}
