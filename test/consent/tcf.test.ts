/** TC strings: the corpus, what makes one count, what it comes to, and that no text is too much for the reader. */
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { BitReader } from '../../src/consent/bits.ts';
import type { SignalContext } from '../../src/consent/signal.ts';
import { consentErrors } from '../../src/consent/signal.ts';
import { readTcString, tcfCharsMax } from '../../src/consent/tcf.ts';
import { tcfSignals } from '../../src/consent/tcf-signal.ts';
import { VendorRanges } from '../../src/consent/vendor-list.ts';
import type { ConsentSettings } from '../../src/decision/artefact.ts';
import { useCases } from '../../src/decision/vocabulary.ts';
import { seed } from '../oracle/runs.ts';
import { base64url, dayOfMs, encodeTcString, granting, type TcFields } from './encode-tcf.ts';
import { corpus, corpusNowMs, type TcfVector } from './tcf-corpus.ts';
import { fieldsOf, numbersTo } from './tcf-fields.ts';

const settings: ConsentSettings = { path: 'vendor', vendorId: 1111, maxAgeDays: 180, regimes: {}, purposeOneCountries: ['DE'] };
const nowMs = corpusNowMs;
const today = dayOfMs(nowMs);

function contextWith(changes: Partial<ConsentSettings> = {}): SignalContext {
  return { settings: { ...settings, ...changes }, regime: 'opt_in', gdprApplies: true, nowMs };
}

/** What the string says of each use case, by the order of the vocabulary; the outcome where it does not count. */
function saidBy(text: string, changes: Partial<ConsentSettings> = {}) {
  const { signals, outcomes } = tcfSignals([text], contextWith(changes));
  if (outcomes[0] !== 'valid') {
    expect(signals).toEqual([{ state: 'invalid' }]);
    return outcomes[0];
  }
  expect(signals.length).toBeLessThanOrEqual(1);
  const [signal] = signals;
  return useCases.map((useCase) => (signal?.state === 'valid' ? (signal.useCases[useCase] ?? null) : null));
}

const nothing = useCases.map(() => null);

describe('the corpus of TC strings', () => {
  it.each(corpus.tcf)('$id is read field by field', ({ input, decoded, error }) => {
    const said = fieldsOf(input, numbersTo(2000));
    if (decoded === undefined) expect(said).toBe(error);
    else expect(said).toMatchObject(fieldsExpected(decoded));
  });

  it.each(corpus.tcf)('$id counts as far as it may: $outcome', ({ input, vendorId, outcome, said }) => {
    // The corpus is written for the longest that the TCF lets a string last; a policy may let it last less.
    expect(saidBy(input, { vendorId, maxAgeDays: 395 })).toEqual(outcome === 'valid' ? said : outcome);
  });

  it.each(corpus.tcfCost)('$id is read without looking at every vendor', ({ input, vendorConsentFor }) => {
    const { tc, work } = workOf(input);
    expect(typeof tc).not.toBe('string');
    expect(work.reads).toBeLessThan(input.length);
    if (typeof tc === 'string') return;
    for (const [id, has] of Object.entries(vendorConsentFor)) expect(tc.vendorConsents.has(Number(id))).toBe(has);
  });
});

function fieldsExpected({ version, disclosedVendors, publisherTC, publisherRestrictions, ...fields }: NonNullable<TcfVector['decoded']>) {
  expect(version).toBe(2);
  const restrictions: Record<string, readonly number[]> = {};
  for (const { purposeId, restrictionType, ranges } of publisherRestrictions)
    restrictions[`${purposeId}-${restrictionType}`] = ranges.flatMap(([first, last]) => numbersTo(last).slice(first - 1));
  return {
    ...fields,
    disclosedVendors: disclosedVendors ?? [],
    restrictions,
    publisherConsents: publisherTC?.consents ?? [],
    publisherLegitimateInterests: publisherTC?.legitimateInterests ?? [],
    customConsents: publisherTC?.customConsents ?? [],
    customLegitimateInterests: publisherTC?.customLegitimateInterests ?? [],
  };
}

