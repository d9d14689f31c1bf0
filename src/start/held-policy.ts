/**
 * The policy that the service decides with. A policy that fails to load never replaces one that works: the old one keeps
 * serving and says that it is stale.
 */
import { readFile } from 'node:fs/promises';
import type { Artefact } from '../decision/artefact.ts';
import { type Compilation, type CompileOptions, compilePolicy } from '../policy/compile.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import type { Clock } from '../time/clock.ts';

export interface HeldPolicy {
  readonly artefact: Artefact;
  /** A newer policy was given and did not load. */
  readonly stale: boolean;
}

/** A policy as its author wrote it. */
export interface PolicySource {
  /** Where it was read: problems carry this name, and its ending says how it is written. */
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** What turns the bytes of a file into an artefact, in this thread or beside it. */
export type Compile = (bytes: Uint8Array, options: CompileOptions) => Compilation | Promise<Compilation>;

export interface PolicyHolder {
  /** Null until a policy has loaded for the first time. */
  current(): HeldPolicy | null;
  /** Reads, compiles and, where it has no errors, puts into force. Rejects only where the file cannot be read. */
  load(path: string): Promise<PolicyLoading>;
  /** The same for what was read already. */
  accept(source: PolicySource): Promise<PolicyLoading>;
  /** For a start whose file does not load: an older policy, judged at the instant when it was put into force. It is stale. */
  fallBackTo(source: PolicySource, acceptedAtMs: number): Promise<PolicyLoading>;
  /** What was given last did not load or cannot be read. */
  keepTheOldOne(): void;
}

export interface PolicyLoading {
  readonly inForce: boolean;
  /** Warnings too, in the order of the file. */
  readonly problems: readonly PolicyProblem[];
}

export function createPolicyHolder(clock: Pick<Clock, 'nowMs'>, compile: Compile = compileHere): PolicyHolder {
  let held: HeldPolicy | null = null;

  function keepTheOldOne(): void {
    if (held !== null) held = { artefact: held.artefact, stale: true };
  }

  async function accept({ file, bytes }: PolicySource): Promise<PolicyLoading> {
    try {
      const compilation = await compile(bytes, { file, nowMs: clock.nowMs() });
      const problems = [...compilation.problems, ...lossOfAllZones(compilation.artefact, held, file)];
      const artefact = problems.length > compilation.problems.length ? null : compilation.artefact;
      if (artefact === null) keepTheOldOne();
      else held = { artefact, stale: false };
      return { inForce: artefact !== null, problems };
    } catch (error) {
      keepTheOldOne();
      throw error;
    }
  }

  return {
    current: () => held,
    accept,
    keepTheOldOne,
    async load(path) {
      const bytes = await readFile(path).catch((error) => {
        keepTheOldOne();
        throw error;
      });
      return accept({ file: path, bytes });
    },
    async fallBackTo({ file, bytes }, acceptedAtMs) {
      const { artefact, problems } = await compile(bytes, { file, nowMs: acceptedAtMs });
      if (artefact !== null) held = { artefact, stale: true };
      return { inForce: artefact !== null, problems };
    },
  };
}

/** The head of a file that was cut short may be a policy by itself, and one that decides nothing: nobody means to have that instead. */
function lossOfAllZones(artefact: Artefact | null, held: HeldPolicy | null, file: string): readonly PolicyProblem[] {
  if (artefact === null || held === null || !hasZones(held.artefact) || hasZones(artefact)) return [];
  const message = 'the policy has no zones, and the one in force has some: is the file cut short?';
  return [{ severity: 'error', code: 'missing-field', file, line: 1, column: 1, message }];
}

function hasZones({ zones }: Artefact): boolean {
  return Object.keys(zones).length > 0;
}

/** In this thread, which waits. */
export const compileHere: Compile = (bytes, options) => compilePolicy(textOf(bytes), options);

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
