/** Why a gate of a rung did not open: a reason of the closed table and, where one is to blame, the dependency. */
import type { Fact } from './facts.ts';
import { type Reason, reasons, reasonTable } from './reasons.ts';
import type { Dependency } from './vocabulary.ts';

/** One object for each pair, so that failures may be compared and remembered by identity. */
export interface GateFailure {
  readonly reason: Reason;
  readonly dependency: Dependency | null;
}

export function failure(reason: Reason, dependency: Dependency | null = reasonTable[reason].dependency): GateFailure {
  const known = byReason[reason];
  if (known.dependency === dependency) return known;
  const others = withAnotherDependency.get(known) ?? new Map<Dependency | null, GateFailure>();
  const other = others.get(dependency) ?? { reason, dependency };
  withAnotherDependency.set(known, others.set(dependency, other));
  return other;
}

const byReason = Object.fromEntries(
  reasons.map((reason): [Reason, GateFailure] => [reason, { reason, dependency: reasonTable[reason].dependency }]),
) as Readonly<Record<Reason, GateFailure>>;
const withAnotherDependency = new Map<GateFailure, Map<Dependency | null, GateFailure>>();

/** The time or fault form of a fact that is late or failed; null for any other state. */
export function unread(fact: Fact<unknown>, dependency: Dependency): GateFailure | null {
  if (fact.state === 'late')
    return fact.why === 'deadline_too_short' ? failure('deadline_too_short', dependency) : failure(`${dependency}_timeout`);
  if (fact.state !== 'failed') return null;
  // Nobody is to blame for our own load.
  if (fact.why === 'overload') return failure('overload');
  if (fact.why === 'circuit_open') return failure('circuit_open', dependency);
  return failure(dependency === 'model' ? 'model_unavailable' : `${dependency}_failed`);
}