describe('a TC string counts', () => {
  const everything = numbersTo(11);
  const cutoverMs = Date.UTC(2026, 2, 1);
  const ok: TcFields = { day: today - 10, consents: everything, vendorConsents: [1111] };
  const cases: readonly { readonly what: string; readonly fields: Partial<TcFields>; readonly outcome: string }[] = [
    { what: 'as it is', fields: {}, outcome: 'valid' },
    { what: 'of another service', fields: { serviceSpecific: false }, outcome: 'not_service_specific' },
    { what: 'of policy 6, which nobody knows', fields: { policyVersion: 6 }, outcome: 'policy_version_unknown' },
    { what: 'of policy 4, made since March 2026', fields: { policyVersion: 4 }, outcome: 'policy_version' },
    { what: 'of policy 3', fields: { policyVersion: 3, createdMs: cutoverMs - 1, disclosed: null }, outcome: 'policy_version' },
    { what: 'without disclosed vendors, made since March 2026', fields: { disclosed: null }, outcome: 'disclosed_vendors_missing' },
    {
      what: 'made at the beginning of March 2026 without them',
      fields: { createdMs: cutoverMs, disclosed: null },
      outcome: 'disclosed_vendors_missing',
    },
    {
      what: 'made just before March 2026 without them',
      fields: { createdMs: cutoverMs - 100, policyVersion: 4, disclosed: null },
      outcome: 'valid',
    },
    { what: 'updated 24 hours ahead', fields: { lastUpdatedMs: nowMs + 86_400_000 }, outcome: 'valid' },
    { what: 'updated more than 24 hours ahead', fields: { lastUpdatedMs: nowMs + 86_400_100 }, outcome: 'future' },
    { what: 'created more than 24 hours ahead', fields: { createdMs: nowMs + 86_400_100 }, outcome: 'future' },
    { what: 'updated 180 days ago', fields: { day: today - 180 }, outcome: 'valid' },
    { what: 'updated more than 180 days ago', fields: { lastUpdatedMs: nowMs - 180 * 86_400_000 - 100 }, outcome: 'stale' },
    { what: 'of version 1', fields: { version: 1 }, outcome: 'malformed' },
    { what: 'of version 3', fields: { version: 3 }, outcome: 'malformed' },
  ];
  it.each(cases)('$what: $outcome', ({ fields, outcome }) => {
    expect(saidBy(encodeTcString({ ...ok, ...fields }))).toEqual(outcome === 'valid' ? useCases.map(() => 'granted') : outcome);
  });

  it('as long as the policy says', () => {
    const old = granting({ purposes: everything, day: today - 300, createdMs: cutoverMs });
    expect(saidBy(old)).toBe('stale');
    expect(saidBy(old, { maxAgeDays: 395 })).toEqual(useCases.map(() => 'granted'));
  });

  it('of no later day than today, for what was recorded before', () => {
    const ahead = granting({ purposes: everything, day: today + 1 });
    expect(tcfSignals([ahead], contextWith()).signals).toMatchObject([{ day: today }]);
  });
});

