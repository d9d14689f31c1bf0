/** The thread that compiles policies beside the service: says what it found, then hands the artefact over piece by piece. */
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { compilePolicy } from '../policy/compile.ts';
import { piecesOf } from '../policy/pieces.ts';
import type { ThreadOrder, ThreadReport } from './compile-apart.ts';

/** Decisions come first, also where there is one processor for both. Not much lower, for under full load a policy must still get through. */
const niceness = 5;
// Elsewhere it would be the whole process'.
if (process.platform === 'linux') setPriority(niceness);

let pieces: Iterator<string, undefined> = [].values();

/** One piece for each time that the other side asks, which it does when it has a moment. */
parentPort?.on('message', (order: ThreadOrder) => {
  if (order.kind === 'compile') compile(order);
  else handOver();
});

function compile({ bytes, options }: Extract<ThreadOrder, { kind: 'compile' }>): void {
  const { artefact, problems } = compilePolicy(Buffer.from(bytes).toString('utf8'), options);
  pieces = artefact === null ? [].values() : piecesOf(artefact);
  tell({ kind: 'compiled', problems, works: artefact !== null });
}

function handOver(): void {
  const { value } = pieces.next();
  tell(value === undefined ? { kind: 'end' } : { kind: 'piece', text: value });
}

function tell(report: ThreadReport): void {
  parentPort?.postMessage(report);
}
