/**
 * The OpenAPI 3.1 document, built from the schemas, the table of problems and the table of reasons. Its examples are calls that
 * the demo policy answers; a running demo fills in a token and a session id that hold.
 */
import { z } from 'zod';
import * as ofrep from './ofrep-schemas.ts';
import { devicePaths } from './openapi-devices.ts';
import { type ExampleCredentials, examples } from './openapi-examples.ts';
import { apiKeyHeaderScheme, ofrepPaths } from './openapi-ofrep.ts';
import {
  always,
  answer,
  body,
  commonHeaders,
  done,
  header,
  headerParameter,
  ifNoneMatch,
  type Json,
  pathParameter,
  problemResponseOf,
  problems,
  queryParameter,
  ref,
  stillHeld,
  storing,
  withBody,
} from './openapi-parts.ts';
import { type ProblemCode, problemTable } from './problem.ts';
import * as wire from './schemas.ts';

export function openApiDocument(credentials: ExampleCredentials | null) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Stepwell',
      version: '1',
      description:
        'Decides what goes into each zone of a page, before the deadline the caller declares, from what is known, consented to and came in time.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'decide', description: 'What goes into each zone of a page' },
      { name: 'openfeature', description: 'The same decisions as flags, for applications of OpenFeature (OFREP)' },
      { name: 'data', description: 'Profiles, identities, consents, sessions and revocations' },
    ],
    security: [{}, { apiKey: [] }],
    paths: {
      '/v1/decide': { post: postDecide(credentials), get: getDecide() },
      '/v1/decide/classes': { get: getClasses() },
      '/v1/profiles/{subject}': {
        parameters: [pathParameter('subject', 'a person’s pseudonym', 'demo-ada')],
        put: write('putProfile', 'Put a profile', 'ProfileWrite', {
          attributes: { loyalty: 'gold' },
          audiences: ['lapsed'],
          ttlSeconds: 86_400,
        }),
        get: read('getProfile', 'Get a profile', 'Profile'),
        delete: remove('deleteProfile', 'Delete a profile'),
      },
      '/v1/identities/{namespace}/{value}': {
        parameters: [
          pathParameter('namespace', '`device`, or one of your own', 'device'),
          pathParameter('value', 'the id within its namespace', 'd-demo-ada'),
        ],
        put: write('putIdentity', 'Link an identity to a subject', 'IdentityWrite', { subject: 'demo-ada', method: 'deterministic' }, [
          'too_many_links',
        ]),
      },
      '/v1/consents/{subject}': {
        parameters: [pathParameter('subject', 'a person’s pseudonym', 'demo-ada')],
        put: write(
          'putConsent',
          'Replace a consent record',
          'ConsentWrite',
          {
            useCases: { content_personalization: 'granted', offers: 'denied' },
            recordedAt: '2026-11-21T12:00:00Z',
            noticeVersion: 'privacy-2026-11',
          },
          ['consent_withdrawn_meanwhile'],
        ),
        get: read('getConsent', 'Get a consent record, with who wrote it and when it ends', 'Consent'),
      },
      '/v1/consents/{subject}/withdrawals': {
        parameters: [pathParameter('subject', 'a person’s pseudonym', 'demo-ada')],
        post: withdraw(),
      },
      '/v1/sessions': { post: createSession() },
      '/v1/sessions/{sessionId}': {
        parameters: [pathParameter('sessionId', 'as POST /v1/sessions gave it', credentials?.sessionId ?? 's1.…')],
        patch: patchSession(),
        delete: endSession(),
      },
      '/v1/sessions/{sessionId}/withdrawals': {
        parameters: [pathParameter('sessionId', 'as POST /v1/sessions gave it', credentials?.sessionId ?? 's1.…')],
        post: withdrawInSession(),
      },
      ...devicePaths(credentials?.sessionId ?? 's1.…'),
      '/v1/revocations': { post: revoke() },
      '/v1/erasures': { post: erase() },
      '/v1/erasures/{id}': {
        parameters: [pathParameter('id', 'as POST /v1/erasures gave it', 'u1X…')],
        get: read('getErasure', 'Look at an erasure', 'Erasure'),
        delete: remove('liftErasure', 'Lift an erasure: the subject may be written again', ['erasure_running']),
      },
      '/v1/exports/{subject}': {
        parameters: [pathParameter('subject', 'a person’s pseudonym', 'demo-ada')],
        get: read('exportSubject', 'Export everything that is stored of a subject', 'Export'),
      },
      ...ofrepPaths(),
      '/.well-known/gpc.json': { get: gpcSupport() },
    },
    components: {
      schemas: componentSchemas(),
      responses: Object.fromEntries(Object.keys(problemTable).map((code) => [code, problemResponseOf(code as ProblemCode)])),
      securitySchemes: {
        apiKey: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key. Without configured keys, callers on this machine that call it by a loopback name have every scope.',
        },
        apiKeyHeader: apiKeyHeaderScheme,
      },
    },
  };
}

