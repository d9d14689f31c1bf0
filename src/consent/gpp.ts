/**
 * Reads GPP strings: a header that names the sections, and the sections. One section that cannot be read does not take the others'
 * denials away, but it may hide one, so it stands as an invalid signal. Section 2 is a TC string and is read as any other; section 5
 * (Canada) is checked and says nothing; a section that we do not know is one we cannot read.
 */
import { BitReader } from './bits.ts';
import { gppSectionsMax, readGppHeader } from './gpp-header.ts';
import { readUsSection, type UsField, type UsSection, type UsSectionKind, usSectionKinds } from './gpp-us-sections.ts';
import { type ConsentError, invalidReading, isConsentError, type Regime, type SignalReading } from './signal.ts';
import { readUsPrivacy, type UsPrivacy, usPrivacyReading } from './us-privacy.ts';
import { usReading } from './us-statement.ts';

export const gppCharactersMax = 8192;

export type GppSection =
  | { readonly id: number; readonly kind: 'tcf'; readonly text: string }
  | { readonly id: number; readonly kind: 'canada' }
  | { readonly id: number; readonly kind: 'usPrivacy'; readonly said: UsPrivacy }
  | { readonly id: number; readonly kind: 'us'; readonly name: string; readonly said: UsSection }
  | { readonly id: number; readonly kind: 'unreadable'; readonly error: ConsentError };

export interface Gpp {
  readonly sections: readonly GppSection[];
  /** The TC string of section 2, unread; null where there is none. */
  readonly tcf: string | null;
}

const tcfId = 2;
const canadaId = 5;
const usPrivacyId = 6;
const usKinds: ReadonlyMap<number, UsSectionKind> = new Map(usSectionKinds.map((kind) => [kind.id, kind]));

export function readGpp(text: string): Gpp | ConsentError {
  if (text.length > gppCharactersMax) return 'too_long';
  const [header = '', ...texts] = text.split('~', gppSectionsMax + 2);
  const ids = readGppHeader(header, texts.length);
  if (isConsentError(ids)) return ids;
  const sections = ids.map((id, index) => readSection(id, texts[index] ?? ''));
  const tcf = sections.find((section) => section.kind === 'tcf');
  return { sections, tcf: tcf?.kind === 'tcf' ? tcf.text : null };
}

/** One reading for each section, but none for section 2. */
export function gppSignals({ sections }: Gpp, regime: Regime): readonly SignalReading[] {
  const readings: SignalReading[] = [];
  for (const section of sections) {
    const reading = readingOf(section, regime);
    if (reading !== null) readings.push(reading);
  }
  return readings;
}

function readSection(id: number, text: string): GppSection {
  if (id === tcfId) return text === '' ? { id, kind: 'unreadable', error: 'truncated' } : { id, kind: 'tcf', text };
  if (id === canadaId) {
    const error = canadaFault(text);
    return error === null ? { id, kind: 'canada' } : { id, kind: 'unreadable', error };
  }
  if (id === usPrivacyId) {
    const said = readUsPrivacy(text);
    return isConsentError(said) ? { id, kind: 'unreadable', error: said } : { id, kind: 'usPrivacy', said };
  }
  const kind = usKinds.get(id);
  if (kind === undefined) return { id, kind: 'unreadable', error: 'section' };
  const said = readUsSection(kind, text);
  return isConsentError(said) ? { id, kind: 'unreadable', error: said } : { id, kind: 'us', name: kind.name, said };
}

function readingOf(section: GppSection, regime: Regime): SignalReading | null {
  switch (section.kind) {
    case 'tcf':
      return null;
    case 'canada':
      return { signal: null, outcome: 'valid' };
    case 'unreadable':
      return invalidReading('malformed');
    case 'usPrivacy':
      return usPrivacyReading(section.said, regime);
    case 'us':
      return usSectionReading(section.said, regime);
  }
}

const optOuts: readonly (readonly [optOut: UsField, notice: UsField])[] = [
  ['SaleOptOut', 'SaleOptOutNotice'],
  ['SharingOptOut', 'SharingOptOutNotice'],
  ['TargetedAdvertisingOptOut', 'TargetedAdvertisingOptOutNotice'],
];
/** Opted out, or no consent; notice given. */
const yes = 1;
/** Did not opt out, or consent; notice not given. */
const no = 2;

function usSectionReading({ fields, lists, gpc }: UsSection, regime: Regime): SignalReading {
  const told = optOuts.filter(([optOut]) => fields[optOut] !== undefined);
  const uninformed = fields.SharingNotice === no || fields.ProcessingNotice === no;
  return usReading(
    {
      optedOut: gpc === true || told.some(([optOut]) => fields[optOut] === yes),
      provedNotOptedOut: !uninformed && told.every(([optOut, notice]) => fields[optOut] === no && fields[notice] === yes),
      secondaryUseDenied: fields.PersonalDataConsents === yes || fields.AdditionalDataProcessingConsent === yes,
      sensitiveRefused: lists.SensitiveDataProcessing?.includes(yes) ?? false,
      child: lists.KnownChildSensitiveDataConsents?.some((value) => value !== 0) ?? false,
    },
    regime,
  );
}

/** Version, two dates, the consent dialog's ids, language, list and policy versions, stacks, special features, and purposes twice. */
const canadaFixedBits = [6, 36, 36, 12, 12, 6, 12, 12, 6, 1, 12, 24, 24];
const canadaVersion = 1;
const canadaSegmentTypes: readonly number[] = [1, 3];

/**
 * Nothing that a Canadian string says is used, so its lists of vendors, which encoders write in two ways, are not read: enough that
 * it is one, whole up to them.
 */
function canadaFault(text: string): ConsentError | null {
  const [core = '', ...others] = text.split('.', canadaSegmentTypes.length + 2);
  const bits = BitReader.of(core);
  if (bits === null) return 'alphabet';
  const [version] = canadaFixedBits.map((count) => bits.read(count));
  if (bits.isShort) return 'truncated';
  if (version !== canadaVersion) return 'version';
  const types = new Set<number>();
  for (const other of others) {
    const segment = BitReader.of(other);
    if (segment === null) return 'alphabet';
    const type = segment.read(3);
    if (!canadaSegmentTypes.includes(type) || types.has(type)) return 'segments';
    types.add(type);
  }
  return null;
}
