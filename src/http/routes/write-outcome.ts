/** What a write answers: 201 where it made something, 204 where it replaced something, a problem where it wrote nothing. */
import type { FastifyReply } from 'fastify';
import { ProblemError } from '../../contract/problem.ts';
import type { WriteOutcome } from '../../records/store.ts';

export function answerWrite(reply: FastifyReply, outcome: WriteOutcome): FastifyReply {
  if (outcome === 'erased') throw new ProblemError('subject_erased');
  if (outcome === 'too_many_links') throw new ProblemError('too_many_links');
  return reply.code(outcome === 'created' ? 201 : 204).send();
}
