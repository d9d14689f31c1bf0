/**
 * What gives way when there is more to do than can be done. First the tiers: a request that has waited for a good part of its time, or
 * would wait beside more others than are served in time, is answered at once, with nobody asked. Only one whose time had passed before
 * it was read is refused, before any work is done for it. All follows from how long requests wait, so there is no limit to tune.
 */
import { Socket } from 'node:net';
import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import { ProblemError } from '../contract/problem.ts';
import type { AskLimit } from './ask-limit.ts';
import { deadlineHeader, headerMs, withinBounds } from './deadline.ts';
import type { ServiceDependencies } from './dependencies.ts';

/** A third of its time: what is left is enough to ask, and what waits behind it comes sooner. */
const waitingShareMax = 1 / 3;

export function isOverloaded({ waitedMs }: FastifyRequest, budgetMs: number, askLimit: AskLimit): boolean {
  return askLimit.isReached() || waitedMs > budgetMs * waitingShareMax;
}

/** Made once: it says the same to everybody, and a stack would cost more than the refusal. */
const overloaded = new ProblemError('overloaded');

/** What is read now is answered after the rest of this turn; where turns last nearly as long as there is time, that is too late. */
const lastingShareMax = 0.75;

/**
 * Throws the problem for a request that is too late, or would be, and leaves its connection alone for a while. The body is not read yet,
 * so without the header it is held to the policy's default deadline.
 */
export function refusingLateRequests({ policy, queue, parking, telemetry }: OverloadParts): onRequestHookHandler {
  return ({ waitedMs, headers, raw }, _reply, done) => {
    const bounds = policy.current()?.artefact.deadline;
    if (bounds === undefined) return done();
    // A header that is no number is refused later, with a sentence.
    const deadlineMs = withinBounds(headerMs(headers[deadlineHeader]) ?? bounds.defaultMs, bounds);
    const isLate = waitedMs >= deadlineMs || queue.lastingMs() >= deadlineMs * lastingShareMax;
    if (!isLate && !parking.isFull(queue.turnMs())) return done();
    telemetry.metrics.requestShed();
    // Not when the answer is out: what is left of the request reads on by itself until it has all come.
    if (raw.socket instanceof Socket) raw.once('close', () => parking.park(raw.socket));
    done(overloaded);
  };
}

type OverloadParts = Pick<ServiceDependencies, 'policy' | 'queue' | 'parking' | 'telemetry'>;
