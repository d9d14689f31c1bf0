/** The corpus of GPP, US Privacy and Consent Mode, read by our decoders and weighed by the decision core. */
import { describe, expect, it } from 'vitest';
import { hearConsent, type WireConsent } from '../../src/consent/signals.ts';
import { useCases } from '../../src/decision/vocabulary.ts';
import { settings, statesInOrder } from './states-of.ts';
import { corpusUseCases, vectorsOf } from './us-corpus.ts';
import { marksOfUsPrivacy, saidByGpp, signalsOfConsentMode, signalsOfUsPrivacy } from './us-vectors.ts';

it('the corpus lists use cases in the order of the vocabulary', () => {
  expect(corpusUseCases).toEqual(useCases);
});

describe('a GPP string', () => {
  it.each(vectorsOf('gpp'))('$id', ({ input, expected }) => {
    const said = saidByGpp(input);
    expect(said).toMatchObject(expected);
    if ('sectionIds' in expected && 'sectionIds' in said) {
      expect(Object.keys(said.sections)).toEqual(Object.keys(expected.sections));
      // A subsection that is not there is never told as switched off.
      for (const [name, fields] of Object.entries(said.sections)) expect('Gpc' in fields).toBe('Gpc' in (expected.sections[name] ?? {}));
    }
  });
});

describe('a US Privacy string, under the opt-out rules', () => {
  it.each(vectorsOf('usp'))('$id `$input`', ({ input, expected }) => {
    expect(marksOfUsPrivacy(input)).toBe(expected.decodes ? expected.marks : null);
    expect(statesInOrder(signalsOfUsPrivacy(input, 'us_opt_out'))).toEqual(expected.states);
  });
});

describe('a consent mode', () => {
  it.each(vectorsOf('google-consent-mode'))('$id', ({ input, expected }) => {
    expect(statesInOrder(signalsOfConsentMode(input))).toEqual(expected);
  });

  it.each(vectorsOf('google-consent-mode-gcs').flatMap(({ input }) => input))('grants nothing by `gcs`: %s', (gcs) => {
    expect(signalsOfConsentMode({ gcs, origin: 'update' })).toEqual([]);
  });
});

describe('a field of `Sec-GPC`', () => {
  it.each(vectorsOf('sec-gpc'))('$id $input', ({ input, expected }) => {
    expect(heard({}, input).gpc).toBe(expected);
  });
});

describe('what a request says', () => {
  const expectedOf = [
    ...vectorsOf('usp').map(({ id, input, expected }) => ({ id, wire: { usPrivacy: input }, states: expected.states })),
    ...vectorsOf('google-consent-mode').map(({ id, input, expected }) => ({ id, wire: { googleConsentMode: input }, states: expected })),
  ];
  it.each(expectedOf)('comes to the same for a whole request from where the opt-out rules hold: $id', ({ wire, states }) => {
    expect(statesInOrder(heard(wire).signals)).toEqual(states);
  });

  it.each(vectorsOf('usp'))('grants nothing by $id elsewhere, and denies the same', ({ input, expected }) => {
    const elsewhere = statesInOrder(heard({ usPrivacy: input }, [], 'FR').signals);
    expect(elsewhere).toEqual(expected.states.map((state) => (state === 'granted' ? 'unavailable' : state)));
  });
});

function heard(wire: WireConsent, secGpc: readonly string[] = [], country = 'US') {
  return hearConsent(wire, secGpc, { settings: { ...settings, regimes: { US: 'us_opt_out' } }, country, nowMs: 0 });
}
