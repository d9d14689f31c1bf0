/**
 * Compiles a policy in a thread of its own, so that decisions go on meanwhile. Bounded in time and in memory: a policy that
 * needs more is refused in plain words, and costs the service nothing but the waiting. The thread rests for a while afterwards:
 * where one change follows another, the next finds everything loaded and takes a fraction of the time.
 */
import { getCompileCacheDir } from 'node:module';
import { totalmem } from 'node:os';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Artefact } from '../decision/artefact.ts';
import type { Compilation, CompileOptions } from '../policy/compile.ts';
import { createAssembly } from '../policy/pieces.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import type { Clock } from '../time/clock.ts';

export type ThreadOrder =
  | { readonly kind: 'compile'; readonly bytes: Uint8Array; readonly options: CompileOptions }
  /** The next piece of what was compiled. */
  | { readonly kind: 'next' };

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

/** Longer than the pauses of somebody who edits a policy and looks at what it does. */
const restMs = 10_000;
/** What a larger policy leaves behind in the thread's memory is not kept for that long. */
const restAfterBytesMax = 128 * 1024;

export function createApartCompiler(clock: Pick<Clock, 'after'>, limits: CompileLimits = defaultLimits()): ApartCompiler {
  const endings = new Set<() => void>();
  let resting: { readonly worker: Worker; end(): void } | null = null;

  function takeThread(): Worker {
    if (resting === null) return startThread(limits);
    const { worker } = resting;
    resting.end();
    worker.ref();
    return worker;
  }

  /** It holds up nobody who wants to end. */
  function letRest(worker: Worker): void {
    worker.unref();
    const forget = clock.after(restMs, () => {
      resting?.end();
      endThread(worker);
    });
    const stopHearing = hearOfEnd(worker, () => resting?.end());
    const end = (): void => {
      forget();
      stopHearing();
      resting = null;
    };
    resting = { worker, end };
  }

  return {
    async compile(bytes, options) {
      const worker = takeThread();
      const result = Promise.withResolvers<Outcome>();
      const forget = clock.after(limits.seconds * 1000, () => result.resolve(refused(options.file, tooLong(limits))));
      const end = (): void => endThread(worker);
      endings.add(end);
      const stopListening = listen(worker, result, () => refused(options.file, tooLarge(limits)));
      worker.postMessage({ kind: 'compile', bytes, options } satisfies ThreadOrder);
      let mayRest = false;
      try {
        const { compilation, isThreadSound } = await result.promise;
        mayRest = isThreadSound && bytes.length <= restAfterBytesMax && resting === null;
        return compilation;
      } finally {
        forget();
        stopListening();
        endings.delete(end);
        if (mayRest) letRest(worker);
        else end();
      }
    },
    dispose() {
      for (const end of endings) end();
      const { worker } = resting ?? {};
      resting?.end();
      if (worker !== undefined) endThread(worker);
    },
  };
}

interface Outcome {
  readonly compilation: Compilation;
  /** It waits for the next policy. */
  readonly isThreadSound: boolean;
}

function startThread({ memoryMegabytes }: CompileLimits): Worker {
  const compiledCode = getCompileCacheDir();
  return new Worker(new URL('./policy-thread.ts', import.meta.url), {
    // What this process keeps of its compiled code serves the thread too, but Node passes it on in no other way.
    env: compiledCode === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(compiledCode) },
    execArgv: permissionFlags(),
    resourceLimits: { maxOldGenerationSizeMb: memoryMegabytes },
  });
}

/** INVARIANT: without them a thread may do what its process may not. Other flags are for the process, and some no thread takes. */
function permissionFlags(): string[] {
  return process.execArgv.filter((flag) => /^--(?:permission|allow-[a-z-]+)(?:=|$)/.test(flag));
}

function endThread(worker: Worker): void {
  worker.removeAllListeners();
  // A thread that is being ended may still run out of memory, which nobody wants to know any more.
  worker.on('error', () => {});
  void worker.terminate();
}

function hearOfEnd(worker: Worker, onEnd: () => void): () => void {
  worker.once('error', onEnd).once('exit', onEnd);
  return () => worker.off('error', onEnd).off('exit', onEnd);
}

/** Returns how to stop. */
function listen(worker: Worker, { resolve, reject }: PromiseWithResolvers<Outcome>, whenTooLarge: () => Outcome): () => void {
  const assembly = createAssembly();
  let compiled: Extract<ThreadReport, { kind: 'compiled' }> | null = null;
  const finish = (artefact: Artefact | null): void =>
    resolve({ compilation: { artefact, problems: compiled?.problems ?? [] }, isThreadSound: true });
  // Decisions that have come meanwhile are answered between one piece and the next.
  const askForMore = () => setImmediate(() => worker.postMessage({ kind: 'next' } satisfies ThreadOrder));

  const hear = (report: ThreadReport): void => {
    if (report.kind === 'compiled') {
      compiled = report;
      if (report.works) askForMore();
      else finish(null);
    } else if (report.kind === 'piece') {
      assembly.add(report.text);
      askForMore();
    } else finish(assembly.artefact());
  };
  const fail = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') resolve(whenTooLarge());
    else reject(error);
  };
  const stop = (): void => reject(new Error('the thread that compiles ended without a word'));
  worker.on('message', hear).on('error', fail).on('exit', stop);
  return () => worker.off('message', hear).off('error', fail).off('exit', stop);
}

function refused(file: string, message: string): Outcome {
  const problem: PolicyProblem = { severity: 'error', code: 'document-too-large', file, line: 1, column: 1, message };
  return { compilation: { artefact: null, problems: [problem] }, isThreadSound: false };
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
