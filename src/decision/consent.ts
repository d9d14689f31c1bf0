/**
 * What may be done with what is known about a person. Denials win over everything; whatever may hide a denial (a signal that
 * does not decode, a record that did not come) takes every grant away. Silence is `unavailable`, never permission.
 */
import type { ConsentSettings } from './artefact.ts';
import type { ConsentSignal, Evidence, Fact, StoredConsent } from './facts.ts';
import { type GateFailure, unread } from './gate-failure.ts';
import type { IdentityView } from './identity.ts';
import { type ConsentState, contextualUseCases, gpcUseCases, type PersonalUseCase, personalUseCases, type UseCase } from './vocabulary.ts';

export interface ConsentView {
  readonly states: Readonly<Record<UseCase, ConsentState>>;
  readonly gpc: boolean;
  readonly child: boolean;
  /** The late or failed record, or link to one, that may hold a denial. */
  readonly unread: GateFailure | null;
  /** The stored record whose grants count, for what only an explicit grant opens; null: none does. */
  readonly explicit: StoredConsent | null;
}

const dayMs = 86_400_000;
/** A record may be this far ahead of our clock, for skew between machines; beyond it, its grants say nothing. */
const clockSkewMs = 300_000;

export function weighConsent(settings: ConsentSettings, evidence: Evidence, identity: IdentityView, nowMs: number): ConsentView {
  const { signals, gpc } = evidence.consent;
  const records = countingRecords(evidence, identity);
  const invalid = signals.some((signal) => signal.state === 'invalid');
  const readable = records.every(({ state }) => state === 'known' || state === 'absent');
  const child = signals.some((signal) => signal.state === 'valid' && signal.child === true);
  const { stored } = evidence.consent;
  const isWhole = identity.state === 'high_confidence' && stored.state === 'known';
  const grants = readable && isWhole && isFresh(stored.value, settings, nowMs) ? stored.value : null;

  const states = {} as Record<UseCase, ConsentState>;
  for (const useCase of contextualUseCases)
    states[useCase] = merged(said(signals, useCase, 'denied') || child, !invalid && said(signals, useCase, 'granted'));
  for (const useCase of personalUseCases) {
    const denied =
      child ||
      said(signals, useCase, 'denied') ||
      (gpc && deniedByGpc(useCase)) ||
      deniedByRecord(records, useCase, supersedesBeforeMs(signals, useCase));
    const granted = !invalid && readable && (said(signals, useCase, 'granted') || grants?.useCases[useCase] === 'granted');
    states[useCase] = merged(denied, granted);
  }
  const explicit = grants === null || refusesSensitive(signals) ? null : withoutDeniedCategories(grants, records);
  return { states, gpc, child, unread: firstUnread(records), explicit };
}

export function deniedByGpc(useCase: UseCase): boolean {
  return (gpcUseCases as readonly UseCase[]).includes(useCase);
}

function merged(denied: boolean, granted: boolean): ConsentState {
  return denied ? 'denied' : granted ? 'granted' : 'unavailable';
}

function said(signals: readonly ConsentSignal[], useCase: UseCase, what: 'granted' | 'denied'): boolean {
  for (const signal of signals) if (signal.state === 'valid' && signal.useCases[useCase] === what) return true;
  return false;
}

function refusesSensitive(signals: readonly ConsentSignal[]): boolean {
  return signals.some((signal) => signal.state === 'valid' && signal.refusesSensitive === true);
}

/** Which stored records speak for this visitor, if only by their denials. One that could not be found out stands here as late or failed. */
function countingRecords({ identity: evidence, consent }: Evidence, identity: IdentityView): readonly Fact<StoredConsent>[] {
  const records: Fact<StoredConsent>[] = [];
  const { device, token } = evidence;
  if (identity.token !== null) records.push(consent.stored);
  if (token.state === 'late' || token.state === 'failed') records.push(token);
  // What was withdrawn in a session stays withdrawn when it has ended and its id proves nothing any more.
  if (consent.session !== undefined && (identity.sessionId !== null || consent.session.state === 'known')) records.push(consent.session);
  if (device.state === 'late' || device.state === 'failed') records.push(device);
  if (device.state === 'known') {
    // A link to the subject of the token needs no other record, even where the token was revoked: that of its subject was read.
    const isOfToken = token.state === 'verified' && token.subject === device.value.subject;
    records.push(isOfToken ? consent.stored : consent.linked);
  }
  return records;
}

function firstUnread(records: readonly Fact<StoredConsent>[]): GateFailure | null {
  for (const state of ['late', 'failed'] as const) {
    const record = records.find((fact) => fact.state === state);
    if (record !== undefined) return unread(record, 'consent');
  }
  return null;
}

function deniedByRecord(records: readonly Fact<StoredConsent>[], useCase: PersonalUseCase, beforeMs: number | null): boolean {
  for (const fact of records) if (fact.state === 'known' && denies(fact.value, useCase, beforeMs)) return true;
  return false;
}

/** Whether a stored record denies a use case, where a denial from before `beforeMs` has been set aside. */
export function denies({ useCases, recordedAtMs }: StoredConsent, useCase: PersonalUseCase, beforeMs: number | null): boolean {
  return useCases[useCase] === 'denied' && (beforeMs === null || recordedAtMs >= beforeMs);
}

/**
 * When the latest day began on which a signal of the request was given that grants the use case: a person who said yes then has
 * thought better of a no from before that day. Null: no signal that grants it has a day.
 */
export function supersedesBeforeMs(signals: readonly ConsentSignal[], useCase: PersonalUseCase): number | null {
  let latest: number | null = null;
  for (const signal of signals) {
    if (signal.state !== 'valid' || signal.day === undefined || signal.useCases[useCase] !== 'granted') continue;
    latest = Math.max(latest ?? signal.day, signal.day);
  }
  return latest === null ? null : latest * dayMs;
}

/** A stored grant ages, and one from the future proves a wrong clock; a stored denial does neither. */
function isFresh({ recordedAtMs, grantedAtMs = recordedAtMs }: StoredConsent, settings: ConsentSettings, nowMs: number): boolean {
  return grantedAtMs >= grantsCountFromMs(settings, nowMs) && grantedAtMs <= grantsCountUntilMs(nowMs);
}

/** The first instant at which a stored grant that counts now may have been recorded; a store that is asked to judge gets the same. */
export function grantsCountFromMs({ maxAgeDays }: ConsentSettings, nowMs: number): number {
  return nowMs - maxAgeDays * dayMs;
}

/** The last such instant. */
export function grantsCountUntilMs(nowMs: number): number {
  return nowMs + clockSkewMs;
}

/** The record whose grants count, without what any record denies of a special category. */
function withoutDeniedCategories(granting: StoredConsent, records: readonly Fact<StoredConsent>[]): StoredConsent {
  let { useCases } = granting;
  for (const fact of records) {
    if (fact.state !== 'known') continue;
    for (const [name, state] of Object.entries(fact.value.useCases)) {
      if (name.startsWith('category:') && state === 'denied') useCases = { ...useCases, [name]: 'denied' };
    }
  }
  return { ...granting, useCases };
}

/** Whether a stored record explicitly grants the use of a special category. */
export function grantsCategory({ useCases }: StoredConsent, category: string): boolean {
  const name = `category:${category}`;
  return Object.hasOwn(useCases, name) && (useCases as Readonly<Record<string, unknown>>)[name] === 'granted';
}
