/** What our decoders make of the vectors about the US and the browser, in the vectors' own words. Runs in a browser as well as in Node. */
import { consentModeSignals } from '../../src/consent/consent-mode.ts';
import { type GppSection, gppSignals, readGpp } from '../../src/consent/gpp.ts';
import { isConsentError, type Regime, type SignalReading } from '../../src/consent/signal.ts';
import { readUsPrivacy, type UsPrivacy, usPrivacySignal } from '../../src/consent/us-privacy.ts';
import type { ConsentSignal } from '../../src/decision/facts.ts';

type Fields = Readonly<Record<string, unknown>>;

export type GppSaid =
  | { readonly error: string }
  | { readonly sectionIds: readonly number[]; readonly sections: Readonly<Record<string, Fields>> };

/** The first section that cannot be read makes a vector one that does not decode. */
export function saidByGpp(text: string): GppSaid {
  const read = readGpp(text);
  if (isConsentError(read)) return { error: read };
  for (const section of read.sections) if (section.kind === 'unreadable') return { error: section.error };
  const named = read.sections.map(namedSection).filter((section) => section !== null);
  return { sectionIds: read.sections.map(({ id }) => id), sections: Object.fromEntries(named) };
}

export function marksOfUsPrivacy(text: string): string | null {
  const read = readUsPrivacy(text);
  return isConsentError(read) ? null : `${read.notice}${read.optOutSale}${read.lspaCovered}`;
}

export function signalsOfUsPrivacy(text: string, regime: Regime): readonly ConsentSignal[] {
  return text === '' ? [] : signalsOf([usPrivacySignal(text, regime)]);
}

export function signalsOfGpp(text: string, regime: Regime): readonly ConsentSignal[] {
  const read = readGpp(text);
  return isConsentError(read) ? [{ state: 'invalid' }] : signalsOf(gppSignals(read, regime));
}

export function signalsOfConsentMode(given: { readonly [key: string]: unknown }): readonly ConsentSignal[] {
  return signalsOf(consentModeSignals(given));
}

function signalsOf(readings: readonly SignalReading[]): readonly ConsentSignal[] {
  return readings.map(({ signal }) => signal).filter((signal) => signal !== null);
}

function namedSection(section: GppSection): readonly [string, Fields] | null {
  if (section.kind === 'usPrivacy') return ['uspv1', usPrivacyFields(section.said)];
  if (section.kind !== 'us') return null;
  const { version, fields, lists, gpc } = section.said;
  return [section.name, { Version: version, ...fields, ...lists, ...(gpc === null ? {} : { Gpc: gpc }) }];
}

function usPrivacyFields({ notice, optOutSale, lspaCovered }: UsPrivacy): Fields {
  return { Version: 1, Notice: notice, OptOutSale: optOutSale, LspaCovered: lspaCovered };
}
