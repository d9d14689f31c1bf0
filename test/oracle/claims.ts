/** The claims themselves: what each is drawn over, and how it is checked. The short run, the long run and a replay share them. */
import fc from 'fast-check';
import type { Evidence, Fact } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import { attributesFrom, audience, degrade, evidence, profile, propensities, session } from '../generate/evidence.ts';
import { junkEvidence, oddQuestion, spoiled } from '../generate/junk.ts';
import { questionAbout } from '../generate/question.ts';
import { baseNowMs, edgeAudiences, offsets } from '../generate/vocabulary.ts';
import {
  alwaysDecides,
  anotherPerson,
  belowSessionNothingPersonal,
  type Decide,
  equalsOracle,
  explainsItsAnswer,
  lessNeverRaises,
  needsNothingIdle,
  needsSuffices,
  nothingKnownMeansAnonymous,
  offerOrderDecidesNothing,
  sameKeySameBytes,
  sameWhicheverWayAsked,
  sharedIgnoresEvidence,
  unaskedChangesNothing,
} from './checks.ts';
import type { DependencyDocument, PolicyDocument, SourceDocument } from './document.ts';
import { oracleDecide } from './oracle.ts';
import type { Claim } from './runs.ts';

interface Asked {
  readonly question: Question;
  readonly evidence: Evidence;
}

const asked = (document: PolicyDocument): fc.Arbitrary<Asked> => fc.record({ question: questionAbout(document), evidence });

export const theOracle: Decide = ({ document, question, evidence: given }) => oracleDecide(document, question, given);

export const decidesAsOracle: Claim<Asked> = {
  says: 'what is compiled decides as the oracle does',
  over: asked,
  check(core, document, { question, evidence: given }) {
    equalsOracle(core.decide, { document, question, evidence: given });
    return 1;
  },
};

type Poorer = Asked & { readonly less: Evidence };
const poorer = (document: PolicyDocument): fc.Arbitrary<Poorer> =>
  fc
    .record({
      question: questionAbout(document),
      both: evidence.chain((full) => degrade(full).map((less) => ({ evidence: full, less }))),
    })
    .map(({ question, both }) => ({ question, ...both }));

export const lessRaisesNothing: Claim<Poorer> = {
  says: 'less evidence never raises a zone that is asked alone',
  over: poorer,
  check(core, document, { question, evidence: given, less }) {
    lessNeverRaises(core.decide, { document, question, evidence: given }, less);
    return 1;
  },
};

export const lessRaisesNothingInOracle: Claim<Poorer> = {
  says: 'less evidence never raises a zone in the oracle',
  over: poorer,
  check(_core, document, { question, evidence: given, less }) {
    lessNeverRaises(theOracle, { document, question, evidence: given }, less);
    return 1;
  },
};

/** Every way in which a source can say less, since what is drawn seldom turns on a source alone. */
export const lessOfSourcesRaisesNothing: Claim<Asked> = {
  says: 'a source that says less never raises a zone that is asked alone',
  over: asked,
  check(core, document, { question, evidence: given }) {
    let looked = 0;
    for (const source of ['audience', 'model'] as const) {
      if (given[source]?.state !== 'known' || document.dependencies?.[source]?.source !== 'http') continue;
      for (const fact of lessThanKnown) lessNeverRaises(core.decide, { document, question, evidence: given }, { ...given, [source]: fact });
      looked += 1;
    }
    return looked;
  },
};

const lessThanKnown: readonly Fact<never>[] = [
  { state: 'absent' },
  { state: 'refused' },
  { state: 'late' },
  { state: 'late', why: 'deadline_too_short' },
  { state: 'failed' },
  { state: 'failed', why: 'circuit_open' },
  { state: 'failed', why: 'overload' },
];

export const readingListSuffices: Claim<Asked> = {
  says: 'what the reading list leaves out changes nothing',
  over: asked,
  check(core, document, { question, evidence: given }) {
    needsSuffices(core.decide, core.needs, { document, question, evidence: given });
    return 1;
  },
};

export const readingListIsShort: Claim<Asked> = {
  says: 'the reading list has nothing that no rule of the zones can use',
  over: asked,
  check(core, document, { question, evidence: given }) {
    needsNothingIdle(core.needs, { document, question, evidence: given });
    return 1;
  },
};

