/** The corpus over HTTP: the whole answer of a real service, its envelope included. */
import { describe, expect, test } from 'vitest';
import type { ZoneDecision } from '../../src/decision/decision.ts';
import type { Store, StoreReading } from '../../src/records/store.ts';
import { ask } from './ask.ts';
import type { ConformanceCase } from './assemble.ts';
import { comparable, corpus, policyText } from './corpus.ts';
import { startCaseService } from './service.ts';

const proofUnread = 'a holder’s proof is not verified yet, so no token can be proved';
const tooLittleTime = 'what is left for a service is too little only by its typical time, which takes twenty answers to know';
const oneRoundTrip = 'one round trip answers for all dependencies, so none of these fails alone';

/** What no caller can bring about today. When one of these can be, its test below says so, and it leaves the list. */
const beyondHttp: Readonly<Record<string, string>> = {
  'special-all-proved': proofUnread,
  'special-without-explicit-consent': proofUnread,
  'step-up': proofUnread,
  'elevated-zone': proofUnread,
  'category-not-enabled': proofUnread,
  'consent-cap': oneRoundTrip,
  'consent-failed': oneRoundTrip,
  'identity-failed': oneRoundTrip,
  'model-too-little-time': tooLittleTime,
};

const overHttp = corpus.filter(({ id }) => !Object.hasOwn(beyondHttp, id));

describe.each(overHttp)('$id', (given) => {
  test(given.why, async () => {
    expect(await answerTo(given)).toEqual(wholeAnswer(given));
  });
});

describe('beyond HTTP', () => {
  test(`are ${Object.keys(beyondHttp).length} of the corpus's ${corpus.length} cases, and no more`, () => {
    expect(overHttp).toHaveLength(corpus.length - 9);
    expect(Object.keys(beyondHttp)).toHaveLength(9);
  });

  test.each(corpus.filter(({ id }) => Object.hasOwn(beyondHttp, id)))('$id, until its answer can be had', async (given) => {
    expect(await answerTo(given), 'this case can be asked over HTTP now: take it off the list').not.toEqual(wholeAnswer(given));
  });
});

describe('finds a planted fault', () => {
  test.each<[string, string, (reading: StoreReading) => StoreReading]>([
    ['a profile goes unread', 'user-gold', (reading) => ({ ...reading, profile: { state: 'absent' } })],
    ['a generation is forgotten', 'token-generation-behind', (reading) => ({ ...reading, generation: 0 })],
    ['a revoked token passes', 'token-revoked', (reading) => ({ ...reading, tokenRevoked: false })],
    ['a device link is overlooked', 'device-other-person', (reading) => ({ ...reading, link: null })],
    ['a denial is overlooked', 'stored-denial-does-not-age', (reading) => ({ ...reading, consent: null })],
  ])('%s', async (_fault, id, spoiled) => {
    const given = corpus.find((one) => one.id === id);
    if (given === undefined) throw new Error(`the corpus has no case ${id}`);
    const spoil = (store: Store): Store => ({ ...store, read: async (plan) => spoiled(await store.read(plan)) });
    expect(await answerTo(given, spoil)).not.toEqual(wholeAnswer(given));
  });
});

describe('finds a service that lost its memory', () => {
  test.each(['audience-of-service', 'audience-joins-context', 'model-turns-winner', 'model-names-another'])('by %s', async (id) => {
    const given = corpus.find((one) => one.id === id);
    if (given === undefined) throw new Error(`the corpus has no case ${id}`);
    expect(await answerTo({ ...given, services: {} })).not.toEqual(wholeAnswer(given));
  });
});

interface Answer {
  readonly zones?: readonly ZoneDecision[];
  readonly policy?: { readonly revision: string };
}

async function answerTo(given: ConformanceCase, spoil?: (store: Store) => Store): Promise<unknown> {
  const service = await startCaseService(given, spoil);
  const response = await ask(given, service);
  const { zones, ...envelope } = (await response.json()) as Answer;
  const isOfService = envelope.policy?.revision === service.revision;
  return { status: response.status, isOfService, ...envelope, zones: zones === undefined ? undefined : comparable(zones) };
}

/** Everything that stands in an answer, and nothing else. */
function wholeAnswer(given: ConformanceCase): unknown {
  const { policy } = JSON.parse(policyText(given));
  const everywhere = {
    status: 200,
    isOfService: true,
    ...given.expected,
    policy: { id: policy, revision: expect.any(String), stale: false },
  };
  if (given.request.method === 'GET') return everywhere;
  return { ...everywhere, decisionId: expect.stringMatching(/^[0-9A-HJKMNP-TV-Z]{26}$/), deadline: { declaredMs: null, effectiveMs: 58 } };
}
