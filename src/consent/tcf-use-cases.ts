/**
 * What a TC string allows us, and which of our use cases that comes to. A purpose is allowed by consent, or, for some, by legitimate
 * interest; the publisher's restrictions come first and only ever take away. Strings of one day are joined bit by bit to the stricter.
 */
import type { ConsentSettings } from '../decision/artefact.ts';
import type { UseCase } from '../decision/vocabulary.ts';
import type { Said, SaidOfUseCases } from './signal.ts';
import { hasPurpose, type Purposes, type TcString } from './tcf.ts';

interface Required {
  readonly consent: readonly number[];
  /** Consent or legitimate interest. */
  readonly either: readonly number[];
}

/** TCF: 1 storing on the device, 2 contextual and 7 measured advertising, 3 and 4 ad profiles and their use, 5 and 6 content profiles and their use, 8 measured and 11 contextual content. */
const requirements: Readonly<Record<UseCase, Required>> = {
  contextual_content: { consent: [], either: [11] },
  contextual_offer: { consent: [], either: [2] },
  content_personalization: { consent: [1, 6], either: [] },
  offers: { consent: [1, 4], either: [] },
  profile_activation_content: { consent: [1, 5, 6], either: [] },
  profile_activation_offer: { consent: [1, 3, 4], either: [] },
  analytics_content: { consent: [1], either: [8] },
  analytics_offer: { consent: [1], either: [7] },
};

const everyPurpose: Purposes = 0xff_ff_ff;
const noPurpose: Purposes = 0;

/** What one string, or several of one day together, allow us. */
export interface Allowed {
  /** Whether the person was told of us. Somebody who was not has said neither yes nor no. */
  readonly disclosed: boolean;
  readonly consents: Purposes;
  readonly legitimateInterests: Purposes;
  /** `not_shown`: nobody was asked about purpose 1. `not_needed`: nor need they be, in the publisher's country. */
  readonly purposeOne: 'asked' | 'not_shown' | 'not_needed';
}

export function allowedBy(tc: TcString, settings: ConsentSettings): Allowed {
  const purposeOne = !tc.purposeOneTreatment
    ? 'asked'
    : settings.purposeOneCountries.includes(tc.publisherCountryCode)
      ? 'not_needed'
      : 'not_shown';
  if (settings.path === 'publisher') return { ...allowedToPublisher(tc), purposeOne };
  return { ...(settings.vendorId === null ? nothingDisclosed : allowedToVendor(tc, settings.vendorId)), purposeOne };
}

const nothingDisclosed = { disclosed: false, consents: noPurpose, legitimateInterests: noPurpose };

function allowedToPublisher({ publisherTc }: TcString) {
  if (publisherTc === null) return nothingDisclosed;
  const { consents, legitimateInterests } = publisherTc;
  return { disclosed: true, consents, legitimateInterests };
}

function allowedToVendor(tc: TcString, vendorId: number) {
  // Strings from before there was such a segment say nothing of whom they disclosed: all of that day's list.
  const disclosed = tc.disclosedVendors === null || tc.disclosedVendors.has(vendorId);
  const restricted = restrictionsOf(tc, vendorId);
  const consents = tc.vendorConsents.has(vendorId) ? tc.purposeConsents & ~restricted.consents : noPurpose;
  const hasInterest = tc.vendorLegitimateInterests.has(vendorId);
  const legitimateInterests = hasInterest ? tc.purposeLegitimateInterests & ~restricted.legitimateInterests : noPurpose;
  return { disclosed, consents, legitimateInterests };
}

/** The purposes for which the publisher leaves a vendor neither the one basis nor the other. */
function restrictionsOf({ publisherRestrictions }: TcString, vendorId: number) {
  let consents = noPurpose;
  let legitimateInterests = noPurpose;
  for (const { purpose, type, vendors } of publisherRestrictions) {
    if (!vendors.has(vendorId)) continue;
    const bit = 1 << (24 - purpose);
    if (type !== 'require_consent') consents |= bit;
    if (type !== 'require_legitimate_interest') legitimateInterests |= bit;
  }
  return { consents, legitimateInterests };
}

const strictnessOfPurposeOne = ['not_needed', 'asked', 'not_shown'] as const;

/** The stricter bit of each. */
export function strictest(strings: readonly Allowed[]): Allowed {
  let all: Allowed = { disclosed: true, consents: everyPurpose, legitimateInterests: everyPurpose, purposeOne: 'not_needed' };
  for (const one of strings) {
    const strictness = Math.max(strictnessOfPurposeOne.indexOf(all.purposeOne), strictnessOfPurposeOne.indexOf(one.purposeOne));
    all = {
      disclosed: all.disclosed && one.disclosed,
      consents: all.consents & one.consents,
      legitimateInterests: all.legitimateInterests & one.legitimateInterests,
      purposeOne: strictnessOfPurposeOne[strictness] ?? 'not_shown',
    };
  }
  return all;
}

/** What is missing here was neither granted nor denied. */
export function useCasesOf(allowed: Allowed): SaidOfUseCases {
  if (!allowed.disclosed) return {};
  const said: Partial<Record<UseCase, Said>> = {};
  for (const [useCase, required] of Object.entries(requirements) as [UseCase, Required][]) {
    const answers = [
      ...required.consent.map((purpose) => consentTo(allowed, purpose)),
      ...required.either.map((purpose) => hasPurpose(allowed.consents | allowed.legitimateInterests, purpose)),
    ];
    if (answers.includes(false)) said[useCase] = 'denied';
    else if (!answers.includes(null)) said[useCase] = 'granted';
  }
  return said;
}

/** Null: nobody was asked. */
function consentTo({ consents, purposeOne }: Allowed, purpose: number): boolean | null {
  if (purpose !== 1 || purposeOne === 'asked') return hasPurpose(consents, purpose);
  return purposeOne === 'not_needed' ? true : null;
}
