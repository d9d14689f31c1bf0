/**
 * Reads a Google Consent Mode object: its seven consent types, nothing else in it. A default that nobody has updated may deny and
 * never grants, and so does an object of an origin that we do not know.
 */
import type { PersonalUseCase, UseCase } from '../decision/vocabulary.ts';
import { invalidReading, type Said, type SignalReading } from './signal.ts';

export const consentModeTypes = [
  'ad_storage',
  'ad_user_data',
  'ad_personalization',
  'analytics_storage',
  'functionality_storage',
  'personalization_storage',
  'security_storage',
] as const;
export type ConsentModeType = (typeof consentModeTypes)[number];

/** What each use case needs granted; any one of them denied denies it. */
const needed: Readonly<Record<PersonalUseCase, readonly ConsentModeType[]>> = {
  content_personalization: ['personalization_storage'],
  offers: ['ad_storage', 'ad_personalization'],
  profile_activation_content: ['personalization_storage'],
  profile_activation_offer: ['ad_storage', 'ad_user_data', 'ad_personalization'],
  analytics_content: ['analytics_storage'],
  analytics_offer: ['ad_storage', 'analytics_storage'],
};

type Given = { readonly [key: string]: unknown; readonly origin?: unknown };

/**
 * Two readings where one of the types holds a word that is neither `granted` nor `denied`: it may hide a denial, and what the other
 * types deny must not be lost for it. None where nothing was said.
 */
export function consentModeSignals(given: Given | undefined): readonly SignalReading[] {
  if (given === undefined) return [];
  const states: Partial<Record<ConsentModeType, Said>> = {};
  let isSaid = false;
  let isUnclear = false;
  for (const type of consentModeTypes) {
    const state = Object.hasOwn(given, type) ? given[type] : undefined;
    if (state === undefined || state === '') continue;
    if (state === 'granted' || state === 'denied') {
      states[type] = state;
      isSaid = true;
    } else isUnclear = true;
  }
  const readings: SignalReading[] = [];
  if (isUnclear) readings.push(invalidReading('malformed'));
  if (isSaid) readings.push(reading(states, mayGrant(given)));
  return readings;
}

function mayGrant(given: Given): boolean {
  const origin = Object.hasOwn(given, 'origin') ? given.origin : undefined;
  return origin === undefined || origin === '' || origin === 'update';
}

function reading(states: Readonly<Partial<Record<ConsentModeType, Said>>>, mayGrant: boolean): SignalReading {
  const said: Partial<Record<UseCase, Said>> = {};
  let count = 0;
  for (const [useCase, types] of Object.entries(needed) as [PersonalUseCase, readonly ConsentModeType[]][]) {
    const isDenied = types.some((type) => states[type] === 'denied');
    const isGranted = mayGrant && types.every((type) => states[type] === 'granted');
    if (!isDenied && !isGranted) continue;
    said[useCase] = isDenied ? 'denied' : 'granted';
    count += 1;
  }
  return { signal: count === 0 ? null : { state: 'valid', useCases: said }, outcome: 'valid' };
}
