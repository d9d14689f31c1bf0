/** Callers that mean harm, or are merely slow, in a process of their own. Does as the first message says until it is ended. */
import { connect, type Socket } from 'node:net';
import { setPriority } from 'node:os';

export interface FloodOrder {
  readonly kind: 'slow headers' | 'slow body' | 'slow reader' | 'aborts' | 'closed loop' | 'late reuse';
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  /** Bodies of `POST /v1/decide`, sent in turn. */
  readonly bodies: readonly string[];
  /** Of `late reuse`: how long a connection is left idle before it is used again. */
  readonly idleMs?: number;
}

export interface FloodReport {
  readonly answers: Readonly<Record<string, number>>;
  readonly closedByServer: number;
}

// What is tried is the service: it is not to win by starving the callers who count, where all share few CPUs.
setPriority(10);
const answers: Record<string, number> = {};
let closedByServer = 0;
let isOver = false;

process.on('message', (order: FloodOrder | 'stop') => {
  if (order !== 'stop') {
    for (let index = 0; index < order.connections; index += 1) flood(order, index);
    return;
  }
  isOver = true;
  const report: FloodReport = { answers, closedByServer };
  process.send?.(report);
  process.once('disconnect', () => process.exit(0));
});

function flood(order: FloodOrder, index: number): void {
  if (isOver) return;
  const { kind, host, port, bodies } = order;
  const body = bodies[index % bodies.length] ?? '{}';
  const head = `POST /v1/decide HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`;
  const request = `${head}\r\n\r\n${body}`;
  const socket = connect({ host, port });
  let timer: NodeJS.Timeout | undefined;
  socket.on('error', () => {});
  socket.once('close', () => {
    clearInterval(timer);
    if (kind !== 'aborts') closedByServer += 1;
    setTimeout(() => flood(order, index + 1), kind === 'aborts' ? 5 : 100);
  });
  if (kind !== 'slow reader') socket.on('data', countAnswers);
  socket.once('connect', () => {
    switch (kind) {
      case 'slow headers':
        socket.write(head.slice(0, 40));
        timer = setInterval(() => socket.write('x'), 200);
        return;
      case 'slow body':
        socket.write(`${head}\r\n\r\n${body.slice(0, 10)}`);
        timer = setInterval(() => socket.write(' '), 200);
        return;
      case 'slow reader':
        socket.pause();
        timer = setInterval(() => socket.write(request.repeat(2)), 100);
        return;
      case 'aborts':
        socket.write(request);
        setTimeout(() => socket.resetAndDestroy(), (index * 7) % 12);
        return;
      case 'closed loop':
        socket.write(request);
        socket.on('data', again(socket, request));
        return;
      case 'late reuse':
        socket.write(request);
        setTimeout(() => socket.write(request), (order.idleMs ?? 0) + (index % 40) * 5);
        return;
    }
  });
}

/** One request after another. An answer of ours is one write, so a chunk that opens one is one. */
function again(socket: Socket, request: string): (chunk: Buffer) => void {
  return (chunk) => {
    if (chunk.toString('latin1', 0, 5) === 'HTTP/') socket.write(request);
  };
}

function countAnswers(chunk: Buffer): void {
  const status = /^HTTP\/1\.1 (\d{3})/.exec(chunk.toString('latin1', 0, 12))?.[1];
  if (status !== undefined) answers[status] = (answers[status] ?? 0) + 1;
}
