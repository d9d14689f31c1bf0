/**
 * Callers who ask at a given rate whatever becomes of the answers, in a process of their own: nobody waits for an answer
 * before the next question, as long as a connection is free. Answers are counted second by second and told at the end.
 */
import { connect } from 'node:net';

export interface OpenLoopOrder {
  readonly host: string;
  readonly port: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly connections: number;
  /** Within which an answer counts. */
  readonly deadlineMs: number;
  /** Bodies of `POST /v1/decide`, sent in turn. */
  readonly bodies: readonly string[];
}

export interface OpenLoopSecond {
  readonly sent: number;
  /** Answers with 200 within the deadline, from the write of the question to the last byte of the answer. */
  inTime: number;
  /** Of those, with a zone at the user tier. */
  personal: number;
  late: number;
  refused: number;
  /** Other statuses, and connections that ended before the answer. */
  lost: number;
  /** By how much the callers themselves were late at worst. */
  ownLatenessMs: number;
  latenciesMs: number[];
}

export interface OpenLoopReport {
  readonly seconds: readonly (Omit<OpenLoopSecond, 'latenciesMs'> & { readonly p50Ms: number; readonly p99Ms: number })[];
  /** Questions that were due while no connection was free. */
  readonly unsent: number;
}

interface Caller {
  readonly write: (question: Buffer) => void;
  askedAtMs: number;
  second: OpenLoopSecond | null;
  /** Bytes of the answer that are still to come; 0 before its head. */
  missing: number;
  status: number;
  isPersonal: boolean;
}

process.once('message', (order: OpenLoopOrder) => {
  run(order).then((report) => {
    process.send?.(report);
    process.once('disconnect', () => process.exit(0));
  });
});

const tickMs = 1;
/** Short of the time in which a server expects the first request of a connection. */
const settleMs = 500;
const quietMs = 1_500;

async function run({ host, port, perSecond, seconds, connections, deadlineMs, bodies }: OpenLoopOrder): Promise<OpenLoopReport> {
  const questions = bodies.map(questionOf);
  const idle: Caller[] = [];
  const counted: { -readonly [Key in keyof OpenLoopSecond]: OpenLoopSecond[Key] }[] = [];
  let isOver = false;
  let next = 0;
  let unsent = 0;

  function open(): void {
    const socket = connect({ host, port, noDelay: true });
    const caller: Caller = {
      write: (question) => socket.write(question),
      askedAtMs: 0,
      second: null,
      missing: 0,
      status: 0,
      isPersonal: false,
    };
    socket.on('connect', () => idle.push(caller));
    socket.on('data', (chunk: Buffer) => {
      if (heard(caller, chunk)) idle.push(caller);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (caller.second !== null) caller.second.lost += 1;
      caller.second = null;
      const at = idle.indexOf(caller);
      if (at >= 0) idle.splice(at, 1);
      if (!isOver) setTimeout(open, 10);
    });
  }

  /** True at the end of an answer. */
  function heard(caller: Caller, chunk: Buffer): boolean {
    if (caller.missing === 0) {
      const headLength = chunk.indexOf('\r\n\r\n') + 4;
      const head = chunk.toString('latin1', 0, headLength);
      caller.status = Number(head.slice(9, 12));
      caller.missing = headLength + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      caller.isPersonal = chunk.includes('"tier":"user","intendedTier"');
    }
    caller.missing -= chunk.length;
    const { second } = caller;
    if (caller.missing > 0 || second === null) return false;
    const latencyMs = performance.now() - caller.askedAtMs;
    if (caller.status === 503) second.refused += 1;
    else if (caller.status !== 200) second.lost += 1;
    else if (latencyMs > deadlineMs) second.late += 1;
    else {
      second.inTime += 1;
      if (caller.isPersonal) second.personal += 1;
    }
    if (caller.status === 200) second.latenciesMs.push(latencyMs);
    caller.second = null;
    return true;
  }

  for (let index = 0; index < connections; index += 1) open();
  await pause(settleMs);
  const startMs = performance.now();
  let due = 0;
  let lastTickMs = startMs;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now();
      const elapsedMs = Math.min(nowMs - startMs, seconds * 1000);
      const index = Math.min(seconds - 1, Math.floor(elapsedMs / 1000));
      counted[index] ??= { sent: 0, inTime: 0, personal: 0, late: 0, refused: 0, lost: 0, ownLatenessMs: 0, latenciesMs: [] };
      const second = counted[index];
      second.ownLatenessMs = Math.max(second.ownLatenessMs, nowMs - lastTickMs - tickMs);
      lastTickMs = nowMs;
      for (const wanted = Math.floor((elapsedMs * perSecond) / 1000); due < wanted; due += 1) {
        const caller = idle.shift();
        if (caller === undefined) {
          unsent += wanted - due;
          due = wanted;
          break;
        }
        second.sent += 1;
        caller.second = second;
        caller.askedAtMs = performance.now();
        caller.write(questions[next] as Buffer);
        next = (next + 1) % questions.length;
      }
      if (elapsedMs < seconds * 1000) return;
      clearInterval(timer);
      resolve();
    }, tickMs);
  });
  await pause(quietMs);
  isOver = true;
  return { unsent, seconds: counted.map(summed) };
}

function summed({ latenciesMs, ...second }: OpenLoopSecond) {
  const sorted = latenciesMs.sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { ...second, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function questionOf(body: string): Buffer {
  const head = `POST /v1/decide HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`;
  return Buffer.from(`${head}\r\n\r\n${body}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