describe('a text is no TC string', () => {
  const text = granting({ purposes: [1], day: today });
  const [core = '', disclosed = ''] = text.split('.');
  const publisherTc = encodeTcString({ day: today, disclosed: null, publisherTc: { consents: [], legitimateInterests: [] } }).split('.')[1];
  const allowed = base64url(`010${'0'.repeat(17)}`);
  const cases: readonly { readonly what: string; readonly text: string; readonly error: string }[] = [
    { what: 'with nothing in it', text: '', error: 'truncated' },
    { what: 'with a blank before it', text: ` ${text}`, error: 'alphabet' },
    { what: 'with a line break behind it', text: `${text}\n`, error: 'alphabet' },
    { what: 'with padding', text: `${core}=.${disclosed}`, error: 'alphabet' },
    { what: 'in base64 of the other kind', text: `${core}+.${disclosed}`, error: 'alphabet' },
    { what: 'with a letter from elsewhere', text: text.replace('C', '\u0421'), error: 'alphabet' },
    { what: 'with a segment cut short', text: `${core}.${disclosed.slice(0, 3)}`, error: 'truncated' },
    { what: 'with an empty segment', text: `${text}.`, error: 'truncated' },
    { what: 'with a segment twice', text: `${text}.${disclosed}`, error: 'segments' },
    { what: 'with the core twice', text: `${text}.${core}`, error: 'segments' },
    { what: 'with a segment of a type that is none', text: `${text}.${base64url('100')}`, error: 'segments' },
    { what: 'with five segments', text: `${text}.${allowed}.${publisherTc}.${allowed}`, error: 'segments' },
    {
      what: 'with a restriction of a purpose 0',
      text: encodeTcString({ day: 1, restrictions: [{ purpose: 0, type: 0, ranges: [] }] }),
      error: 'value',
    },
    {
      what: 'with a restriction of a purpose 25',
      text: encodeTcString({ day: 1, restrictions: [{ purpose: 25, type: 0, ranges: [] }] }),
      error: 'value',
    },
    {
      what: 'with a restriction of a kind that is none',
      text: encodeTcString({ day: 1, restrictions: [{ purpose: 1, type: 3, ranges: [] }] }),
      error: 'value',
    },
    {
      what: 'with a restriction backwards',
      text: encodeTcString({ day: 1, restrictions: [{ purpose: 1, type: 0, ranges: [[9, 8]] }] }),
      error: 'range',
    },
    { what: 'with a country that is no letters', text: encodeTcString({ day: 1, publisherCountry: '[]' }), error: 'value' },
    { what: 'with more than the longest', text: `${text}.${'A'.repeat(tcfCharsMax)}`, error: 'too_long' },
  ];
  it.each(cases)('$what: $error', ({ text: given, error }) => {
    expect(readTcString(given)).toBe(error);
    expect(saidBy(given)).toBe('malformed');
  });

  it('and is one whatever the order of its segments', () => {
    const one = fieldsOf(`${core}.${disclosed}.${publisherTc}.${allowed}`, [1111]);
    expect(one).toMatchObject({ disclosedVendors: [1111] });
    expect(fieldsOf(`${core}.${allowed}.${publisherTc}.${disclosed}`, [1111])).toEqual(one);
  });
});

