/**
 * Which addresses a holder's proof may name. They are configured, never taken from a request: behind a proxy the service does not
 * know by which address it was called, and whoever calls it may say anything.
 */
import { proofTargetOf } from '../records/proof-target.ts';

export interface ProofTargets {
  /** Whether a proof's `htu` is one of them. An `htu` with a query, a fragment or a user is none. */
  has(htu: string): boolean;
}

export const noProofTargets: ProofTargets = { has: () => false };

/** INVARIANT: `targets` are what `proofTargetOf` answers. */
export function proofTargetsOf(targets: Iterable<string>): ProofTargets {
  const known = new Set(targets);
  return {
    has(htu) {
      const target = proofTargetOf(htu);
      return target !== null && known.has(target);
    },
  };
}
