/**
 * Evidence as the service could really gather it: every state of every fact, every identity and consent combination, but no
 * contradictions (a consent record without a subject, a session record without a session id). And what less of it looks like.
 */
import fc from 'fast-check';
import type { ConsentSignal, Evidence, Fact, IdentityEvidence, StoredConsent } from '../../src/decision/facts.ts';
import type { Attributes, Value } from '../../src/decision/value.ts';
import { type PersonalUseCase, personalUseCases, useCases } from '../../src/decision/vocabulary.ts';
import {
  attributes,
  baseNowMs,
  categories,
  edgeAudiences,
  integers,
  offerIds,
  offsets,
  profileAudiences,
  type Source,
  subjects,
  texts,
} from './vocabulary.ts';

/** The first of these `weight` times as often as each of the others. */
function mostly<T>(weight: number, usual: T, ...rare: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...rare) });
}

const refused = { state: 'refused' } as const;
const late: fc.Arbitrary<Fact<never>> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Fact<never>>({ state: 'late' }) },
  { weight: 1, arbitrary: fc.constant<Fact<never>>({ state: 'late', why: 'deadline_too_short' }) },
);
const failed: fc.Arbitrary<Fact<never>> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Fact<never>>({ state: 'failed' }) },
  { weight: 1, arbitrary: fc.constant<Fact<never>>({ state: 'failed', why: 'circuit_open' }) },
  { weight: 1, arbitrary: fc.constant<Fact<never>>({ state: 'failed', why: 'overload' }) },
);

function factOf<T>(
  value: fc.Arbitrary<T>,
  weights: { known: number; absent: number; trouble: number; refused: number },
): fc.Arbitrary<Fact<T>> {
  return fc.oneof(
    { weight: weights.known, arbitrary: value.map((known): Fact<T> => ({ state: 'known', value: known })) },
    { weight: weights.absent, arbitrary: fc.constant<Fact<T>>({ state: 'absent' }) },
    { weight: weights.trouble, arbitrary: late },
    { weight: weights.trouble, arbitrary: failed },
    { weight: weights.refused, arbitrary: fc.constant<Fact<T>>(refused) },
  );
}

/** Some of the declared attributes of a source, each of its declared type. */
export function attributesFrom(source: Source): fc.Arbitrary<Attributes> {
  const made = Object.fromEntries(
    Object.entries(attributes[source] as Record<string, { type: string; values?: readonly string[] }>).map(([name, { type, values }]) => [
      name,
      fc.option(valueOfType(type, values ?? texts), { freq: 5, nil: undefined }),
    ]),
  );
  return fc.record(made).map((drawn) => Object.fromEntries(Object.entries(drawn).filter(([, value]) => value !== undefined)) as Attributes);
}

function valueOfType(type: string, values: readonly string[]): fc.Arbitrary<Value> {
  switch (type) {
    case 'int':
      return fc.constantFrom(...integers);
    case 'bool':
      return fc.boolean();
    case 'timestamp':
      return fc.constantFrom(...offsets).map((seconds) => baseNowMs + seconds * 1000);
    case 'strings':
      return fc.uniqueArray(fc.constantFrom(...values), { maxLength: 3 });
    default:
      return fc.constantFrom(...values);
  }
}

const token: fc.Arbitrary<IdentityEvidence['token']> = fc.oneof(
  {
    weight: 24,
    arbitrary: fc.record({
      state: fc.constant('verified' as const),
      subject: fc.constantFrom(...subjects),
      method: mostly<'deterministic' | 'probabilistic'>(15, 'deterministic', 'probabilistic'),
      expired: fc.integer({ min: 0, max: 15 }).map((drawn) => drawn === 0),
      authTimeSeconds: fc.constantFrom(null, baseNowMs / 1000, baseNowMs / 1000 - 60, baseNowMs / 1000 - 900, baseNowMs / 1000 - 901),
      generation: mostly<null | number>(4, 1, 0, null),
      binding: mostly<'none' | 'proved' | 'unproved' | 'late' | 'failed'>(6, 'proved', 'proved', 'none', 'unproved', 'late', 'failed'),
      issuedAtSeconds: fc.constantFrom(baseNowMs / 1000 - 30, baseNowMs / 1000 - 600),
    }),
  },
  { weight: 3, arbitrary: fc.constant<IdentityEvidence['token']>({ state: 'none' }) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom('invalid', 'expired', 'keys_stale', 'late', 'failed')
      .map((state) => ({ state }) as IdentityEvidence['token']),
  },
);