function postDecide(credentials: ExampleCredentials | null): Json {
  return {
    operationId: 'decide',
    tags: ['decide'],
    summary: 'Decide for this visitor',
    description:
      'Always 200 for every degraded outcome. `Accept: application/x-ndjson` streams one line for each zone as its own budget resolves, then a closing line that is the envelope without `zones`. The answer is `private, no-store`.',
    parameters: [
      headerParameter('Stepwell-Deadline-Ms', 'means the same as `deadlineMs`; the smaller wins', { type: 'integer', minimum: 0 }),
      headerParameter('Sec-GPC', '`1`: the visitor objects to sale and sharing', { type: 'string' }),
      headerParameter('DPoP', 'the proof by the holder of the token', { type: 'string' }),
      headerParameter('traceparent', 'W3C trace context', { type: 'string' }),
    ],
    requestBody: { required: true, content: { 'application/json': { schema: ref('DecideRequest'), examples: examples(credentials) } } },
    responses: {
      200: {
        description: 'A decision for every zone asked for',
        headers: {
          ...commonHeaders,
          'Server-Timing': header(
            'how long each stage took, in milliseconds; of a stream it is a trailer, for callers who send `TE: trailers`',
          ),
        },
        content: {
          'application/json': { schema: ref('DecideResponse') },
          'application/x-ndjson': { schema: { oneOf: [ref('ZoneDecision'), ref('DecideEnvelope')] } },
        },
      },
      ...problems([...always, ...withBody, 'unknown_page', 'unknown_zone', 'no_policy']),
    },
  };
}

function getDecide(): Json {
  return {
    operationId: 'decideShared',
    tags: ['decide'],
    summary: 'Decide for everybody, or for a segment: the cacheable half',
    description:
      'Reads the query alone: no identity, no consent, no cookie. Parameters come as `page`, `zones`, then the attributes the policy declares under `attributes.request`, and `audiences`, in alphabetical order; lists are comma-separated and sorted; unknown, repeated, empty or out-of-order parameters are a 400. `policy.stale` is always false here: whether a newer policy did not load is told by POST and by the management port.',
    parameters: [
      queryParameter('page', 'a page of the policy; `page` or `zones` is needed', 'home'),
      queryParameter('zones', 'sorted, comma-separated; absent: the zones of the page', 'hero,offer_rail'),
      queryParameter('audiences', 'sorted, comma-separated, from those the policy marks `edge: true`'),
      queryParameter('country', 'an attribute of the demo policy', 'DE'),
      queryParameter('device', 'an attribute of the demo policy', 'mobile'),
      ifNoneMatch,
    ],
    responses: {
      200: {
        description: 'Byte-stable: the same query and policy give the same bytes',
        headers: {
          ...commonHeaders,
          ETag: header('strong; absent on a degraded answer'),
          'Surrogate-Key': header('tags to purge by, separated by spaces'),
          'Cache-Tag': header('the same, separated by commas'),
        },
        content: { 'application/json': { schema: ref('SharedResponse') } },
      },
      304: stillHeld,
      ...problems([...always, 'unknown_page', 'unknown_zone', 'no_policy']),
    },
  };
}

