import { expect, test } from 'vitest';
import { decide } from '../../src/decision/decide.ts';
import { noEvidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import type { Attributes } from '../../src/decision/value.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { askedAtMs, plainQuestion } from './asked.ts';

const nowMs = askedAtMs;
const { artefact, problems } = compilePolicy(
  `
stepwell: 1
policy: keys
owner: tests
contextualWithoutSignal: true
attributes:
  request:
    topics: { type: strings, class: S0 }
    word: { type: string, class: S0 }
pages:
  home: { zones: [z] }
zones:
  z:
    kind: content
    ladder:
      - tier: segment
        choose:
          - { when: 'size(request.topics) > 1', variant: several }
          - { when: 'size(request.topics) > 0', variant: some }
          - { when: 'request.word == "x" && now < timestamp("2026-12-01T00:00:00Z")', variant: word }
      - tier: anonymous
        variant: none
        approved: { by: "Lead", on: 2026-01-01, until: 2030-01-01 }
variants:
  several: { content: 2, class: S0 }
  some: { content: 1, class: S0 }
  word: { content: 0, class: S0 }
  none: { content: null, class: S0 }
`,
  { file: 'keys.yaml', nowMs },
);

function zoneFor(request: Attributes, atMs = nowMs) {
  if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
  const question: Question = { ...plainQuestion, audience: 'shared', nowMs: atMs, zones: ['z'], request };
  const [zone] = decide(artefact, question, noEvidence).zones;
  return { key: zone?.cache.key, variant: zone?.variant };
}

test.each([
  ['an empty list', 'a list of one empty text', { topics: [] }, { topics: [''] }],
  ['a list of one text', 'a list of two', { topics: ['a,b'] }, { topics: ['a', 'b'] }],
  ['no list', 'an empty list', {}, { topics: [] }],
  ['one attribute that holds another', 'both', { word: 'x&topics=a' }, { word: 'x', topics: ['a'] }],
])('%s and %s never share a key', (_one, _other, a: Attributes, b: Attributes) => {
  expect(zoneFor(a).key).not.toBe(zoneFor(b).key);
});

test('what the rules read decides the key, and nothing else does', () => {
  expect(zoneFor({ word: 'x', unread: 'y' })).toEqual(zoneFor({ word: 'x' }));
  expect(zoneFor({ topics: ['a'] })).toMatchObject({ variant: 'some' });
});

test('a comparison with the time changes the key when it changes its answer, and at no other time', () => {
  const december = Date.UTC(2026, 11, 1);
  const before = zoneFor({ word: 'x' }, december - 1);
  expect(before).toMatchObject({ variant: 'word' });
  expect(zoneFor({ word: 'x' }, nowMs)).toEqual(before);
  expect(zoneFor({ word: 'x' }, december)).toMatchObject({ variant: 'none' });
  expect(zoneFor({ word: 'x' }, december).key).not.toBe(before.key);
  expect(zoneFor({ word: 'x' }, december + 86_400_000).key).toBe(zoneFor({ word: 'x' }, december + 1).key);
});
