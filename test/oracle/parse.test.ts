/** The oracle's reading of CEL text is the tree the text was written from. */
import { expect, test } from 'vitest';
import { wholeCase } from '../generate/case.ts';
import { toPolicyText } from './document.ts';
import { oracleDecide } from './oracle.ts';
import { documentFrom, parseCel } from './parse.ts';
import { holdsFor } from './runs.ts';

test('operators bind as CEL says', () => {
  expect(parseCel('!request.a && 1 + 2 * 3 < 4 || request.b')).toEqual(parseCel('(((!(request.a)) && ((1 + (2 * 3)) < 4)) || request.b)'));
});

test('a policy read from its own text decides as the policy it was written from', () => {
  holdsFor(1000, wholeCase, ({ document, question, evidence }) => {
    expect(oracleDecide(documentFrom(toPolicyText(document)), question, evidence)).toEqual(oracleDecide(document, question, evidence));
  });
});
