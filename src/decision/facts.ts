/**
 * Evidence: all facts at the instant of deciding. Lateness and failure are values here, never exceptions, so the whole
 * failure space is an input of a pure function.
 */
import type { Attributes } from './value.ts';
import type { ConsentState, PersonalUseCase, UseCase } from './vocabulary.ts';

/**
 * One piece of evidence. `absent` means the store answered that there is nothing; `late`, that no answer had come;
 * `failed`, that asking went wrong; `refused`, that it was not asked because consent or policy forbids or nothing needed it.
 */
export type Fact<T> =
  | { readonly state: 'known'; readonly value: T }
  | { readonly state: 'absent' }
  | { readonly state: 'late'; readonly why?: 'deadline_too_short' }
  | Failed
  | { readonly state: 'refused' };

/** `circuit_open`: left alone after failures. `overload`: the service is too busy to ask. */
export interface Failed {
  readonly state: 'failed';
  readonly why?: 'circuit_open' | 'overload';
}

/** The facts that carry nothing of their own. */
export const absent = { state: 'absent' } as const;
export const late = { state: 'late' } as const;
export const tooShort = { state: 'late', why: 'deadline_too_short' } as const;
export const refused = { state: 'refused' } as const;

export const factStates = ['known', 'absent', 'late', 'failed', 'refused'] as const;

export interface Evidence {
  readonly identity: IdentityEvidence;
  readonly consent: ConsentEvidence;
  readonly profile: Fact<Profile>;
  readonly session: Fact<Session>;
  /** Memberships that a source of their own tells; `refused` where audiences come with the profile. */
  readonly audience: Fact<readonly string[]>;
  /** Propensities in ppm, by offer id. */
  readonly model: Fact<Propensities>;
}

/** 0…1,000,000 each. */
export type Propensities = Readonly<Record<string, number>>;

export interface Profile {
  readonly attributes: Attributes;
  readonly audiences: readonly string[];
}

export interface Session {
  readonly attributes: Attributes;
}

/** What was verified about who is asking. Nothing here is a caller's claim. */
export interface IdentityEvidence {
  readonly token: TokenEvidence;
  readonly session: SessionIdEvidence;
  /** Who the given `deviceId` is linked to. `refused` when none was given. */
  readonly device: Fact<IdentityLink>;
  /** The current generation of the token's subject: the store answers `known(0)` where none was ever raised. */
  readonly generation: Fact<number>;
  /** Whether the token's `jti` is on the denylist. */
  readonly tokenRevoked: Fact<boolean>;
  /** The token's subject was erased. Decisions go by what is there, which is nothing; who would follow the person must know. */
  readonly erased?: true;
}

export type TokenEvidence =
  | { readonly state: 'none' }
  | {
      readonly state: 'verified';
      readonly subject: string;
      readonly method: 'deterministic' | 'probabilistic';
      /** Signature and claims hold, but `exp` has passed (by at most 30 days). */
      readonly expired: boolean;
      /** Seconds since the epoch. Absent: so long ago that nothing is proved by it. */
      readonly issuedAtSeconds?: number;
      /** Seconds since the epoch; null when the token does not say. */
      readonly authTimeSeconds: number | null;
      /** The `gen` claim; null when there is none, which is behind any raised generation. */
      readonly generation: number | null;
      /**
       * Whether the token is bound to a holder's key (`cnf.jkt`), and whether this request proved it: `late` and `failed` where it could
       * not be found out whether the proof had been presented before.
       */
      readonly binding: 'none' | 'proved' | 'unproved' | 'late' | 'failed';
    }
  /** As if it were not there; the reason is kept. `expired` is one that ran out over 30 days ago. */
  | { readonly state: 'invalid' | 'expired' | 'keys_stale' }
  /** Verification did not finish in time, or could not be done. */
  | { readonly state: 'late' }
  | { readonly state: 'failed'; readonly why?: 'overload' };

/** A session id of ours: `invalid` covers a bad signature, a bad shape and an expired one. */
export type SessionIdEvidence = { readonly state: 'none' | 'invalid' } | { readonly state: 'verified'; readonly id: string };

export interface IdentityLink {
  readonly subject: string;
  readonly method: 'deterministic' | 'probabilistic';
  readonly confidencePpm: number;
  /** The device had been another person's until then, and not long before: who authenticated earlier may have left it to them. */
  readonly sharedSinceMs?: number;
}

/** What a request itself says about consent. */
export interface RequestConsent {
  /** Explicit use cases and decoded signals. Order does not matter. */
  readonly signals: readonly ConsentSignal[];
  /** `Sec-GPC: 1` was received. */
  readonly gpc: boolean;
}

export interface ConsentEvidence extends RequestConsent {
  /** The record of the token's subject. `refused` when there is no such subject or nothing needed it. */
  readonly stored: Fact<StoredConsent>;
  /** The record of the device link's subject; where that is not the token's, its denials count, and its grants never do. */
  readonly linked: Fact<StoredConsent>;
  /** The record of the session: its denials count, and its grants never do. Left out where nobody keeps such records. */
  readonly session?: Fact<StoredConsent>;
}

/**
 * One signal about consent. `invalid` was received and could not be understood or trusted, so it may hide a denial.
 * `child` marks a signal that says the visitor is a known child: it denies everything. Regimes are dealt with before: a grant that
 * does not hold under the visitor's rules does not stand here.
 */
export type ConsentSignal =
  | { readonly state: 'invalid' }
  | {
      readonly state: 'valid';
      readonly child?: boolean;
      /** Some kind of sensitive data may not be used. Its kinds are not our categories, so it closes every special category. */
      readonly refusesSensitive?: boolean;
      /**
       * The day (UTC, since the epoch) on which this was said. What is granted here then sets a denial aside that was stored before that
       * day. A signal without one, like an explicit use case, never does.
       */
      readonly day?: number;
      readonly useCases: Readonly<Partial<Record<UseCase, 'granted' | 'denied'>>>;
    };

export interface StoredConsent {
  /** The six personal use cases and `category:<name>`. */
  readonly useCases: Readonly<Partial<Record<PersonalUseCase | `category:${string}`, ConsentState>>>;
  /** Milliseconds since the epoch: when what it denies was said last. */
  readonly recordedAtMs: number;
  /** When what it grants was said, where that is earlier: a withdrawal of one thing makes a grant of another no younger. */
  readonly grantedAtMs?: number;
}

/** What is known of a visitor who is not looked at: a shared question is answered from this, whatever evidence stands beside it. */
export const noEvidence: Evidence = {
  identity: {
    token: { state: 'none' },
    session: { state: 'none' },
    device: { state: 'refused' },
    generation: { state: 'refused' },
    tokenRevoked: { state: 'refused' },
  },
  consent: { signals: [], gpc: false, stored: { state: 'refused' }, linked: { state: 'refused' }, session: { state: 'refused' } },
  profile: { state: 'refused' },
  session: { state: 'refused' },
  audience: { state: 'refused' },
  model: { state: 'refused' },
};
