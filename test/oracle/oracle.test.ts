/** The core against the oracle, and against the promises that need no oracle. Every check has a planted fault that it finds. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { Evidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import { type Tier, tiers } from '../../src/decision/vocabulary.ts';
import { type Case, wholeCase } from '../generate/case.ts';
import { attributesFrom, degrade, evidence, profile, session } from '../generate/evidence.ts';
import { junkEvidence, oddQuestion, spoiled } from '../generate/junk.ts';
import { edgeAudiences } from '../generate/vocabulary.ts';
import {
  alwaysDecides,
  anotherPerson,
  belowSessionNothingPersonal,
  type Decide,
  equalsOracle,
  lessNeverRaises,
  needsSuffices,
  nothingKnownMeansAnonymous,
  offerOrderDecidesNothing,
  sameKeySameBytes,
  sharedIgnoresEvidence,
} from './checks.ts';
import { coreDecide, coreNeeds } from './core.ts';
import { oracleDecide } from './oracle.ts';
import { casesPerProperty, casesToFindFault, holdsFor, isBrokenBySome } from './runs.ts';

// A limit against hanging only: how long the properties take is no claim.
vi.setConfig({ testTimeout: 3_600_000 });

const naive: Decide = ({ document, question, evidence: given }) => oracleDecide(document, question, given);

function withQuestion(change: (given: Case) => Partial<Question>): Decide {
  return (given) => coreDecide({ ...given, question: { ...given.question, ...change(given) } });
}

function withEvidence(change: (given: Evidence) => Evidence): Decide {
  return (given) => coreDecide({ ...given, evidence: change(given.evidence) });
}

describe('the generators', () => {
  test('reach every tier in at least one zone of twenty', () => {
    const seen: Record<Tier, number> = { user: 0, session: 0, segment: 0, anonymous: 0 };
    holdsFor(casesPerProperty, wholeCase, (given) => {
      for (const { tier } of naive(given).zones) seen[tier] += 1;
    });
    const all = tiers.reduce((sum, tier) => sum + seen[tier], 0);
    const shares = tiers.map((tier) => ({ tier, percent: Math.round((seen[tier] / all) * 1000) / 10 }));
    console.log(`tier mix over ${all} zones: ${shares.map(({ tier, percent }) => `${tier} ${percent} %`).join(', ')}`);
    for (const { tier, percent } of shares) expect(percent, tier).toBeGreaterThanOrEqual(5);
  });
});

describe('what is compiled decides as the oracle does', () => {
  test('on every case', () => {
    holdsFor(casesPerProperty, wholeCase, (given) => equalsOracle(coreDecide, given));
  });

  test.each<[string, Decide]>([
    ['an offer already shown is shown again', withQuestion(() => ({ shownOffers: [] }))],
    ['a window that ends a moment late', withQuestion(({ question }) => ({ nowMs: question.nowMs - 1 }))],
    ['a consent record that is late counts as none', withEvidence(withLateConsentAbsent)],
    [
      'a generation that is behind passes',
      withEvidence((given) => ({ ...given, identity: { ...given.identity, generation: { state: 'known', value: 0 } } })),
    ],
    ['audiences that were not given are none', withQuestion(({ question }) => ({ audiences: question.audiences ?? [] }))],
  ])('finds a planted fault: %s', (_fault, faulty) => {
    expect(isBrokenBySome(casesToFindFault, wholeCase, (given) => equalsOracle(faulty, given))).toBe(true);
  });
});

describe('less evidence never raises a zone that is asked alone', () => {
  const cases = wholeCase.chain((given) => fc.record({ given: fc.constant(given), less: degrade(given.evidence) }));

  test('to a higher tier', () => {
    holdsFor(casesPerProperty, cases, ({ given, less }) => lessNeverRaises(coreDecide, given, less));
  });

  test('in the oracle either', () => {
    holdsFor(casesPerProperty, cases, ({ given, less }) => lessNeverRaises(naive, given, less));
  });

  test.each<[string, Decide]>([
    ['a consent record that is late counts as none', withEvidence(withLateConsentAbsent)],
    [
      'a session that failed counts as a lively one',
      withEvidence((given) => ({
        ...given,
        session:
          given.session.state === 'failed'
            ? { state: 'known', value: { attributes: { returning: true, views: 3, last_category: 'shoes' } } }
            : given.session,
      })),
    ],
    [
      'a denylist that was not read counts as clear',
      withEvidence((given) => ({
        ...given,
        identity: {
          ...given.identity,
          tokenRevoked: given.identity.tokenRevoked.state === 'known' ? given.identity.tokenRevoked : { state: 'known', value: false },
        },
      })),
    ],
  ])('finds a planted fault: %s', (_fault, faulty) => {
    expect(isBrokenBySome(casesToFindFault, cases, ({ given, less }) => lessNeverRaises(faulty, given, less))).toBe(true);
  });
});

describe('what the reading list leaves out changes nothing', () => {
  test('in any zone', () => {
    holdsFor(casesPerProperty, wholeCase, (given) => needsSuffices(coreDecide, coreNeeds, given));
  });

  test.each([
    ['the session is never asked for', { session: false }],
    ['the consent records are never asked for', { consent: false }],
    ['identity is never asked for', { identity: false }],
    ['the profile is never asked for', { profileKinds: [] }],
  ])('finds a planted fault: %s', (_fault, omission) => {
    const ask: typeof coreNeeds = (document, question) => ({ ...coreNeeds(document, question), ...omission });
    expect(isBrokenBySome(casesToFindFault, wholeCase, (given) => needsSuffices(coreDecide, ask, given))).toBe(true);
  });
});

describe('one cache key that is not private means the same bytes', () => {
  // The same instant: the life of an entry in a cache is its max-age, not its key.
  const pairs = wholeCase.chain((given) =>
    fc.record({
      one: fc.constant<Case>({ ...given, question: { ...given.question, audience: 'shared', explain: false } }),
      change: fc.record({
        request: fc.oneof(
          attributesFrom('request'),
          fc.subarray(Object.keys(given.question.request)).map((names) => pick(given.question.request, names)),
        ),
        audiences: fc.oneof(fc.constant(given.question.audiences), fc.option(fc.subarray([...edgeAudiences]), { nil: null })),
        zones: fc.oneof(fc.constant(given.question.zones), fc.shuffledSubarray([...given.question.zones], { minLength: 1 })),
        page: fc.constantFrom(given.question.page, null),
        shownOffers: fc.oneof(fc.constant(given.question.shownOffers), fc.subarray(Object.keys(given.document.offers))),
        audience: fc.constantFrom<Question['audience'][]>('shared', 'shared', 'personal'),
      }),
      evidence,
      marked: fc.boolean(),
    }),
  );
  const check = (
    decide: Decide,
    { one, change, evidence: other, marked }: typeof pairs extends fc.Arbitrary<infer T> ? T : never,
  ): number => {
    const document = marked ? { ...one.document, variants: markedVariants(one.document.variants) } : one.document;
    return sameKeySameBytes(decide, one, { document, question: { ...one.question, ...change }, evidence: other });
  };

  test('for two questions', () => {
    let met = 0;
    holdsFor(casesPerProperty, pairs, (drawn) => {
      met += check(coreDecide, drawn);
    });
    console.log(`cache keys that met: ${met}`);
    expect(met).toBeGreaterThan(casesPerProperty / 20);
  });

  test.each<[string, (key: string, zone: string) => string]>([
    ['a key of the zone alone', (_key, zone) => zone],
    ['a key without the revision', (key) => key.replace(/@[0-9a-f]+/, '')],
    ['a key cut short', (key) => key.slice(0, Math.max(1, key.length - 8))],
  ])('finds a planted fault: %s', (_fault, cut) => {
    const faulty: Decide = (given) => {
      const decision = coreDecide(given);
      return {
        ...decision,
        zones: decision.zones.map((zone) => ({
          ...zone,
          cache: { ...zone.cache, key: zone.cache.key === null ? null : cut(zone.cache.key, zone.zone) },
        })),
      };
    };
    // The key stands in the bytes too: a fault that only shortens it is found by what it lets meet.
    expect(isBrokenBySome(casesToFindFault, pairs, (drawn) => void check(faulty, drawn))).toBe(true);
  });
});

describe('a shared answer is a function of its question', () => {
  const cases = wholeCase.chain((given) => fc.record({ given: fc.constant(given), other: evidence }));

  test('whatever is known of whoever asks', () => {
    holdsFor(casesPerProperty, cases, ({ given, other }) => sharedIgnoresEvidence(coreDecide, given, other));
  });

  test.each<[string, Decide]>([
    ['a shared question decided as a personal one', withQuestion(() => ({ audience: 'personal' }))],
    [
      'a session attribute seen as the request’s',
      withQuestion(({ question, evidence: given }) => ({
        request:
          given.session.state === 'known'
            ? { ...question.request, campaign: String(given.session.value.attributes.last_category) }
            : question.request,
      })),
    ],
  ])('finds a planted fault: %s', (_fault, faulty) => {
    expect(isBrokenBySome(casesToFindFault, cases, ({ given, other }) => sharedIgnoresEvidence(faulty, given, other))).toBe(true);
  });
});

describe('at segment and below nothing personal decides', () => {
  const cases = wholeCase.chain((given) =>
    fc.record({
      given: fc.constant<Case>({ ...given, question: { ...given.question, audience: 'personal' } }),
      another: fc.record({ profile, session }).map((values) => anotherPerson(given.evidence, values)),
    }),
  );

  test('between two people of whom the same is proved and allowed', () => {
    let looked = 0;
    holdsFor(casesPerProperty, cases, ({ given, another }) => {
      looked += belowSessionNothingPersonal(coreDecide, given, another);
    });
    expect(looked).toBeGreaterThan(casesPerProperty / 2);
  });

  test.each<[string, Decide]>([
    [
      'the audiences of the profile seen as the request’s',
      withQuestion(({ question, evidence: given }) => ({
        audiences: given.profile.state === 'known' ? given.profile.value.audiences : question.audiences,
      })),
    ],
    [
      'a session attribute seen as the request’s',
      withQuestion(({ question, evidence: given }) => ({
        request:
          given.session.state === 'known'
            ? { ...question.request, mobile: given.session.value.attributes.returning === true }
            : question.request,
      })),
    ],
  ])('finds a planted fault: %s', (_fault, faulty) => {
    expect(isBrokenBySome(casesToFindFault, cases, ({ given, another }) => void belowSessionNothingPersonal(faulty, given, another))).toBe(
      true,
    );
  });
});

describe('the order in which offers are written decides nothing', () => {
  const cases = wholeCase.chain((given) => {
    const ids = Object.keys(given.document.offers);
    return fc.record({ given: fc.constant(given), order: fc.shuffledSubarray(ids, { minLength: ids.length }) });
  });

  test('in any zone', () => {
    holdsFor(casesPerProperty, cases, ({ given, order }) => offerOrderDecidesNothing(coreDecide, given, order));
  });

  test('finds a planted fault: the offer written last is not considered', () => {
    const faulty: Decide = (given) => {
      const offers = Object.fromEntries(Object.entries(given.document.offers).slice(0, -1));
      return coreDecide({ ...given, document: { ...given.document, offers } });
    };
    expect(isBrokenBySome(casesToFindFault, cases, ({ given, order }) => offerOrderDecidesNothing(faulty, given, order))).toBe(true);
  });
});

describe('there is always a decision', () => {
  const odd = wholeCase.chain((given) =>
    fc.record({
      document: fc.constant(given.document),
      question: fc.oneof(fc.constant(given.question), oddQuestion(given.question)),
      evidence: fc.oneof(fc.constant(given.evidence), spoiled(given.evidence), junkEvidence),
    }),
  ) as fc.Arbitrary<Case>;
  const ignorant = wholeCase.chain((given) =>
    fc.record({ document: fc.constant(given.document), question: fc.constant(given.question), evidence: junkEvidence }),
  ) as fc.Arbitrary<Case>;

  test('for evidence and questions that are any JSON', () => {
    holdsFor(casesPerProperty, odd, (given) => alwaysDecides(coreDecide, given));
  });

  test('and with nothing known it is anonymous, or segment where the policy opens that without a signal', () => {
    holdsFor(casesPerProperty, ignorant, (given) => nothingKnownMeansAnonymous(coreDecide, given));
  });

  test('finds a planted fault: evidence is taken at its word', () => {
    const faulty: Decide = (given) => {
      if (given.evidence.profile.state === 'known' && given.evidence.profile.value.audiences.length < 0) throw new Error('never');
      return coreDecide(given);
    };
    expect(isBrokenBySome(casesToFindFault, odd, (given) => void alwaysDecides(faulty, given))).toBe(true);
  });

  test('finds a planted fault: no signal counts as granted', () => {
    const granted = { state: 'valid', useCases: { contextual_content: 'granted', contextual_offer: 'granted' } } as const;
    const faulty: Decide = (given) =>
      coreDecide({
        ...given,
        evidence: {
          identity: given.evidence?.identity,
          consent: { signals: [granted], gpc: false, stored: { state: 'refused' }, linked: { state: 'refused' } },
          profile: { state: 'refused' },
          session: { state: 'refused' },
        },
      });
    expect(isBrokenBySome(casesToFindFault, ignorant, (given) => nothingKnownMeansAnonymous(faulty, given))).toBe(true);
  });
});

/** The fault that the rule about unread records is there to prevent. */
function withLateConsentAbsent(given: Evidence): Evidence {
  const { stored } = given.consent;
  return { ...given, consent: { ...given.consent, stored: stored.state === 'late' ? { state: 'absent' } : stored } };
}

function pick<T>(record: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => names.includes(name)));
}

function markedVariants<T extends { readonly content: unknown }>(variants: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(variants).map(([id, variant]) => [id, { ...variant, content: { marked: true } }]));
}
