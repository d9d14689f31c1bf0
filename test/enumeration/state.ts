/**
 * The abstract state of one decision, in the words of the rules and nothing finer: what the table judges, and what is made concrete
 * for the real core. Days are whole days from today, so that ages and the dates of consent strings compare without arithmetic on clocks.
 */
import type { Tier } from '../../src/decision/vocabulary.ts';

/** Why a fact is not there, as the rules distinguish it. */
export const troubles = ['late', 'too_short', 'failed', 'circuit_open', 'overload'] as const;
export type Trouble = (typeof troubles)[number];

export type Token =
  | { readonly is: 'none' | 'invalid' | 'long_expired' | 'keys_stale' | 'late' | 'failed' | 'overload' }
  | {
      readonly is: 'verified';
      readonly probabilistic: boolean;
      readonly expired: boolean;
      readonly binding: 'none' | 'proved' | 'unproved' | 'late' | 'failed';
      /** How long ago the person authenticated: `edge` is the last instant that counts, `past` the first that does not. */
      readonly authenticated: 'never' | 'now' | 'edge' | 'past';
      readonly generation: 'current' | 'behind' | 'unsaid' | Trouble;
      readonly revoked: 'no' | 'yes' | Trouble;
    };

/** Whom the given device is linked to. `taken_over`: the token's person, a minute ago somebody else; only who authenticated since is proved. */
export type Device = 'none' | 'unlinked' | 'same' | 'taken_over' | 'other' | Trouble;

export type Says = 'granted' | 'denied' | 'nothing';

export interface KnownRecord {
  readonly is: 'known';
  readonly select: Says;
  readonly activation: Says;
  /** What it says of `category:health`. */
  readonly category: Says;
  readonly day: number;
  /** When it granted, where that was earlier than its last word. */
  readonly grantedDay?: number;
}
export type RecordFact = { readonly is: 'refused' | 'absent' | Trouble } | KnownRecord;

export interface Request {
  readonly select: Says;
  readonly activation: Says;
  readonly contextual: Says;
  /** The day of the string that says so; null: an explicit statement, which has no date. */
  readonly day: number | null;
  readonly also: 'nothing' | 'invalid' | 'child' | 'activation_denied' | 'sensitive_refused';
  readonly gpc: boolean;
}

export type DataFact = 'matching' | 'other' | 'absent' | 'refused' | Trouble;

export interface State {
  readonly token: Token;
  readonly device: Device;
  readonly sessionId: 'none' | 'invalid' | 'verified';
  readonly request: Request;
  readonly stored: RecordFact;
  /** The record of the device's subject. Where that is the token's, the same record as `stored`. */
  readonly linked: RecordFact;
  /** The record of the session itself. */
  readonly ofSession: RecordFact;
  readonly profile: DataFact;
  readonly session: DataFact;
}

/** How sensitive a rule or a zone is. `health` is the one category that the policies here enable; `finance` is never enabled. */
export type Class = 'S0' | 'S1' | 'S2' | 'S3:health' | 'S3:finance' | 'S3:none';

export interface AbstractRule {
  readonly class: Class;
  readonly reads: 'nothing' | 'session' | 'profile';
}

/** A zone without its anonymous rung, which everybody may have. */
export interface AbstractZone {
  readonly id: string;
  readonly kind: 'content' | 'offer';
  readonly class: Class;
  readonly late: 'fallback' | 'defer' | 'suppress';
  /** Says who chooses first, and nothing of what may be chosen. */
  readonly criticality: number;
  readonly by: 'choose' | 'arbitrate';
  readonly rungs: Readonly<Partial<{ [T in Exclude<Tier, 'anonymous'>]: readonly AbstractRule[] }>>;
}

export const cappedDependencies = ['identity', 'consent', 'profile', 'session'] as const;
export type CappedDependency = (typeof cappedDependencies)[number];

export interface Settings {
  readonly contextualWithoutSignal: boolean;
  /** The caller may be anybody: above segment only the proved. */
  readonly onlyProved: boolean;
  readonly onFailure: Readonly<Partial<{ [D in CappedDependency]: Tier }>>;
}

export const maxAgeDays = 180;
