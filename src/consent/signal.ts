/**
 * What every reader of a consent signal takes and gives. A reader is total: whatever text it is handed, it answers with a reading.
 * None of them knows the others, and what their signals come to together the decision core says.
 */
import type { ConsentSettings } from '../decision/artefact.ts';
import type { ConsentSignal } from '../decision/facts.ts';
import type { UseCase } from '../decision/vocabulary.ts';

/** The rules of the visitor's place. A grant counts only under the rules it was given under; a denial counts everywhere. */
export const regimes = ['opt_in', 'us_opt_out'] as const;
export type Regime = (typeof regimes)[number];

export interface SignalContext {
  readonly settings: ConsentSettings;
  readonly regime: Regime;
  /** Three-valued on the wire: what is not said counts as true. */
  readonly gdprApplies: boolean;
  readonly nowMs: number;
}

/** Where a signal came from. */
export const consentSources = ['tcf', 'gpp', 'usPrivacy', 'googleConsentMode', 'useCases', 'secGpc'] as const;
export type ConsentSource = (typeof consentSources)[number];

/** Why a text is no TC string, GPP string or US Privacy string at all. Closed: nothing of the text itself is ever told. */
export const consentErrors = [
  'too_long',
  'alphabet',
  'truncated',
  'version',
  'range',
  'segments',
  'section_count',
  'section',
  'value',
  'trailing_bits',
] as const;
export type ConsentError = (typeof consentErrors)[number];

/** What became of a signal, as metrics label it. `absent`: nothing was received. `malformed`: any `ConsentError`. The others decode and do not count. */
export const consentSignalOutcomes = [
  'absent',
  'valid',
  'malformed',
  'not_service_specific',
  'policy_version',
  'policy_version_unknown',
  'disclosed_vendors_missing',
  'future',
  'stale',
] as const;
export type ConsentSignalOutcome = (typeof consentSignalOutcomes)[number];

/**
 * `signal` is null where nothing is said. A GPP string gives one reading for each section it holds, but none for section 2: that is a
 * TC string, and two TC strings are weighed against each other before either becomes a signal.
 */
export interface SignalReading {
  readonly signal: ConsentSignal | null;
  readonly outcome: ConsentSignalOutcome;
}

export type Said = 'granted' | 'denied';
export type SaidOfUseCases = Readonly<Partial<Record<UseCase, Said>>>;

/** It was received and does not count, so it may hide a denial. */
export function invalidReading(outcome: Exclude<ConsentSignalOutcome, 'absent' | 'valid'>): SignalReading {
  return { signal: { state: 'invalid' }, outcome };
}

export function isConsentError(value: unknown): value is ConsentError {
  return typeof value === 'string' && (consentErrors as readonly string[]).includes(value);
}
