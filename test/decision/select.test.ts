/** What a rung offers, who wins a tie, and what an author is told of everything that did not win. */
import { describe, expect, test } from 'vitest';
import type { Artefact, Offer } from '../../src/decision/artefact.ts';
import type { Candidate } from '../../src/decision/decision.ts';
import { type Evidence, noEvidence } from '../../src/decision/facts.ts';
import { stableHash } from '../../src/decision/hash.ts';
import type { Question } from '../../src/decision/question.ts';
import { preparedZone } from '../../src/decision/reading.ts';
import { type Selection, type Shown, select } from '../../src/decision/select.ts';
import { weigh } from '../../src/decision/standing.ts';
import type { Tier } from '../../src/decision/vocabulary.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { askedAtMs, consentToAll, identityOf, plainQuestion } from './asked.ts';

const last = '{ tier: anonymous, variant: plain, approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 } }';
const equals = Array.from({ length: 8 }, (_, index) => `equal-${index}`);

const text = `
stepwell: 1
policy: selecting
attributes:
  request: { country: { type: string, class: S0 } }
  profile: { loyalty: { type: string, class: S1 } }
contextualWithoutSignal: true
dependencies:
  model: { source: http, class: S1, method: POST, url: 'https://rec.example/', map: { propensityPpm: response.scores } }
zones:
  chosen: { kind: content, ladder: [ { tier: segment, choose: [ { when: 'request.country == "FR"', variant: other }, { when: 'request.country == "DE"', variant: there }, { variant: other } ] }, LAST ] }
  tied: { kind: offer, ladder: [ { tier: user, arbitrate: { tag: tied } }, { tier: session, arbitrate: { tag: tied } }, { tier: segment, arbitrate: { tag: tied } }, LAST ] }
  rail: { kind: offer, ladder: [ { tier: user, arbitrate: { tag: rail } }, { tier: segment, arbitrate: { tag: rail } }, LAST ] }
  lone: { kind: offer, ladder: [ { tier: user, arbitrate: { tag: lone } }, LAST ] }
  slight: { kind: offer, ladder: [ { tier: segment, arbitrate: { tag: slight } }, LAST ] }
  scored: { kind: offer, ladder: [ { tier: user, arbitrate: { tag: scored } }, { tier: session, arbitrate: { tag: scored } }, LAST ] }
variants: { plain: { content: plain }, other: { content: other }, there: { content: there } }
offers:
${equals.map((id) => `  ${id}: { tags: [tied], class: S1, variant: there, propensityPpm: 1000, value: 10 }`).join('\n')}
  best: { tags: [rail], class: S1, variant: there, propensityPpm: 900000, value: 10, group: pair }
  second: { tags: [rail], class: S1, variant: other, propensityPpm: 800000, value: 10, group: pair }
  third: { tags: [rail], class: S1, variant: other, propensityPpm: 700000, value: 10 }
  worthless: { tags: [rail], class: S1, variant: other, propensityPpm: 700000, value: 0 }
  abroad: { tags: [rail], class: S1, when: 'request.country == "FR"', variant: other, propensityPpm: 700000, value: 10 }
  golden: { tags: [rail], class: S1, when: 'profile.loyalty == "gold"', variant: other, propensityPpm: 600000, value: 10 }
  slightest: { tags: [slight], class: S1, variant: there, propensityPpm: 1, value: 1 }
  over: { tags: [rail], class: S1, variant: other, propensityPpm: 950000, value: 10, until: '2026-11-20T00:00:00Z' }
  sure: { tags: [scored], class: S1, variant: other, propensityPpm: 500000, value: 10 }
  modelled: { tags: [scored, lone], class: S1, variant: there, propensity: model, propensityPpm: 400000, value: 10 }
`.replaceAll('LAST', last);

function compiled(): Artefact {
  const { artefact, problems } = compilePolicy(text, { file: 'selecting.yaml', nowMs: askedAtMs });
  if (artefact === null) throw new Error(JSON.stringify(problems));
  return artefact;
}

const artefact = compiled();

const question: Question = { ...plainQuestion, request: { country: 'DE' } };

function evidenceOf(subject: string | null, sessionId: string | null, model: Evidence['model'] = { state: 'absent' }): Evidence {
  return {
    ...noEvidence,
    identity: {
      ...(subject === null ? noEvidence.identity : identityOf(subject)),
      session: sessionId === null ? { state: 'none' } : { state: 'verified', id: sessionId },
    },
    consent: consentToAll,
    profile: { state: 'known', value: { attributes: {}, audiences: [] } },
    model,
  };
}

const nothingShown = (): Shown => ({ offers: new Set(), groups: new Set() });

interface Asked {
  readonly evidence?: Evidence;
  readonly shown?: Shown;
  readonly explain?: Candidate[] | null;
  readonly by?: Artefact;
  readonly tieBreak?: string;
}