export const explainedIsAnswered: Claim<Asked> = {
  says: 'an explained answer is the answer, and its reasons are those of the answer',
  over: asked,
  check: (core, document, { question, evidence: given }) => explainsItsAnswer(core.decide, { document, question, evidence: given }),
};

export const unaskedSourcesSayNothing: Claim<Asked> = {
  says: 'what is said in the name of a source that the policy does not have changes nothing',
  over: asked,
  check: (core, document, { question, evidence: given }) => unaskedChangesNothing(core.decide, { document, question, evidence: given }),
};

export const askingDecidesNothing: Claim<Asked> = {
  says: 'how a fact is asked for decides nothing',
  over: asked,
  check(core, document, { question, evidence: given }) {
    sameWhicheverWayAsked(core.decide, { document, question, evidence: given }, askedOtherwise(document));
    return 1;
  },
};

/** Near the instants at which generated windows and conditions change, by themselves or by what the question says. */
function instant({ nowMs, request }: Question): fc.Arbitrary<number> {
  const named = Object.values(request).filter((value): value is number => Number.isSafeInteger(value) && Number(value) > baseNowMs / 2);
  const about = fc.constantFrom(nowMs, nowMs, ...offsets.map((seconds) => baseNowMs + seconds * 1000), ...named);
  return fc
    .record({ about, spanMs: fc.constantFrom(0, 0, 3_600_000, 86_400_000, -3_600_000), byMs: fc.constantFrom(-1, 0, 1) })
    .map(({ about: atMs, spanMs, byMs }) => atMs + spanMs + byMs);
}

interface TwoQuestions extends Asked {
  readonly other: Question;
  /** The other question meets a policy whose variants show something else. */
  readonly marked: boolean;
}

export const sameKeyMeansSameBytes: Claim<TwoQuestions> = {
  says: 'one cache key that is not private means the same bytes',
  over: (document) =>
    asked(document).chain(({ question, evidence: given }) => {
      const one: Question = { ...question, audience: 'shared', explain: false };
      const change = fc.record({
        request: fc.oneof(
          attributesFrom('request'),
          fc.subarray(Object.keys(question.request)).map((names) => pick(question.request, names)),
        ),
        audiences: fc.oneof(fc.constant(question.audiences), fc.option(fc.subarray([...edgeAudiences]), { nil: null })),
        zones: fc.oneof(fc.constant(question.zones), fc.shuffledSubarray([...question.zones], { minLength: 1 })),
        page: fc.constantFrom(question.page, null),
        shownOffers: fc.oneof(fc.constant(question.shownOffers), fc.subarray(Object.keys(document.offers))),
        audience: fc.constantFrom<Question['audience'][]>('shared', 'shared', 'personal'),
        nowMs: fc.oneof(fc.constant(question.nowMs), instant(question)),
      });
      return fc.record({
        question: fc.constant(one),
        other: change.map((changed) => ({ ...one, ...changed })),
        evidence: fc.constant(given),
        marked: fc.boolean(),
      });
    }),
  check(core, document, { question, other, evidence: given, marked }) {
    const changed = marked ? markedOf(document) : document;
    return sameKeySameBytes(core.decide, { document, question, evidence: given }, { document: changed, question: other, evidence: given });
  },
};

type TwoPeople = Asked & { readonly another: Evidence };

export const sharedIsOfItsQuestion: Claim<TwoPeople> = {
  says: 'a shared answer is a function of its question',
  over: (document) => fc.record({ question: questionAbout(document), evidence, another: evidence }),
  check(core, document, { question, evidence: given, another }) {
    sharedIgnoresEvidence(core.decide, { document, question, evidence: given }, another);
    return 1;
  },
};

export const belowSessionIsImpersonal: Claim<TwoPeople> = {
  says: 'at segment and below nothing personal decides',
  over: (document) =>
    fc
      .record({ question: questionAbout(document), evidence, values: fc.record({ profile, session, audience, model: propensities }) })
      .map(({ question, evidence: given, values }) => ({
        question: { ...question, audience: 'personal' },
        evidence: given,
        another: anotherPerson(given, values),
      })),
  check: (core, document, { question, evidence: given, another }) =>
    belowSessionNothingPersonal(core.decide, { document, question, evidence: given }, another),
};

type Reordered = Asked & { readonly order: Order };

