/**
 * What gives way when there is more to do than can be done. First the tiers: a request that has waited for a good part of its time is
 * answered at once, with nobody asked. Only one whose time had passed before it was read is refused, before any work is done for it.
 * Both follow from how long requests wait, so there is no limit to tune.
 */
import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import { ProblemError } from '../contract/problem.ts';
import { deadlineHeader, headerMs, withinBounds } from './deadline.ts';
import type { ServiceDependencies } from './dependencies.ts';

/** A quarter of its time: what is left is enough to ask, and what waits behind it comes sooner. */
const waitingShareMax = 0.25;

export function isOverloaded({ waitedMs }: FastifyRequest, budgetMs: number): boolean {
  return waitedMs > budgetMs * waitingShareMax;
}

/**
 * Throws the problem for a request that is surely too late. The body is not read yet, so without the header its deadline may be
 * anything that the policy allows.
 */
export function refusingLateRequests({ policy, telemetry }: Pick<ServiceDependencies, 'policy' | 'telemetry'>): onRequestHookHandler {
  return ({ waitedMs, headers }, _reply, done) => {
    const deadline = policy.current()?.artefact.deadline;
    // A header that is no number is refused later, with a sentence.
    if (deadline === undefined || waitedMs < withinBounds(headerMs(headers[deadlineHeader]) ?? deadline.maxMs, deadline)) return done();
    telemetry.metrics.requestShed();
    done(new ProblemError('overloaded'));
  };
}
