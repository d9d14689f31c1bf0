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

/** Of one connection. */
interface Queue {
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
  const queues = new Map<Socket, Queue>();
  app.addHook('onReady', async () => queueRequests(server, queues, clock));
  server.once('listening', () => {
    let stop = clock.after(lookEveryMs, look);
    function look(): void {
      letGoOfResting(server, queues, clock.monotonicMs());
      stop = clock.after(lookEveryMs, look);
    }
    server.once('close', () => stop());
  });
});

function queueRequests(server: Server, queues: Map<Socket, Queue>, clock: Clock): void {
  const listeners = server.listeners('request') as Listener[];

  function begin([request, response]: Exchange, queue: Queue): void {
    queue.response = response;
    queue.restingSinceMs = null;
    response.once('close', () => {
      queue.response = null;
      queue.restingSinceMs = null;
      const next = queue.waiting.shift();
      // Nobody hears the rest where the caller is gone, or the answer was the last of its connection.
      if (next !== undefined && request.socket.writable) begin(next, queue);
    });
    for (const listener of listeners) listener.call(server, request, response);
  }

  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const { socket } = request;
    let queue = queues.get(socket);
    if (queue === undefined) {
      queue = { waiting: [], response: null, restingSinceMs: null };
      queues.set(socket, queue);
      socket.once('close', () => queues.delete(socket));
    }
    if (queue.response === null) begin([request, response], queue);
    else if (queue.waiting.length < waitingMax) {
      cameAtMs.set(request, clock.monotonicMs());
      queue.waiting.push([request, response]);
    } else socket.destroy();
  });
}

function letGoOfResting({ keepAliveTimeout }: Server, queues: ReadonlyMap<Socket, Queue>, nowMs: number): void {
  // Node's word for as long as one likes.
  const idleMsMax = keepAliveTimeout === 0 ? Number.POSITIVE_INFINITY : keepAliveTimeout + idleMarginMs;
  for (const [socket, queue] of queues) {
    const { response } = queue;
    if (response !== null && !response.writableEnded) continue;
    queue.restingSinceMs ??= nowMs;
    if (nowMs - queue.restingSinceMs > (response === null ? idleMsMax : takenWithinMs)) socket.destroy();
  }
}
