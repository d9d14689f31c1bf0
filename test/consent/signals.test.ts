import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HearingOptions, hearConsent, type WireConsent } from '../../src/consent/signals.ts';
import { dayOfMs, encodeTcString, granting } from './encode-tcf.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);
const options: HearingOptions = {
  settings: { path: 'vendor', vendorId: 1111, maxAgeDays: 180, regimes: { US: 'us_opt_out', FR: 'opt_in' }, purposeOneCountries: [] },
  country: undefined,
  nowMs,
};

function hear(wire: WireConsent, changes: Partial<HearingOptions> = {}) {
  return hearConsent(wire, undefined, { ...options, ...changes });
}

function signalsOf(wire: WireConsent, changes: Partial<HearingOptions> = {}) {
  return hear(wire, changes).signals;
}

const invalid = { state: 'invalid' };
const today = dayOfMs(nowMs);
const full = granting({ purposes: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], day: today - 10 });
const refusal = granting({ purposes: [], day: today - 10 });
const everything = {
  contextual_content: 'granted',
  contextual_offer: 'granted',
  content_personalization: 'granted',
  offers: 'granted',
  profile_activation_content: 'granted',
  profile_activation_offer: 'granted',
  analytics_content: 'granted',
  analytics_offer: 'granted',
};
const nothingAtAll = Object.fromEntries(Object.keys(everything).map((useCase) => [useCase, 'denied']));

describe('what a request says about consent', () => {
  const cases: readonly { readonly what: string; readonly wire: WireConsent; readonly signals: readonly object[] }[] = [
    { what: 'nothing', wire: {}, signals: [] },
    { what: 'empty strings, which are absent signals', wire: { tcf: '', gpp: '', usPrivacy: '' }, signals: [] },
    { what: 'only that the GDPR applies', wire: { gdprApplies: false }, signals: [] },
    {
      what: 'explicit use cases',
      wire: { useCases: { offers: 'granted', content_personalization: 'denied' } },
      signals: [{ state: 'valid', useCases: { offers: 'granted', content_personalization: 'denied' } }],
    },
    {
      what: 'a use case as unavailable, which says nothing of it',
      wire: { useCases: { offers: 'unavailable', analytics_offer: 'denied' } },
      signals: [{ state: 'valid', useCases: { analytics_offer: 'denied' } }],
    },
    { what: 'every use case as unavailable', wire: { useCases: { offers: 'unavailable' } }, signals: [] },
    { what: 'a TC string that cannot be read', wire: { tcf: 'CQ', gdprApplies: true }, signals: [invalid] },
    { what: 'a GPP string that cannot be read', wire: { gpp: 'DB' }, signals: [invalid] },
    { what: 'a US Privacy string that cannot be read', wire: { usPrivacy: '1y' }, signals: [invalid] },
    { what: 'a consent mode without consent', wire: { googleConsentMode: { origin: 'update', gcs: 'G111' } }, signals: [] },
    { what: 'a consent mode with an empty value', wire: { googleConsentMode: { ad_storage: '' } }, signals: [] },
    { what: 'a TC string that grants', wire: { tcf: full }, signals: [{ state: 'valid', day: today - 10, useCases: everything }] },
    { what: 'a TC string that refuses', wire: { tcf: refusal }, signals: [{ state: 'valid', day: today - 10, useCases: nothingAtAll }] },
    {
      what: 'a TC string inside a GPP string',
      wire: { gpp: `DBABMA~${full}` },
      signals: [{ state: 'valid', day: today - 10, useCases: everything }],
    },
    {
      what: 'a TC string inside a GPP string that cannot be read',
      wire: { gpp: 'DBABMA~CQ' },
      signals: [invalid],
    },
    {
      what: 'one denial beside what cannot be read',
      wire: { useCases: { offers: 'denied' }, tcf: 'CQ', gpp: 'DB' },
      signals: [{ state: 'valid', useCases: { offers: 'denied' } }, invalid, invalid],
    },
  ];
  it.each(cases)('may be $what', ({ wire, signals }) => {
    const heard = signalsOf(wire);
    expect(heard).toEqual(expect.arrayContaining([...signals]));
    expect(heard).toHaveLength(signals.length);
  });

  it('never turns into permission by a text that nobody can read', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.constantFrom('tcf', 'gpp', 'usPrivacy'), (text, name) => {
        expect(signalsOf({ [name]: text })).toEqual([invalid]);
      }),
    );
  });

  it('is nothing where the request has no such member', () => {
    expect(hearConsent(undefined, undefined, options)).toMatchObject({ signals: [], gpc: false });
  });

  it('is told by its outcomes alone: absent, valid and invalid are three, and none holds a word of the text', () => {
    const stale = granting({ purposes: [1, 6], day: today - 181 });
    const { outcomes } = hearConsent({ tcf: stale, gpp: 'Zz~canary', useCases: { offers: 'denied' } }, ['0'], options);
    expect(outcomes).toEqual({
      tcf: 'stale',
      gpp: 'malformed',
      usPrivacy: 'absent',
      googleConsentMode: 'absent',
      useCases: 'valid',
      secGpc: 'valid',
    });
  });
});

