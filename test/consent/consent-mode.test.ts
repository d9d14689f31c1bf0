/** Google Consent Mode: every combination of its types, and whatever else an object may hold. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consentModeSignals, consentModeTypes } from '../../src/consent/consent-mode.ts';
import { type UseCase, useCases } from '../../src/decision/vocabulary.ts';
import { statesInOrder, statesOf } from './states-of.ts';
import { signalsOfConsentMode } from './us-vectors.ts';

const words = [undefined, 'granted', 'denied'] as const;
const origins = [undefined, '', 'update', 'default', 'UPDATE'] as const;

/** By the mapping table of the rules, written out once more. */
const needs: Partial<Record<UseCase, string>> = {
  content_personalization: 'personalization_storage',
  offers: 'ad_storage ad_personalization',
  profile_activation_content: 'personalization_storage',
  profile_activation_offer: 'ad_storage ad_user_data ad_personalization',
  analytics_content: 'analytics_storage',
  analytics_offer: 'ad_storage analytics_storage',
};

function expectedOf(mode: Readonly<Record<string, string | undefined>>): readonly string[] {
  const mayGrant = mode.origin !== 'default' && mode.origin !== 'UPDATE';
  return useCases.map((useCase) => {
    const said = needs[useCase]?.split(' ').map((type) => mode[type]) ?? [undefined];
    if (said.includes('denied')) return 'denied';
    return mayGrant && said.every((word) => word === 'granted') ? 'granted' : 'unavailable';
  });
}

describe('a consent mode', () => {
  it('denies what any of its types denies, and grants what all of them grant unless it is a default', () => {
    for (let combination = 0; combination < words.length ** consentModeTypes.length; combination += 1) {
      const mode: Record<string, string | undefined> = {};
      for (const [index, type] of consentModeTypes.entries()) {
        const word = words[Math.floor(combination / words.length ** index) % words.length];
        if (word !== undefined) mode[type] = word;
      }
      for (const origin of origins) {
        const given = origin === undefined ? mode : { ...mode, origin };
        expect(statesInOrder(signalsOfConsentMode(given))).toEqual(expectedOf(given));
      }
    }
  });

  it('says nothing where it is absent or empty', () => {
    for (const given of [undefined, {}, { origin: 'update' }, { ad_storage: '' }, { ad_storage: undefined }])
      expect(consentModeSignals(given)).toEqual([]);
  });

  it('is what it holds itself, not what it inherits', () => {
    expect(consentModeSignals(Object.create({ ad_storage: 'denied', personalization_storage: 'granted' }))).toEqual([]);
    const inheritingOrigin = Object.assign(Object.create({ origin: 'default' }), { personalization_storage: 'granted' });
    expect(statesOf(signalsOfConsentMode(inheritingOrigin)).content_personalization).toBe('granted');
  });

  it('is read whatever it holds, and grants nothing by a word that is not exactly `granted`', () => {
    const given = fc.dictionary(fc.constantFrom(...consentModeTypes, 'origin', 'gcs', 'gcd', '__proto__', 'x'), fc.anything());
    fc.assert(
      fc.property(given, (mode) => {
        const states = statesOf(signalsOfConsentMode(mode));
        for (const useCase of useCases)
          if (states[useCase] === 'granted') for (const type of needs[useCase]?.split(' ') ?? ['none']) expect(mode[type]).toBe('granted');
      }),
      { numRuns: 2000 },
    );
  });

  it('grants nothing beside a word that is unclear, and keeps what it denies', () => {
    for (const word of ['GRANTED', 'Denied', ' denied', 'no', 1, null, true]) {
      const readings = consentModeSignals({ personalization_storage: 'granted', ad_storage: 'denied', security_storage: word });
      expect(readings.map(({ outcome }) => outcome)).toEqual(['malformed', 'valid']);
      const states = statesOf(signalsOfConsentMode({ personalization_storage: 'granted', ad_storage: 'denied', security_storage: word }));
      expect(states.content_personalization).toBe('unavailable');
      expect(states.offers).toBe('denied');
    }
  });
});
