/**
 * The closed table of public problems: what a caller may be told went wrong. `docs/errors.md` and the OpenAPI document are made
 * from it; a new row is a change of the public contract.
 */
interface Row {
  readonly status: number;
  readonly title: string;
  readonly sentence: string;
}

const table = {
  invalid_request: {
    status: 400,
    title: 'Invalid request',
    sentence: 'the request says something that is not allowed; `errors` names each place',
  },
  malformed_json: {
    status: 400,
    title: 'Malformed JSON',
    sentence:
      'the body is not JSON in UTF-8, repeats a key, is nested deeper than 16 levels, or has more than 2000 members, objects and lists',
  },
  malformed_request: {
    status: 400,
    title: 'Malformed request',
    sentence: 'the request is not proper HTTP, or its address is not properly encoded',
  },
  token_refused: {
    status: 401,
    title: 'Token refused',
    sentence: 'the token has expired, was taken back, or was never good for this: ask for a new one',
  },
  unauthenticated: { status: 401, title: 'API key needed', sentence: 'send a valid API key as `Authorization: Bearer <key>`' },
  scope_missing: { status: 403, title: 'Scope missing', sentence: 'the API key is valid and lacks the scope that this needs' },
  host_not_allowed: {
    status: 403,
    title: 'Host not allowed',
    sentence: 'without API keys only callers of `localhost`, `127.0.0.1` or `[::1]` are served: call it so, or set STEPWELL_API_KEYS',
  },
  origin_not_allowed: {
    status: 403,
    title: 'Origin not allowed',
    sentence: 'without API keys no page of another origin is served: name it in STEPWELL_CORS_ORIGINS, or set STEPWELL_API_KEYS',
  },
  not_found: { status: 404, title: 'No such route', sentence: 'nothing is served at this address' },
  unknown_page: { status: 404, title: 'Unknown page', sentence: 'the policy has no such page' },
  unknown_zone: { status: 404, title: 'Unknown zone', sentence: 'the policy has no such zone; `errors` names the places' },
  no_such_record: { status: 404, title: 'No such record', sentence: 'there is no such record, or it has expired' },
  method_not_allowed: { status: 405, title: 'Method not allowed', sentence: 'this address answers to other methods; see `Allow`' },
  request_timeout: { status: 408, title: 'Request timeout', sentence: 'the request did not arrive in time' },
  subject_erased: {
    status: 409,
    title: 'Subject erased',
    sentence: 'the subject was erased; nothing is written until the tombstone ends or is lifted',
  },
  too_many_links: {
    status: 409,
    title: 'Too many links',
    sentence:
      'as many identities are linked to the subject as may be, 256; one has to end, or to become another subject’s, before the next',
  },
  erasure_running: {
    status: 409,
    title: 'Erasure running',
    sentence: 'the erasure has links left to delete; ask for the same erasure again, which does that, and then lift it',
  },
  consent_withdrawn_meanwhile: {
    status: 409,
    title: 'Consent withdrawn meanwhile',
    sentence: 'consent was withdrawn while this was on its way, and nothing was written; ask the person again before you send it again',
  },
  artefact_killed: {
    status: 410,
    title: 'Artefact killed',
    sentence: 'devices are to decide nothing for now: forget the artefact that you have, and show the approved fallbacks',
  },
  body_too_large: { status: 413, title: 'Body too large', sentence: 'the body is larger than 32 KiB' },
  address_too_long: { status: 414, title: 'Address too long', sentence: 'a part of the address is longer than allowed' },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    sentence: 'send `Content-Type: application/json` in UTF-8, without any `Content-Encoding`',
  },
  expectation_failed: { status: 417, title: 'Expectation failed', sentence: 'the only expectation met here is `100-continue`' },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    sentence:
      'the API key, the session, or for want of a valid key this address, has asked more often than it may; ask again after `Retry-After` seconds',
  },
  headers_too_large: { status: 431, title: 'Headers too large', sentence: 'the request line and headers are larger than 8 KiB' },
  internal_error: { status: 500, title: 'Internal error', sentence: 'something went wrong here, not with you; quote the request id' },
  method_not_implemented: {
    status: 501,
    title: 'Method not implemented',
    sentence: 'no address of this service answers to this method',
  },
  overloaded: { status: 503, title: 'Overloaded', sentence: 'the time for this answer had passed before work on it could begin' },
  too_many_streams: {
    status: 503,
    title: 'Too many streams',
    sentence: 'as many streams are open as may be: ask again from time to time instead',
  },
  no_policy: { status: 503, title: 'No policy', sentence: 'no policy has been loaded yet' },
  store_unavailable: {
    status: 503,
    title: 'Store unavailable',
    sentence: 'the record could not be read or written now; decisions go on without it',
  },
} as const satisfies Record<string, Row>;

export type ProblemCode = keyof typeof table;
export const problemCodes = Object.keys(table) as readonly ProblemCode[];
export const problemTable: Readonly<Record<ProblemCode, Row>> = table;

export function problemType(code: ProblemCode): string {
  return `urn:stepwell:problem:${code}`;
}

/** Where something is wrong, and what to write there. INVARIANT: never holds a value that the caller sent. */
export interface ProblemPlace {
  /** Absent: the body. */
  readonly in?: 'body' | 'query' | 'header' | 'path';
  /** RFC 6901. For a parameter or a header, a slash and its name. */
  readonly pointer: string;
  readonly detail: string;
}

/** A caller's mistake, or an answer we cannot give. Thrown by the contract and the routes, written by the problems plugin. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors: readonly ProblemPlace[];
  /** When to ask again, where it is worth while; null: nothing is known, and the status speaks for itself. */
  readonly retryAfterSeconds: number | null;

  constructor(
    code: ProblemCode,
    detail: string = table[code].sentence,
    errors: readonly ProblemPlace[] = [],
    retryAfterSeconds: number | null = null,
  ) {
    super(detail);
    this.retryAfterSeconds = retryAfterSeconds;
    this.code = code;
    this.detail = detail;
    this.errors = errors.slice(0, placesMax);
  }

  get status(): number {
    return table[this.code].status;
  }
}

/** The body of a problem, in the order it is written. */
export function problemBody({ code, detail, errors }: ProblemError, requestId: string) {
  const { status, title } = table[code];
  const body = { type: problemType(code), title, status, detail, code, requestId };
  return errors.length === 0 ? body : { ...body, errors: errors.map(({ in: where = 'body', ...place }) => ({ in: where, ...place })) };
}

export function rateLimited(retryAfterSeconds: number): ProblemError {
  return new ProblemError('rate_limited', undefined, [], retryAfterSeconds);
}

export function invalidRequest(places: readonly ProblemPlace[]): ProblemError {
  return new ProblemError('invalid_request', undefined, places);
}

/** Enough to mend a request, too few to make an answer large. */
export const placesMax = 16;

/** A field's name may be told back, for it is the caller's own spelling mistake; anything that may be more than a name is not. */
export function tellableName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$/.test(name) ? name : '…';
}

export function pointerOf(path: readonly (string | number)[]): string {
  return path.map((part) => `/${tellablePart(part)}`).join('');
}

function tellablePart(part: string | number): string {
  return typeof part === 'number' ? String(part) : tellableName(part);
}
