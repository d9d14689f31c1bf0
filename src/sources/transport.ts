/**
 * Asks one origin over connections of its own, which it keeps. An exchange ends by its deadline, holds no more bytes than allowed,
 * follows nothing, unpacks nothing and remembers nothing. A connection on which anything went wrong is not used again, so that what
 * was left unread can never be taken for the next answer.
 */
import { isIP } from 'node:net';
import { buildConnector, type Dispatcher, errors, Pool } from 'undici';
import type { Clock } from '../time/clock.ts';
import type { AddressGuard } from './address-guard.ts';
import { isJsonType, parseJsonAnswer } from './json-answer.ts';
import { guardedLookup, type ResolveName } from './name-lookup.ts';
import type { SourceRequest } from './request-template.ts';
import { SourceFault, type SourceFaultCode } from './source-fault.ts';

/** Longer than any budget is worth: what one ask does not live to see connected serves the next. */
const connectTimeoutMs = 1_000;
/** Every exchange has its own deadline; these are for what would outlive it all the same. */
const silenceMaxMs = 30_000;
/** Idle connections go before most servers close theirs; a server may name a longer time. */
const keepAliveMs = 4_000;
const keepAliveMaxMs = 60_000;
/** So that a name which moves to other machines is followed. */
const connectionLifeMs = 300_000;
const headBytesMax = 16_384;
/** 103 and the like, before the answer. */
const interimMax = 8;

export type Answer = { readonly kind: 'json'; readonly body: unknown } | { readonly kind: 'absent' };

export interface Transport {
  /** As many exchanges are under way as may be, forsaken ones that still hold a connection among them. */
  readonly isFull: boolean;
  /** Rejects with a `SourceFault`. `isBlamed`: whether running out of time speaks against the source. */
  exchange(request: SourceRequest, leftMs: number, isBlamed: boolean): Promise<Answer>;
  /** What is under way is rejected. */
  close(): Promise<void>;
}

export interface TransportOptions {
  readonly origin: string;
  readonly connections: number;
  readonly maxBytes: number;
  readonly guard: AddressGuard;
  readonly resolve: ResolveName;
  readonly clock: Pick<Clock, 'after'>;
  /** Trusted instead of the system's authorities. */
  readonly certificateAuthority?: string | undefined;
}

export function createTransport(options: TransportOptions): Transport {
  const pool = new Pool(options.origin, {
    connect: guardedConnector(options),
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMaxMs,
    clientTtl: connectionLifeMs,
    headersTimeout: silenceMaxMs,
    bodyTimeout: silenceMaxMs,
    maxHeaderSize: headBytesMax,
  });
  let inFlight = 0;
  const release = () => {
    inFlight -= 1;
  };

  return {
    get isFull() {
      return inFlight >= options.connections;
    },
    exchange({ method, path, headers, body }, leftMs, isBlamed) {
      if (inFlight >= options.connections) return Promise.reject(new SourceFault('overloaded'));
      inFlight += 1;
      return new Promise((resolve, reject) => {
        const exchange = new Exchange({ resolve, reject, release, maxBytes: options.maxBytes });
        // An answer that came while our own event loop was busy is read before anybody is judged late.
        exchange.disarm = options.clock.after(Math.min(leftMs, silenceMaxMs), () => setImmediate(() => exchange.giveUp(isBlamed)));
        const deadline = String(Math.max(1, Math.floor(leftMs)));
        pool.dispatch({ method, path, headers: [...headers, 'stepwell-deadline-ms', deadline], body }, exchange);
      });
    },
    async close() {
      await pool.destroy();
    },
  };
}

interface ExchangeParts {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (fault: SourceFault) => void;
  /** Once, when the client has let go of it. */
  readonly release: () => void;
  readonly maxBytes: number;
}

