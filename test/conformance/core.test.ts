/** The corpus against the core, and against the oracle: a case that only one of them meets shows which is wrong. */
import { describe, expect, test } from 'vitest';
import { decide } from '../../src/decision/decide.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { oracleDecide } from '../oracle/oracle.ts';
import { documentFrom } from '../oracle/parse.ts';
import { assembled } from './assemble.ts';
import { corpus, policyText, shown } from './corpus.ts';

test('every case has its own id', () => {
  expect(new Set(corpus.map(({ id }) => id)).size).toBe(corpus.length);
});

describe.each(corpus)('$id', (given) => {
  const text = policyText(given);
  const { question, evidence } = assembled(given, documentFrom(text));

  test(`core: ${given.why}`, () => {
    const { artefact, problems } = compilePolicy(text, { file: `${given.policy}.json`, nowMs: question.nowMs });
    if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
    expect(shown(decide(artefact, question, evidence), given)).toEqual(given.expected);
  });

  test(`oracle: ${given.why}`, () => {
    expect(shown(oracleDecide(documentFrom(text), question, evidence), given)).toEqual(given.expected);
  });
});