const link = fc
  .record({
    subject: fc.constantFrom(...subjects),
    method: fc.constantFrom('deterministic' as const, 'probabilistic' as const),
    confidencePpm: fc.constantFrom(1, 500_000, 1_000_000),
    sharedSinceMs: mostly<number | undefined>(12, undefined, baseNowMs, baseNowMs - 25_000, baseNowMs - 55_000, baseNowMs - 55_001),
  })
  .map(({ sharedSinceMs, ...drawn }) => (sharedSinceMs === undefined ? drawn : { ...drawn, sharedSinceMs }));

const storedUseCases = fc
  .record({
    states: fc.array(mostly<'granted' | 'unavailable' | 'denied' | undefined>(16, 'granted', undefined, 'unavailable', 'denied'), {
      minLength: personalUseCases.length,
      maxLength: personalUseCases.length,
    }),
    granted: fc.subarray([...categories]),
    deniedCategory: fc.option(fc.constantFrom(...categories), { freq: 8, nil: null }),
  })
  .map(
    ({ states, granted, deniedCategory }) =>
      ({
        ...Object.fromEntries(
          personalUseCases.flatMap((useCase, index) => (states[index] === undefined ? [] : [[useCase, states[index]]])),
        ),
        ...Object.fromEntries(granted.map((category) => [`category:${category}`, 'granted'])),
        ...(deniedCategory === null ? {} : { [`category:${deniedCategory}`]: 'denied' }),
      }) as StoredConsent['useCases'],
  );

const day = 86_400_000;
const storedConsent: fc.Arbitrary<StoredConsent> = fc
  .record({
    useCases: storedUseCases,
    recordedAtMs: fc.constantFrom(
      baseNowMs,
      baseNowMs - 10 * day,
      baseNowMs - 10 * day,
      baseNowMs - 30 * day,
      baseNowMs - 30 * day - 1,
      baseNowMs - 180 * day - 1,
    ),
    olderByDays: mostly(8, 0, 1, 20, 180),
  })
  .map(({ olderByDays, ...record }) => (olderByDays === 0 ? record : { ...record, grantedAtMs: record.recordedAtMs - olderByDays * day }));

/** What was withdrawn in it, now and then with a grant beside it that nobody may count. */
const sessionConsent: fc.Arbitrary<StoredConsent> = fc.record({
  useCases: fc
    .uniqueArray(fc.constantFrom(...personalUseCases, ...categories.map((category) => `category:${category}` as const)), {
      minLength: 1,
      maxLength: 2,
    })
    .chain((names) => fc.tuple(...names.map((name) => mostly<'denied' | 'granted'>(5, 'denied', 'granted').map((state) => [name, state]))))
    .map((said) => Object.fromEntries(said) as StoredConsent['useCases']),
  recordedAtMs: fc.constantFrom(baseNowMs, baseNowMs - day),
});

/** On most signals no day stands; a day before, on and after those on which records were made. */
const today = Math.floor(baseNowMs / day);
const signalDay = mostly<number | undefined>(6, undefined, today, today - 9, today - 10, today - 29, today - 30);

const undatedSignal: fc.Arbitrary<ConsentSignal> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(mostly<'granted' | undefined>(6, 'granted', undefined), {
        minLength: useCases.length,
        maxLength: useCases.length,
      })
      .map((said) => signalOf(said)),
  },
  { weight: 20, arbitrary: fc.constant(signalOf(useCases.map(() => 'granted'))) },
  {
    weight: 3,
    arbitrary: fc
      .array(fc.constantFrom('granted' as const, 'denied' as const, undefined, undefined), {
        minLength: useCases.length,
        maxLength: useCases.length,
      })
      .map((said) => signalOf(said)),
  },
  { weight: 1, arbitrary: fc.constant<ConsentSignal>({ state: 'invalid' }) },
  { weight: 1, arbitrary: fc.constant<ConsentSignal>({ state: 'valid', child: true, useCases: {} }) },
);

const signal: fc.Arbitrary<ConsentSignal> = fc
  .record({ undated: undatedSignal, on: signalDay })
  .map(({ undated, on }) => (on === undefined || undated.state === 'invalid' ? undated : { ...undated, day: on }));

function signalOf(said: readonly ('granted' | 'denied' | undefined)[]): ConsentSignal {
  return {
    state: 'valid',
    useCases: Object.fromEntries(useCases.flatMap((useCase, index) => (said[index] === undefined ? [] : [[useCase, said[index]]]))),
  };
}

