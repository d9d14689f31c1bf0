/**
 * The US sections of a GPP string: one table of their field layouts, and one reader for all of them. Every field is two bits, 0 (not
 * applicable), 1 or 2; a value of 3, a version that is not in the table, too few or too many bits make the section unreadable.
 * Layouts are those of the section specifications of December 2025.
 */
import { BitReader } from './bits.ts';
import { isPaddingOnly } from './gpp-header.ts';
import type { ConsentError } from './signal.ts';

export type UsField =
  | 'SharingNotice'
  | 'ProcessingNotice'
  | 'SaleOptOutNotice'
  | 'SharingOptOutNotice'
  | 'TargetedAdvertisingOptOutNotice'
  | 'SensitiveDataProcessingOptOutNotice'
  | 'SensitiveDataOptOutNotice'
  | 'SensitiveDataLimitUseNotice'
  | 'SaleOptOut'
  | 'SharingOptOut'
  | 'TargetedAdvertisingOptOut'
  | 'PersonalDataConsents'
  | 'AdditionalDataProcessingConsent'
  | 'MspaCoveredTransaction'
  | 'MspaMode'
  | 'MspaOptOutOptionMode'
  | 'MspaServiceProviderMode';

/** Fields of several values: one for each kind of data, or for each group of ages. */
export type UsListField = 'SensitiveDataProcessing' | 'KnownChildSensitiveDataConsents';

type Layout = readonly (UsField | readonly [UsListField, number])[];

export interface UsSectionKind {
  readonly id: number;
  readonly name: string;
  /** By what the first six bits of the section say. */
  readonly versions: { readonly [version: number]: Layout };
  /** What may follow the core after a dot. */
  readonly second: 'none' | 'gpc' | 'sensitive';
}

export interface UsSection {
  readonly version: number;
  readonly fields: Readonly<Partial<Record<UsField, number>>>;
  readonly lists: Readonly<Partial<Record<UsListField, readonly number[]>>>;
  /** Null: the string does not say, which is not the same as off. */
  readonly gpc: boolean | null;
}

const mspaLast: Layout = ['MspaCoveredTransaction', 'MspaOptOutOptionMode', 'MspaServiceProviderMode'];
const optOutNotices: Layout = ['SaleOptOutNotice', 'TargetedAdvertisingOptOutNotice'];
const twoOptOuts: Layout = ['SaleOptOut', 'TargetedAdvertisingOptOut'];
const additional: Layout = ['AdditionalDataProcessingConsent'];

function sensitive(kinds: number): Layout {
  return [['SensitiveDataProcessing', kinds]];
}

function child(groups: number): Layout {
  return [['KnownChildSensitiveDataConsents', groups]];
}

function national(kinds: number, groups: number): Layout {
  return [
    'SharingNotice',
    'SaleOptOutNotice',
    'SharingOptOutNotice',
    'TargetedAdvertisingOptOutNotice',
    'SensitiveDataProcessingOptOutNotice',
    'SensitiveDataLimitUseNotice',
    'SaleOptOut',
    'SharingOptOut',
    'TargetedAdvertisingOptOut',
    ...sensitive(kinds),
    ...child(groups),
    'PersonalDataConsents',
    ...mspaLast,
  ];
}

const california: Layout = [
  'SaleOptOutNotice',
  'SharingOptOutNotice',
  'SensitiveDataLimitUseNotice',
  'SaleOptOut',
  'SharingOptOut',
  ...sensitive(9),
  ...child(2),
  'PersonalDataConsents',
  ...mspaLast,
];

/** The states of the first round: a notice of sharing, and no word on uses beyond the disclosed ones. */
function early(kinds: number, groups: number, sensitiveNotice: Layout = []): Layout {
  return ['SharingNotice', ...optOutNotices, ...sensitiveNotice, ...twoOptOuts, ...sensitive(kinds), ...child(groups), ...mspaLast];
}

function later(first: 'SharingNotice' | 'ProcessingNotice', kinds: number, groups: number): Layout {
  return [first, ...optOutNotices, ...twoOptOuts, ...sensitive(kinds), ...child(groups), ...additional, ...mspaLast];
}

const iowa: Layout = [
  'ProcessingNotice',
  ...optOutNotices,
  'SensitiveDataOptOutNotice',
  ...twoOptOuts,
  ...sensitive(8),
  ...child(1),
  ...mspaLast,
];

/** The sections of 2025 begin with a version of the agreement, and say what is sensitive apart, if at all. */
function recent(childGroups: Layout): Layout {
  return ['MspaCoveredTransaction', 'MspaMode', 'ProcessingNotice', ...optOutNotices, ...twoOptOuts, ...childGroups, ...additional];
}