function getClasses(): Json {
  return {
    operationId: 'decideClasses',
    tags: ['decide'],
    summary: 'Which visitors get the same shared answer',
    description:
      'A table by which an edge turns what it knows of a visitor into the one query of their class, and asks `GET /v1/decide` with that: there are then as many addresses as different answers. It holds until `validUntil`, for this revision of the policy.',
    parameters: [
      queryParameter('page', 'a page of the policy; `page` or `zones` is needed', 'home'),
      queryParameter('zones', 'sorted, comma-separated; absent: the zones of the page'),
      ifNoneMatch,
    ],
    responses: {
      200: {
        description: 'The table; how it is walked stands in docs/cache-delivery.md',
        headers: { ...commonHeaders, ETag: header('strong') },
        content: { 'application/json': { schema: ref('ClassTable') } },
      },
      304: stillHeld,
      ...problems([...always, 'unknown_page', 'unknown_zone', 'no_policy', 'overloaded']),
    },
  };
}

function createSession(): Json {
  return {
    operationId: 'createSession',
    tags: ['data'],
    summary: 'Begin a session',
    requestBody: body('SessionWrite', { attributes: { last_category: 'shoes' } }, false),
    responses: {
      201: answer('The session’s signed id', 'SessionCreated'),
      ...problems([...always, ...withBody, 'store_unavailable', 'no_policy']),
    },
  };
}

function patchSession(): Json {
  return {
    operationId: 'patchSession',
    tags: ['data'],
    summary: 'Merge attributes into a session',
    requestBody: body('SessionPatch', { attributes: { last_category: 'jackets' } }),
    responses: { 204: done('Merged'), ...problems([...always, ...withBody, ...storing, 'no_such_record', 'no_policy']) },
  };
}

function withdraw(): Json {
  return {
    operationId: 'withdrawConsent',
    tags: ['data'],
    summary: 'Withdraw consent, for a subject',
    description:
      'No decision that starts after the 2xx uses what was withdrawn, on any replica (with `freshness` in the policy: as late as it allows). Said again it is the same. A record is made where there was none.',
    requestBody: body('Withdrawal', { useCases: ['offers'] }, false),
    responses: {
      200: answer('Withdrawn', 'Withdrawn'),
      ...problems([...always, ...withBody, ...storing, 'subject_erased']),
    },
  };
}

function withdrawInSession(): Json {
  return {
    operationId: 'withdrawConsentInSession',
    tags: ['data'],
    summary: 'Withdraw consent, by the visitor',
    description:
      'No API key is asked for: the signed session id is the credential. What is withdrawn is denied in every decision that carries the session id, whoever the visitor is. With `content_personalization`, or everything, what the session has learned is deleted.',
    security: [],
    requestBody: body('Withdrawal', {}, false),
    responses: {
      204: done('Withdrawn'),
      ...problems([
        'invalid_request',
        'malformed_request',
        ...withBody,
        ...storing,
        'no_such_record',
        'rate_limited',
        'headers_too_large',
        'internal_error',
      ]),
    },
  };
}

function endSession(): Json {
  return {
    operationId: 'endSession',
    tags: ['data'],
    summary: 'End a session, as at logout',
    description:
      'No API key is asked for: the signed session id is the credential. What the session has learned is deleted, and from now on its id is as if it had expired: `identity_session_invalid`. Make a new session at every login and logout.',
    security: [],
    responses: {
      204: done('Ended'),
      ...problems([
        'invalid_request',
        'malformed_request',
        ...storing,
        'no_such_record',
        'rate_limited',
        'headers_too_large',
        'internal_error',
      ]),
    },
  };
}

function revoke(): Json {
  return {
    operationId: 'revoke',
    tags: ['data'],
    summary: 'Revoke every token of a subject, or one token',
    requestBody: body('RevocationWrite', { subject: 'demo-hedy' }),
    responses: {
      200: answer('The generation that tokens of the subject need from now on', 'GenerationRaised'),
      204: done('The token is as if it were not there'),
      ...problems([...always, ...withBody, 'store_unavailable']),
    },
  };
}

