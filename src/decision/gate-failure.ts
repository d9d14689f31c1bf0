/** Why a gate of a rung did not open: a reason of the closed table and, where one is to blame, the dependency. */
import type { Fact } from './facts.ts';
import { type Reason, reasonTable } from './reasons.ts';
import type { Dependency } from './vocabulary.ts';

export interface GateFailure {
  readonly reason: Reason;
  readonly dependency: Dependency | null;
}

export function failure(reason: Reason, dependency: Dependency | null = reasonTable[reason].dependency): GateFailure {
  return { reason, dependency };
}

type ReadDependency = 'identity' | 'consent' | 'profile' | 'session';

/** The time or fault form of a fact that is late or failed; null for any other state. */
export function unread(fact: Fact<unknown>, dependency: ReadDependency): GateFailure | null {
  if (fact.state === 'late')
    return fact.why === 'deadline_too_short' ? failure('deadline_too_short', dependency) : failure(`${dependency}_timeout`);
  if (fact.state === 'failed') return fact.why === 'circuit_open' ? failure('circuit_open', dependency) : failure(`${dependency}_failed`);
  return null;
}
