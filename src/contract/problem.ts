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
  'invalid-request': { status: 400, title: 'Invalid request', sentence: 'the request says something that is not allowed; `errors` names each place' },
  'malformed-json': {
    status: 400,
    title: 'Malformed JSON',
    sentence: 'the body is not JSON in UTF-8, repeats a key, or is nested deeper than 16 levels',
  },
  'malformed-request': { status: 400, title: 'Malformed request', sentence: 'the request is not proper HTTP, or its address is not properly encoded' },
  unauthenticated: { status: 401, title: 'API key needed', sentence: 'send a valid API key as `Authorization: Bearer <key>`' },
  'scope-missing': { status: 403, title: 'Scope missing', sentence: 'the API key is valid and lacks the scope that this needs' },
  'not-found': { status: 404, title: 'No such route', sentence: 'nothing is served at this address' },
  'unknown-page': { status: 404, title: 'Unknown page', sentence: 'the policy has no such page' },
  'unknown-zone': { status: 404, title: 'Unknown zone', sentence: 'the policy has no such zone; `errors` names the places' },
  'no-such-record': { status: 404, title: 'No such record', sentence: 'there is no such record, or it has expired' },
  'method-not-allowed': { status: 405, title: 'Method not allowed', sentence: 'this address answers to other methods; see `Allow`' },
  'request-timeout': { status: 408, title: 'Request timeout', sentence: 'the request did not arrive in time' },
  'subject-erased': { status: 409, title: 'Subject erased', sentence: 'the subject was erased; nothing is written until the tombstone ends or is lifted' },
  'body-too-large': { status: 413, title: 'Body too large', sentence: 'the body is larger than 32 KiB' },
  'address-too-long': { status: 414, title: 'Address too long', sentence: 'a part of the address is longer than allowed' },
  'unsupported-media-type': {
    status: 415,
    title: 'Unsupported media type',
    sentence: 'send `Content-Type: application/json` in UTF-8, without any `Content-Encoding`',
  },
  'headers-too-large': { status: 431, title: 'Headers too large', sentence: 'the request line and headers are larger than 8 KiB' },
  'internal-error': { status: 500, title: 'Internal error', sentence: 'something went wrong here, not with you; quote the request id' },
  'no-policy': { status: 503, title: 'No policy', sentence: 'no policy has been loaded yet' },
  'store-unavailable': { status: 503, title: 'Store unavailable', sentence: 'the record could not be read or written now; decisions go on without it' },
  'shutting-down': { status: 503, title: 'Shutting down', sentence: 'this instance is shutting down; ask another' },
} as const satisfies Record<string, Row>;

export type ProblemCode = keyof typeof table;
export const problemCodes = Object.keys(table) as readonly ProblemCode[];
export const problemTable: Readonly<Record<ProblemCode, Row>> = table;

export function problemType(code: ProblemCode): string {
  return `urn:stepwell:problem:${code}`;
}

/** Where something is wrong and what is allowed there. INVARIANT: never holds a value that the caller sent. */
export interface Place {
  readonly in: 'body' | 'query' | 'header' | 'path';
  /** RFC 6901. For a parameter or a header, a slash and its name. */
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemExtras {
  readonly errors?: readonly Place[];
  /** Extra headers of the answer: `Allow`, `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A caller's mistake, or an answer we cannot give. Thrown by the contract and the routes, written by the problems plugin. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ProblemCode;
  readonly errors: readonly Place[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, extras: ProblemExtras = {}) {
    super(table[code].sentence);
    this.code = code;
    this.errors = extras.errors ?? [];
    this.headers = extras.headers ?? {};
  }

  get status(): number {
    return table[this.code].status;
  }
}

/** The body of a problem, in the order it is written. */
export function problemBody(code: ProblemCode, requestId: string, errors: readonly Place[] = []) {
  const { status, title, sentence } = table[code];
  const body = { type: problemType(code), title, status, detail: sentence, code, requestId };
  return errors.length === 0 ? body : { ...body, errors };
}

export function invalidRequest(errors: readonly Place[]): ProblemError {
  return new ProblemError('invalid-request', { errors: errors.slice(0, placesMax) });
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