function erase(): Json {
  return {
    operationId: 'erase',
    tags: ['data'],
    summary: 'Erase a subject',
    description:
      'Deletes the profile, the consent record and the links that name the subject. Decisions are then those for somebody never seen, and every write for the subject is a 409 until the tombstone ends or is lifted. Said again, it is an erasure anew, whose 45 days begin now.',
    parameters: [
      headerParameter('Idempotency-Key', 'a word of your own for this request: said again while the erasure stands, the same receipt', {
        type: 'string',
        pattern: '^[A-Za-z0-9._:-]{1,64}$',
      }),
    ],
    requestBody: body('ErasureWrite', { subject: 'demo-hedy' }),
    responses: { 202: answer('The receipt', 'Erasure'), ...problems([...always, ...withBody, 'store_unavailable']) },
  };
}

function gpcSupport(): Json {
  return {
    operationId: 'gpcSupport',
    tags: ['decide'],
    summary: 'Say that Global Privacy Control is honoured',
    description:
      'The same for everybody: `public`, and no API key is asked for. What it was honoured for stands in each decision, under `consent.gpc`.',
    security: [],
    responses: {
      200: {
        description: 'Global Privacy Control is honoured, and since when',
        headers: commonHeaders,
        content: {
          'application/json': {
            schema: {
              type: 'object',
              required: ['gpc', 'lastUpdate'],
              properties: { gpc: { const: true }, lastUpdate: { type: 'string', format: 'date' } },
            },
          },
        },
      },
      ...problems(['malformed_request', 'headers_too_large', 'internal_error']),
    },
  };
}

function write(operationId: string, summary: string, schema: string, example: Json, also: readonly ProblemCode[] = []): Json {
  return {
    operationId,
    tags: ['data'],
    summary,
    requestBody: body(schema, example),
    responses: {
      201: done('Made'),
      204: done('Replaced'),
      ...problems([...always, ...withBody, ...storing, 'subject_erased', ...also, 'no_policy']),
    },
  };
}

function read(operationId: string, summary: string, schema: string): Json {
  return {
    operationId,
    tags: ['data'],
    summary,
    responses: { 200: answer('What is stored', schema), ...problems([...always, ...storing, 'no_such_record', 'no_policy']) },
  };
}

function remove(operationId: string, summary: string, also: readonly ProblemCode[] = []): Json {
  return {
    operationId,
    tags: ['data'],
    summary,
    responses: { 204: done('Deleted'), ...problems([...always, ...storing, 'no_such_record', ...also]) },
  };
}

/** By the name each has in the document. */
const named = {
  OfrepRequest: ofrep.ofrepRequest,
  OfrepFlag: ofrep.ofrepFlag,
  OfrepFlags: ofrep.ofrepFlags,
  OfrepFailure: ofrep.ofrepFailure,
  DecideRequest: wire.decideRequest,
  DecideResponse: wire.decideResponse,
  DecideEnvelope: wire.decideEnvelope,
  SharedResponse: wire.sharedResponse,
  ZoneDecision: wire.zoneDecision,
  ClassTable: wire.classTable,
  ProfileWrite: wire.profileSchema,
  Profile: wire.profileRead,
  IdentityWrite: wire.identitySchema,
  ConsentWrite: wire.consentSchema,
  Consent: wire.consentRead,
  Withdrawal: wire.withdrawalSchema,
  Withdrawn: wire.withdrawalDone,
  SessionWrite: wire.sessionSchema,
  SessionPatch: wire.sessionPatchSchema,
  SessionCreated: wire.sessionCreated,
  SessionTokens: wire.sessionTokens,
  RevocationWrite: wire.revocationSchema,
  GenerationRaised: wire.generationRaised,
  ErasureWrite: wire.erasureSchema,
  Erasure: wire.erasureRead,
  Export: wire.exportRead,
  Problem: wire.problemResponse,
} satisfies Record<string, z.ZodType>;

function componentSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(Object.entries(schemas).map(([id, { $schema: _schema, $id: _id, ...schema }]) => [id, schema]));
}
