/** What a Redis server says, and what its refusals mean to a client. Nothing here repeats an argument: a server's errors may. */
import { StoreError } from '../records/store-error.ts';

export type Reply = string | number | null | readonly Reply[];

export interface Script {
  readonly lua: string;
  readonly sha: string;
  /** It changes nothing, so a server that holds writes back, as before a planned failover, still runs it. */
  readonly isReadOnly: boolean;
}

export interface ScriptCall {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/** Another node serves the slot: for good, or for this one command. */
export interface Redirection {
  readonly kind: 'moved' | 'ask';
  readonly slot: number;
  /** Empty where the server does not know: then it is the host that was asked. */
  readonly host: string;
  readonly port: number;
}

/** The server answered with an error. */
export class Refusal extends StoreError {
  /** The first word of the error, such as `WRONGTYPE`. */
  readonly reason: string;
  readonly redirection: Redirection | null;
  /** The server is too old for the command, or may not run it for this user. */
  readonly isUnavailable: boolean;

  constructor(error: Error) {
    const reason = faultCode(error);
    super('refused', `Redis answered with ${reason}`);
    this.reason = reason;
    this.redirection = redirectionIn(error.message);
    this.isUnavailable = reason === 'NOPERM' || /^ERR unknown command/i.test(error.message);
  }
}

export function isUnknownScript(error: unknown): boolean {
  return error instanceof Refusal && error.reason === 'NOSCRIPT';
}

/** The server is there and cannot serve: what it would say to any other command too. */
const cannotServe: ReadonlySet<string> = new Set(['LOADING', 'MASTERDOWN', 'BUSY', 'NOAUTH']);

/**
 * Whether a failure speaks against the node, rather than against what it was asked. A line that went does not: while there is none
 * nobody waits for anything, and the next one begins by asking.
 */
export function isFaultOfNode(error: unknown): boolean {
  if (error instanceof Refusal) return cannotServe.has(error.reason);
  return error instanceof StoreError && error.code === 'timed_out';
}

/** The first word of a server's error is its code; the rest may quote arguments, so it is left out. */
export function storeErrorFrom(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (error instanceof Error && error.name === 'ReplyError') return new Refusal(error);
  return new StoreError('disconnected', 'the connection to Redis went while a command was under way');
}

/** A short code of the driver, the system or the server, such as `ECONNREFUSED`. */
export function faultCode(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return /^[A-Z]{2,32}\b/.exec(error.message)?.[0] ?? error.name;
}

function redirectionIn(message: string): Redirection | null {
  const match = /^(MOVED|ASK) (\d{1,5}) (.*):(\d{1,5})$/.exec(message);
  if (match === null) return null;
  return { kind: match[1] === 'ASK' ? 'ask' : 'moved', slot: Number(match[2]), host: match[3] ?? '', port: Number(match[4]) };
}
