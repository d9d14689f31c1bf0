/** That the judge of answers through caches finds each thing that it looks for, and complains of nothing else. */
import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Person } from '../../bench/faults/people.ts';
import { artefactKeysOf, newArtefactKey } from '../../src/identity/artefact-keys.ts';
import type { Expectation, Question } from './asking.ts';
import type { Answer } from './client.ts';
import { contentOf } from './device-artefact.ts';
import { type ComplaintKind, complaintKinds, createJudge } from './judge.ts';
import { artefactAddress, deviceVariant } from './policy.ts';

const query = 'page=plain';
const truth = { body: '{"zones":[]}', etag: '"right"', cacheControl: 'public, max-age=0, s-maxage=1, stale-while-revalidate=0' };

const person: Person = {
  group: 'known',
  weight: 1,
  marker: 'm01',
  subject: 'person-m01',
  country: 'NL',
  headers: {},
  body: {},
  isFickle: false,
  highest: { greeting: 'user', rail: 'user', footer: 'user' },
};

const questionFor = (expectation: Expectation): Question => ({
  name: 'a question',
  asked: { method: 'GET', path: '/v1/decide', headers: {} },
  expectation,
});
const shared: Question = questionFor({ kind: 'shared', query, range: null, validator: '"other"' });
const refused: Question = questionFor({ kind: 'other', statuses: [400], onQuery: null });
const decision: Question = questionFor({ kind: 'decision', person, onQuery: null });

const sharedAnswer: Answer = {
  status: 200,
  headers: { 'cache-control': truth.cacheControl, etag: truth.etag, 'stepwell-request-id': 'one' },
  body: truth.body,
  askedAtMs: 0,
  answeredAtMs: 10,
};
const signing = artefactKeysOf(newArtefactKey());
const deviceKeys = signing.jwks.keys.map((key) => ({ ...key }));
const artefactQuestion: Question = questionFor({ kind: 'shared', query: artefactAddress, range: null, validator: null });
/** As of an hour. */
const artefactOf = (variant: string, iat: number): Answer => {
  const body = signing.sign({ variants: { [variant]: { says: variant } }, iat, nbf: iat, exp: iat + 1 });
  const etag = `"${hash('sha256', body, 'base64url')}"`;
  const headers = { 'content-type': 'application/jose', 'cache-control': truth.cacheControl, etag, 'stepwell-request-id': `of ${iat}` };
  return { ...sharedAnswer, headers, body };
};
const artefactTruth = { ...truth, body: contentOf(artefactOf(deviceVariant, 0).body, deviceKeys) ?? '' };
const flagsQuestion: Question = questionFor({ kind: 'flags', person });

const refusal: Answer = {
  ...sharedAnswer,
  status: 400,
  headers: { 'cache-control': 'private, no-store', 'stepwell-request-id': 'two' },
  body: '{}',
};
const decided: Answer = { ...refusal, status: 200, body: decisionText('m01', 'two') };

function decisionText(marker: string, decisionId: string): string {
  const zones = ['greeting', 'rail', 'footer'].map((zone) => {
    const variant = `${zone}-${marker}`;
    return { zone, tier: 'user', variant, content: { says: variant }, cache: { degraded: false } };
  });
  return JSON.stringify({ decisionId, zones });
}

interface Fault {
  readonly kind: ComplaintKind;
  readonly what: string;
  /** One after the other, through one cache. */
  readonly answers: readonly (readonly [Question, Answer])[];
}

const without = (answer: Answer, name: string): Answer => ({ ...answer, headers: { ...answer.headers, [name]: undefined } });
const saying = (answer: Answer, headers: Answer['headers']): Answer => ({ ...answer, headers: { ...answer.headers, ...headers } });
const later = (answer: Answer, askedAtMs: number): Answer => ({ ...answer, askedAtMs, answeredAtMs: askedAtMs + 1 });

