/**
 * The policy that the service decides with. A policy that fails to load never replaces one that works: the old one keeps
 * serving and says that it is stale. To load is also to be allowed to ask the HTTP services that it names.
 */
import { readFile } from 'node:fs/promises';
import { purging } from '../classes/purge.ts';
import type { Artefact } from '../decision/artefact.ts';
import { preparation } from '../decision/reading.ts';
import { type Compilation, type CompileOptions, compilePolicy } from '../policy/compile.ts';
import { formatProblem, type PolicyProblem } from '../policy/problems.ts';
import { noSources, SourceProblem, type Sources } from '../sources/sources.ts';
import type { Clock } from '../time/clock.ts';
import { inTurns } from '../time/in-turns.ts';

export interface HeldPolicy {
  readonly artefact: Artefact;
  /** The HTTP services that it names, opened. */
  readonly sources: Sources;
  /** A newer policy was given and did not load. */
  readonly stale: boolean;
  /** Why that one did not; empty where this is the newest. */
  readonly refused: readonly string[];
  /** Tags of shared answers that may be others than under the policy before; null: none was in force here before. */
  readonly purge: readonly string[] | null;
}

/** Opens what an artefact names; rejects with a `SourceProblem` where it may not be asked. */
export type OpenSources = (artefact: Artefact) => Promise<Sources>;

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
  fallBackTo(source: PolicySource, acceptedAtMs: number, refused?: readonly string[]): Promise<PolicyLoading>;
  /** What was given last did not load or cannot be read. */
  keepTheOldOne(refused: readonly string[]): void;
}

export interface PolicyLoading {
  readonly inForce: boolean;
  /** Warnings too, in the order of the file. */
  readonly problems: readonly PolicyProblem[];
}

/** Of a policy that was refused, as many reasons are remembered: enough to mend it. */
const refusedMax = 20;

const openNothing: OpenSources = async () => noSources;

export function createPolicyHolder(
  clock: Pick<Clock, 'nowMs'>,
  compile: Compile = compileHere,
  openSources: OpenSources = openNothing,
): PolicyHolder {
  let held: HeldPolicy | null = null;

  function keepTheOldOne(refused: readonly string[]): void {
    if (held !== null) held = { ...held, stale: true, refused: refused.slice(0, refusedMax) };
  }

  async function accept({ file, bytes }: PolicySource): Promise<PolicyLoading> {
    try {
      const { artefact, problems } = await compile(bytes, { file, nowMs: clock.nowMs() });
      const loss = lossOfAllZones(artefact, held, file);
      if (artefact === null || loss.length > 0) return refuse([...problems, ...loss]);
      await inTurns(preparation(artefact));
      const purge = await purgeOf(artefact, held);
      // INVARIANT: opening retires what the old policy asks, so nothing waits between it and the new policy's being in force.
      const opened = await open(artefact, file);
      if ('problems' in opened) return refuse([...problems, ...opened.problems]);
      held = { artefact, sources: opened.sources, stale: false, refused: [], purge };
      return { inForce: true, problems };
    } catch (error) {
      keepTheOldOne(['the policy could not be compiled']);
      throw error;
    }
  }

  function refuse(problems: readonly PolicyProblem[]): PolicyLoading {
    keepTheOldOne(problems.filter(({ severity }) => severity === 'error').map(formatProblem));
    return { inForce: false, problems };
  }

  async function open(
    artefact: Artefact,
    file: string,
  ): Promise<{ readonly sources: Sources } | { readonly problems: readonly PolicyProblem[] }> {
    try {
      return { sources: await openSources(artefact) };
    } catch (error) {
      if (!(error instanceof SourceProblem)) throw error;
      return {
        problems: error.problems.map((message) => ({ severity: 'error', code: 'source-not-allowed', file, line: 1, column: 1, message })),
      };
    }
  }

  return {
    current: () => held,
    accept,
    keepTheOldOne,
    async load(path) {
      const bytes = await readFile(path).catch((error) => {
        keepTheOldOne(['the policy cannot be read']);
        throw error;
      });
      return accept({ file: path, bytes });
    },
    async fallBackTo({ file, bytes }, acceptedAtMs, refused = []) {
      const { artefact, problems } = await compile(bytes, { file, nowMs: acceptedAtMs });
      if (artefact === null) return { inForce: false, problems };
      await inTurns(preparation(artefact));
      const opened = await open(artefact, file);
      if ('problems' in opened) return { inForce: false, problems: [...problems, ...opened.problems] };
      held = { artefact, sources: opened.sources, stale: true, refused: refused.slice(0, refusedMax), purge: null };
      return { inForce: true, problems };
    },
  };
}

/** A policy that is loaded again as it is leaves what was told of it. */
async function purgeOf(artefact: Artefact, held: HeldPolicy | null): Promise<readonly string[] | null> {
  if (held === null) return null;
  if (held.artefact.revision === artefact.revision) return held.purge;
  return inTurns(purging(held.artefact, artefact));
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
