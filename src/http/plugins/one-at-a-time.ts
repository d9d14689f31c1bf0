/**
 * Keeps a connection to one request at a time, and to time. A caller who sends many requests without waiting is answered one after
 * another: the framework would begin them all in one turn, and hold all their answers in memory for somebody who may never read one.
 * An answer that is not taken in time, and a connection kept awake by anything but requests, are let go of: Node's own timers start
 * again with every byte.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import type { Clock } from '../../time/clock.ts';

/** Requests on one connection that may wait for the one before them. Who sends more is let go of. */
export const waitingMax = 64;
/** From when an answer is whole to when the system has taken all of it. */
const takenWithinMs = 5_000;
/** Beyond what an idle connection may live: usually Node has ended it by then. */
const idleMarginMs = 1_000;
const lookEveryMs = 500;

type Listener = (request: IncomingMessage, response: ServerResponse) => void;
type Exchange = readonly [IncomingMessage, ServerResponse];

interface Connection {
  readonly waiting: Exchange[];
  /** Null: no request is under way. */
  response: ServerResponse | null;
  /** When it was first seen to be idle, or its answer to be whole and not taken; null: it has something to do. */
  restingSinceMs: number | null;
}

/** When requests came that had to wait for the one before them on their connection. Monotonic. */
const cameAtMs = new WeakMap<IncomingMessage, number>();

/** For how long a request has waited for those before it on its connection. */
export function waitedBehindOthersMs(request: IncomingMessage, nowMs: number): number {
  return nowMs - (cameAtMs.get(request) ?? nowMs);
}

export const oneAtATime = fastifyPlugin(async (app: FastifyInstance, { clock }: { clock: Clock }) => {
  const { server } = app;
  const connections = new Map<Socket, Connection>();
  app.addHook('onReady', async () => queueRequests(server, connections, clock));
  server.once('listening', () => {
    let stop = clock.after(lookEveryMs, look);
    function look(): void {
      letGoOfResting(server, connections, clock.monotonicMs());
      stop = clock.after(lookEveryMs, look);
    }
    server.once('close', () => stop());
  });
});

function queueRequests(server: Server, connections: Map<Socket, Connection>, clock: Clock): void {
  const listeners = server.listeners('request') as Listener[];

  function begin([request, response]: Exchange, connection: Connection): void {
    connection.response = response;
    connection.restingSinceMs = null;
    response.once('close', () => {
      connection.response = null;
      connection.restingSinceMs = null;
      const next = connection.waiting.shift();
      // Nobody hears the rest where the caller is gone, or the answer was the last of its connection.
      if (next !== undefined && request.socket.writable) begin(next, connection);
    });
    for (const listener of listeners) listener.call(server, request, response);
  }

  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const { socket } = request;
    let connection = connections.get(socket);
    if (connection === undefined) {
      connection = { waiting: [], response: null, restingSinceMs: null };
      connections.set(socket, connection);
      socket.once('close', () => connections.delete(socket));
    }
    if (connection.response === null) begin([request, response], connection);
    else if (connection.waiting.length < waitingMax) {
      cameAtMs.set(request, clock.monotonicMs());
      connection.waiting.push([request, response]);
    } else socket.destroy();
  });
}

function letGoOfResting({ keepAliveTimeout }: Server, connections: ReadonlyMap<Socket, Connection>, nowMs: number): void {
  // Node's word for as long as one likes.
  const idleMsMax = keepAliveTimeout === 0 ? Number.POSITIVE_INFINITY : keepAliveTimeout + idleMarginMs;
  for (const [socket, connection] of connections) {
    const { response } = connection;
    if (response !== null && !response.writableEnded) continue;
    connection.restingSinceMs ??= nowMs;
    if (nowMs - connection.restingSinceMs > (response === null ? idleMsMax : takenWithinMs)) socket.destroy();
  }
}