describe('what a TC string comes to', () => {
  const day = today - 10;
  const onlyVendor = { vendorConsents: [1111], vendorInterests: [1111] };
  const everyPurpose = numbersTo(11);
  const restrictedBy = (type: number, purpose: number, first = 1111, last = 1111): Partial<TcFields> => ({
    restrictions: [{ purpose, type, ranges: [[first, last]] }],
  });
  const g = 'granted';
  const d = 'denied';
  const cases: readonly {
    readonly what: string;
    readonly fields: Partial<TcFields>;
    readonly settings?: Partial<ConsentSettings>;
    /** contextual content, contextual offer, personalization, offers, activation content, activation offer, analytics content, analytics offer */
    readonly said: readonly (string | null)[];
  }[] = [
    { what: 'every purpose', fields: { consents: everyPurpose }, said: [g, g, g, g, g, g, g, g] },
    { what: 'no purpose 1', fields: { consents: everyPurpose.slice(1) }, said: [g, g, d, d, d, d, d, d] },
    { what: 'no purpose 2', fields: { consents: without(2) }, said: [g, d, g, g, g, g, g, g] },
    { what: 'no purpose 3', fields: { consents: without(3) }, said: [g, g, g, g, g, d, g, g] },
    { what: 'no purpose 4', fields: { consents: without(4) }, said: [g, g, g, d, g, d, g, g] },
    { what: 'no purpose 5', fields: { consents: without(5) }, said: [g, g, g, g, d, g, g, g] },
    { what: 'no purpose 6', fields: { consents: without(6) }, said: [g, g, d, g, d, g, g, g] },
    { what: 'no purpose 7', fields: { consents: without(7) }, said: [g, g, g, g, g, g, g, d] },
    { what: 'no purpose 8', fields: { consents: without(8) }, said: [g, g, g, g, g, g, d, g] },
    { what: 'no purposes 9 and 10, which we have no use for', fields: { consents: without(9, 10) }, said: [g, g, g, g, g, g, g, g] },
    { what: 'no purpose 11', fields: { consents: without(11) }, said: [d, g, g, g, g, g, g, g] },
    { what: 'every purpose, and no vendor', fields: { consents: everyPurpose, vendorConsents: [755] }, said: [d, d, d, d, d, d, d, d] },
    { what: 'every legitimate interest', fields: { consents: [1], legitimateInterests: everyPurpose }, said: [g, g, d, d, d, d, g, g] },
    {
      what: 'legitimate interest without the vendor',
      fields: { consents: [1], legitimateInterests: everyPurpose, vendorInterests: [755] },
      said: [d, d, d, d, d, d, d, d],
    },
    { what: 'everything, and we were not disclosed', fields: { consents: everyPurpose, disclosed: [755] }, said: nothing },
    { what: 'nothing, and we were not disclosed', fields: { disclosed: [755] }, said: nothing },
    { what: 'everything, to a vendor that is none', fields: { consents: everyPurpose }, settings: { vendorId: null }, said: nothing },
    { what: 'purpose 6 not allowed', fields: { consents: everyPurpose, ...restrictedBy(0, 6) }, said: [g, g, d, g, d, g, g, g] },
    {
      what: 'purpose 6 by legitimate interest alone',
      fields: { consents: everyPurpose, ...restrictedBy(2, 6) },
      said: [g, g, d, g, d, g, g, g],
    },
    {
      what: 'purpose 6 by consent alone, as we ask for it',
      fields: { consents: everyPurpose, ...restrictedBy(1, 6) },
      said: [g, g, g, g, g, g, g, g],
    },
    {
      what: 'purpose 7 by consent alone, but there is none',
      fields: { consents: without(7), legitimateInterests: [7], ...restrictedBy(1, 7) },
      said: [g, g, g, g, g, g, g, d],
    },
    {
      what: 'purpose 7 by legitimate interest alone, which there is',
      fields: { consents: everyPurpose, legitimateInterests: [7], ...restrictedBy(2, 7) },
      said: [g, g, g, g, g, g, g, g],
    },
    {
      what: 'purpose 7 not allowed, on either basis',
      fields: { consents: everyPurpose, legitimateInterests: [7], ...restrictedBy(0, 7) },
      said: [g, g, g, g, g, g, g, d],
    },
    {
      what: 'a restriction of other vendors',
      fields: { consents: everyPurpose, ...restrictedBy(0, 6, 1, 1110) },
      said: [g, g, g, g, g, g, g, g],
    },
    {
      what: 'a restriction of a range with us in it',
      fields: { consents: everyPurpose, ...restrictedBy(0, 6, 2, 65_535) },
      said: [g, g, d, g, d, g, g, g],
    },
    {
      what: 'a purpose 1 that nobody was asked about, in a country where it is needed',
      fields: { consents: everyPurpose, purposeOneTreatment: true, publisherCountry: 'FR' },
      said: [g, g, null, null, null, null, null, null],
    },
    {
      what: 'the same without purpose 6: that is a no',
      fields: { consents: without(6), purposeOneTreatment: true, publisherCountry: 'FR' },
      said: [g, g, d, null, d, null, null, null],
    },
    {
      what: 'the same in a country of the list',
      fields: { consents: without(1), purposeOneTreatment: true, publisherCountry: 'DE' },
      said: [g, g, g, g, g, g, g, g],
    },
    {
      what: 'everything to us and nothing to the publisher, on the publisher path',
      fields: { consents: everyPurpose, publisherTc: { consents: [], legitimateInterests: [] } },
      settings: { path: 'publisher' },
      said: [d, d, d, d, d, d, d, d],
    },
    {
      what: 'nothing to us and everything to the publisher, on the publisher path',
      fields: { vendorConsents: [], disclosed: [], publisherTc: { consents: everyPurpose, legitimateInterests: [] } },
      settings: { path: 'publisher', vendorId: null },
      said: [g, g, g, g, g, g, g, g],
    },
    {
      what: 'legitimate interests of the publisher, on the publisher path',
      fields: { publisherTc: { consents: [1], legitimateInterests: everyPurpose } },
      settings: { path: 'publisher' },
      said: [g, g, d, d, d, d, g, g],
    },
    {
      what: 'nothing of the publisher, on the publisher path',
      fields: { consents: everyPurpose },
      settings: { path: 'publisher' },
      said: nothing,
    },
    {
      what: 'everything to the publisher, on the vendor path',
      fields: { publisherTc: { consents: everyPurpose, legitimateInterests: everyPurpose } },
      said: [d, d, d, d, d, d, d, d],
    },
  ];
  it.each(cases)('$what', ({ fields, settings: changes = {}, said }) => {
    expect(saidBy(encodeTcString({ day, ...onlyVendor, ...fields }), { ...changes })).toEqual(said);
  });

  function without(...purposes: readonly number[]): readonly number[] {
    return everyPurpose.filter((purpose) => !purposes.includes(purpose));
  }
});