function selected(zone: string, tier: Tier, asked: Asked = {}): Selection | null {
  const { evidence = evidenceOf('ada', 'visit'), shown = nothingShown(), explain = null, by = artefact, tieBreak } = asked;
  const asking = tieBreak === undefined ? question : { ...question, tieBreak };
  const prepared = preparedZone(by, zone);
  const rung = prepared?.rungs.find((candidate) => candidate.rung.tier === tier);
  if (prepared === undefined || rung === undefined) throw new Error(`no ${tier} rung in ${zone}`);
  return select(weigh(by, asking, evidence), prepared.zone, rung, shown, explain);
}

function explained(
  zone: string,
  tier: Tier,
  asked: Asked = {},
): { readonly won: Selection | null; readonly candidates: readonly Candidate[] } {
  const explain: Candidate[] = [];
  return { won: selected(zone, tier, { ...asked, explain }), candidates: explain };
}

const lossesOf = (candidates: readonly Candidate[]) => Object.fromEntries(candidates.map(({ offer, lost }) => [offer, lost]));

/** Written down a second time: the lowest hash of offer and visitor. */
const tieWonBy = (seed: string) => equals.toSorted((a, b) => stableHash(`${a}\n${seed}`) - stableHash(`${b}\n${seed}`))[0] ?? null;

describe('a tie', () => {
  const names = Array.from({ length: 12 }, (_, index) => `name-${index}`);
  const seedOf = {
    user: (subject: string | null, _sessionId: string | null) => subject ?? '',
    session: (_subject: string | null, sessionId: string | null) => sessionId ?? '',
    segment: () => '',
  };

  test.each(Object.entries(seedOf))('on the %s rung is broken by the same name every time, explained or not', (tier, seed) => {
    for (const subject of [null, ...names]) {
      for (const sessionId of [null, ...names.toReversed()]) {
        const evidence = evidenceOf(subject, sessionId);
        const expected = tieWonBy(seed(subject, sessionId));
        expect(selected('tied', tier as Tier, { evidence })?.offer).toBe(expected);
        expect(explained('tied', tier as Tier, { evidence }).won?.offer).toBe(expected);
      }
    }
  });

  test('is broken by a word of the caller where no person and no visit breaks it, and nowhere else', () => {
    for (const tieBreak of ['', ...names]) {
      expect(selected('tied', 'segment', { tieBreak })?.offer).toBe(tieWonBy(tieBreak));
      expect(selected('tied', 'session', { tieBreak })?.offer).toBe(tieWonBy('visit'));
      expect(selected('tied', 'user', { tieBreak })?.offer).toBe(tieWonBy('ada'));
      // A person or a visit that is not known is broken as nobody's, and not by what a caller says.
      const evidence = evidenceOf(null, null);
      expect(selected('tied', 'session', { evidence, tieBreak })?.offer).toBe(tieWonBy(''));
      expect(selected('tied', 'user', { evidence, tieBreak })?.offer).toBe(tieWonBy(''));
    }
  });

  test('falls differently for different people and visits, and for nobody by chance as for everybody', () => {
    expect(new Set(names.map(tieWonBy)).size).toBeGreaterThan(3);
    expect(names.filter((name) => tieWonBy(name) === tieWonBy('')).length).toBeLessThan(names.length);
  });

  test('of a token that proves a person in part is broken on the segment rung as for everybody', () => {
    const evidence = { ...evidenceOf('name-1', 'name-2'), profile: { state: 'late' } as const };
    expect(selected('tied', 'segment', { evidence })).toEqual({ variant: 'there', offer: tieWonBy('') });
  });
});

describe('the rules of a rung', () => {
  test('are tried in their order, and the first that applies is chosen', () => {
    expect(selected('chosen', 'segment')).toEqual({ variant: 'there', offer: null });
  });

  test('are told of one by one: what did not apply, what was chosen, what was not reached', () => {
    const { won, candidates } = explained('chosen', 'segment');
    expect(won).toEqual({ variant: 'there', offer: null });
    expect(candidates).toEqual([
      { tier: 'segment', offer: null, variant: 'other', lost: 'condition_false', score: null },
      { tier: 'segment', offer: null, variant: 'there', lost: null, score: null },
      { tier: 'segment', offer: null, variant: 'other', lost: 'not_reached', score: null },
    ]);
  });
});

