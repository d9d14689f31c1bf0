/** What a decision makes of its zones together: who chooses first, what is shown once, and what is said of what is not there. */
import { describe, expect, test } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { decide } from '../../src/decision/decide.ts';
import type { ZoneDecision } from '../../src/decision/decision.ts';
import { type Evidence, noEvidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { askedAtMs, consentToAll, identityOf, plainQuestion } from './asked.ts';

const text = `
stepwell: 1
policy: deciding
attributes:
  request: { country: { type: string, class: S0 } }
  profile: { loyalty: { type: string, class: S1 } }
contextualWithoutSignal: true
dependencies:
  profile: { late: suppress }
  model: { source: http, class: S1, method: POST, url: 'https://rec.example/', map: { propensityPpm: response.scores } }
pages:
  home: { zones: [first, second, third] }
  back: { zones: [third, second, first] }
zones:
  first: { kind: offer, ladder: [ { tier: segment, arbitrate: { tag: rail } }, LAST ] }
  second: { kind: offer, ladder: [ { tier: segment, arbitrate: { tag: rail } }, LAST ] }
  third: { kind: offer, criticality: CRITICALITY, ladder: [ { tier: segment, arbitrate: { tag: rail } }, LAST ] }
  late: { kind: offer, late: suppress, criticality: 5, ladder: [ { tier: user, choose: [ { when: 'profile.loyalty == "gold"', variant: other } ] }, { tier: segment, arbitrate: { tag: rail } }, LAST ] }
  paired: { kind: offer, criticality: 9, ladder: [ { tier: segment, arbitrate: { tag: paired } }, LAST ] }
  fixed: { kind: content, criticality: 9, ladder: [ { tier: segment, variant: other }, LAST ] }
  golden: { kind: content, ladder: [ { tier: user, choose: [ { when: 'profile.loyalty == "gold"', variant: other } ] }, LAST ] }
  whole: { kind: content, ladder: [ { tier: user, choose: [ { when: 'profile.loyalty == "gold"', variant: other } ] }, { tier: session, variant: other }, { tier: segment, variant: there }, LAST ] }
variants: { plain: { content: plain }, other: { content: other }, there: { content: { headline: there } } }
offers:
  best: { tags: [rail], class: S0, variant: there, propensityPpm: 900000, value: 10 }
  better: { tags: [rail], class: S0, variant: there, propensityPpm: 800000, value: 10 }
  good: { tags: [rail], class: S0, variant: there, propensityPpm: 700000, value: 10, group: pair }
  'null': { tags: [other], class: S0, variant: there, propensityPpm: 700000, value: 10, group: pair }
  partner: { tags: [paired], class: S0, variant: there, propensityPpm: 700000, value: 10, group: pair }
`.replaceAll('LAST', '{ tier: anonymous, variant: plain, approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 } }');

function compiled(criticality: number): Artefact {
  const { artefact, problems } = compilePolicy(text.replace('CRITICALITY', String(criticality)), {
    file: 'deciding.yaml',
    nowMs: askedAtMs,
  });
  if (artefact === null) throw new Error(JSON.stringify(problems));
  return artefact;
}

const artefact = compiled(0);

const question: Question = { ...plainQuestion, audience: 'shared' };

const proved: Evidence = {
  ...noEvidence,
  identity: identityOf('person-1'),
  consent: consentToAll,
  profile: { state: 'known', value: { attributes: { loyalty: 'gold' }, audiences: [] } },
};

interface Asked extends Partial<Question> {
  readonly by?: Artefact;
  readonly evidence?: Evidence;
}

function zones(ids: readonly string[], { by = artefact, evidence = noEvidence, ...asked }: Asked = {}): readonly ZoneDecision[] {
  return decide(by, { ...question, zones: ids, ...asked }, evidence).zones;
}

/** What each zone offers, in the order of the answer. */
const offers = (ids: readonly string[], asked: Asked = {}) => zones(ids, asked).map(({ offer }) => offer);

describe('zones that compete', () => {
  test('choose in the order of the request, where no page is named', () => {
    expect(offers(['first', 'second', 'third'])).toEqual(['best', 'better', 'good']);
    expect(offers(['third', 'second', 'first'])).toEqual(['best', 'better', 'good']);
  });

  test('choose in the order of their page, whatever the order of the request', () => {
    expect(offers(['third', 'second', 'first'], { page: 'home' })).toEqual(['good', 'better', 'best']);
    expect(offers(['second', 'third'], { page: 'home' })).toEqual(['best', 'better']);
    expect(offers(['third', 'second'], { page: 'home' })).toEqual(['better', 'best']);
  });

  test('choose before those that are not on the page', () => {
    const { home, ...others } = artefact.pages;
    const by = { ...artefact, pages: { ...others, home: { deadlineMs: null, zones: ['second'] } } };
    expect(home).toBeDefined();
    expect(offers(['third', 'second', 'first'], { page: 'home', by })).toEqual(['better', 'best', 'good']);
  });

  test.each(['nowhere', 'constructor', '__proto__'])('choose in the order of the request, where the page `%s` is none', (page) => {
    expect(offers(['third', 'first', 'second'], { page })).toEqual(['best', 'better', 'good']);
  });

  test('mind no page that was not named, or is not of the policy', () => {
    const home = artefact.pages.home as Artefact['pages'][string];
    const unnamed = { ...artefact, pages: { null: home } };
    expect(offers(['third', 'second', 'first'], { by: unnamed })).toEqual(['best', 'better', 'good']);
    const inherited = { ...artefact, pages: Object.create({ home }) as Artefact['pages'] };
    expect(offers(['third', 'second', 'first'], { by: inherited, page: 'home' })).toEqual(['best', 'better', 'good']);
  });

  test('choose by how critical they are, before all else', () => {
    const by = compiled(3);
    expect(offers(['first', 'second', 'third'], { by })).toEqual(['better', 'good', 'best']);
    expect(offers(['first', 'second', 'third'], { by, page: 'home' })).toEqual(['better', 'good', 'best']);
    expect(offers(['first', 'second', 'third'], { by: compiled(-3), page: 'back' })).toEqual(['better', 'best', 'good']);
  });

  test.each([artefact, compiled(3)])('choose the same when their page is asked for whole, every time', (by) => {
    for (const page of ['home', 'back']) {
      const whole = by.pages[page]?.zones ?? [];
      for (let times = 0; times < 3; times++) expect(offers(whole, { by, page })).toEqual(offers([...whole], { by, page }));
    }
    expect(offers(by.pages.home?.zones ?? [], { by, page: 'home' })).toHaveLength(3);
  });

  test('never show an offer twice, nor two of a group', () => {
    expect(offers(['first', 'second'], { shownOffers: ['best', 'good'] })).toEqual(['better', null]);
    expect(offers(['paired', 'first'], { shownOffers: ['best', 'better'] })).toEqual(['partner', null]);
    expect(offers(['paired'], { shownOffers: ['good'] })).toEqual([null]);
    expect(offers(['paired'], { shownOffers: ['best'] })).toEqual(['partner']);
  });

  test('mind no offer that nobody knows', () => {
    expect(offers(['first'], { shownOffers: ['nothing', 'constructor', '__proto__'] })).toEqual(['best']);
  });

  test('are not kept from an offer by a zone that shows none', () => {
    expect(offers(['fixed', 'first', 'paired'])).toEqual([null, 'best', 'partner']);
  });

  test('may have what a zone would have shown that is suppressed, and nothing that it shows', () => {
    const withLate = { ...proved, profile: { state: 'late' } as const };
    expect(zones(['late', 'first'], { audience: 'personal', evidence: withLate })).toMatchObject([
      { tier: 'segment', render: 'suppress', variant: null, offer: null, content: null },
      { offer: 'best' },
    ]);
    const absent = { ...proved, profile: { state: 'absent' } as const };
    expect(offers(['late', 'first'], { audience: 'personal', evidence: absent })).toEqual(['best', 'better']);
  });
});

describe('what is shown', () => {
  test('is the content of the variant', () => {
    expect(zones(['whole'])).toMatchObject([{ variant: 'there', content: { headline: 'there' }, render: 'now', tier: 'segment' }]);
  });

  test('is nothing where the variant is not there, and the rest is answered all the same', () => {
    const { there: _there, ...variants } = artefact.variants;
    const missing = zones(['whole', 'golden'], { by: { ...artefact, variants } });
    expect(missing).toMatchObject([{ variant: 'there', content: null, render: 'now' }, { content: 'plain' }]);
  });

  const nothing = (zone: string): ZoneDecision => ({
    zone,
    tier: 'anonymous',
    intendedTier: 'anonymous',
    variant: null,
    offer: null,
    content: null,
    render: 'suppress',
    downgrade: null,
    cache: { scope: 'none', maxAgeSeconds: 0, key: null, tags: [], degraded: false },
    holdout: null,
    propensityPpm: null,
  });

  test.each(['nowhere', 'constructor', '__proto__'])('is nothing of the zone `%s`, which is none', (id) => {
    for (const audience of ['shared', 'personal'] as const) {
      const [none, other] = zones([id, 'fixed'], { audience, page: 'home' });
      expect(none).toStrictEqual(nothing(id));
      expect(other).toMatchObject({ variant: 'other' });
    }
  });

  test('is nothing of a zone without a rung, or whose rungs offer nothing', () => {
    const fixed = artefact.zones.fixed as Artefact['zones'][string];
    const by = {
      ...artefact,
      zones: {
        ...artefact.zones,
        bare: { ...fixed, ladder: [] },
        above: { ...fixed, ladder: [{ tier: 'user' as const, select: { by: 'choose' as const, rules: [] }, approved: null }] },
        empty: { ...fixed, ladder: [{ tier: 'anonymous' as const, select: { by: 'choose' as const, rules: [] }, approved: null }] },
      },
    };
    expect(zones(['bare', 'above', 'empty'], { by })).toStrictEqual(['bare', 'above', 'empty'].map(nothing));
    expect(zones(['bare'], { by, audience: 'personal', evidence: proved })).toStrictEqual([nothing('bare')]);
  });
});

describe('a shared question', () => {
  test('has its ladders cut, and what is above is not missed', () => {
    expect(zones(['whole', 'golden'], { evidence: proved })).toMatchObject([
      { tier: 'segment', intendedTier: 'segment', downgrade: null },
      { tier: 'anonymous', intendedTier: 'anonymous', downgrade: null, variant: 'plain' },
    ]);
    expect(zones(['whole', 'golden'], { evidence: proved, audience: 'personal' })).toMatchObject([
      { tier: 'user', intendedTier: 'user', downgrade: null },
      { tier: 'user', intendedTier: 'user', downgrade: null },
    ]);
  });
});

describe('how a zone that went down renders', () => {
  const personal = (evidence: Partial<Evidence>) =>
    zones(['golden'], { audience: 'personal', evidence: { ...proved, ...evidence } })[0] as ZoneDecision;

  test('is by the dependency that is to blame, when it may pass', () => {
    expect(personal({ profile: { state: 'late' } })).toMatchObject({ render: 'suppress', downgrade: { dependency: 'profile' } });
    expect(personal({ profile: { state: 'failed' } })).toMatchObject({ render: 'suppress', downgrade: { dependency: 'profile' } });
  });

  test('is at once when what is missing will not come, even while the model is broken', () => {
    for (const model of [{ state: 'refused' }, { state: 'failed' }, { state: 'late' }] as const) {
      const zone = personal({ profile: { state: 'absent' }, model });
      expect(zone).toMatchObject({ render: 'now', variant: 'plain', downgrade: { reason: 'profile_absent', cause: 'data' } });
    }
  });

  test('is by the zone alone when nobody is to blame', () => {
    expect(personal({ profile: { state: 'failed', why: 'overload' } })).toMatchObject({
      render: 'now',
      downgrade: { reason: 'overload', cause: 'load', dependency: null },
    });
    const evidence = { ...proved, profile: { state: 'failed', why: 'overload' } } as const;
    expect(zones(['late'], { audience: 'personal', evidence })).toMatchObject([{ render: 'suppress', downgrade: { cause: 'load' } }]);
  });
});

describe('an explained answer', () => {
  test('tells each rung that was tried, and of every fact how it stands', () => {
    const evidence: Evidence = { ...proved, profile: { state: 'late' }, audience: { state: 'absent' }, model: { state: 'failed' } };
    const [zone] = zones(['whole'], { audience: 'personal', explain: true, evidence });
    expect(zone?.explain).toMatchObject({
      rungs: [
        { tier: 'user', gate: 'profile_timeout' },
        { tier: 'session', gate: 'session_absent' },
        { tier: 'segment', gate: null },
      ],
      facts: { identity: 'verified', consent: 'absent', profile: 'late', session: 'refused', audience: 'absent', model: 'failed' },
    });
    expect(zones(['whole'])[0]).not.toHaveProperty('explain');
  });
});

test('what was made of consent is told with what was heard of it', () => {
  const { consent } = decide(artefact, { ...question, audience: 'personal', zones: ['whole'] }, proved);
  expect(consent).toMatchObject({ offers: 'granted', analytics_offer: 'unavailable', gpc: { received: false, honored: [] } });
  const refusing = decide(artefact, { ...question, audience: 'personal' }, { ...proved, consent: { ...proved.consent, gpc: true } });
  expect(refusing.consent).toMatchObject({
    offers: 'denied',
    gpc: { received: true, honored: ['offers', 'profile_activation_content', 'profile_activation_offer', 'analytics_offer'] },
  });
});
