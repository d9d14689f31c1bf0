/**
 * How signals combine, as laws that hold for all of them: order, repetition and grouping change nothing, and no signal that is added
 * makes anything more allowed, but by a grant where nothing was known. Each law has a planted fault that breaks it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { weighConsent } from '../../src/decision/consent.ts';
import { type ConsentSignal, type Evidence, noEvidence, type StoredConsent } from '../../src/decision/facts.ts';
import { weighIdentity } from '../../src/decision/identity.ts';
import { type ConsentState, personalUseCases, type UseCase, useCases } from '../../src/decision/vocabulary.ts';
import { identityOf } from '../decision/asked.ts';
import { seed } from '../oracle/runs.ts';

const settings = { path: 'vendor', vendorId: 1111, maxAgeDays: 180, regimes: {}, purposeOneCountries: [] } as const;
const dayMs = 86_400_000;
const today = 20_000;
const nowMs = today * dayMs + 1000;
const runs = process.env.STEPWELL_TEST_LONG === '1' ? 200_000 : 3000;

type States = Readonly<Record<UseCase, ConsentState>>;

/** What the request says and, of a proved person, what is stored. */
interface Heard {
  readonly signals: readonly ConsentSignal[];
  readonly gpc: boolean;
  readonly stored: StoredConsent | null;
}

type Weigh = (heard: Heard) => States;

const asWritten: Weigh = ({ signals, gpc, stored }) => {
  const evidence: Evidence = {
    ...noEvidence,
    identity: identityOf('ada'),
    consent: { ...noEvidence.consent, signals, gpc, stored: stored === null ? { state: 'absent' } : { state: 'known', value: stored } },
  };
  return weighConsent(settings, evidence, weighIdentity(evidence.identity), nowMs).states;
};

const said = fc.constantFrom<('granted' | 'denied' | null)[]>('granted', 'granted', 'denied', null, null);
const saidOfEach = fc
  .tuple(...useCases.map(() => said))
  .map((states) => Object.fromEntries(useCases.flatMap((useCase, index) => (states[index] == null ? [] : [[useCase, states[index]]]))));
const day = fc.option(fc.integer({ min: today - 4, max: today }), { nil: undefined });
const signal: fc.Arbitrary<ConsentSignal> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ saidOfEach, day }).map(({ saidOfEach: of, day: on }) => validOf(of, on)) },
  { weight: 1, arbitrary: fc.constant<ConsentSignal>({ state: 'invalid' }) },
  { weight: 1, arbitrary: fc.constant<ConsentSignal>({ state: 'valid', child: true, useCases: {} }) },
);
const stored: fc.Arbitrary<StoredConsent | null> = fc.option(
  fc
    .record({ saidOfEach, day: fc.integer({ min: today - 4, max: today }), later: fc.nat(dayMs - 1) })
    .map(({ saidOfEach: of, day: on, later }) => ({
      useCases: Object.fromEntries(Object.entries(of).filter(([useCase]) => (personalUseCases as readonly string[]).includes(useCase))),
      recordedAtMs: Math.min(on * dayMs + later, nowMs),
    })),
);
const heard: fc.Arbitrary<Heard> = fc.record({ signals: fc.array(signal, { maxLength: 4 }), gpc: fc.boolean(), stored });

function validOf(of: Readonly<Partial<Record<UseCase, 'granted' | 'denied'>>>, on: number | undefined): ConsentSignal {
  return on === undefined ? { state: 'valid', useCases: of } : { state: 'valid', day: on, useCases: of };
}

const heights: Readonly<Record<ConsentState, number>> = { denied: 0, unavailable: 1, granted: 2 };

