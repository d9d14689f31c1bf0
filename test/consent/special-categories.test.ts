/** A US signal that refuses the use of sensitive data closes what only an explicit grant opens, and nothing else. */
import { describe, expect, it } from 'vitest';
import { usSectionKinds } from '../../src/consent/gpp-us-sections.ts';
import { regimes } from '../../src/consent/signal.ts';
import { weighConsent } from '../../src/decision/consent.ts';
import { type ConsentSignal, noEvidence, type StoredConsent } from '../../src/decision/facts.ts';
import { weighIdentity } from '../../src/decision/identity.ts';
import { gppOf, usSectionText } from './encode-gpp.ts';
import { settings } from './states-of.ts';
import { signalsOfGpp } from './us-vectors.ts';

const known: StoredConsent = { useCases: { content_personalization: 'granted', 'category:health': 'granted' }, recordedAtMs: 0 };

/** Of somebody whom a token proves and whose stored record grants the category. */
function weighed(signals: readonly ConsentSignal[]) {
  const token = { subject: 'ada', method: 'deterministic', expired: false, authTimeSeconds: 0, generation: 0, binding: 'proved' } as const;
  const identity = {
    ...noEvidence.identity,
    token: { state: 'verified', ...token },
    generation: { state: 'known', value: 0 },
    tokenRevoked: { state: 'known', value: false },
  } as const;
  const consent = { ...noEvidence.consent, signals, stored: { state: 'known', value: known } } as const;
  return weighConsent(settings, { ...noEvidence, identity, consent }, weighIdentity(identity), 0);
}

function national(values: readonly number[]): string {
  const kind = usSectionKinds.find(({ name }) => name === 'usnat');
  if (kind === undefined) throw new Error('no such section');
  return gppOf([[kind.id, usSectionText(kind, { version: 2, lists: { SensitiveDataProcessing: values } })]]);
}

describe('a special category that a stored record grants', () => {
  it('is open without a word of a US signal, and with its consent', () => {
    expect(weighed([]).explicit).toEqual(known);
    for (const regime of regimes) expect(weighed(signalsOfGpp(national([2, 2, 2]), regime)).explicit).toEqual(known);
  });

  it('is closed by the refusal of any kind of sensitive data, in every place', () => {
    for (let index = 0; index < 16; index += 1) {
      const refused = Array.from({ length: 16 }, (_, at) => (at === index ? 1 : 2));
      for (const regime of regimes) {
        const view = weighed(signalsOfGpp(national(refused), regime));
        expect(view.explicit).toBeNull();
        expect(view.states.content_personalization).toBe('granted');
      }
    }
  });
});
