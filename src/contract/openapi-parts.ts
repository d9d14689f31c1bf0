/** What the routes of the OpenAPI document share: answers, problems and parameters. */
import { idLengthMax } from '../records/limits.ts';
import { type ProblemCode, problemTable, problemType } from './problem.ts';

export type Json = Record<string, unknown>;

export const always: readonly ProblemCode[] = [
  'invalid_request',
  'malformed_request',
  'unauthenticated',
  'scope_missing',
  'host_not_allowed',
  'origin_not_allowed',
  'rate_limited',
  'headers_too_large',
  'internal_error',
];
export const withBody: readonly ProblemCode[] = ['malformed_json', 'body_too_large', 'unsupported_media_type', 'request_timeout'];
export const storing: readonly ProblemCode[] = ['store_unavailable', 'address_too_long'];

/** Several problems may share a status: the response then names them all. */
export function problems(codes: readonly ProblemCode[]): Json {
  const statuses = [...new Set(codes.map((code) => problemTable[code].status))].sort();
  return Object.fromEntries(
    statuses.map((status) => {
      const [first, ...others] = codes.filter((code) => problemTable[code].status === status);
      if (first === undefined || others.length === 0) return [status, { $ref: `#/components/responses/${first}` }];
      const all = [first, ...others];
      return [status, problemResponse(all.map((code) => `\`${code}\`: ${problemTable[code].sentence}`).join('; '), all)];
    }),
  );
}

export function problemResponseOf(code: ProblemCode): Json {
  return problemResponse(problemTable[code].sentence, [code]);
}

function problemResponse(description: string, codes: readonly ProblemCode[]): Json {
  const examplesByCode = codes.map((code) => {
    const { title, status, sentence } = problemTable[code];
    return [code, { value: { type: problemType(code), title, status, detail: sentence, code, requestId: '01KAJ2M3N4P5Q6R7S8T9V0W1X2' } }];
  });
  return {
    description,
    headers: commonHeaders,
    content: { 'application/problem+json': { schema: ref('Problem'), examples: Object.fromEntries(examplesByCode) } },
  };
}

export function body(schema: string, example: Json, required = true): Json {
  return { required, content: { 'application/json': { schema: ref(schema), example } } };
}

export function answer(description: string, schema: string): Json {
  return { description, headers: commonHeaders, content: { 'application/json': { schema: ref(schema) } } };
}

export function done(description: string): Json {
  return { description, headers: commonHeaders };
}

export function header(description: string): Json {
  return { description, schema: { type: 'string' } };
}

export const commonHeaders: Json = {
  'Cache-Control': header('on every answer; `private, no-store` unless said otherwise'),
  'Stepwell-Request-Id': header('quote it when you ask for help'),
};

export function headerParameter(name: string, description: string, schema: Json): Json {
  return { name, in: 'header', required: false, description, schema };
}

export function queryParameter(name: string, description: string, example?: string): Json {
  return { name, in: 'query', required: false, description, schema: { type: 'string' }, ...(example === undefined ? {} : { example }) };
}

export const ifNoneMatch: Json = headerParameter('If-None-Match', 'an `ETag` that is still held', { type: 'string' });
export const stillHeld: Json = { description: 'What is held is still right', headers: commonHeaders };

export function pathParameter(name: string, description: string, example: string): Json {
  return { name, in: 'path', required: true, description, schema: { type: 'string', minLength: 1, maxLength: idLengthMax }, example };
}

export function ref(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}
