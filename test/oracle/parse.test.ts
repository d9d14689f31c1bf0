/** The oracle's reading of CEL text is the tree the text was written from. */
import { expect, test } from 'vitest';
import { decidesAsOracle, theOracle } from './claims.ts';
import { type PolicyDocument, toPolicyText } from './document.ts';
import { documentFrom, parseCel } from './parse.ts';
import { holdsFor, saySeed } from './runs.ts';

saySeed();
const readBack = new WeakMap<PolicyDocument, PolicyDocument>();

test('operators bind as CEL says', () => {
  expect(parseCel('!request.a && 1 + 2 * 3 < 4 || request.b')).toEqual(parseCel('(((!(request.a)) && ((1 + (2 * 3)) < 4)) || request.b)'));
});

test('a policy read from its own text decides as the policy it was written from', () => {
  const decide: typeof theOracle = (given) => theOracle({ ...given, document: readBack.get(given.document) ?? read(given.document) });
  holdsFor({
    ...decidesAsOracle,
    says: 'a policy read from its own text decides as the policy it was written from',
    check: (core, document, drawn) => decidesAsOracle.check({ ...core, decide }, document, drawn),
  });
});

function read(document: PolicyDocument): PolicyDocument {
  const again = documentFrom(toPolicyText(document));
  readBack.set(document, again);
  return again;
}