describe('the offers of a rung', () => {
  const score = (propensityPpm: number, value: number) => ({
    propensityPpm,
    value,
    contextPerMille: 1000,
    leversPerMille: 1000,
    priority: propensityPpm * value,
  });

  test('are told of one by one, with what each lost by, and those that were ranked come last', () => {
    const { won, candidates } = explained('rail', 'user');
    expect(won).toEqual({ variant: 'there', offer: 'best' });
    const lost = (offer: string, why: Candidate['lost'], scored: Candidate['score'] = null): Candidate => ({
      tier: 'user',
      offer,
      variant: offer === 'best' ? 'there' : 'other',
      lost: why,
      score: scored,
    });
    expect(candidates.toSorted((a, b) => (String(a.offer) < String(b.offer) ? -1 : 1))).toEqual([
      lost('abroad', 'condition_false'),
      lost('best', null, score(900_000, 10)),
      lost('golden', 'condition_unknown'),
      lost('over', 'outside_window'),
      lost('second', 'lower_priority', score(800_000, 10)),
      lost('third', 'lower_priority', score(700_000, 10)),
      lost('worthless', 'zero_priority', score(700_000, 0)),
    ]);
    expect(candidates.slice(-3).map(({ offer }) => offer)).toEqual(['best', 'second', 'third']);
  });

  test('may win with the least priority there is', () => {
    expect(selected('slight', 'segment')).toEqual({ variant: 'there', offer: 'slightest' });
    expect(explained('slight', 'segment').won).toEqual({ variant: 'there', offer: 'slightest' });
  });

  test('that cannot reach the winner any more are not looked at', () => {
    const prepared = preparedZone(artefact, 'rail');
    const rung = prepared?.rungs[0];
    const beaten = rung?.candidates.find(({ id }) => id === 'third');
    if (prepared === undefined || rung === undefined || beaten === undefined) throw new Error('no such offer');
    const untouchable = { priorityMax: beaten.priorityMax, isCandidate: true } as typeof beaten;
    const standing = weigh(artefact, question, evidenceOf('ada', 'visit'));
    const candidates = [...rung.candidates.filter(({ id }) => id === 'best' || id === 'over'), untouchable];
    expect(select(standing, prepared.zone, { ...rung, candidates }, nothingShown(), null)?.offer).toBe('best');
  });

  test('below their lowest tier are none', () => {
    expect(lossesOf(explained('rail', 'segment').candidates)).toMatchObject({ golden: 'below_lowest_tier', best: null });
  });

  const shownCases: readonly (readonly [string, Shown, string | null, Readonly<Record<string, string | null>>])[] = [
    ['nothing', nothingShown(), 'best', { best: null, second: 'lower_priority' }],
    ['the best', { offers: new Set(['best']), groups: new Set() }, 'second', { best: 'already_on_page', second: null }],
    [
      'the best and its group',
      { offers: new Set(['best']), groups: new Set(['pair']) },
      'third',
      { best: 'already_on_page', second: 'group_on_page', third: null },
    ],
    ['another group', { offers: new Set(), groups: new Set(['other', 'null']) }, 'best', { best: null }],
    [
      'all but the worthless',
      { offers: new Set(['third']), groups: new Set(['pair']) },
      null,
      { third: 'already_on_page', worthless: 'zero_priority' },
    ],
  ];
  test.each(shownCases)('where the page shows %s', (_, shown, winner, losses) => {
    expect(selected('rail', 'user', { shown })?.offer ?? null).toBe(winner);
    const { won, candidates } = explained('rail', 'user', { shown });
    expect(won?.offer ?? null).toBe(winner);
    expect(lossesOf(candidates)).toMatchObject(losses);
  });
});

describe('the word of a model', () => {
  const word = { modelled: 1_000_000 };

  test('counts on the user rung', () => {
    expect(selected('scored', 'user', { evidence: evidenceOf('ada', 'visit', { state: 'known', value: word }) })?.offer).toBe('modelled');
  });

  test('does not count where it is not known, whatever lies beside', () => {
    for (const state of ['late', 'failed', 'absent', 'refused'] as const) {
      const stale = { state, value: word } as unknown as Evidence['model'];
      expect(selected('scored', 'user', { evidence: evidenceOf('ada', 'visit', stale) })?.offer, state).toBe('sure');
    }
  });

  test('never counts below the user rung, not even for an offer that was compiled to stand there', () => {
    const lowered = Object.fromEntries(
      Object.entries(artefact.offers).map(([id, offer]): [string, Offer] => [id, { ...offer, lowestTier: 'segment' }]),
    );
    const by: Artefact = { ...artefact, offers: lowered };
    const evidence = evidenceOf('ada', 'visit', { state: 'known', value: word });
    expect(selected('scored', 'session', { evidence, by })?.offer).toBe('sure');
    expect(selected('scored', 'user', { evidence, by })?.offer).toBe('modelled');
  });

  test('leaves nothing to offer where it says that nobody would', () => {
    const asked = { evidence: evidenceOf('ada', 'visit', { state: 'known', value: { modelled: 0 } }) };
    expect(selected('lone', 'user', asked)).toBeNull();
    expect(explained('lone', 'user', asked)).toMatchObject({ won: null, candidates: [{ offer: 'modelled', lost: 'zero_priority' }] });
  });

  test('about names of the prototype is no word', () => {
    const named = { ...artefact.offers.modelled, propensityPpm: 500_001 } as Offer;
    const by: Artefact = { ...artefact, offers: { ...artefact.offers, modelled: named } };
    const inherited = Object.create({ modelled: 0 }) as Record<string, number>;
    expect(selected('scored', 'user', { evidence: evidenceOf('ada', 'visit', { state: 'known', value: inherited }), by })?.offer).toBe(
      'modelled',
    );
  });
});