const ordinary = { known: 16, absent: 1, trouble: 1, refused: 1 };
const ofSource = { known: 10, absent: 3, trouble: 2, refused: 1 };

interface Visitor {
  readonly subject: string;
  readonly grantedBy: 'request' | 'record';
  /** By the record. */
  readonly denied: PersonalUseCase | null;
}

/** Somebody who is proved in every way and has granted nearly everything: what then decides is what else is known of them. */
export function welcome({ subject, grantedBy, denied }: Visitor): Pick<Evidence, 'identity' | 'consent'> {
  const stored = [...(grantedBy === 'record' ? personalUseCases : []), ...categories.map((category) => `category:${category}`)];
  return {
    identity: {
      token: {
        state: 'verified',
        subject,
        method: 'deterministic',
        expired: false,
        authTimeSeconds: baseNowMs / 1000 - 60,
        generation: 1,
        binding: 'proved',
      },
      session: { state: 'verified', id: 'session-one' },
      device: refused,
      generation: { state: 'known', value: 1 },
      tokenRevoked: { state: 'known', value: false },
    },
    consent: {
      signals: grantedBy === 'request' ? [signalOf(useCases.map(() => 'granted'))] : [],
      gpc: false,
      stored: {
        state: 'known',
        value: {
          useCases: {
            ...Object.fromEntries(stored.map((useCase) => [useCase, 'granted'])),
            ...(denied === null ? {} : { [denied]: 'denied' }),
          } as StoredConsent['useCases'],
          recordedAtMs: baseNowMs,
        },
      },
      linked: refused,
      session: { state: 'absent' },
    },
  };
}

export const profile = fc.record({
  attributes: attributesFrom('profile'),
  audiences: fc.subarray([...edgeAudiences, ...profileAudiences]),
});
export const session = fc.record({ attributes: attributesFrom('session') });
export const audience = fc.subarray([...edgeAudiences, ...profileAudiences]);
/** A model names some of the offers, and more than a policy may have. */
export const propensities: fc.Arbitrary<Readonly<Record<string, number>>> = fc
  .subarray([...offerIds])
  .chain((named) =>
    fc.record(
      Object.fromEntries(
        named.map((offer) => [
          offer,
          fc.oneof(
            { weight: 5, arbitrary: fc.integer({ min: 1, max: 1_000_000 }) },
            { weight: 1, arbitrary: fc.constantFrom(0, 1_000_000) },
          ),
        ]),
      ),
    ),
  );

export const evidence: fc.Arbitrary<Evidence> = fc
  .record({
    token,
    sessionId: fc.constantFrom<IdentityEvidence['session'][]>(
      { state: 'verified', id: 'session-one' },
      { state: 'verified', id: 'session-one' },
      { state: 'verified', id: 'session-two' },
      { state: 'verified', id: 'session-two' },
      { state: 'verified', id: 'session-two' },
      { state: 'none' },
      { state: 'invalid' },
    ),
    device: factOf(link, { known: 3, absent: 3, trouble: 1, refused: 16 }),
    generation: factOf(mostly(8, 0, 1, 2), { known: 30, absent: 0, trouble: 1, refused: 0 }),
    tokenRevoked: factOf(mostly(15, false, true), { known: 30, absent: 0, trouble: 1, refused: 0 }),
    signals: fc.oneof(
      { weight: 1, arbitrary: fc.constant<ConsentSignal[]>([]) },
      { weight: 6, arbitrary: fc.array(signal, { minLength: 1, maxLength: 2 }) },
    ),
    gpc: mostly(11, false, true),
    stored: factOf(storedConsent, { known: 12, absent: 3, trouble: 1, refused: 1 }),
    linked: factOf(storedConsent, { known: 8, absent: 5, trouble: 1, refused: 1 }),
    withdrawn: factOf(sessionConsent, { known: 3, absent: 24, trouble: 1, refused: 0 }),
    profile: factOf(profile, ordinary),
    session: factOf(session, ordinary),
    audience: factOf(audience, ofSource),
    model: factOf(propensities, ofSource),
    madeByHand: fc.integer({ min: 0, max: 19 }).map((number) => number === 0),
    grantedBy: fc.constantFrom('request' as const, 'record' as const),
    denied: mostly<PersonalUseCase | null>(4, null, ...personalUseCases),
    welcome: fc.integer({ min: 0, max: 2 }).map((number) => number === 0),
    subject: fc.constantFrom(...subjects),
  })
  .map((drawn) => {
    if (drawn.welcome) {
      const { profile: known, session: visit, audience: members, model } = drawn;
      return { ...welcome(drawn), profile: known, session: visit, audience: members, model };
    }
    const verified = drawn.token.state === 'verified';
    const sameSubject =
      drawn.token.state === 'verified' && drawn.device.state === 'known' && drawn.device.value.subject === drawn.token.subject;
    // What a source alone could say is often not even mentioned by those who never asked one.
    const ofSources = drawn.madeByHand ? {} : { audience: verified ? drawn.audience : refused, model: verified ? drawn.model : refused };
    return {
      identity: {
        token: drawn.token,
        session: drawn.sessionId,
        device: drawn.device,
        generation: verified ? drawn.generation : refused,
        tokenRevoked: verified ? drawn.tokenRevoked : refused,
      },
      consent: {
        signals: drawn.signals,
        gpc: drawn.gpc,
        stored: verified ? drawn.stored : refused,
        linked: drawn.device.state === 'known' && !sameSubject ? drawn.linked : refused,
        session: drawn.sessionId.state === 'verified' ? drawn.withdrawn : refused,
      },
      profile: verified ? drawn.profile : refused,
      session: drawn.sessionId.state === 'verified' ? drawn.session : refused,
      ...ofSources,
    } as Evidence;
  });

