/**
 * The policy that the service decides with. A policy that fails to load never replaces one that works: the old one keeps
 * serving and says that it is stale.
 */
import { readFile } from 'node:fs/promises';
import type { Artefact } from '../decision/artefact.ts';
import { compilePolicy } from '../policy/compile.ts';
import type { PolicyProblem } from '../policy/problems.ts';
import type { Clock } from '../time/clock.ts';

export interface HeldPolicy {
  readonly artefact: Artefact;
  /** A newer policy was given and did not load. */
  readonly stale: boolean;
}

export interface PolicyHolder {
  /** Null until a policy has loaded for the first time. */
  current(): HeldPolicy | null;
  /** Reads, compiles and, where it has no errors, puts into force. Rejects only where the file cannot be read. */
  load(path: string): Promise<PolicyLoading>;
}

export interface PolicyLoading {
  readonly inForce: boolean;
  /** Warnings too, in the order of the file. */
  readonly problems: readonly PolicyProblem[];
}

export function createPolicyHolder(clock: Clock): PolicyHolder {
  let held: HeldPolicy | null = null;

  function keepTheOldOne(): void {
    if (held !== null) held = { artefact: held.artefact, stale: true };
  }

  return {
    current: () => held,
    async load(path) {
      try {
        const { artefact, problems } = compilePolicy(await readFile(path, 'utf8'), { file: path, nowMs: clock.nowMs() });
        if (artefact === null) keepTheOldOne();
        else held = { artefact, stale: false };
        return { inForce: artefact !== null, problems };
      } catch (error) {
        keepTheOldOne();
        throw error;
      }
    },
  };
}
