/**
 * Decodes TC strings, version 2, as the IAB's "Consent string and vendor list formats v2" lays them out. Total and bounded: every text
 * is a TC string or one of the closed errors, in work that grows with the text and with nothing that stands in it. Whether a string
 * that decodes may be relied on is said elsewhere: decoding is not validity, and validity is not consent.
 */
import { BitReader } from './bits.ts';
import type { ConsentError } from './signal.ts';
import { readVendorList, readVendorRanges, type VendorList, VendorRanges } from './vendor-list.ts';

export const tcfCharsMax = 4_096;
const segmentsMax = 4;
const version = 2;
const vendorIdMax = 65_535;
const purposeCount = 24;
const specialFeatureCount = 12;
const decisecondMs = 100;

/** A bit for each purpose, the first one the highest. */
export type Purposes = number;

export interface TcString {
  readonly createdMs: number;
  readonly lastUpdatedMs: number;
  readonly cmpId: number;
  readonly cmpVersion: number;
  readonly consentScreen: number;
  readonly consentLanguage: string;
  readonly vendorListVersion: number;
  readonly policyVersion: number;
  readonly isServiceSpecific: boolean;
  readonly useNonStandardTexts: boolean;
  readonly specialFeatureOptins: number;
  readonly purposeConsents: Purposes;
  readonly purposeLegitimateInterests: Purposes;
  readonly purposeOneTreatment: boolean;
  readonly publisherCountryCode: string;
  readonly vendorConsents: VendorList;
  readonly vendorLegitimateInterests: VendorList;
  readonly publisherRestrictions: readonly PublisherRestriction[];
  /** Null: the segment is not there. */
  readonly disclosedVendors: VendorList | null;
  readonly allowedVendors: VendorList | null;
  readonly publisherTc: PublisherTc | null;
}

export interface PublisherRestriction {
  readonly purpose: number;
  readonly type: RestrictionType;
  readonly vendors: VendorRanges;
}

/** In the order of their numbers. */
export const restrictionTypes = ['not_allowed', 'require_consent', 'require_legitimate_interest'] as const;
export type RestrictionType = (typeof restrictionTypes)[number];

/** What the publisher was allowed for its own sake. */
export interface PublisherTc {
  readonly consents: Purposes;
  readonly legitimateInterests: Purposes;
  readonly customConsents: readonly boolean[];
  readonly customLegitimateInterests: readonly boolean[];
}

export function hasPurpose(purposes: Purposes, purpose: number): boolean {
  return ((purposes >> (purposeCount - purpose)) & 1) === 1;
}

export function hasSpecialFeature(optins: number, feature: number): boolean {
  return ((optins >> (specialFeatureCount - feature)) & 1) === 1;
}

export function readTcString(text: string): TcString | ConsentError {
  if (text.length > tcfCharsMax) return 'too_long';
  const [coreText = '', ...segmentTexts] = text.split('.', segmentsMax + 1);
  if (segmentTexts.length >= segmentsMax) return 'segments';
  const core = readCore(coreText);
  if (typeof core === 'string') return core;
  const segments: Segments = { disclosedVendors: null, allowedVendors: null, publisherTc: null };
  for (const segmentText of segmentTexts) {
    const error = readSegment(segmentText, segments);
    if (error !== null) return error;
  }
  return { ...core, ...segments };
}

type Core = Omit<TcString, keyof Segments>;

function readCore(text: string): Core | ConsentError {
  const bits = BitReader.of(text);
  if (bits === null) return 'alphabet';
  const said = bits.read(6);
  if (bits.isShort) return 'truncated';
  if (said !== version) return 'version';
  const fields = {
    createdMs: bits.read(36) * decisecondMs,
    lastUpdatedMs: bits.read(36) * decisecondMs,
    cmpId: bits.read(12),
    cmpVersion: bits.read(12),
    consentScreen: bits.read(6),
    consentLanguage: letters(bits),
    vendorListVersion: bits.read(12),
    policyVersion: bits.read(6),
    isServiceSpecific: bits.flag(),
    useNonStandardTexts: bits.flag(),
    specialFeatureOptins: bits.read(specialFeatureCount),
    purposeConsents: bits.read(purposeCount),
    purposeLegitimateInterests: bits.read(purposeCount),
    purposeOneTreatment: bits.flag(),
    publisherCountryCode: letters(bits),
  };
  const vendorConsents = readVendorList(bits);
  if (typeof vendorConsents === 'string') return vendorConsents;
  const vendorLegitimateInterests = readVendorList(bits);
  if (typeof vendorLegitimateInterests === 'string') return vendorLegitimateInterests;
  const publisherRestrictions = readRestrictions(bits);
  if (typeof publisherRestrictions === 'string') return publisherRestrictions;
  const { consentLanguage, publisherCountryCode } = fields;
  if (consentLanguage === null || publisherCountryCode === null) return 'value';
  // What stands behind the last field is padding, or a field that a later version appended: neither is looked at.
  return { ...fields, consentLanguage, publisherCountryCode, vendorConsents, vendorLegitimateInterests, publisherRestrictions };
}

function readRestrictions(bits: BitReader): readonly PublisherRestriction[] | ConsentError {
  const count = bits.read(12);
  if (bits.isShort) return 'truncated';
  const restrictions: PublisherRestriction[] = [];
  for (let index = 0; index < count; index += 1) {
    const purpose = bits.read(6);
    const type = restrictionTypes[bits.read(2)];
    const vendors = readVendorRanges(bits, vendorIdMax);
    if (!(vendors instanceof VendorRanges)) return vendors;
    if (purpose < 1 || purpose > purposeCount || type === undefined) return 'value';
    restrictions.push({ purpose, type, vendors });
  }
  return restrictions;
}

interface Segments {
  disclosedVendors: VendorList | null;
  allowedVendors: VendorList | null;
  publisherTc: PublisherTc | null;
}

/** By their numbers; the core has none. */
const segmentTypes = { 1: 'disclosedVendors', 2: 'allowedVendors', 3: 'publisherTc' } as const;

/** Null: it went well. Segments come in any order, each at most once. */
function readSegment(text: string, segments: Segments): ConsentError | null {
  const bits = BitReader.of(text);
  if (bits === null) return 'alphabet';
  const type = bits.read(3);
  if (bits.isShort) return 'truncated';
  const name = segmentTypes[type as keyof typeof segmentTypes];
  if (name === undefined || segments[name] !== null) return 'segments';
  const read = name === 'publisherTc' ? readPublisherTc(bits) : readVendorList(bits);
  if (typeof read === 'string') return read;
  Object.assign(segments, { [name]: read });
  return null;
}

function readPublisherTc(bits: BitReader): PublisherTc | ConsentError {
  const consents = bits.read(purposeCount);
  const legitimateInterests = bits.read(purposeCount);
  const customCount = bits.read(6);
  const customConsents = Array.from({ length: customCount }, () => bits.flag());
  const customLegitimateInterests = Array.from({ length: customCount }, () => bits.flag());
  return bits.isShort ? 'truncated' : { consents, legitimateInterests, customConsents, customLegitimateInterests };
}

/** Two letters, six bits each. Null: one of them is none. */
function letters(bits: BitReader): string | null {
  const first = bits.read(6);
  const second = bits.read(6);
  return first < 26 && second < 26 ? String.fromCharCode(65 + first, 65 + second) : null;
}
