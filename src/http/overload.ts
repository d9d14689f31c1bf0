/**
 * What gives way when there is more to do than can be done. First the tiers: a request that has waited for a good part of its time is
 * answered at once, with nobody asked. Only one that cannot be answered in time at all is refused, before any work is done for it.
 * Both follow from how long requests wait, so there is no limit to tune.
 */
import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import { ProblemError } from '../contract/problem.ts';
import type { ServiceDependencies } from './dependencies.ts';

/** A quarter of its time: what is left is enough to ask, and what waits behind it comes sooner. */
const waitingShareMax = 0.25;

export function isOverloaded({ waitedMs }: FastifyRequest, budgetMs: number): boolean {
  return waitedMs > budgetMs * waitingShareMax;
}

/** Throws the problem for a request whose time has passed before it was read, going by the policy's own deadline. */
export function refusingLateRequests({ policy, telemetry }: Pick<ServiceDependencies, 'policy' | 'telemetry'>): onRequestHookHandler {
  return ({ waitedMs }, _reply, done) => {
    const deadline = policy.current()?.artefact.deadline;
    if (deadline === undefined || waitedMs < deadline.defaultMs) return done();
    telemetry.metrics.requestShed();
    done(new ProblemError('overloaded'));
  };
}
