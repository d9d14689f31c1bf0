/** Two spellings of one value are one question: the same answer and the same cache key, whoever encoded the address. */
import { describe, expect, it } from 'vitest';
import { ProblemError } from '../../src/contract/problem.ts';
import { readSharedQuery } from '../../src/contract/shared-query.ts';
import { decide } from '../../src/decision/decide.ts';
import { noEvidence } from '../../src/decision/facts.ts';
import { compilePolicy } from '../../src/policy/compile.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');

const policy = `
stepwell: 1
policy: shop
attributes:
  request:
    campaign: { type: string, class: S0 }
    interests: { type: strings, class: S0 }
    slogan: { type: string, values: ['now, or never', later], class: S0 }
contextualWithoutSignal: true
zones:
  hero:
    kind: content
    ladder:
      - tier: segment
        choose:
          - { when: 'request.campaign == "a,b"', variant: both }
          - { when: '"golf" in request.interests', variant: golf }
          - { when: 'request.slogan == "now, or never"', variant: both }
      - { tier: anonymous, variant: plain, approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 } }
variants:
  both: { content: both }
  golf: { content: golf }
  plain: { content: plain }
`;

const { artefact, problems } = compilePolicy(policy, { file: 'shop.yaml', nowMs });
if (artefact === null) throw new Error(JSON.stringify(problems));

const questionOf = (query: string) => readSharedQuery(query, artefact, nowMs);
const zonesOf = (query: string) => decide(artefact, questionOf(query), noEvidence).zones;

function pointersOf(query: string): readonly string[] {
  try {
    questionOf(query);
    return [];
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return error.errors.map(({ pointer }) => pointer);
  }
}

describe('a comma', () => {
  it('is a character of plain text like any other, written as it is or as %2C', () => {
    const [raw, encoded] = [zonesOf('zones=hero&campaign=a,b'), zonesOf('zones=hero&campaign=a%2Cb')];
    expect(questionOf('zones=hero&campaign=a,b').request).toEqual({ campaign: 'a,b' });
    expect(raw[0]).toMatchObject({ variant: 'both', cache: { scope: 'segment', key: expect.stringContaining('campaign=a%002cb') } });
    expect(encoded).toEqual(raw);
    expect(zonesOf('zones=hero&campaign=a')[0]?.cache.key).not.toBe(raw[0]?.cache.key);
  });

  it('may stand in plain text at its ends, twice, and within a declared value', () => {
    for (const text of [',', ',a', 'b,,a']) {
      expect(questionOf(`zones=hero&campaign=${text}`).request).toEqual({ campaign: text });
      expect(zonesOf(`zones=hero&campaign=${encodeURIComponent(text)}`)).toEqual(zonesOf(`zones=hero&campaign=${text}`));
    }
    expect(zonesOf('zones=hero&slogan=now%2C%20or%20never')[0]?.variant).toBe('both');
    expect(zonesOf('zones=hero&slogan=now,%20or%20never')).toEqual(zonesOf('zones=hero&slogan=now%2C%20or%20never'));
  });

  it('separates the items of a list, written as it is or as %2C', () => {
    const raw = zonesOf('zones=hero&interests=golf,tennis');
    expect(questionOf('zones=hero&interests=golf,tennis').request).toEqual({ interests: ['golf', 'tennis'] });
    expect(raw[0]?.variant).toBe('golf');
    expect(zonesOf('zones=hero&interests=golf%2Ctennis')).toEqual(raw);
  });

  it.each([
    'interests=,golf',
    'interests=golf,,tennis',
    'interests=golf%2C',
    'interests=tennis,golf',
    'interests=tennis%2Cgolf',
    'interests=golf,golf',
  ])('makes no second address of one list: %s is refused', (query) => expect(pointersOf(`zones=hero&${query}`)).toEqual(['/interests']));
});

it('takes the other marks that encoders differ on in both spellings, as one value', () => {
  const marks = "!*'():/@";
  const encoded = [...marks].map((mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`).join('');
  expect(questionOf(`zones=hero&campaign=${marks}`).request).toEqual({ campaign: marks });
  expect(zonesOf(`zones=hero&campaign=${encoded}`)).toEqual(zonesOf(`zones=hero&campaign=${marks}`));
});

it('names an unknown parameter, and the one that was meant', () => {
  expect(() => questionOf('zones=hero&campain=a')).toThrow(ProblemError);
  try {
    questionOf('zones=hero&campain=a');
  } catch (error) {
    expect((error as ProblemError).errors).toEqual([
      {
        in: 'query',
        pointer: '/campain',
        detail: 'remove `campain`: known parameters are page, zones, audiences, campaign, interests, slogan; did you mean `campaign`?',
      },
    ]);
  }
});