/** Each holds of a way to weigh what was heard, or throws. */
const laws: Readonly<Record<string, (weigh: Weigh) => fc.IProperty<unknown>>> = {
  'order changes nothing': (weigh) =>
    fc.property(
      heard.chain((one) =>
        fc.record({ one: fc.constant(one), other: fc.shuffledSubarray([...one.signals], { minLength: one.signals.length }) }),
      ),
      ({ one, other }) => {
        expect(weigh({ ...one, signals: other })).toEqual(weigh(one));
      },
    ),
  'the order in which use cases were written changes nothing': (weigh) =>
    fc.property(heard, (one) => {
      const backwards = one.signals.map((given) =>
        given.state === 'valid' ? { ...given, useCases: Object.fromEntries(Object.entries(given.useCases).reverse()) } : given,
      );
      expect(weigh({ ...one, signals: backwards })).toEqual(weigh(one));
    }),
  'twice is once': (weigh) =>
    fc.property(heard, (one) => {
      expect(weigh({ ...one, signals: [...one.signals, ...one.signals] })).toEqual(weigh(one));
    }),
  'said in two signals or in one is the same': (weigh) =>
    fc.property(heard, fc.integer({ min: 0, max: useCases.length }), (one, at) => {
      const apart = one.signals.flatMap((given) => (given.state === 'valid' ? halves(given, at) : [given]));
      expect(weigh({ ...one, signals: apart })).toEqual(weigh(one));
    }),
  'a signal more makes nothing more allowed, but by its own grant where nothing was known, or where it is of a later day than a stored no':
    (weigh) =>
      fc.property(heard, signal, (one, added) => {
        const before = weigh(one);
        const after = weigh({ ...one, signals: [...one.signals, added] });
        for (const useCase of useCases) {
          if (heights[after[useCase]] <= heights[before[useCase]]) continue;
          expect(added.state === 'valid' && added.useCases[useCase]).toBe('granted');
          if (before[useCase] === 'denied') expect(isOfLaterDay(added, one.stored, useCase)).toBe(true);
        }
      }),
  'what cannot be read makes nothing granted': (weigh) =>
    fc.property(heard, (one) => {
      expect(Object.values(weigh({ ...one, signals: [...one.signals, { state: 'invalid' }] }))).not.toContain('granted');
    }),
  'a no in the request is a no, whatever else is said': (weigh) =>
    fc.property(heard, (one) => {
      const states = weigh(one);
      for (const useCase of useCases) {
        const isDenied = one.signals.some(
          (given) => given.state === 'valid' && (given.child === true || given.useCases[useCase] === 'denied'),
        );
        if (isDenied) expect(states[useCase]).toBe('denied');
      }
    }),
  'Global Privacy Control makes nothing more allowed': (weigh) =>
    fc.property(heard, (one) => {
      const without = weigh({ ...one, gpc: false });
      const withIt = weigh({ ...one, gpc: true });
      for (const useCase of useCases) expect(heights[withIt[useCase]]).toBeLessThanOrEqual(heights[without[useCase]]);
    }),
};

function halves(given: Extract<ConsentSignal, { state: 'valid' }>, at: number): readonly ConsentSignal[] {
  const names = useCases.slice(0, at) as readonly string[];
  const entries = Object.entries(given.useCases);
  return [
    { ...given, useCases: Object.fromEntries(entries.filter(([name]) => names.includes(name))) },
    { ...given, useCases: Object.fromEntries(entries.filter(([name]) => !names.includes(name))) },
  ];
}

function isOfLaterDay(added: ConsentSignal, record: StoredConsent | null, useCase: UseCase): boolean {
  if (added.state !== 'valid' || added.day === undefined || record === null) return false;
  const denied = (record.useCases as Readonly<Partial<Record<UseCase, ConsentState>>>)[useCase] === 'denied';
  return denied && Math.floor(record.recordedAtMs / dayMs) < added.day;
}

