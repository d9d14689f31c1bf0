/** One whole case: a policy, a question about it, and the evidence at the instant of deciding. */
import fc from 'fast-check';
import type { Evidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import type { PolicyDocument } from '../oracle/document.ts';
import { policyDocument } from './document.ts';
import { evidence } from './evidence.ts';
import { questionAbout } from './question.ts';

export interface Case {
  readonly document: PolicyDocument;
  readonly question: Question;
  readonly evidence: Evidence;
}

export const wholeCase: fc.Arbitrary<Case> = policyDocument.chain((document) =>
  fc.record({ document: fc.constant(document), question: questionAbout(document), evidence }),
);
