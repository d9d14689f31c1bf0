/** What our reader finds in a TC string, written out for comparison. Vendors only as far as anybody asks. */
import { hasPurpose, hasSpecialFeature, readTcString, restrictionTypes, type TcString } from '../../src/consent/tcf.ts';

/** What stands in the string as it stands here. */
type Plain = Pick<
  TcString,
  | 'cmpId'
  | 'cmpVersion'
  | 'consentScreen'
  | 'consentLanguage'
  | 'vendorListVersion'
  | 'policyVersion'
  | 'isServiceSpecific'
  | 'useNonStandardTexts'
  | 'purposeOneTreatment'
  | 'publisherCountryCode'
>;

export interface Fields extends Plain {
  readonly created: string;
  readonly lastUpdated: string;
  readonly specialFeatureOptins: readonly number[];
  readonly purposeConsents: readonly number[];
  readonly purposeLegitimateInterests: readonly number[];
  readonly vendorConsents: readonly number[];
  readonly vendorLegitimateInterests: readonly number[];
  readonly disclosedVendors: readonly number[];
  readonly allowedVendors: readonly number[];
  /** `purpose-type` with each vendor that is asked about and restricted. */
  readonly restrictions: Readonly<Record<string, readonly number[]>>;
  readonly publisherConsents: readonly number[];
  readonly publisherLegitimateInterests: readonly number[];
  readonly customConsents: readonly number[];
  readonly customLegitimateInterests: readonly number[];
}

/** An error, or the fields as far as the vendors asked about go. */
export function fieldsOf(text: string, vendorIds: readonly number[]): Fields | string {
  const tc = readTcString(text);
  return typeof tc === 'string' ? tc : fieldsIn(tc, vendorIds);
}

function fieldsIn(tc: TcString, vendorIds: readonly number[]): Fields {
  const { publisherTc } = tc;
  const purposesOf = (mask: number) => numbersTo(24).filter((purpose) => hasPurpose(mask, purpose));
  const vendorsOf = (list: { has(id: number): boolean } | null) => (list === null ? [] : vendorIds.filter((id) => list.has(id)));
  return {
    created: new Date(tc.createdMs).toISOString(),
    lastUpdated: new Date(tc.lastUpdatedMs).toISOString(),
    cmpId: tc.cmpId,
    cmpVersion: tc.cmpVersion,
    consentScreen: tc.consentScreen,
    consentLanguage: tc.consentLanguage,
    vendorListVersion: tc.vendorListVersion,
    policyVersion: tc.policyVersion,
    isServiceSpecific: tc.isServiceSpecific,
    useNonStandardTexts: tc.useNonStandardTexts,
    specialFeatureOptins: numbersTo(12).filter((feature) => hasSpecialFeature(tc.specialFeatureOptins, feature)),
    purposeConsents: purposesOf(tc.purposeConsents),
    purposeLegitimateInterests: purposesOf(tc.purposeLegitimateInterests),
    purposeOneTreatment: tc.purposeOneTreatment,
    publisherCountryCode: tc.publisherCountryCode,
    vendorConsents: vendorsOf(tc.vendorConsents),
    vendorLegitimateInterests: vendorsOf(tc.vendorLegitimateInterests),
    disclosedVendors: vendorsOf(tc.disclosedVendors),
    allowedVendors: vendorsOf(tc.allowedVendors),
    restrictions: restrictionsIn(tc, vendorIds),
    publisherConsents: purposesOf(publisherTc?.consents ?? 0),
    publisherLegitimateInterests: purposesOf(publisherTc?.legitimateInterests ?? 0),
    customConsents: trueOf(publisherTc?.customConsents ?? []),
    customLegitimateInterests: trueOf(publisherTc?.customLegitimateInterests ?? []),
  };
}

function restrictionsIn({ publisherRestrictions }: TcString, vendorIds: readonly number[]): Fields['restrictions'] {
  const found = new Map<string, Set<number>>();
  for (const { purpose, type, vendors } of publisherRestrictions) {
    const name = `${purpose}-${restrictionTypes.indexOf(type)}`;
    const restricted = vendorIds.filter((id) => vendors.has(id));
    if (restricted.length > 0) found.set(name, new Set([...(found.get(name) ?? []), ...restricted]));
  }
  return Object.fromEntries([...found].map(([name, ids]) => [name, [...ids].sort((a, b) => a - b)]));
}

function trueOf(bits: readonly boolean[]): readonly number[] {
  return bits.flatMap((bit, index) => (bit ? [index + 1] : []));
}

export function numbersTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}
