/**
 * What a US opt-out signal comes to, however it was encoded. Its denials count everywhere; what it leaves open counts as granted only
 * where the opt-out rules hold, and only what needs no proof of a notice unless that proof is there.
 */
import { gpcUseCases, type UseCase, useCases } from '../decision/vocabulary.ts';
import type { Regime, Said, SignalReading } from './signal.ts';

export interface UsStatement {
  /** Sale, sharing or targeted advertising was opted out of, or Global Privacy Control was on. */
  readonly optedOut: boolean;
  /** Every opt-out that the signal knows was offered with a notice and not taken. */
  readonly provedNotOptedOut: boolean;
  /** No consent to uses beyond what the data was collected for. */
  readonly secondaryUseDenied: boolean;
  /** No consent to the use of some kind of sensitive data. */
  readonly sensitiveRefused: boolean;
  /** The visitor is a known child. */
  readonly child: boolean;
}

export function usReading(statement: UsStatement, regime: Regime): SignalReading {
  const said: Partial<Record<UseCase, Said>> = {};
  let count = 0;
  for (const useCase of useCases) {
    const state = sayOf(useCase, statement);
    if (state === null || (state === 'granted' && regime !== 'us_opt_out')) continue;
    said[useCase] = state;
    count += 1;
  }
  const { child, sensitiveRefused } = statement;
  if (count === 0 && !sensitiveRefused) return { signal: null, outcome: 'valid' };
  const marks = { ...(child ? { child } : {}), ...(sensitiveRefused ? { refusesSensitive: true } : {}) };
  return { signal: { state: 'valid', ...marks, useCases: said }, outcome: 'valid' };
}

function sayOf(useCase: UseCase, { child, optedOut, provedNotOptedOut, secondaryUseDenied }: UsStatement): Said | null {
  if (child) return 'denied';
  if (isSale(useCase)) return optedOut ? 'denied' : provedNotOptedOut ? 'granted' : null;
  return useCase === 'content_personalization' && secondaryUseDenied ? 'denied' : 'granted';
}

/** What is done with data that was sold or shared is what Global Privacy Control speaks of too. */
function isSale(useCase: UseCase): boolean {
  return (gpcUseCases as readonly UseCase[]).includes(useCase);
}
