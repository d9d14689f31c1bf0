/** What a page hands to the client, and what it gets. */
import type { Attributes, Json, Value } from '../decision/value.ts';
import type { Render, Tier, UseCase } from '../decision/vocabulary.ts';

export type { Json, Render, Tier, UseCase, Value };

export interface StepwellOptions {
  /** Where the service is: `https://decide.shop.example`, or '' for the page's own origin. */
  readonly url: string;
  /** A publishable key. Absent: none is sent. */
  readonly key?: string;
  /** The address of the signed artefact. Absent: `/v1/artefact` of the service. False: nothing is decided on the device. */
  readonly artefact?: string | false;
  /** The public keys that artefacts are signed with, where the page is built with them. Absent: the service is asked for them. */
  readonly keys?: readonly PublicKey[];
  /** What `stepwell fallbacks` prints. */
  readonly fallbacks?: FallbackPack;
  /** What was rendered before the client came, or the id of the script element that says so. Absent: `stepwell-bootstrap`. */
  readonly bootstrap?: Bootstrap | string;
  /** Request attributes that the policy declares, and `audiences` of the edge. */
  readonly context?: Context;
  /** Absent: `localStorage`, where there is one. Null: nothing is kept. */
  readonly storage?: ClientStorage | null;
  readonly fetch?: typeof fetch;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Absent: what the browser says. */
  readonly gpc?: boolean;
  /** Consent was taken back, here or in another tab: what was rendered for this person may not be shown any longer. */
  readonly onWithdrawal?: () => void;
}

export interface Stepwell {
  /** When an artefact from an earlier visit has been verified, or there is none. Never rejects. */
  readonly ready: Promise<void>;
  /** At once, from what is here: what was rendered, an answer kept for this view, the artefact, the approved fallback. */
  now(page: string, options?: { readonly zones?: readonly string[] }): PageAnswer;
  /** Asks the service, and answers within the budget in any case. Never rejects. */
  decide(page: string, options?: DecideOptions): Promise<PageAnswer>;
  /** A new view begins, as when a page of one document gives way to another: what was rendered may change. */
  view(context?: Context): void;
  /** What the visitor said, whole: what is left out was not said. A withdrawal holds at once, in every tab. */
  setConsent(useCases: UseCases): void;
  /** Who is here, for the service to verify. Kept in memory only. */
  identify(identity: Identity | null): void;
  readonly signals: Signals;
  /** Asks for the artefact anew. Never rejects. */
  refresh(): Promise<void>;
  /** Takes away all that is kept on the device, and all that is on its way. */
  forget(): void;
  /** Stops listening to other tabs. */
  close(): void;
}

export interface DecideOptions {
  /** In all, whatever the network does. Absent: 200. */
  readonly budgetMs?: number;
  /** Absent: those of the page. */
  readonly zones?: readonly string[];
  /** Consent strings as the service reads them (`tcf`, `gpp`, …), besides what `setConsent` was told. */
  readonly consent?: Readonly<Record<string, Json>>;
}

/** Signals that rules marked for devices may read as `device.<name>`. They are kept while there is consent, and never sent. */
export interface Signals {
  /** The visitor looked at something of this category. */
  saw(category: string): void;
  /** A preference, by the name that the policy declares; undefined takes it away. */
  set(name: string, value: Value | undefined): void;
  /** Everything that is kept, as rules read it. Null without consent. */
  all(): Attributes | null;
}

export type UseCases = Readonly<Partial<Record<UseCase, 'granted' | 'denied'>>>;
export type Context = Attributes & { readonly audiences?: readonly string[] };

export interface Identity {
  readonly token?: string | undefined;
  readonly proof?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly deviceId?: string | undefined;
}

export type Source = 'device' | 'edge' | 'server';

export interface PageAnswer {
  readonly page: string;
  /** `device` where that decided about any zone, else `edge` where that did, else `server`. */
  readonly source: Source;
  readonly zones: readonly ZoneAnswer[];
}

/** As `POST /v1/decide` answers, and who decided. */
export interface ZoneAnswer {
  readonly zone: string;
  readonly tier: Tier;
  readonly intendedTier: Tier;
  readonly variant: string | null;
  readonly offer: string | null;
  readonly content: Json;
  readonly render: Render;
  readonly downgrade: { readonly reason: string; readonly cause: string } | null;
  readonly source: Source;
  /** How the client came by it. */
  readonly via: 'answer' | 'bootstrap' | 'kept' | 'artefact' | 'fallback';
}

export interface FallbackPack {
  /** The zones of each page; without it a page has all zones of the pack. */
  readonly pages?: Readonly<Record<string, readonly string[]>>;
  readonly zones: Readonly<Record<string, FallbackZone>>;
}

export interface FallbackZone {
  readonly variant: string | null;
  readonly content: Json;
  /** `now`, `defer` or `suppress`; a text, since a pack that is imported has no other type. */
  readonly render?: string;
}

/** An answer of the service, or its zones, as an edge or a server wrote it into the page. */
export interface Bootstrap {
  /** Absent: `edge`. */
  readonly source?: 'edge' | 'server';
  readonly zones: readonly Readonly<Record<string, Json>>[];
}

/** Of a JSON Web Key: an Ed25519 public key. */
export interface PublicKey {
  readonly kid?: string;
  readonly x?: string;
}

/** What `localStorage` has. It may throw whenever it likes. */
export interface ClientStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}