describe('the outcome of a source', () => {
  it('is the first that does not count, where several of its signals were heard', () => {
    const { outcomes } = hear({ gpp: `DBACNYA~CQ~1YNN`, usPrivacy: '1yyy', googleConsentMode: { ad_storage: 'granted' } });
    expect(outcomes).toMatchObject({
      gpp: 'malformed',
      usPrivacy: 'malformed',
      googleConsentMode: 'valid',
      tcf: 'absent',
      secGpc: 'absent',
    });
    expect(hearConsent({}, [], options).outcomes.secGpc).toBe('absent');
  });
});

describe('an opt-in to a special feature', () => {
  const optedIn = granting({ purposes: [1], day: today - 10, specialFeatures: [1] });

  it.each([
    { what: 'counts', wire: { tcf: optedIn }, specialFeatures: [1] },
    { what: 'counts inside a GPP string', wire: { gpp: `DBABMA~${optedIn}` }, specialFeatures: [1] },
    { what: 'is missing', wire: { useCases: { offers: 'granted' } }, specialFeatures: [] },
    { what: 'stands beside a known child', wire: { tcf: optedIn, gpp: 'DBABLA~CVVVkkkkkpFY.YA' }, specialFeatures: [] },
    { what: 'stands beside what cannot be read', wire: { tcf: optedIn, usPrivacy: '1yyy' }, specialFeatures: [] },
    { what: 'stands beside a string of the same day without it', wire: { tcf: optedIn, gpp: `DBABMA~${full}` }, specialFeatures: [] },
    {
      what: 'stands beside a string of the same day that did not tell of us',
      wire: { tcf: optedIn, gpp: `DBABMA~${granting({ purposes: [1], day: today - 10, specialFeatures: [1], disclosed: [755] })}` },
      specialFeatures: [],
    },
    { what: 'cannot be read', wire: { tcf: 'CQ' }, specialFeatures: [] },
  ] satisfies { what: string; wire: WireConsent; specialFeatures: number[] }[])('$what: $specialFeatures', ({ wire, specialFeatures }) => {
    expect(hear(wire).specialFeatures).toEqual(specialFeatures);
  });

  it('is none where nothing was said, and none under rules that are not the TCF\u2019s', () => {
    expect(hearConsent(undefined, undefined, options).specialFeatures).toEqual([]);
    expect(hear({ tcf: optedIn }, { country: 'US' }).specialFeatures).toEqual([]);
  });
});

describe('the regime of the visitor', () => {
  it.each(['DE', 'FR', 'us', 'toString', '', undefined, 7, ['US']])('takes no US grant where the country is %j', (country) => {
    expect(signalsOf({ gpp: 'DBABL~BVQqAAAAAg' }, { country })).toEqual([]);
    expect(signalsOf({ usPrivacy: '1YNN' }, { country })).toEqual([]);
  });

  it('takes no grant of a TC string where US rules hold, and no day from it', () => {
    expect(signalsOf({ tcf: full }, { country: 'US' })).toEqual([]);
  });

  it('honours denials wherever the visitor is', () => {
    expect(signalsOf({ tcf: refusal }, { country: 'US' })).toMatchObject([{ useCases: nothingAtAll }]);
    expect(signalsOf({ usPrivacy: '1YYN' }, { country: 'DE' })).toMatchObject([{ useCases: { offers: 'denied' } }]);
  });

  it('hears that the GDPR applies, unless it is said that it does not: then a TC string only denies', () => {
    expect(signalsOf({ tcf: full, gdprApplies: true })).toEqual(signalsOf({ tcf: full }));
    expect(signalsOf({ tcf: full, gdprApplies: false })).toEqual([]);
    expect(signalsOf({ tcf: refusal, gdprApplies: false })).toMatchObject([{ useCases: nothingAtAll }]);
  });
});

