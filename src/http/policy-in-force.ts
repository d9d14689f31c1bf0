/** The policy that answers now, or the one problem that there is none yet. */
import { ProblemError } from '../contract/problem.ts';
import type { ServiceDependencies, ServingPolicy } from './dependencies.ts';

export function policyInForce({ policy }: Pick<ServiceDependencies, 'policy'>): ServingPolicy {
  const current = policy.current();
  if (current === null) throw new ProblemError('no_policy');
  return current;
}
