/** What signals come to, by the decision core, for a visitor of whom nothing else is known. */
import { weighConsent } from '../../src/decision/consent.ts';
import type { ConsentSignal } from '../../src/decision/facts.ts';
import { noEvidence } from '../../src/decision/facts.ts';
import { weighIdentity } from '../../src/decision/identity.ts';
import { type ConsentState, type UseCase, useCases } from '../../src/decision/vocabulary.ts';

export const settings = { path: 'vendor', vendorId: 1111, maxAgeDays: 180, regimes: {}, purposeOneCountries: [] } as const;

export function statesOf(signals: readonly ConsentSignal[], gpc = false): Readonly<Record<UseCase, ConsentState>> {
  const evidence = { ...noEvidence, consent: { ...noEvidence.consent, signals, gpc } };
  return weighConsent(settings, evidence, weighIdentity(evidence.identity), 0).states;
}

/** In the order of the vocabulary. */
export function statesInOrder(signals: readonly ConsentSignal[], gpc = false): readonly ConsentState[] {
  const states = statesOf(signals, gpc);
  return useCases.map((useCase) => states[useCase]);
}
