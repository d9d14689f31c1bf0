/** What a write answers: 201 where it made something, 204 where it replaced something, a problem where a tombstone stands. */
import type { FastifyReply } from 'fastify';
import { ProblemError } from '../../contract/problem.ts';
import type { WriteOutcome } from '../../records/store.ts';

export function answerWrite(reply: FastifyReply, outcome: WriteOutcome): FastifyReply {
  if (outcome === 'erased') throw new ProblemError('subject_erased');
  return reply.code(outcome === 'created' ? 201 : 204).send();
}
