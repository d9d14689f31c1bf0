/**
 * Turns what a request says about consent into signals. It is total and bounded: whatever it cannot read becomes an `invalid`
 * signal, which takes grants away and gives none. Regimes are applied here; how signals combine is decided elsewhere, in the decision
 * core. Nothing of what was read is kept, and nothing of it is ever told but which of a closed list of outcomes it had.
 */
import type { ConsentSettings } from '../decision/artefact.ts';
import type { ConsentSignal, RequestConsent } from '../decision/facts.ts';
import { type ConsentState, type UseCase, useCases } from '../decision/vocabulary.ts';
import { consentModeSignals } from './consent-mode.ts';
import { gppSignals, readGpp } from './gpp.ts';
import {
  type ConsentSignalOutcome,
  type ConsentSource,
  invalidReading,
  isConsentError,
  type Regime,
  type SignalContext,
  type SignalReading,
} from './signal.ts';
import { tcfSignals } from './tcf-signal.ts';
import { usPrivacySignal } from './us-privacy.ts';

/** The `consent` member of a request, as it came over the wire. An empty string is an absent signal. */
export interface WireConsent {
  readonly tcf?: string | undefined;
  readonly gdprApplies?: boolean | undefined;
  readonly gpp?: string | undefined;
  readonly usPrivacy?: string | undefined;
  readonly googleConsentMode?: { readonly [key: string]: unknown } | undefined;
  readonly useCases?: { readonly [useCase in UseCase]?: ConsentState | undefined } | undefined;
  /** There was more, and it could not be read. Never on the wire. */
  readonly isUnreadable?: true;
}

export interface HearingOptions {
  readonly settings: ConsentSettings;
  /** Whatever stands in `request.country`. */
  readonly country: unknown;
  readonly nowMs: number;
}

export interface HeardConsent extends RequestConsent {
  /** What became of each source's signals: the first of them that does not count says it for all. */
  readonly outcomes: Readonly<Record<ConsentSource, ConsentSignalOutcome>>;
  /** The special features of the TCF that the visitor opted in to; no other signal speaks of them. */
  readonly specialFeatures: readonly number[];
}

type Outcomes = Record<ConsentSource, ConsentSignalOutcome>;

const nothingHeard: Readonly<Outcomes> = {
  tcf: 'absent',
  gpp: 'absent',
  usPrivacy: 'absent',
  googleConsentMode: 'absent',
  useCases: 'absent',
  secGpc: 'absent',
};

/** `secGpcFieldLines`: every `Sec-GPC` line apart (`headersDistinct`), because joined lines hide a `1` beside a `0`. */
export function hearConsent(
  wire: WireConsent | undefined,
  secGpcFieldLines: readonly string[] | undefined,
  options: HearingOptions,
): HeardConsent {
  const outcomes: Outcomes = { ...nothingHeard };
  if (secGpcFieldLines !== undefined && secGpcFieldLines.length > 0) outcomes.secGpc = 'valid';
  const heard = wire === undefined ? nothingSaid : hearSignals(wire, options, outcomes);
  return { ...heard, gpc: receivedGpc(secGpcFieldLines), outcomes };
}

type Heard = Pick<HeardConsent, 'signals' | 'specialFeatures'>;
const nothingSaid: Heard = { signals: [], specialFeatures: [] };

function hearSignals(wire: WireConsent, options: HearingOptions, outcomes: Outcomes): Heard {
  const context = contextOf(wire, options);
  const signals: ConsentSignal[] = [];
  const hear = (source: ConsentSource, readings: readonly SignalReading[]): void => {
    for (const { signal, outcome } of readings) {
      if (signal !== null) signals.push(signal);
      if (outcomes[source] === 'absent' || outcomes[source] === 'valid') outcomes[source] = outcome;
    }
  };
  hear('useCases', explicitReadings(wire.useCases));
  if (wire.isUnreadable === true) hear('useCases', [invalidReading('malformed')]);
  if (isSaid(wire.usPrivacy)) hear('usPrivacy', [usPrivacySignal(wire.usPrivacy, context.regime)]);
  hear('googleConsentMode', consentModeSignals(wire.googleConsentMode));

  const tcStrings: { readonly source: ConsentSource; readonly text: string }[] = [];
  if (isSaid(wire.tcf)) tcStrings.push({ source: 'tcf', text: wire.tcf });
  if (isSaid(wire.gpp)) {
    const gpp = readGpp(wire.gpp);
    hear('gpp', isConsentError(gpp) ? [invalidReading('malformed')] : gppSignals(gpp, context.regime));
    if (!isConsentError(gpp) && gpp.tcf !== null) tcStrings.push({ source: 'gpp', text: gpp.tcf });
  }
  if (tcStrings.length === 0) return { signals, specialFeatures: [] };
  const tcf = tcfSignals(
    tcStrings.map(({ text }) => text),
    context,
  );
  signals.push(...tcf.signals);
  for (const [index, { source }] of tcStrings.entries()) hear(source, [{ signal: null, outcome: tcf.outcomes[index] ?? 'malformed' }]);
  // Beside what may hide a denial nothing is granted, and no special feature either.
  const mayGrant = signals.every((signal) => signal.state === 'valid' && signal.child !== true);
  return { signals, specialFeatures: mayGrant ? tcf.specialFeatures : [] };
}

function contextOf({ gdprApplies = true }: WireConsent, { settings, country, nowMs }: HearingOptions): SignalContext {
  return { settings, regime: regimeOf(settings, country), gdprApplies, nowMs };
}

/** Where a visitor is nobody knows, or in a country that the policy does not name, only what was opted into counts. */
function regimeOf({ regimes }: ConsentSettings, country: unknown): Regime {
  return typeof country === 'string' && Object.hasOwn(regimes, country) && regimes[country] === 'us_opt_out' ? 'us_opt_out' : 'opt_in';
}

function isSaid(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

/** None where nothing was said: every use case is missing or `unavailable`. */
function explicitReadings(given: WireConsent['useCases']): readonly SignalReading[] {
  if (given === undefined) return [];
  const said: Partial<Record<UseCase, 'granted' | 'denied'>> = {};
  let count = 0;
  for (const useCase of useCases) {
    const state = Object.hasOwn(given, useCase) ? given[useCase] : undefined;
    if (state !== 'granted' && state !== 'denied') continue;
    said[useCase] = state;
    count += 1;
  }
  return count === 0 ? [] : [{ signal: { state: 'valid', useCases: said }, outcome: 'valid' }];
}

/** One member that is exactly `1`, between nothing but optional whitespace (space and tab, not what `trim` takes for it). */
const oneMember = /(?:^|,)[ \t]*1[ \t]*(?:,|$)/;

function receivedGpc(fieldLines: readonly string[] | undefined): boolean {
  return fieldLines?.some((line) => oneMember.test(line)) ?? false;
}
