/** Of the OpenAPI document: what pages and devices hold of their own, and how they hear that it is no longer right. */
import {
  always,
  answer,
  commonHeaders,
  header,
  headerParameter,
  ifNoneMatch,
  type Json,
  pathParameter,
  problems,
  stillHeld,
  storing,
  withBody,
} from './openapi-parts.ts';
import type { ProblemCode } from './problem.ts';
import { artefactPath, streamPath } from './session-tokens.ts';

export function devicePaths(sessionId: string): Json {
  return {
    '/v1/sessions/{sessionId}/tokens': {
      parameters: [pathParameter('sessionId', 'as POST /v1/sessions gave it', sessionId)],
      post: sessionTokens(),
    },
    [artefactPath]: { get: artefact() },
    '/.well-known/stepwell-keys.json': { get: keys() },
    [streamPath]: { get: stream() },
  };
}

const open: readonly ProblemCode[] = ['malformed_request', 'headers_too_large', 'internal_error'];

const tokenParameter = (description: string, required: boolean): Json => ({
  name: 't',
  in: 'query',
  required,
  description,
  // As `identity/visitor-token.ts` mints them, which cannot be imported here: a test holds minted ones against it.
  schema: { type: 'string', pattern: '^v1\\.[A-Za-z0-9_-]{74}\\.[A-Za-z0-9_-]{43}$' },
});

function sessionTokens(): Json {
  return {
    operationId: 'createSessionTokens',
    tags: ['data'],
    summary: 'Tokens for what cannot send a header',
    description:
      'No API key is asked for: the signed session id is the credential. Each token is good for one address, for 5 to 10 minutes, and until the session ends; asked for again within a window of 5 minutes it is the same. What stands in it tells nobody who the visitor is.',
    security: [],
    responses: {
      200: answer('A token for each', 'SessionTokens'),
      ...problems(['invalid_request', ...open, ...withBody, ...storing, 'no_such_record', 'rate_limited']),
    },
  };
}

function artefact(): Json {
  return {
    operationId: 'getArtefact',
    tags: ['decide'],
    summary: 'What a device decides by while it cannot ask, signed',
    description:
      'A compact JWS (`alg` Ed25519, `typ` stepwell-artefact+jws) of the rules and offers that the policy marks `device: true`, and of every zone’s approved fallback. It is the same for everybody and holds nothing about anybody. 410: forget the artefact that you have. An API key with the scope `decide`, publishable or not, or a token for it, here or as `Authorization: Bearer`; with STEPWELL_PUBLIC_GET neither.',
    parameters: [tokenParameter('a token of POST /v1/sessions/{sessionId}/tokens, in place of an API key', false), ifNoneMatch],
    responses: {
      200: {
        description: 'The same policy has the same bytes for an hour',
        headers: {
          ...commonHeaders,
          ETag: header('strong'),
          'Surrogate-Key': header('tags to purge by, separated by spaces'),
          'Cache-Tag': header('the same, separated by commas'),
        },
        content: { 'application/jose': { schema: { type: 'string' } } },
      },
      304: stillHeld,
      ...problems([...always, 'token_refused', 'artefact_killed', 'store_unavailable', 'overloaded', 'no_policy']),
    },
  };
}

function keys(): Json {
  return {
    operationId: 'artefactKeys',
    tags: ['decide'],
    summary: 'The public keys of artefacts',
    description: 'The same for everybody: `public`, and no API key is asked for. While keys are rotated there are several.',
    security: [],
    responses: {
      200: {
        description: 'A JWK set; the first key signs',
        headers: commonHeaders,
        content: {
          'application/jwk-set+json': {
            schema: { type: 'object', required: ['keys'], properties: { keys: { type: 'array', items: { type: 'object' } } } },
          },
        },
      },
      ...problems(open),
    },
  };
}

function stream(): Json {
  return {
    operationId: 'changeNotices',
    tags: ['decide'],
    summary: 'Hear when to ask again',
    description:
      'Server-sent events: `{"type":"refetchEvaluation"}` when another policy is in force, and when consent was withdrawn, tokens were revoked or the session ended, in whichever process. It never says why. Each `id` is the revision of the policy in force: a page that comes back with another one is told to ask again at once. The stream ends with its token, and none is opened with one that has two and a half minutes left or less. Bulk OFREP answers name it under `eventStreams`.',
    security: [],
    parameters: [
      tokenParameter('from `eventStreams` of a bulk OFREP answer, or POST /v1/sessions/{sessionId}/tokens', true),
      headerParameter('Last-Event-ID', 'the last `id` that came over the stream; EventSource sends it by itself when it comes back', {
        type: 'string',
      }),
    ],
    responses: {
      200: {
        description: 'Events, until the token ends',
        headers: commonHeaders,
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      },
      204: { description: 'The visitor has as many streams as one may: leave it at that', headers: commonHeaders },
      ...problems([...open, 'invalid_request', 'token_refused', 'store_unavailable', 'too_many_streams']),
    },
  };
}