/** Ways to weigh that are wrong, and the law that each breaks. */
const faults: readonly { readonly what: string; readonly breaks: keyof typeof laws; readonly weigh: Weigh }[] = [
  {
    what: 'the last signal alone counts',
    breaks: 'order changes nothing',
    weigh: (one) => asWritten({ ...one, signals: one.signals.slice(-1) }),
  },
  {
    what: 'a signal that comes twice is taken for none',
    breaks: 'twice is once',
    weigh: (one) => {
      const texts = one.signals.map((given) => JSON.stringify(given));
      return asWritten({ ...one, signals: one.signals.filter((_, index) => texts.filter((text) => text === texts[index]).length === 1) });
    },
  },
  {
    what: 'a use case written first counts more',
    breaks: 'the order in which use cases were written changes nothing',
    weigh: (one) =>
      asWritten({
        ...one,
        signals: one.signals.map((given) =>
          given.state === 'valid' ? { ...given, useCases: Object.fromEntries(Object.entries(given.useCases).slice(0, 1)) } : given,
        ),
      }),
  },
  {
    what: 'only signals that speak of most use cases count',
    breaks: 'said in two signals or in one is the same',
    weigh: (one) =>
      asWritten({ ...one, signals: one.signals.filter((given) => given.state !== 'valid' || Object.keys(given.useCases).length > 3) }),
  },
  {
    what: 'what cannot be read is left out',
    breaks: 'what cannot be read makes nothing granted',
    weigh: (one) => asWritten({ ...one, signals: one.signals.filter(({ state }) => state === 'valid') }),
  },
  {
    what: 'two signals outvote one',
    breaks: 'a no in the request is a no, whatever else is said',
    weigh: (one) => asWritten({ ...one, signals: one.signals.length > 2 ? one.signals.slice(1) : one.signals }),
  },
  {
    what: 'an explicit grant sets a stored no aside',
    breaks:
      'a signal more makes nothing more allowed, but by its own grant where nothing was known, or where it is of a later day than a stored no',
    weigh: (one) =>
      asWritten({ ...one, signals: one.signals.map((given) => (given.state === 'valid' ? { day: today + 1, ...given } : given)) }),
  },
  {
    what: 'a string of the same day sets a stored no aside',
    breaks:
      'a signal more makes nothing more allowed, but by its own grant where nothing was known, or where it is of a later day than a stored no',
    weigh: (one) =>
      asWritten({
        ...one,
        signals: one.signals.map((given) =>
          given.state === 'valid' && given.day !== undefined ? { ...given, day: given.day + 1 } : given,
        ),
      }),
  },
  {
    what: 'Global Privacy Control is read the wrong way round',
    breaks: 'Global Privacy Control makes nothing more allowed',
    weigh: (one) => asWritten({ ...one, gpc: !one.gpc }),
  },
];

describe('of signals beside each other', () => {
  console.log(`signals beside each other: seed ${seed}, replay with FC_SEED=${seed}`);

  it.each(Object.keys(laws))('%s', { timeout: 0 }, (name) => {
    fc.assert((laws[name] as (weigh: Weigh) => fc.IProperty<unknown>)(asWritten), { numRuns: runs, seed });
  });

  it.each(faults)('it would be seen if $what', ({ breaks, weigh }) => {
    expect(fc.check((laws[breaks] as (weigh: Weigh) => fc.IProperty<unknown>)(weigh), { numRuns: 20_000, seed: 5 }).failed).toBe(true);
  });

  it('every law has a fault that breaks it', () => {
    expect(new Set(faults.map(({ breaks }) => breaks))).toEqual(new Set(Object.keys(laws)));
  });

  it('a stored no is set aside by a string of a later day that grants, use case by use case', () => {
    const record: StoredConsent = {
      useCases: { offers: 'denied', content_personalization: 'denied' },
      recordedAtMs: (today - 1) * dayMs - 1,
    };
    const states = (on: number | undefined, of: Readonly<Partial<Record<UseCase, 'granted' | 'denied'>>>) =>
      asWritten({ signals: [validOf(of, on)], gpc: false, stored: record });
    expect(states(today - 1, { offers: 'granted' })).toMatchObject({ offers: 'granted', content_personalization: 'denied' });
    expect(states(today - 2, { offers: 'granted' }).offers).toBe('denied');
    expect(states(undefined, { offers: 'granted' }).offers).toBe('denied');
    expect(states(today - 1, { offers: 'denied' }).offers).toBe('denied');
  });
});
