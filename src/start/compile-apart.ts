/**
 * Compiles a policy in a thread of its own, so that decisions go on meanwhile. Bounded in time and in memory: a policy that
 * needs more is refused in plain words, and costs the service nothing but the waiting.
 */
import { totalmem } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Artefact } from '../decision/artefact.ts';
import type { Compilation, CompileOptions } from '../policy/compile.ts';
import { createAssembly } from '../policy/pieces.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import type { Clock } from '../time/clock.ts';

export interface CompilationOrder {
  readonly bytes: Uint8Array;
  readonly options: CompileOptions;
}

export type ThreadReport =
  | { readonly kind: 'compiled'; readonly problems: readonly PolicyProblem[]; readonly works: boolean }
  | { readonly kind: 'piece'; readonly text: string }
  | { readonly kind: 'end' };

export interface CompileLimits {
  readonly seconds: number;
  readonly memoryMegabytes: number;
}

export interface ApartCompiler {
  /** Rejects only where the thread itself breaks. */
  compile(bytes: Uint8Array, options: CompileOptions): Promise<Compilation>;
  /** What is under way stops, and never answers. */
  dispose(): void;
}

/** 50,000 offers took 16 s and 1.8 GB on a machine of two cores, so the largest policy that is taken fits in both. */
const secondsMax = 120;
const memoryMegabytesMax = 4096;
const memoryMegabytesMin = 128;

export function createApartCompiler(clock: Pick<Clock, 'after'>, limits: CompileLimits = defaultLimits()): ApartCompiler {
  const endings = new Set<() => void>();
  return {
    async compile(bytes, options) {
      const worker = startThread({ bytes, options }, limits);
      const result = Promise.withResolvers<Compilation>();
      const forget = clock.after(limits.seconds * 1000, () => result.resolve(refused(options.file, tooLong(limits))));
      const end = (): void => {
        forget();
        endings.delete(end);
        worker.removeAllListeners();
        // A thread that is being ended may still run out of memory, which nobody wants to know any more.
        worker.on('error', () => {});
        void worker.terminate();
      };
      endings.add(end);
      listen(worker, result, () => refused(options.file, tooLarge(limits)));
      return await result.promise.finally(end);
    },
    dispose() {
      for (const end of endings) end();
    },
  };
}

function startThread(order: CompilationOrder, { memoryMegabytes }: CompileLimits): Worker {
  return new Worker(new URL('./policy-thread.ts', import.meta.url), {
    workerData: order,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: memoryMegabytes },
  });
}

function listen(worker: Worker, { resolve, reject }: PromiseWithResolvers<Compilation>, whenTooLarge: () => Compilation): void {
  const assembly = createAssembly();
  let compiled: Extract<ThreadReport, { kind: 'compiled' }> | null = null;
  const finish = (artefact: Artefact | null) => resolve({ artefact, problems: compiled?.problems ?? [] });
  // Decisions that have come meanwhile are answered between one piece and the next.
  const askForMore = () => setImmediate(() => worker.postMessage('next'));

  worker.on('message', (report: ThreadReport) => {
    if (report.kind === 'compiled') {
      compiled = report;
      if (report.works) askForMore();
      else finish(null);
    } else if (report.kind === 'piece') {
      assembly.add(report.text);
      askForMore();
    } else finish(assembly.artefact());
  });
  worker.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') resolve(whenTooLarge());
    else reject(error);
  });
  worker.on('exit', () => reject(new Error('the thread that compiles ended without a word')));
}

function refused(file: string, message: string): Compilation {
  return { artefact: null, problems: [{ severity: 'error', code: 'document-too-large', file, line: 1, column: 1, message }] };
}

function tooLong({ seconds }: CompileLimits): string {
  return `the policy takes more than ${seconds} seconds to compile: write fewer offers and rules, or shorter conditions`;
}

function tooLarge({ memoryMegabytes }: CompileLimits): string {
  return `the policy takes more than ${memoryMegabytes} megabytes to compile: write fewer offers and rules, or give the machine more memory`;
}

/** Half of what this machine or container has: the service lives beside it. */
function defaultLimits(): CompileLimits {
  // Without a limit of the container, Node says a number larger than any machine.
  const bytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  const half = Math.floor(bytes / 2 / 1024 / 1024);
  return { seconds: secondsMax, memoryMegabytes: Math.max(memoryMegabytesMin, Math.min(memoryMegabytesMax, half)) };
}
