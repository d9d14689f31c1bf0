/** OFREP's routes in the OpenAPI document. */
import { ofrepErrorCodes } from './ofrep-answer.ts';
import { commonHeaders, header, headerParameter, type Json, ref } from './openapi-parts.ts';

const context = { targetingKey: 'visitor-1', country: 'DE', device: 'mobile' };

export function ofrepPaths(): Json {
  return {
    '/ofrep/v1/evaluate/flags/{key}': {
      parameters: [{ name: 'key', in: 'path', required: true, description: 'a zone', schema: { type: 'string' }, example: 'hero' }],
      post: evaluate({
        operationId: 'evaluateFlag',
        summary: 'Evaluate a flag: a zone, for an application of OpenFeature',
        context,
        schema: 'OfrepFlag',
        notFound: true,
      }),
    },
    '/ofrep/v1/evaluate/flags': {
      post: evaluate({
        operationId: 'evaluateFlagsBulk',
        summary: 'Evaluate the flags of a page, or all of them',
        context: { ...context, page: 'home' },
        schema: 'OfrepFlags',
        notFound: false,
      }),
    },
  };
}

/** OFREP's other way to send a key. */
export const apiKeyHeaderScheme: Json = {
  type: 'apiKey',
  in: 'header',
  name: 'X-API-Key',
  description: 'The same API key, as clients of OFREP send it. On OFREP’s routes alone, and not beside a bearer.',
};

interface Evaluation {
  readonly operationId: string;
  readonly summary: string;
  readonly context: Json;
  readonly schema: string;
  readonly notFound: boolean;
}

function evaluate({ operationId, summary, context: example, schema, notFound }: Evaluation): Json {
  return {
    operationId,
    tags: ['openfeature'],
    summary,
    description:
      'OpenFeature Remote Evaluation Protocol 0.3.0. Decides as POST /v1/decide does, and always answers 200 for every degraded outcome, with a value. Errors have OFREP’s form and only the statuses that its clients know.',
    security: [{}, { apiKey: [] }, { apiKeyHeader: [] }],
    parameters: [
      headerParameter('If-None-Match', 'an `ETag` that is still held', { type: 'string' }),
      headerParameter('Stepwell-Deadline-Ms', 'how long the caller still waits; absent: as the policy says', {
        type: 'integer',
        minimum: 0,
      }),
      headerParameter('Sec-GPC', '`1`: the visitor objects to sale and sharing', { type: 'string' }),
    ],
    requestBody: { required: true, content: { 'application/json': { schema: ref('OfrepRequest'), example: { context: example } } } },
    responses: {
      200: {
        description: 'Evaluated. `Cache-Control: private, no-cache`',
        headers: { ...commonHeaders, ETag: header('strong, of the exact body') },
        content: { 'application/json': { schema: ref(schema) } },
      },
      304: { description: 'What is held is still right', headers: commonHeaders },
      400: failure('The request is wrong: its JSON, its shape, its size, its media type or a header'),
      401: failure('Send a valid API key'),
      403: failure('The API key lacks the scope `decide`'),
      ...(notFound ? { 404: failure('The policy has no such zone') } : {}),
      429: failure('Asked more often than the key may, or more than can be answered in time: ask again after `Retry-After` seconds'),
      500: failure('No policy has been loaded yet, or something went wrong here'),
    },
  };
}

function failure(description: string): Json {
  const example = { key: 'hero', errorCode: ofrepErrorCodes.at(-1), errorDetails: 'what is wrong, and what to write instead' };
  return { description, headers: commonHeaders, content: { 'application/json': { schema: ref('OfrepFailure'), example } } };
}