const faults: readonly Fault[] = [
  { kind: 'somebody else’s', what: 'another’s content', answers: [[decision, { ...decided, body: decisionText('m02', 'two') }]] },
  {
    kind: 'somebody else’s',
    what: 'anybody’s name in a header of what is shared',
    answers: [[shared, saying(sharedAnswer, { link: 'person-m03' })]],
  },
  {
    kind: 'somebody else’s',
    what: 'the origin of another page',
    answers: [[shared, saying(sharedAnswer, { 'access-control-allow-origin': 'https://x.example' })]],
  },
  {
    kind: 'not for devices',
    what: 'an artefact with what nobody marked',
    answers: [[artefactQuestion, artefactOf('letter', 1)]],
  },
  {
    kind: 'somebody else’s',
    what: 'an artefact with what is somebody’s',
    answers: [[artefactQuestion, artefactOf('greeting-m02', 1)]],
  },
  {
    kind: 'wrong answer',
    what: 'an artefact that nobody signed',
    answers: [[artefactQuestion, { ...artefactOf(deviceVariant, 1), body: `${artefactOf(deviceVariant, 1).body.slice(0, -4)}AAAA` }]],
  },
  {
    kind: 'headers and body disagree',
    what: 'an artefact by the validator of another hour',
    answers: [[artefactQuestion, saying(artefactOf(deviceVariant, 1), { etag: artefactOf(deviceVariant, 0).headers.etag })]],
  },
  {
    kind: 'wrong answer',
    what: 'a flag of another country',
    answers: [
      [flagsQuestion, saying({ ...decided, body: '{"key":"footer","variant":"land-FR"}' }, { 'cache-control': 'private, no-cache' })],
    ],
  },
  {
    kind: 'kept',
    what: 'a refusal that comes twice',
    answers: [
      [refused, refusal],
      [refused, refusal],
    ],
  },
  {
    kind: 'kept',
    what: 'a decision that comes twice',
    answers: [
      [decision, decided],
      [decision, decided],
    ],
  },
  { kind: 'wrong answer', what: 'another shared answer', answers: [[shared, { ...sharedAnswer, body: '{}' }]] },
  { kind: 'wrong answer', what: 'a 304 to another validator', answers: [[shared, { ...sharedAnswer, status: 304, body: '' }]] },
  {
    kind: 'too old',
    what: 'a shared answer after its time',
    answers: [
      [shared, sharedAnswer],
      [shared, later(sharedAnswer, 2_100)],
    ],
  },
  {
    kind: 'headers and body disagree',
    what: 'a longer life',
    answers: [[shared, saying(sharedAnswer, { 'cache-control': 'public, max-age=60' })]],
  },
  {
    kind: 'headers and body disagree',
    what: 'a body of another request',
    answers: [[decision, { ...decided, body: decisionText('m01', 'three') }]],
  },
  {
    kind: 'headers and body disagree',
    what: 'a refusal that may be kept',
    answers: [[refused, saying(refusal, { 'cache-control': 'public' })]],
  },
  {
    kind: 'nothing said of caching',
    what: 'silence',
    answers: [[refused, without(without(refusal, 'cache-control'), 'stepwell-request-id')]],
  },
  { kind: 'wrong status', what: 'a refusal that went through', answers: [[refused, { ...refusal, status: 200 }]] },
  { kind: 'not answered', what: 'nothing', answers: [[shared, { ...sharedAnswer, status: 0 }]] },
];

const truths = new Map([
  [query, truth],
  [artefactAddress, artefactTruth],
]);

describe('the judge of answers through caches', () => {
  it('complains of nothing that is right', () => {
    const judge = createJudge({ truths, deviceKeys, isStrict: true });
    const right: Fault['answers'] = [
      [shared, sharedAnswer],
      [shared, later(sharedAnswer, 500)],
      [artefactQuestion, artefactOf(deviceVariant, 0)],
      [artefactQuestion, artefactOf(deviceVariant, 1)],
      [refused, refusal],
      [decision, saying({ ...decided, body: decisionText('m01', 'four') }, { 'stepwell-request-id': 'four' })],
    ];
    expect(right.flatMap(([question, answer]) => judge.of(question, answer))).toEqual([]);
    expect(judge.tally).toMatchObject({ answers: 6, shared: 4, hits: 1, own: 0, degraded: 0 });
  });

  it.each(faults)('finds $what', ({ kind, answers }) => {
    const judge = createJudge({ truths, deviceKeys, isStrict: true });
    const complaints = answers.map(([question, answer]) => judge.of(question, answer));
    expect(complaints.slice(0, -1).flat()).toEqual([]);
    expect(complaints.at(-1)?.map((one) => one.kind)).toContain(kind);
  });

  it('is tried on everything that it looks for', () => {
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(complaintKinds));
  });
});