/**
 * The same evidence with some facts less known. `absent` only for the profile, the session and what sources say: an absent
 * consent record or device link can remove a denial or a conflict, so it is another person's evidence, not less of this one's. A
 * device link is never `refused` for the same reason: that says that no device was named. Nor is an answer of the model that names
 * fewer offers less than one that names more: what is written then stands for them, and may be worth more.
 */
export function degrade(full: Evidence): fc.Arbitrary<Evidence> {
  const keep = <T>(fact: Fact<T>): fc.Arbitrary<Fact<T>> => fc.constant(fact);
  const less = <T>(fact: Fact<T>, ...forms: fc.Arbitrary<Fact<T>>[]): fc.Arbitrary<Fact<T>> =>
    fact.state === 'known' ? fc.oneof(keep(fact), keep(fact), ...forms) : keep(fact);
  const none: Fact<never> = refused;
  const absent: Fact<never> = { state: 'absent' };
  const lessOfEach = {
    token:
      full.identity.token.state === 'verified'
        ? mostly<IdentityEvidence['token']>(
            8,
            full.identity.token,
            { state: 'late' },
            { state: 'failed' },
            { state: 'failed', why: 'overload' },
          )
        : fc.constant(full.identity.token),
    device: less(full.identity.device, late, failed),
    generation: less(full.identity.generation, late, failed, fc.constant(none)),
    tokenRevoked: less(full.identity.tokenRevoked, late, failed, fc.constant(none)),
    stored: less(full.consent.stored, late, failed, fc.constant(none)),
    linked: less(full.consent.linked, late, failed, fc.constant(none)),
    sessionConsent: less(full.consent.session ?? refused, late, failed, fc.constant(none)),
    profile: less(full.profile, late, failed, fc.constant(none), fc.constant(absent)),
    session: less(full.session, late, failed, fc.constant(none), fc.constant(absent)),
    audience: less(full.audience ?? refused, late, failed, fc.constant(none), fc.constant(absent)),
    model: less(full.model ?? refused, late, failed, fc.constant(none), fc.constant(absent)),
  };
  // Where every fact may be less, a rung that needs many of them is hardly ever left standing: half of the time it is one alone.
  const kept = {
    ...full.identity,
    ...full.consent,
    sessionConsent: full.consent.session ?? refused,
    profile: full.profile,
    session: full.session,
    audience: full.audience ?? refused,
    model: full.model ?? refused,
  };
  const names = (Object.keys(lessOfEach) as (keyof typeof lessOfEach)[]).filter((name) => kept[name].state === 'known');
  const lessOfOne = fc
    .constantFrom<keyof typeof lessOfEach>('token', ...names, ...names)
    .chain((name) => fc.record({ [name]: lessOfEach[name] as fc.Arbitrary<unknown> }).map((drawn) => ({ ...kept, ...drawn })));
  return fc.oneof(fc.record(lessOfEach), lessOfOne).map((drawn) => ({
    identity: {
      ...full.identity,
      token: drawn.token,
      device: drawn.device,
      generation: drawn.generation,
      tokenRevoked: drawn.tokenRevoked,
    },
    consent: { ...full.consent, stored: drawn.stored, linked: drawn.linked, session: drawn.sessionConsent },
    profile: drawn.profile,
    session: drawn.session,
    audience: drawn.audience,
    model: drawn.model,
  }));
}
