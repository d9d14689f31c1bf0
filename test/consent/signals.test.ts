import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consentSignals, type WireConsent } from '../../src/consent/signals.ts';

function signalsOf(wire: WireConsent) {
  return consentSignals(wire, undefined).signals;
}

const invalid = { state: 'invalid' };

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
    { what: 'a TC string, which is not decoded', wire: { tcf: 'CQ', gdprApplies: true }, signals: [invalid] },
    { what: 'a GPP string, which is not decoded', wire: { gpp: 'DB' }, signals: [invalid] },
    { what: 'a US Privacy string, which is not decoded', wire: { usPrivacy: '1YNN' }, signals: [invalid] },
    { what: 'a consent mode, which is not decoded', wire: { googleConsentMode: { ad_storage: 'granted' } }, signals: [invalid] },
    { what: 'a consent mode without consent', wire: { googleConsentMode: { origin: 'update', gcs: 'G111' } }, signals: [] },
    { what: 'a consent mode with an empty value', wire: { googleConsentMode: { ad_storage: '' } }, signals: [] },
    {
      what: 'one denial beside what is not decoded',
      wire: { useCases: { offers: 'denied' }, tcf: 'CQ', gpp: 'DB' },
      signals: [{ state: 'valid', useCases: { offers: 'denied' } }, invalid, invalid],
    },
  ];
  it.each(cases)('may be $what', ({ wire, signals }) => {
    expect(signalsOf(wire)).toEqual(signals);
  });

  it('never turns into permission by a signal that was not decoded', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.constantFrom('tcf', 'gpp', 'usPrivacy'), (text, name) => {
        expect(signalsOf({ [name]: text })).toEqual([invalid]);
      }),
    );
  });

  it('is nothing where the request has no such member', () => {
    expect(consentSignals(undefined, undefined)).toEqual({ signals: [], gpc: false });
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
    expect(consentSignals(undefined, lines).gpc).toBe(gpc);
  });

  it('is a member that is exactly 1, however many there are (compared with splitting and trimming)', () => {
    const text = fc.array(fc.constantFrom('1', '0', ',', ' ', '\t', '\u00a0', '11'), { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 3 }), (lines) => {
        const expected = lines.flatMap((line) => line.split(',')).some((member) => member.replace(/^[ \t]+|[ \t]+$/g, '') === '1');
        expect(consentSignals(undefined, lines).gpc).toBe(expected);
      }),
    );
  });

  it('is seen in the table by comparing the joined header with 1, the usual fault', () => {
    const naive = (lines: readonly string[] | undefined) => lines?.join(', ') === '1';
    expect(fieldLines.filter(({ lines, gpc }) => naive(lines) !== gpc).length).toBeGreaterThan(3);
  });
});
