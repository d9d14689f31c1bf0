/**
 * What was asked and answered on each connection: how many requests it has had, and whether an answer is under way. It ends with the last
 * answer that it may have, which says so: Node's own limit would go on reading, and answer what is beyond it without our headers. Which
 * request waits for which is not known here.
 *
 * Told of every request as soon as Node has read its head, whoever answers it and when.
 */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export const requestsPerConnectionMax = 10_000;

interface Exchanges {
  requests: number;
  /** Answers that are not with the system yet. */
  unfinished: number;
  /** Null: it was read to its end and answered. */
  latest: { readonly request: IncomingMessage; readonly response: ServerResponse } | null;
}

const connections = new WeakMap<Socket, Exchanges>();

/** For the options of a server. */
export class CountedResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  constructor(...given: ConstructorParameters<typeof ServerResponse<Request>>) {
    super(...given);
    begin(given[0], this);
  }
}

function begin(request: IncomingMessage, response: ServerResponse): void {
  const exchanges: Exchanges = connections.get(request.socket) ?? { requests: 0, unfinished: 0, latest: null };
  exchanges.requests++;
  exchanges.unfinished++;
  exchanges.latest = { request, response };
  connections.set(request.socket, exchanges);
  if (exchanges.requests >= requestsPerConnectionMax) response.setHeader('connection', 'close');
  response.once('close', () => {
    exchanges.unfinished--;
    if (exchanges.latest?.response === response && request.complete) exchanges.latest = null;
  });
}

/**
 * Whether what is written to the connection now would be read as the answer to what came last, and as nothing else: not as a part of an
 * answer, not as the answer to an earlier request, and not as a second one to the same.
 */
export function isAwaitingAnswer(socket: Socket): boolean {
  const { unfinished, latest } = connections.get(socket) ?? { unfinished: 0, latest: null };
  if (unfinished === 0) return latest === null || latest.request.complete;
  return unfinished === 1 && latest !== null && !latest.request.complete && !latest.response.headersSent;
}