describe('two TC strings', () => {
  const inGpp = (tcf: string) => `DBABMA~${tcf}`;
  const of = (purposes: readonly number[], day: number) => granting({ purposes, day });
  const said = (one: string, other: string) => {
    const signals = signalsOf({ tcf: one, gpp: inGpp(other) });
    const swapped = signalsOf({ tcf: other, gpp: inGpp(one) });
    expect(new Set(swapped.map((signal) => JSON.stringify(signal)))).toEqual(new Set(signals.map((signal) => JSON.stringify(signal))));
    return signals;
  };

  it('of different days: the later one counts', () => {
    expect(said(of([], today - 3), full)).toEqual([{ state: 'valid', day: today - 3, useCases: nothingAtAll }]);
    const later = granting({ purposes: [1, 2, 3, 4, 5, 6, 7, 8, 11], day: today - 3 });
    expect(said(later, refusal)).toEqual([{ state: 'valid', day: today - 3, useCases: everything }]);
  });

  it('of different days: what the later one does not grant, the earlier one still denies', () => {
    const laterOfOthers = granting({ purposes: [1, 2, 3, 4, 5, 6, 7, 8, 11], day: today - 3, disclosed: [755] });
    expect(said(laterOfOthers, refusal)).toEqual([{ state: 'valid', day: today - 3, useCases: nothingAtAll }]);
    expect(said(laterOfOthers, full)).toEqual([]);
  });

  it('of different days, the earlier one stale: nothing is granted', () => {
    expect(said(full, of([], today - 300))).toEqual([invalid, { state: 'valid', day: today - 10, useCases: everything }]);
  });

  it('of one day, of which one does not tell of us: what the other denies stays denied, what it grants is not granted', () => {
    const ofOthers = granting({ purposes: [1, 2, 3, 4, 5, 6, 7, 8, 11], day: today - 10, disclosed: [755] });
    expect(said(ofOthers, of([], today - 10))).toEqual([{ state: 'valid', day: today - 10, useCases: nothingAtAll }]);
    expect(said(ofOthers, full)).toEqual([]);
  });

  it('of one day: the stricter bit of each counts', () => {
    const [signal, ...more] = said(of([1, 6, 8], today - 10), of([1, 4, 6], today - 10));
    expect(more).toEqual([]);
    expect(signal).toMatchObject({ useCases: { content_personalization: 'granted', offers: 'denied', analytics_content: 'denied' } });
  });

  it('of one day, the one by consent and the other by legitimate interest: neither bit is in both', () => {
    const byInterest = encodeTcString({ day: today - 10, legitimateInterests: [11], consents: [1], vendorConsents: [1111] });
    expect(said(of([1, 11], today - 10), byInterest)).toMatchObject([{ useCases: { contextual_content: 'denied' } }]);
  });

  it('of which one cannot be read, or the later one may not be relied on: nothing is granted', () => {
    expect(said(full, 'CQ')).toContainEqual(invalid);
    const laterOfAnotherService = granting({ purposes: [1, 6], day: today - 3, serviceSpecific: false });
    expect(said(laterOfAnotherService, full)).toContainEqual(invalid);
    expect(said(laterOfAnotherService, refusal)).toContainEqual({ state: 'valid', day: today - 10, useCases: nothingAtAll });
    const fromTheFuture = of([], today + 3);
    expect(said(fromTheFuture, full)).toContainEqual(invalid);
  });
});

/** Several lines, as `headersDistinct` gives them. */
const fieldLines: readonly { readonly lines: readonly string[] | undefined; readonly gpc: boolean }[] = [
  { lines: undefined, gpc: false },
  { lines: [], gpc: false },
  { lines: ['1'], gpc: true },
  { lines: [''], gpc: false },
  { lines: ['0'], gpc: false },
  { lines: ['true'], gpc: false },
  { lines: ['11'], gpc: false },
  { lines: ['1.0'], gpc: false },
  { lines: ['+1'], gpc: false },
  { lines: ['01'], gpc: false },
  { lines: ['"1"'], gpc: false },
  { lines: ['?1'], gpc: false },
  { lines: ['1;a'], gpc: false },
  { lines: ['1 1'], gpc: false },
  { lines: ['\uff11'], gpc: false },
  { lines: ['\u00a01'], gpc: false },
  { lines: [' 1 '], gpc: true },
  { lines: ['\t1\t'], gpc: true },
  { lines: ['0', '1'], gpc: true },
  { lines: ['1', '0'], gpc: true },
  { lines: ['0, 1'], gpc: true },
  { lines: ['1, 0'], gpc: true },
  { lines: ['0 ,\t1 , 0'], gpc: true },
  { lines: ['0,,1'], gpc: true },
  { lines: ['0, 11'], gpc: false },
  { lines: [',', ''], gpc: false },
];

describe('Sec-GPC', () => {
  it.each(fieldLines)('$lines is $gpc', ({ lines, gpc }) => {
    expect(hearConsent(undefined, lines, options).gpc).toBe(gpc);
  });

  it('is a member that is exactly 1, however many there are (compared with splitting and trimming)', () => {
    const text = fc.array(fc.constantFrom('1', '0', ',', ' ', '\t', '\u00a0', '11'), { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 3 }), (lines) => {
        const expected = lines.flatMap((line) => line.split(',')).some((member) => member.replace(/^[ \t]+|[ \t]+$/g, '') === '1');
        expect(hearConsent(undefined, lines, options).gpc).toBe(expected);
      }),
    );
  });

  it('is seen in the table by comparing the joined header with 1, the usual fault', () => {
    const naive = (lines: readonly string[] | undefined) => lines?.join(', ') === '1';
    expect(fieldLines.filter(({ lines, gpc }) => naive(lines) !== gpc).length).toBeGreaterThan(3);
  });
});
