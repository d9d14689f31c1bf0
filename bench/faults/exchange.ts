/**
 * A small HTTP client that hides nothing: connections are kept and used again, times are those of the system's monotonic clock, and
 * what it does on a broken connection is what a load balancer does. A connection that was refused is tried at the next target; a
 * request on a used connection that ends without one byte of an answer is sent once more on a new one.
 */
import { connect, type Socket } from 'node:net';

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface Exchange {
  /** Null: no answer. */
  readonly status: number | null;
  /** Lower case. */
  readonly head: string;
  readonly body: string;
  /** Of the system's monotonic clock, which all processes share. */
  readonly sentAtMs: number;
  readonly latencyMs: number;
  /** Why there is no answer. */
  readonly failure: string | null;
  readonly retries: number;
}

export interface HttpClient {
  exchange(request: { readonly head: string; readonly body: string; readonly giveUpMs: number }): Promise<Exchange>;
  aim(targets: readonly Target[]): void;
  close(): void;
}

/** The same in every process of the machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

type Attempt = Answer | { readonly failure: string; readonly mayRetry: boolean };

interface Line {
  readonly socket: Socket;
  readonly target: Target;
  uses: number;
}

const attemptsMax = 3;

export function createHttpClient(initially: readonly Target[]): HttpClient {
  let targets = initially;
  let turn = 0;
  let idle: Line[] = [];
  const open = new Set<Socket>();

  function lineFor(attempt: number, failed: ReadonlySet<Target>): Line {
    // What failed once is not trusted again: a later attempt has a connection of its own.
    while (attempt === 0 && idle.length > 0) {
      const line = idle.pop();
      if (line !== undefined && !line.socket.destroyed && targets.includes(line.target)) return line;
    }
    turn += 1;
    const others = targets.filter((each) => !failed.has(each));
    const choice = others.length > 0 ? others : targets;
    const target = choice[turn % choice.length];
    if (target === undefined) throw new Error('there is no target');
    const socket = connect(target);
    socket.setNoDelay(true);
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => {});
    return { socket, target, uses: 0 };
  }

  return {
    async exchange({ head, body, giveUpMs }) {
      const sentAtMs = monotonicMs();
      const failed = new Set<Target>();
      for (let attempt = 0; ; attempt += 1) {
        const line = lineFor(attempt, failed);
        const leftMs = Math.max(1, giveUpMs - (monotonicMs() - sentAtMs));
        const result = await attemptOn(line, `${head}\r\n\r\n${body}`, leftMs);
        const latencyMs = monotonicMs() - sentAtMs;
        if ('status' in result) {
          if (result.head.includes('\r\nconnection: close')) line.socket.destroy();
          else idle.push(line);
          return { ...result, sentAtMs, latencyMs, failure: null, retries: attempt };
        }
        line.socket.destroy();
        failed.add(line.target);
        if (!result.mayRetry || attempt + 1 === attemptsMax || latencyMs >= giveUpMs) {
          return { status: null, head: '', body: '', sentAtMs, latencyMs, failure: result.failure, retries: attempt };
        }
      }
    },
    aim(next) {
      targets = next;
    },
    close() {
      idle = [];
      for (const socket of open) socket.destroy();
    },
  };
}

function attemptOn(line: Line, request: string, giveUpMs: number): Promise<Attempt> {
  const { socket } = line;
  const isReused = line.uses > 0;
  line.uses += 1;
  return new Promise((resolve) => {
    let heard: Buffer[] = [];
    let bytes = 0;
    const settle = (attempt: Attempt): void => {
      clearTimeout(timer);
      socket.off('data', listen).off('close', closed).off('error', broken).off('end', closed);
      heard = [];
      resolve(attempt);
    };
    const listen = (chunk: Buffer): void => {
      heard.push(chunk);
      bytes += chunk.length;
      const answer = answerIn(heard, bytes);
      if (answer !== null) settle(answer);
    };
    const closed = (): void =>
      settle({ failure: bytes === 0 ? 'closed without an answer' : 'closed within an answer', mayRetry: isReused && bytes === 0 });
    const broken = (error: Error & { code?: string }): void => {
      const isRefused = error.code === 'ECONNREFUSED';
      settle({ failure: error.code ?? error.message, mayRetry: isRefused || (isReused && bytes === 0) });
    };
    const timer = setTimeout(() => settle({ failure: `no answer for ${Math.round(giveUpMs)} ms`, mayRetry: false }), giveUpMs);
    socket.on('data', listen).once('close', closed).once('error', broken).once('end', closed);
    socket.write(request);
  });
}

const separator = Buffer.from('\r\n\r\n');

/** Null while it is not all there. */
function answerIn(chunks: Buffer[], bytes: number): Answer | null {
  const all = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, bytes);
  if (all === undefined) return null;
  if (chunks.length > 1) chunks.splice(0, chunks.length, all);
  const end = all.indexOf(separator);
  if (end === -1) return null;
  const head = all.toString('latin1', 0, end).toLowerCase();
  const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
  const from = end + separator.length;
  if (all.length < from + length) return null;
  return { status: Number(head.slice(9, 12)), head, body: all.toString('utf8', from, from + length) };
}
