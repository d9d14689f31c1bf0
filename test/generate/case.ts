/** One whole case: a policy, a question about it, and the evidence at the instant of deciding. */
import type { Evidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import type { PolicyDocument } from '../oracle/document.ts';

export interface Case {
  readonly document: PolicyDocument;
  readonly question: Question;
  readonly evidence: Evidence;
}
