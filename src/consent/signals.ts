/**
 * Turns what a request says about consent into signals. It is total and bounded: whatever it cannot read becomes an `invalid`
 * signal, which takes grants away and gives none. How signals combine is decided elsewhere, in the decision core.
 */
import type { ConsentSignal, RequestConsent } from '../decision/facts.ts';
import { type ConsentState, type UseCase, useCases } from '../decision/vocabulary.ts';

/** The `consent` member of a request, as it came over the wire. An empty string is an absent signal. */
export interface WireConsent {
  readonly tcf?: string | undefined;
  readonly gdprApplies?: boolean | undefined;
  readonly gpp?: string | undefined;
  readonly usPrivacy?: string | undefined;
  readonly googleConsentMode?: { readonly [key: string]: unknown } | undefined;
  readonly useCases?: { readonly [useCase in UseCase]?: ConsentState | undefined } | undefined;
}

/** The seven consent types of Google Consent Mode v2; anything else in the object says nothing about consent. */
const consentModeKeys = [
  'ad_storage',
  'ad_user_data',
  'ad_personalization',
  'analytics_storage',
  'functionality_storage',
  'personalization_storage',
  'security_storage',
] as const;

const invalid: ConsentSignal = { state: 'invalid' };

/** `secGpcFieldLines`: every `Sec-GPC` line apart (`headersDistinct`), because joined lines hide a `1` beside a `0`. */
export function consentSignals(wire: WireConsent | undefined, secGpcFieldLines: readonly string[] | undefined): RequestConsent {
  return { signals: wire === undefined ? [] : signalsOf(wire), gpc: receivedGpc(secGpcFieldLines) };
}

function signalsOf(wire: WireConsent): readonly ConsentSignal[] {
  const signals: ConsentSignal[] = [];
  const explicit = explicitSignal(wire.useCases);
  if (explicit !== null) signals.push(explicit);
  // SEAM: the decoders of these four go here. Until one can be read, it may hide a denial, so it counts as invalid.
  for (const undecoded of [wire.tcf, wire.gpp, wire.usPrivacy]) {
    if (undecoded !== undefined && undecoded !== '') signals.push(invalid);
  }
  if (saysConsentMode(wire.googleConsentMode)) signals.push(invalid);
  return signals;
}

/** Null where nothing was said: every use case is missing or `unavailable`. */
function explicitSignal(given: WireConsent['useCases']): ConsentSignal | null {
  if (given === undefined) return null;
  const said: Partial<Record<UseCase, 'granted' | 'denied'>> = {};
  let count = 0;
  for (const useCase of useCases) {
    const state = Object.hasOwn(given, useCase) ? given[useCase] : undefined;
    if (state !== 'granted' && state !== 'denied') continue;
    said[useCase] = state;
    count += 1;
  }
  return count === 0 ? null : { state: 'valid', useCases: said };
}

function saysConsentMode(mode: WireConsent['googleConsentMode']): boolean {
  return mode !== undefined && consentModeKeys.some((key) => Object.hasOwn(mode, key) && mode[key] !== undefined && mode[key] !== '');
}

/** One member that is exactly `1`, between nothing but optional whitespace (space and tab, not what `trim` takes for it). */
const oneMember = /(?:^|,)[ \t]*1[ \t]*(?:,|$)/;

function receivedGpc(fieldLines: readonly string[] | undefined): boolean {
  return fieldLines?.some((line) => oneMember.test(line)) ?? false;
}