export const usSectionKinds: readonly UsSectionKind[] = [
  { id: 7, name: 'usnat', versions: { 1: national(12, 2), 2: national(16, 3) }, second: 'gpc' },
  { id: 8, name: 'usca', versions: { 1: california }, second: 'gpc' },
  { id: 9, name: 'usva', versions: { 1: early(8, 1) }, second: 'none' },
  { id: 10, name: 'usco', versions: { 1: early(7, 1) }, second: 'gpc' },
  { id: 11, name: 'usut', versions: { 1: early(8, 1, ['SensitiveDataProcessingOptOutNotice']) }, second: 'none' },
  { id: 12, name: 'usct', versions: { 1: early(8, 3) }, second: 'gpc' },
  { id: 13, name: 'usfl', versions: { 1: later('ProcessingNotice', 8, 3) }, second: 'none' },
  { id: 14, name: 'usmt', versions: { 1: later('SharingNotice', 8, 3) }, second: 'gpc' },
  { id: 15, name: 'usor', versions: { 1: later('ProcessingNotice', 11, 3) }, second: 'gpc' },
  { id: 16, name: 'ustx', versions: { 1: later('ProcessingNotice', 8, 1) }, second: 'gpc' },
  { id: 17, name: 'usde', versions: { 1: later('ProcessingNotice', 9, 5) }, second: 'gpc' },
  { id: 18, name: 'usia', versions: { 1: iowa }, second: 'gpc' },
  { id: 19, name: 'usne', versions: { 1: later('ProcessingNotice', 8, 1) }, second: 'gpc' },
  { id: 20, name: 'usnh', versions: { 1: later('ProcessingNotice', 8, 3) }, second: 'gpc' },
  { id: 21, name: 'usnj', versions: { 1: later('ProcessingNotice', 10, 5) }, second: 'gpc' },
  { id: 22, name: 'ustn', versions: { 1: later('ProcessingNotice', 8, 1) }, second: 'gpc' },
  { id: 23, name: 'usmn', versions: { 1: later('ProcessingNotice', 8, 1) }, second: 'gpc' },
  { id: 24, name: 'usmd', versions: { 1: recent([]) }, second: 'gpc' },
  { id: 25, name: 'usin', versions: { 1: recent(child(1)) }, second: 'sensitive' },
  { id: 26, name: 'usky', versions: { 1: recent(child(1)) }, second: 'sensitive' },
  { id: 27, name: 'usri', versions: { 1: recent(child(1)) }, second: 'sensitive' },
];

/** How many kinds of sensitive data those sections tell that say it apart. */
const sensitiveApart = 8;
const gpcSubsection = 1;
const undefinedValue = 3;

export function readUsSection(kind: UsSectionKind, text: string): UsSection | ConsentError {
  const [coreText = '', secondText, ...more] = text.split('.', 3);
  if (more.length > 0 || (secondText !== undefined && kind.second === 'none')) return 'segments';
  const core = readCore(kind, coreText);
  if (typeof core === 'string') return core;
  const second = secondText === undefined ? {} : readSecond(kind.second, secondText);
  if (typeof second === 'string') return second;
  const lists = second.sensitive === undefined ? core.lists : { ...core.lists, SensitiveDataProcessing: second.sensitive };
  return { version: core.version, fields: core.fields, lists, gpc: second.gpc ?? null };
}

function readCore(kind: UsSectionKind, text: string): Omit<UsSection, 'gpc'> | ConsentError {
  const bits = BitReader.of(text);
  if (bits === null) return 'alphabet';
  const version = bits.read(6);
  if (bits.isShort) return 'truncated';
  const layout = Object.hasOwn(kind.versions, version) ? kind.versions[version] : undefined;
  if (layout === undefined) return 'version';
  const fields: Partial<Record<UsField, number>> = {};
  const lists: Partial<Record<UsListField, readonly number[]>> = {};
  let isUndefined = false;
  for (const field of layout) {
    if (typeof field === 'string') {
      const value = bits.read(2);
      fields[field] = value;
      isUndefined ||= value === undefinedValue;
    } else {
      const values = readValues(bits, field[1]);
      lists[field[0]] = values;
      isUndefined ||= values.includes(undefinedValue);
    }
  }
  return faultOf(bits, isUndefined) ?? { version, fields, lists };
}

function readSecond(kind: 'gpc' | 'sensitive' | 'none', text: string): { gpc?: boolean; sensitive?: readonly number[] } | ConsentError {
  const bits = BitReader.of(text);
  if (bits === null) return 'alphabet';
  if (kind === 'sensitive') {
    const values = readValues(bits, sensitiveApart);
    return faultOf(bits, values.includes(undefinedValue)) ?? { sensitive: values };
  }
  const type = bits.read(2);
  const gpc = bits.flag();
  const fault = faultOf(bits, false);
  if (fault !== null) return fault;
  return type === gpcSubsection ? { gpc } : 'segments';
}

function readValues(bits: BitReader, count: number): readonly number[] {
  return Array.from({ length: count }, () => bits.read(2));
}

function faultOf(bits: BitReader, isUndefined: boolean): ConsentError | null {
  if (bits.isShort) return 'truncated';
  if (isUndefined) return 'value';
  return isPaddingOnly(bits) ? null : 'trailing_bits';
}
