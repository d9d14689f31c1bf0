/** Writes TC strings for tests, from the layout in the specification: also ones that no library would write. */

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const dayMs = 86_400_000;

export interface TcFields {
  readonly version?: number;
  /** Since the epoch: of both dates. */
  readonly day: number;
  readonly createdMs?: number;
  readonly lastUpdatedMs?: number;
  readonly policyVersion?: number;
  readonly cmpId?: number;
  readonly serviceSpecific?: boolean;
  readonly specialFeatures?: readonly number[];
  readonly consents?: readonly number[];
  readonly legitimateInterests?: readonly number[];
  readonly purposeOneTreatment?: boolean;
  readonly publisherCountry?: string;
  readonly vendorConsents?: VendorsToWrite;
  readonly vendorInterests?: VendorsToWrite;
  readonly restrictions?: readonly { readonly purpose: number; readonly type: number; readonly ranges: Ranges }[];
  /** Null: no such segment. */
  readonly disclosed?: VendorsToWrite | null;
  readonly publisherTc?: { readonly consents: readonly number[]; readonly legitimateInterests: readonly number[] } | null;
}

type Ranges = readonly (readonly [first: number, last: number])[];
/** Ids become a bit each, ranges stay ranges. */
export type VendorsToWrite = readonly number[] | { readonly maxVendorId: number; readonly ranges: Ranges };

export function dayOfMs(ms: number): number {
  return Math.floor(ms / dayMs);
}

/** A string by which our vendor 1111, which it discloses, may do these things by consent. */
export function granting({ purposes, ...fields }: { readonly purposes: readonly number[] } & Omit<TcFields, 'consents'>): string {
  return encodeTcString({ consents: purposes, vendorConsents: [1111], ...fields });
}

export function encodeTcString(fields: TcFields): string {
  const segments = [coreOf(fields)];
  if (fields.disclosed !== null) segments.push(number(1, 3) + vendors(fields.disclosed ?? [1111]));
  if (fields.publisherTc != null) {
    const { consents, legitimateInterests } = fields.publisherTc;
    segments.push(number(3, 3) + mask(consents, 24) + mask(legitimateInterests, 24) + number(0, 6));
  }
  return segments.map(base64url).join('.');
}

function coreOf(fields: TcFields): string {
  const restrictions = fields.restrictions ?? [];
  return [
    number(fields.version ?? 2, 6),
    number((fields.createdMs ?? fields.day * dayMs) / 100, 36),
    number((fields.lastUpdatedMs ?? fields.day * dayMs) / 100, 36),
    number(fields.cmpId ?? 300, 12),
    number(1, 12),
    number(1, 6),
    letters('EN'),
    number(150, 12),
    number(fields.policyVersion ?? 5, 6),
    flag(fields.serviceSpecific ?? true),
    flag(false),
    mask(fields.specialFeatures ?? [], 12),
    mask(fields.consents ?? [], 24),
    mask(fields.legitimateInterests ?? [], 24),
    flag(fields.purposeOneTreatment ?? false),
    letters(fields.publisherCountry ?? 'DE'),
    vendors(fields.vendorConsents ?? []),
    vendors(fields.vendorInterests ?? []),
    number(restrictions.length, 12),
    ...restrictions.map(({ purpose, type, ranges }) => number(purpose, 6) + number(type, 2) + rangesOf(ranges)),
  ].join('');
}

function vendors(list: VendorsToWrite): string {
  if ('ranges' in list) return number(list.maxVendorId, 16) + flag(true) + rangesOf(list.ranges);
  const maxVendorId = Math.max(0, ...list);
  return number(maxVendorId, 16) + flag(false) + mask(list, maxVendorId);
}

function rangesOf(ranges: Ranges): string {
  const entries = ranges.map(([first, last]) =>
    first === last ? flag(false) + number(first, 16) : flag(true) + number(first, 16) + number(last, 16),
  );
  return number(ranges.length, 12) + entries.join('');
}

function number(value: number, bits: number): string {
  return Math.floor(value).toString(2).padStart(bits, '0');
}

function flag(value: boolean): string {
  return value ? '1' : '0';
}

function mask(members: readonly number[], bits: number): string {
  return Array.from({ length: bits }, (_, index) => flag(members.includes(index + 1))).join('');
}

function letters(text: string): string {
  return [...text].map((letter) => number(letter.charCodeAt(0) - 65, 6)).join('');
}

export function base64url(bits: string): string {
  let text = '';
  for (let at = 0; at < bits.length; at += 6) text += alphabet[Number.parseInt(bits.slice(at, at + 6).padEnd(6, '0'), 2)];
  return text;
}
