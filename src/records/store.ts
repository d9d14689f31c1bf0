/**
 * What a store must do, whichever it is. Redis and the embedded store implement this and pass one contract suite.
 *
 * A store MAY be slow and MAY reject: `evidence/` owns the deadline and turns both into facts. A store MUST read everything a
 * plan names in one round trip, MUST NOT touch a profile or a session that the plan's conditions do not allow, and MUST keep a
 * subject's records under keys that share one cluster slot. It decides nothing.
 */
import type { Fact, IdentityLink, Session, StoredConsent } from '../decision/facts.ts';
import type { PersonalUseCase } from '../decision/vocabulary.ts';
import type { Announcement, Hear } from './announcements.ts';
import type { ConsentRecord, ConsentWrite, HeldConsent, SessionConsent, Withdrawal } from './consent-record.ts';
import type { Erasure, ErasureKey, ErasureRequest, HeldLink, Lifting } from './erasure.ts';
import type { ProfileRecord } from './retention.ts';

/** Everything one decision wants to know, said once. */
export interface ReadPlan {
  /** Subject of a token whose signature verified; null when there is none. Asks for its generation and tombstone. */
  readonly subject: string | null;
  /** `iss` and `jti` of that token joined by a newline, to look up on the denylist. */
  readonly tokenId: string | null;
  /** The token's `gen` claim, 0 where it has none. */
  readonly tokenGeneration: number;
  /** Until when a hand-over of the device leaves that token proof of its subject; absent: none does. */
  readonly provenUntilMs?: number;
  readonly deviceId: string | null;
  /**
   * Whom the device is linked to, found out elsewhere; then `deviceId` is null. The store looks no link up and treats this one as the
   * one it read: by its subject's tombstone and consent.
   */
  readonly resolvedLink: IdentityLink | null;
  /** The random part of a verified session id. Its consent record is read whenever it is given, and counts in every permission. */
  readonly sessionId: string | null;
  /** Whether to read consent records (of the subject, and of the device link's subject where that is another). */
  readonly consent: boolean;
  /** Null: the profile is not to be touched. */
  readonly profile: Permission | null;
  /** Null: the session is not to be touched. */
  readonly session: Permission | null;
  /** How old what the store proves may be, at most. 0: it proves everything now. */
  readonly freshnessMaxMs: number;
}

/** Asks for nothing: a beginning for whoever asks for little. */
export const emptyPlan: ReadPlan = {
  subject: null,
  tokenId: null,
  tokenGeneration: 0,
  deviceId: null,
  resolvedLink: null,
  sessionId: null,
  consent: false,
  profile: null,
  session: null,
  freshnessMaxMs: 0,
};

/** Asks for a subject's generation and tombstone, and touches no record. */
export function planAbout(subject: string): ReadPlan {
  return { ...emptyPlan, subject };
}

/**
 * What consent must say before a record may be read: some alternative must hold, which is that every use case in it is denied by
 * no stored record that counts, and is granted by the request or by a stored grant. What counts, `permission.ts` says.
 */
export interface Permission {
  readonly alternatives: readonly Alternative[];
  /** Stored grants count that were recorded in these instants or between them; stored denials always do. */
  readonly grantsCountFromMs: number;
  readonly grantsCountUntilMs: number;
}

export type Alternative = readonly AskedUseCase[];

export interface AskedUseCase {
  readonly useCase: PersonalUseCase;
  /** By the request itself. */
  readonly granted: boolean;
  /** The request grants it, and so sets aside what a record denied before this instant, the beginning of a day. Null: it sets aside nothing. */
  readonly supersedesBeforeMs: number | null;
}

/** What the store said. An erased subject reads as one never seen. */
export interface StoreReading {
  /** Whether a tombstone stands for `plan.subject`. */
  readonly erased: boolean;
  /** Null: neither `deviceId` nor `resolvedLink` in the plan, or no link. */
  readonly link: IdentityLink | null;
  readonly generation: number;
  readonly tokenRevoked: boolean;
  readonly consent: StoredConsent | null;
  /** The record of the link's subject where that is not `plan.subject`. */
  readonly linkedConsent: StoredConsent | null;
  /** The record of the session: what was withdrawn in it. */
  readonly sessionConsent: SessionConsent | null;
  /** `known`, with what has ended by now, `absent`, or `refused` where the permission did not hold; `failed` when it is not what we wrote. */
  readonly profile: Fact<ProfileRecord>;
  /** The same, but `absent` when what is stored is not what we wrote. */
  readonly session: Fact<Session>;
  /** Proved by what is held in this process: the store itself was not asked. */
  readonly fromMemory?: true;
}

