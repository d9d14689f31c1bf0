/**
 * Makes one signal of the TC strings of a request: of one, usually, and where a GPP string carries another, of both. The later one
 * counts, since the person has decided anew, and of the earlier one what it denies and the later one does not grant. Of one day nobody
 * knows which was later, so the stricter answer counts. What no string grants, none of them turns into silence by saying less.
 */
import type { ConsentSettings } from '../decision/artefact.ts';
import type { ConsentSignal } from '../decision/facts.ts';
import { type UseCase, useCases } from '../decision/vocabulary.ts';
import { dayMs } from '../time/units.ts';
import type { ConsentSignalOutcome, Said, SaidOfUseCases, SignalContext } from './signal.ts';
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
  for (const { tc, outcome } of read) {
    if (outcome !== 'valid') signals.push({ state: 'invalid' });
    else if (tc !== null) valid.push(tc);
  }
  const latestDay = Math.max(...valid.map(dayOf));
  const latest = valid.filter((tc) => dayOf(tc) === latestDay);
  const earlier = valid.filter((tc) => dayOf(tc) !== latestDay);
  const signal = latest.length === 0 ? null : signalOf(latest, earlier, context);
  if (signal !== null) signals.push(signal);
  const specialFeatures = tcfGrantsCount(context) ? specialFeaturesOf(latest, context.settings) : [];
  return { signals, outcomes: read.map(({ outcome }) => outcome), specialFeatures };
}

function readAndWeigh(text: string, context: SignalContext): Read {
  const tc = readTcString(text);
  return typeof tc === 'string' ? { tc: null, outcome: 'malformed' } : { tc, outcome: tcfValidity(tc, context) };
}

function signalOf(latest: readonly TcString[], earlier: readonly TcString[], context: SignalContext): ConsentSignal | null {
  const allowedOf = (tc: TcString) => allowedBy(tc, context.settings);
  const ofOneDay = latest.map(allowedOf);
  // Bit by bit they may come to less than any of them, but a string that says nothing of us takes no other's no away.
  const answers = [...ofOneDay, strictest(ofOneDay)].map(useCasesOf);
  const said = combined(answers, earlier.map(allowedOf).map(useCasesOf), tcfGrantsCount(context));
  if (Object.keys(said).length === 0) return null;
  // A string that is ahead of our clock is of no later day than what was recorded today.
  const day = Math.min(Math.max(...latest.map(dayOf)), Math.floor(context.nowMs / dayMs));
  return { state: 'valid', day, useCases: said };
}

function combined(latest: readonly SaidOfUseCases[], earlier: readonly SaidOfUseCases[], grantsCount: boolean): SaidOfUseCases {
  const said: Partial<Record<UseCase, Said>> = {};
  for (const useCase of useCases) {
    const denies = (answer: SaidOfUseCases): boolean => answer[useCase] === 'denied';
    const isGranted = latest.every((answer) => answer[useCase] === 'granted');
    if (latest.some(denies) || (!isGranted && earlier.some(denies))) said[useCase] = 'denied';
    else if (isGranted && grantsCount) said[useCase] = 'granted';
  }
  return said;
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

function dayOf({ lastUpdatedMs }: TcString): number {
  return Math.floor(lastUpdatedMs / dayMs);
}
