/** The thread that compiles one policy beside the service: says what it found, then hands the artefact over piece by piece. */
import { parentPort, workerData } from 'node:worker_threads';
import { compilePolicy } from '../policy/compile.ts';
import { piecesOf } from '../policy/pieces.ts';
import type { CompilationOrder, ThreadReport } from './compile-apart.ts';

const { bytes, options } = workerData as CompilationOrder;
const { artefact, problems } = compilePolicy(Buffer.from(bytes).toString('utf8'), options);
const pieces = artefact === null ? [].values() : piecesOf(artefact);

/** One piece for each time that the other side asks, which it does when it has a moment. */
parentPort?.on('message', () => {
  const { value } = pieces.next();
  tell(value === undefined ? { kind: 'end' } : { kind: 'piece', text: value });
  if (value === undefined) parentPort?.close();
});
tell({ kind: 'compiled', problems, works: artefact !== null });

function tell(report: ThreadReport): void {
  parentPort?.postMessage(report);
}