/** `too_many_links`: of a link, and nothing was written. */
export type WriteOutcome = 'created' | 'replaced' | 'erased' | 'too_many_links';
/** `withdrawn`: somebody took consent back meanwhile, and nothing was written. */
export type ConsentOutcome = WriteOutcome | 'withdrawn';

export interface StoredProfile extends ProfileRecord {
  readonly expiresAtMs: number;
}

export interface Store {
  readonly kind: 'redis' | 'embedded';
  read(plan: ReadPlan): Promise<StoreReading>;

  /** TTL in seconds is required for everything personal. `erased`: a tombstone stands and nothing was written. */
  putProfile(subject: string, profile: ProfileRecord, ttlSeconds: number): Promise<WriteOutcome>;
  getProfile(subject: string): Promise<StoredProfile | null>;
  /** False when there was none. */
  deleteProfile(subject: string): Promise<boolean>;
  putIdentity(namespace: string, value: string, link: IdentityLink, ttlSeconds: number): Promise<WriteOutcome>;
  /** How often the subject's consent record was written, for the fence of a put that is about to come; 0: there is none. */
  consentGeneration(subject: string): Promise<number>;
  /** Given a `since`, it replaces nothing that was withdrawn after that generation: an answer that took long must not undo a no. */
  putConsent(subject: string, consent: ConsentWrite, ttlSeconds: number, since?: number): Promise<ConsentOutcome>;
  getConsent(subject: string): Promise<HeldConsent | null>;
  /** Denies what is withdrawn, also where there was no record. Null: a tombstone stands and nothing was written. */
  withdrawConsent(subject: string, withdrawal: Withdrawal): Promise<ConsentRecord | null>;
  /** The same for a session, which it may also end. What it has learned is deleted with it where nothing may be selected by it any more. */
  withdrawSessionConsent(sessionId: string, withdrawal: Withdrawal): Promise<void>;
  putSession(sessionId: string, session: Session, ttlSeconds: number): Promise<void>;
  /** Merges attributes into a living session and keeps its expiry; false when there is none. */
  patchSession(sessionId: string, session: Session): Promise<boolean>;
  /** Deletes all that is stored of a subject and keeps everything from coming back, until the tombstone ends or is lifted. */
  erase(subject: string, request: ErasureRequest): Promise<Erasure>;
  /** Null: no erasure of that id, or of that subject, stands. */
  getErasure(of: ErasureKey): Promise<Erasure | null>;
  /** From now on the subject may be written again; not while the erasure has something left to do. */
  liftErasure(id: string): Promise<Lifting>;
  /** What is linked to the subject. */
  linksOf(subject: string): Promise<readonly HeldLink[]>;
  /** Raises the subject's generation by one and answers the new one. */
  raiseGeneration(subject: string): Promise<number>;
  /** `tokenId` as in the plan. */
  revokeToken(tokenId: string, untilMs: number): Promise<void>;
  /** True for the first who claims this proof, false for everybody else while it lives. */
  claimProof(proofId: string, lifeMs: number): Promise<boolean>;

  /** Many writes at once, for `load`: the outcome of each, in order. */
  writeBatch(writes: readonly StoreWrite[]): Promise<readonly WriteOutcome[]>;

  /** Says to every process with this store that something changed. It may get lost, and nobody decides by it. */
  announce(words: Announcement): Promise<void>;
  /** Hears what any process announces from now on, and maybe what was still on its way. Returns its `dispose`. */
  listen(hear: Hear): () => void;

  /** For the status page: resolves when the store answers, rejects when it does not. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export type StoreWrite =
  | { readonly kind: 'profile'; readonly subject: string; readonly profile: ProfileRecord; readonly ttlSeconds: number }
  | {
      readonly kind: 'identity';
      readonly namespace: string;
      readonly value: string;
      readonly link: IdentityLink;
      readonly ttlSeconds: number;
    }
  | { readonly kind: 'consent'; readonly subject: string; readonly consent: ConsentWrite; readonly ttlSeconds: number }
  | { readonly kind: 'session'; readonly sessionId: string; readonly session: Session; readonly ttlSeconds: number };