export const orderOfOffersIsNothing: Claim<Reordered> = {
  says: 'the order in which offers are written decides nothing',
  // A few orders only: each is another document to compile.
  over: (document) => fc.record({ question: questionAbout(document), evidence, order: fc.constantFrom(...orders) }),
  check(core, document, { question, evidence: given, order }) {
    offerOrderDecidesNothing(core.decide, { document, question, evidence: given }, reordered[order](document));
    return 1;
  },
};

export const alwaysADecision: Claim<Asked> = {
  says: 'there is a decision for evidence and questions that are any JSON',
  over: (document) =>
    fc.record({
      question: questionAbout(document).chain((question) => fc.oneof(fc.constant(question), oddQuestion(question))),
      evidence: fc.oneof(evidence, evidence.chain(spoiled), junkEvidence),
    }),
  check(core, document, { question, evidence: given }) {
    alwaysDecides(core.decide, { document, question, evidence: given });
    return 1;
  },
};

export const nothingKnownIsAnonymous: Claim<Asked> = {
  says: 'with nothing known a zone is anonymous, or segment where the policy opens that without a signal',
  over: (document) => fc.record({ question: questionAbout(document), evidence: junkEvidence }),
  check(core, document, { question, evidence: given }) {
    nothingKnownMeansAnonymous(core.decide, { document, question, evidence: given });
    return 1;
  },
};

export const claims: readonly Claim<unknown>[] = [
  decidesAsOracle,
  lessRaisesNothing,
  lessRaisesNothingInOracle,
  lessOfSourcesRaisesNothing,
  readingListSuffices,
  readingListIsShort,
  explainedIsAnswered,
  unaskedSourcesSayNothing,
  askingDecidesNothing,
  sameKeyMeansSameBytes,
  sharedIsOfItsQuestion,
  belowSessionIsImpersonal,
  orderOfOffersIsNothing,
  alwaysADecision,
  nothingKnownIsAnonymous,
];

function pick<T>(record: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => names.includes(name)));
}

/** Another document made of a document, once: compiling is what costs. */
function onceEach(make: (document: PolicyDocument) => PolicyDocument): (document: PolicyDocument) => PolicyDocument {
  const made = new WeakMap<PolicyDocument, PolicyDocument>();
  return (document) => {
    const kept = made.get(document) ?? make(document);
    made.set(document, kept);
    return kept;
  };
}

const markedOf = onceEach((document) => ({
  ...document,
  variants: Object.fromEntries(Object.entries(document.variants).map(([id, variant]) => [id, { ...variant, content: { marked: true } }])),
}));

/** Identity and profile come of the store, nothing is asked twice, and services stand elsewhere: what they say is the same. */
const askedOtherwise = onceEach((document) => {
  const { identity, consent, profile, session, audience, model } = document.dependencies ?? {};
  const elsewhere = ({ source, url, retries: _retries, ...settings }: SourceDocument): SourceDocument =>
    source === 'http' ? { ...settings, source, url: `${url}?elsewhere=1`, maxBytes: 1000, connections: 1 } : settings;
  return {
    ...document,
    dependencies: {
      ...(identity === undefined ? {} : { identity: whatDecides(identity) }),
      ...(consent === undefined ? {} : { consent: whatDecides(consent) }),
      ...(profile === undefined ? {} : { profile: whatDecides(profile) }),
      ...(session === undefined ? {} : { session: whatDecides(session) }),
      ...(audience === undefined ? {} : { audience: elsewhere(audience) }),
      ...(model === undefined ? {} : { model: elsewhere(model) }),
    },
  };
});

function whatDecides({ onFailure, late }: DependencyDocument): DependencyDocument {
  return { ...(onFailure === undefined ? {} : { onFailure }), ...(late === undefined ? {} : { late }) };
}

const reordered = {
  backwards: onceEach((document) => inOrder(document, (ids) => ids.toReversed())),
  turned: onceEach((document) => inOrder(document, (ids) => [...ids.slice(1), ...ids.slice(0, 1)])),
  riffled: onceEach((document) => inOrder(document, (ids) => [1, 0].flatMap((odd) => ids.filter((_, index) => index % 2 === odd)))),
};
type Order = keyof typeof reordered;
const orders = Object.keys(reordered) as Order[];

function inOrder(document: PolicyDocument, order: (ids: readonly string[]) => readonly string[]): PolicyDocument {
  const ids = order(Object.keys(document.offers));
  return { ...document, offers: Object.fromEntries(ids.map((id) => [id, document.offers[id] as never])) };
}
