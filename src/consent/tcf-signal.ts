/**
 * Makes one signal of the TC strings of a request: of one, usually, and where a GPP string carries another, of both. The later one
 * alone counts, since the person has decided anew; of one day, nobody knows which was later, and the stricter bit of each counts.
 */
import type { ConsentSettings } from '../decision/artefact.ts';
import type { ConsentSignal } from '../decision/facts.ts';
import { dayMs } from '../time/units.ts';
import type { ConsentSignalOutcome, SaidOfUseCases, SignalContext } from './signal.ts';
import { hasSpecialFeature, readTcString, type TcString } from './tcf.ts';
import { allowedBy, strictest, useCasesOf } from './tcf-use-cases.ts';
import { tcfValidity } from './tcf-validity.ts';

export interface TcfReading {
  readonly signals: readonly ConsentSignal[];
  /** Of each text, in the order given. */
  readonly outcomes: readonly ConsentSignalOutcome[];
  /** The special features that were opted in to, by every string that counts. */
  readonly specialFeatures: readonly number[];
}

interface Read {
  readonly tc: TcString | null;
  readonly outcome: Exclude<ConsentSignalOutcome, 'absent'>;
}

export function tcfSignals(texts: readonly string[], context: SignalContext): TcfReading {
  const read = texts.map((text) => readAndWeigh(text, context));
  const signals: ConsentSignal[] = [];
  const valid: TcString[] = [];
  for (const { tc, outcome } of inForce(read)) {
    if (outcome !== 'valid') signals.push({ state: 'invalid' });
    else if (tc !== null) valid.push(tc);
  }
  const signal = valid.length === 0 ? null : signalOf(valid, context);
  if (signal !== null) signals.push(signal);
  const specialFeatures = tcfGrantsCount(context) ? specialFeaturesOf(valid, context.settings) : [];
  return { signals, outcomes: read.map(({ outcome }) => outcome), specialFeatures };
}

function readAndWeigh(text: string, context: SignalContext): Read {
  const tc = readTcString(text);
  return typeof tc === 'string' ? { tc: null, outcome: 'malformed' } : { tc, outcome: tcfValidity(tc, context) };
}

/** Without those that a later, valid one replaces. What has no day that could be told is replaced by nothing. */
function inForce(read: readonly Read[]): readonly Read[] {
  let latestDay = -1;
  for (const { tc } of read) if (tc !== null) latestDay = Math.max(latestDay, dayOf(tc));
  const latest = read.filter(({ tc }) => tc !== null && dayOf(tc) === latestDay);
  if (!latest.every(({ outcome }) => outcome === 'valid')) return read;
  return read.filter(({ tc }) => tc === null || dayOf(tc) === latestDay);
}

function signalOf(strings: readonly TcString[], context: SignalContext): ConsentSignal | null {
  const { settings, nowMs } = context;
  const said = useCasesOf(strictest(strings.map((tc) => allowedBy(tc, settings))));
  const useCases = tcfGrantsCount(context) ? said : denialsOf(said);
  if (Object.keys(useCases).length === 0) return null;
  // A string that is ahead of our clock is of no later day than what was recorded today.
  const day = Math.min(Math.max(...strings.map(dayOf)), Math.floor(nowMs / dayMs));
  return { state: 'valid', day, useCases };
}

/** Who was not told of us has not opted in to anything of ours. */
function specialFeaturesOf(strings: readonly TcString[], settings: ConsentSettings): readonly number[] {
  if (strings.length === 0 || !strings.every((tc) => allowedBy(tc, settings).disclosed)) return [];
  return [1, 2].filter((feature) => strings.every(({ specialFeatureOptins }) => hasSpecialFeature(specialFeatureOptins, feature)));
}

/** Grants of the TCF are given under opt-in rules, and where the GDPR does not apply the string proves nothing. */
function tcfGrantsCount({ regime, gdprApplies }: SignalContext): boolean {
  return regime === 'opt_in' && gdprApplies;
}

function denialsOf(said: SaidOfUseCases): SaidOfUseCases {
  return Object.fromEntries(Object.entries(said).filter(([, state]) => state === 'denied'));
}

function dayOf({ lastUpdatedMs }: TcString): number {
  return Math.floor(lastUpdatedMs / dayMs);
}