class Exchange implements Dispatcher.DispatchHandler {
  disarm: () => void = () => {};
  readonly #parts: ExchangeParts;
  #controller: Dispatcher.DispatchController | null = null;
  #isSettled = false;
  #isReleased = false;
  #interim = 0;
  #takesBody = false;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
  }

  giveUp(isBlamed: boolean): void {
    this.#fail(new SourceFault('timed_out', isBlamed));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown, not aborted: nothing was sent yet, and the connection, which may have just been made, is as good as new.
    if (this.#isSettled) throw new SourceFault('timed_out');
    this.#controller = controller;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) {
      this.#interim += 1;
      if (this.#interim > interimMax) this.#fail(new SourceFault('not_http'));
      return;
    }
    if (status === 204 || status === 404) this.#settle({ kind: 'absent' });
    else if (status !== 200) this.#refuse(new SourceFault(faultOfStatus(status)));
    else if (!isPlainJson(headers)) this.#fail(new SourceFault('not_json'));
    else this.#takesBody = true;
    if (Number(headers['content-length'] ?? 0) > this.#parts.maxBytes) this.#fail(new SourceFault('too_large'));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#parts.maxBytes) this.#fail(new SourceFault('too_large'));
    else if (this.#takesBody) this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#release();
    if (this.#isSettled) return;
    try {
      const [first, ...rest] = this.#chunks;
      this.#settle({ kind: 'json', body: parseJsonAnswer(first !== undefined && rest.length === 0 ? first : Buffer.concat(this.#chunks)) });
    } catch (error) {
      this.#refuse(error instanceof SourceFault ? error : new SourceFault('not_json'));
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#release();
    this.#refuse(faultOf(error));
  }

  #settle(answer: Answer): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#parts.resolve(answer);
  }

  #refuse(fault: SourceFault): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#parts.reject(fault);
  }

  /** And whatever else comes on this connection is nobody's answer. */
  #fail(fault: SourceFault): void {
    this.#refuse(fault);
    this.#chunks = [];
    if (!this.#isReleased) this.#controller?.abort(fault);
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.disarm();
    this.#parts.release();
  }
}

/** The check stands where the connection is made: of a name's addresses, of an address that needs no name, and of what was reached. */
function guardedConnector({ guard, resolve, certificateAuthority }: TransportOptions): buildConnector.connector {
  const connect = buildConnector({
    lookup: guardedLookup(resolve, guard),
    allowH2: false,
    timeout: connectTimeoutMs,
    // Said here, so that no variable of the environment says otherwise.
    rejectUnauthorized: true,
    ...(certificateAuthority === undefined ? {} : { ca: certificateAuthority }),
  });
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !guard.allows(host)) {
      queueMicrotask(() => callback(new SourceFault('address_forbidden'), null));
      return;
    }
    connect(options, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      // A peer that is gone already has no address any more.
      const { remoteAddress } = socket;
      if (remoteAddress !== undefined && guard.allows(remoteAddress)) return callback(null, socket);
      socket.destroy();
      callback(new SourceFault(remoteAddress === undefined ? 'connection_reset' : 'address_forbidden'), null);
    });
  };
}

function isPlainJson(headers: Record<string, string | string[] | undefined>): boolean {
  const encoding = headers['content-encoding'] ?? 'identity';
  const type = headers['content-type'];
  return encoding === 'identity' && typeof type === 'string' && isJsonType(type);
}

/** Of any but 200, 204 and 404. */
function faultOfStatus(status: number): SourceFaultCode {
  if (status === 502 || status === 503 || status === 504) return 'status_unavailable';
  if (status >= 500) return 'status_server_error';
  if (status === 401 || status === 403 || status === 407 || status === 408 || status === 429) return 'status_not_served';
  return status >= 300 && status < 400 ? 'redirect' : 'status_unexpected';
}

const faultOfCode: Readonly<Record<string, SourceFaultCode>> = {
  ECONNREFUSED: 'connection_refused',
  ECONNRESET: 'connection_reset',
  EPIPE: 'connection_reset',
  ECONNABORTED: 'connection_reset',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'length_mismatch',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timed_out',
  ETIMEDOUT: 'connect_timed_out',
  UND_ERR_HEADERS_TIMEOUT: 'timed_out',
  UND_ERR_BODY_TIMEOUT: 'timed_out',
  UND_ERR_HEADERS_OVERFLOW: 'not_http',
  UND_ERR_CLOSED: 'closed',
  UND_ERR_DESTROYED: 'closed',
};

/** The client says in words only whether a connection was closed or an answer was none. */
const closedByPeer = /^(?:other side closed|closed)$/;

function faultOf(error: Error): SourceFault {
  if (error instanceof SourceFault) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === 'UND_ERR_SOCKET') return new SourceFault(closedByPeer.test(error.message) ? 'connection_reset' : 'not_http');
  if (error instanceof errors.HTTPParserError) return new SourceFault('not_http');
  return new SourceFault(faultOfCode[code] ?? 'unreachable');
}
