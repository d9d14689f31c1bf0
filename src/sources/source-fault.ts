/**
 * Why an ask of an HTTP source came to nothing. It never carries what was asked, where, or what came back: addresses hold a
 * subject, and an answer is somebody's data. So the errors of the HTTP client are named here and not passed on as `cause`.
 */
export const sourceFaultCodes = [
  /** Nothing listens there, or it turned us away at once. */
  'connection_refused',
  /** The connection went while an answer was owed. */
  'connection_reset',
  'connect_timed_out',
  /** No route, no trust in its certificate, no reason that we know. */
  'unreachable',
  'name_unresolved',
  /** The address that its name stands for, or that it is, may not be asked. */
  'address_forbidden',
  'timed_out',
  /** What came is no HTTP, or more heads than anybody sends. */
  'not_http',
  /** The body is not as long as it was said to be. */
  'length_mismatch',
  /** Redirects are never followed. */
  'redirect',
  /** 502, 503, 504. */
  'status_unavailable',
  /** Any other 5xx. */
  'status_server_error',
  /** 401, 403, 407, 408, 429: it does not serve us, whomever we ask about. */
  'status_not_served',
  'status_unexpected',
  /** By content type, encoding or content. */
  'not_json',
  'too_large',
  'too_deep',
  /** Of members, objects, lists or values. */
  'too_many',
  /** JSON, and not what the policy's mapping and declarations expect. */
  'misfit',
  /** Nothing was sent: as many asks as may be are under way. */
  'overloaded',
  /** Nothing was sent: it failed too often. */
  'circuit_open',
  /** Nothing was sent: nobody to ask about, or a value that no address can hold. */
  'unsendable',
  'closed',
] as const;
export type SourceFaultCode = (typeof sourceFaultCodes)[number];

/** Failures that come quickly and may be gone with the next ask. */
const quick: ReadonlySet<SourceFaultCode> = new Set(['connection_refused', 'connection_reset', 'status_unavailable']);

/** One person's answer, our own limits, or our end: none of them says that the next ask would fail too. */
const notItsHealth: ReadonlySet<SourceFaultCode> = new Set([
  'status_unexpected',
  'too_large',
  'too_deep',
  'too_many',
  'misfit',
  'overloaded',
  'circuit_open',
  'unsendable',
  'closed',
]);

/** A service that is alive said so. */
const answers: ReadonlySet<SourceFaultCode> = new Set(['status_unexpected', 'too_large', 'too_deep', 'too_many']);

export class SourceFault extends Error {
  override readonly name = 'SourceFault';
  readonly code: SourceFaultCode;
  /** Whether it speaks against the source. A source that was given no real time is not to blame for being late. */
  readonly speaksAgainstSource: boolean;

  constructor(code: SourceFaultCode, speaksAgainstSource = !notItsHealth.has(code)) {
    super(`an HTTP source could not be used: ${code}`);
    this.code = code;
    this.speaksAgainstSource = speaksAgainstSource;
  }
}

export function isWorthRetrying(error: unknown): boolean {
  return error instanceof SourceFault && quick.has(error.code);
}

export function speaksAgainstSource(error: unknown): boolean {
  return error instanceof SourceFault && error.speaksAgainstSource;
}

/** Whether the source answered, though with nothing of use. */
export function isAnAnswer(error: unknown): boolean {
  return error instanceof SourceFault && answers.has(error.code);
}