interface Work {
  /** Of bits. */
  reads: number;
  /** Of ids with ranges. */
  comparisons: number;
}

/** What reading a text and asking it everything that we ask costs, in steps. */
function workOf(text: string): { readonly tc: ReturnType<typeof readTcString>; readonly work: Work } {
  const work: Work = { reads: 0, comparisons: 0 };
  const counted = (['read', 'skip', 'bitAt'] as const).map((name) => vi.spyOn(BitReader.prototype, name));
  const compared = vi.spyOn(VendorRanges.prototype, 'has');
  tcfSignals([text], contextWith({ maxAgeDays: 395 }));
  work.reads = counted.reduce((sum, { mock }) => sum + mock.calls.length, 0);
  for (const ranges of compared.mock.contexts as VendorRanges[]) work.comparisons += ranges.firsts.length;
  vi.restoreAllMocks();
  return { tc: readTcString(text), work };
}

describe('no text is too much', () => {
  afterEach(() => vi.restoreAllMocks());
  console.log(`texts that are TC strings or not: seed ${seed}, replay with FC_SEED=${seed}`);
  const runs = process.env.STEPWELL_TEST_LONG === '1' ? 200_000 : 3000;

  const day = today - 10;
  const wide = (count: number) => Array.from({ length: count }, () => [1, 65_535] as const);
  const heaviest: readonly { readonly what: string; readonly text: string }[] = [
    { what: 'ranges over every vendor', text: encodeTcString({ day, vendorConsents: { maxVendorId: 65_535, ranges: wide(700) } }) },
    {
      what: 'single ids, the most that fit',
      text: encodeTcString({
        day,
        vendorConsents: { maxVendorId: 65_535, ranges: Array.from({ length: 1360 }, () => [1110, 1110] as const) },
      }),
    },
    {
      what: 'restrictions of nobody, the most that fit',
      text: encodeTcString({ day, restrictions: Array.from({ length: 1150 }, () => ({ purpose: 1, type: 0, ranges: [] })) }),
    },
    {
      what: 'restrictions over every vendor',
      text: encodeTcString({ day, restrictions: Array.from({ length: 430 }, () => ({ purpose: 1, type: 0, ranges: wide(1) })) }),
    },
    { what: 'a bit for each of many vendors', text: encodeTcString({ day, vendorConsents: [23_000] }) },
    { what: 'ranges of the disclosed', text: encodeTcString({ day, disclosed: { maxVendorId: 65_535, ranges: wide(700) } }) },
  ];
  it.each(heaviest)('$what: fewer steps than the text has characters', ({ text }) => {
    expect(text.length).toBeGreaterThan(3800);
    expect(text.length).toBeLessThanOrEqual(tcfCharsMax);
    const { tc, work } = workOf(text);
    expect(typeof tc).toBe('object');
    expect(work.reads).toBeLessThan(text.length + 100);
    expect(work.comparisons).toBeLessThan(text.length);
  });

  const anything = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.string({ unit: fc.constantFrom(...'ABCDQgxyz019-_.'), maxLength: 400 }),
    fc.string({ unit: fc.constantFrom(...'ABCDQgxyz019-_.'), maxLength: 300 }).map((rest) => `CQ${rest}`),
    fc.nat(5000).map((length) => `CQtAQoAQtAQoAEsABBENCWFgAP_gAAAAAAYg${'_'.repeat(length)}`),
    fc.tuple(fc.constantFrom(...corpus.tcf.map(({ input }) => input)), fc.nat(), fc.string({ maxLength: 4 })).map(([text, at, put]) => {
      const start = at % (text.length + 1);
      return text.slice(0, start) + put + text.slice(start + put.length);
    }),
  );

  it('whatever it is: a TC string or one of the errors, and never a throw', { timeout: 0 }, () => {
    fc.assert(
      fc.property(anything, (text) => {
        const read = readTcString(text);
        if (typeof read === 'string') expect(consentErrors).toContain(read);
        const { signals } = tcfSignals([text], contextWith());
        if (typeof read === 'string') expect(signals).toEqual([{ state: 'invalid' }]);
      }),
      { numRuns: runs, seed },
    );
  });
});
