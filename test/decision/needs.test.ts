/** The reading list, zone by zone: nothing is read that no rule can use, and what one can use is. */
import { describe, expect, test } from 'vitest';
import { type Needs, needs } from '../../src/decision/needs.ts';
import type { Question } from '../../src/decision/question.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { askedAtMs, plainQuestion } from './asked.ts';

const last = '{ tier: anonymous, variant: plain, approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 } }';

function artefactWith({ open, sources }: { readonly open: boolean; readonly sources: boolean }) {
  const text = `
stepwell: 1
policy: reading
attributes:
  request: { country: { type: string, class: S0 } }
  session: { views: { type: int, class: S1 } }
  profile: { loyalty: { type: string, class: S1 } }
audiences: { lapsed: { class: S1 }, newsletter: { class: S1, edge: true } }
contextualWithoutSignal: ${open}
${sources ? "dependencies: { audience: { source: http, url: 'https://aud.example/{subject}', map: { audiences: response.names } }, model: { source: http, class: S1, method: POST, url: 'https://rec.example/', map: { propensityPpm: response.scores } } }" : ''}
zones:
  plain: { kind: content, ladder: [ ${last} ] }
  segment: { kind: content, ladder: [ { tier: segment, choose: [ { when: 'request.country == "DE"', variant: other } ] }, ${last} ] }
  labelled: { kind: content, ladder: [ { tier: segment, choose: [ { when: 'request.country == "DE"', class: S1, variant: other } ] }, ${last} ] }
  session: { kind: content, ladder: [ { tier: session, choose: [ { when: 'session.views > 3', variant: other } ] }, ${last} ] }
  visit: { kind: content, ladder: [ { tier: session, variant: other }, ${last} ] }
  user: { kind: content, ladder: [ { tier: user, choose: [ { when: 'profile.loyalty == "gold"', variant: other } ] }, ${last} ] }
  both: { kind: offer, ladder: [ { tier: user, choose: [ { when: 'profile.loyalty == "gold" && session.views > 3', variant: other } ] }, ${last} ] }
  member: { kind: content, ladder: [ { tier: user, choose: [ { when: '"lapsed" in audiences', variant: other } ] }, ${last} ] }
  edge: { kind: content, ladder: [ { tier: user, choose: [ { when: '!("newsletter" in audiences)', variant: other } ] }, ${last} ] }
  rail: { kind: offer, ladder: [ { tier: user, arbitrate: { tag: rail } }, ${last} ] }
variants: { plain: { content: plain }, other: { content: other } }
offers: { one: { tags: [rail], class: S1, variant: other, ${sources ? 'propensity: model, ' : ''}propensityPpm: 1000, value: 10 } }
`;
  const { artefact, problems } = compilePolicy(text, { file: 'reading.yaml', nowMs: askedAtMs });
  if (artefact === null) throw new Error(JSON.stringify(problems));
  return artefact;
}

const ask = (zones: readonly string[], more: Partial<Question> = {}): Question => ({ ...plainQuestion, zones, ...more });

const nothing: Needs = { identity: false, consent: false, sessionKinds: [], profileKinds: [], audienceKinds: [], modelKinds: [] };
const person: Needs = { ...nothing, identity: true, consent: true };
const open = artefactWith({ open: true, sources: false });
const closed = artefactWith({ open: false, sources: false });
const apart = artefactWith({ open: true, sources: true });

describe('what is to be read', () => {
  test.each([
    [['plain'], nothing],
    [['nowhere'], nothing],
    [[], nothing],
    [['segment'], nothing],
    [['labelled'], person],
    [['labelled', 'segment'], person],
    [['visit'], person],
    [['session'], { ...person, sessionKinds: ['content'] }],
    [['user'], { ...person, profileKinds: ['content'] }],
    [['both'], { ...person, sessionKinds: ['offer'], profileKinds: ['offer'] }],
    [['user', 'user', 'both', 'session'], { ...person, sessionKinds: ['offer', 'content'], profileKinds: ['content', 'offer'] }],
    [['member'], { ...person, profileKinds: ['content'] }],
    [['edge'], { ...person, profileKinds: ['content'] }],
    [['rail'], person],
  ] as const)('for %j', (zones, expected) => {
    expect(needs(open, ask(zones))).toStrictEqual(expected);
  });

  test('is consent too, where the segment rung waits for a word', () => {
    expect(needs(closed, ask(['segment']))).toStrictEqual(person);
    expect(needs(closed, ask(['plain']))).toStrictEqual(nothing);
  });

  test('is audiences and a model apart, where they have sources of their own', () => {
    expect(needs(apart, ask(['member']))).toStrictEqual({ ...person, audienceKinds: ['content'] });
    expect(needs(apart, ask(['edge']))).toStrictEqual({ ...person, audienceKinds: ['content'] });
    expect(needs(apart, ask(['rail']))).toStrictEqual({ ...person, modelKinds: ['offer'] });
    expect(needs(apart, ask(['user']))).toStrictEqual({ ...person, profileKinds: ['content'] });
  });

  test('is no session for a segment rung, whatever is written there', () => {
    const zone = open.zones.session;
    if (zone === undefined) throw new Error('no such zone');
    const ladder = zone.ladder.map((rung) => (rung.tier === 'session' ? { ...rung, tier: 'segment' as const } : rung));
    expect(needs({ ...open, zones: { session: { ...zone, ladder } } }, ask(['session']))).toStrictEqual(person);
  });

  test('is nothing for an answer that everybody gets', () => {
    expect(needs(open, ask(['both', 'rail'], { audience: 'shared' }))).toStrictEqual(nothing);
  });

  test('says that only the proved count where the question does', () => {
    expect(needs(open, ask(['user'], { onlyProved: true }))).toStrictEqual({ ...person, profileKinds: ['content'], onlyProved: true });
  });
});
