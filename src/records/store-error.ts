/**
 * The one error a store rejects with. It never carries a key, an argument or a stored value: the drivers' own errors do
 * (ioredis hangs a failed command's arguments on its error), so they are named here, not passed on as `cause`.
 */
export const storeErrorCodes = [
  /** Too many reads are under way: nothing was sent. To be reported as `failed` with `circuit_open`. */
  'overloaded',
  /** The store failed too often: nothing was sent, and probes will find out when it answers again. To be reported as `circuit_open`. */
  'circuit_open',
  /** No living connection: nothing was sent, or the connection went while we waited. */
  'disconnected',
  /** The store did not answer within the bound that keeps abandoned commands from piling up. */
  'timed_out',
  /** The store answered with an error. */
  'refused',
  /** The answer belonged to another question; the connection was dropped. */
  'misrouted',
  /** A stored record that could hold a denial or a revocation is not what we wrote. One person's trouble, not the store's health. */
  'unreadable',
  /** A record or a number the caller wanted written is outside the bounds. */
  'invalid',
  /** What is stored has its names under another secret. Nothing is read or written: denials and revocations would not be found. */
  'other_names',
  /** Other writers kept changing the same record. */
  'contended',
  'closed',
] as const;
export type StoreErrorCode = (typeof storeErrorCodes)[number];

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  /** Without a stack: the code says all, and when a store goes, as many are made at once as reads were under way. */
  constructor(code: StoreErrorCode, message: string) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
  }
}
