/**
 * The compiled policy: plain data that `decide` reads. The policy compiler is its only author, and everything it says has
 * been checked: every name resolves, every ladder descends and ends in an approved anonymous variant, every number is in bounds.
 */
import type { Expression } from './expression.ts';
import type { Json } from './value.ts';
import type { Class, Dependency, Kind, LateMode, Tier } from './vocabulary.ts';

export interface Artefact {
  readonly format: 1;
  /** The policy's id. */
  readonly policy: string;
  readonly owner: string | null;
  /** SHA-256 over the canonical JSON of everything else here, in hex: the same policy has the same revision everywhere. */
  readonly revision: string;
  readonly attributes: {
    readonly request: Readonly<Record<string, AttributeDeclaration>>;
    readonly session: Readonly<Record<string, AttributeDeclaration>>;
    readonly profile: Readonly<Record<string, AttributeDeclaration>>;
    /** Signals that a device keeps to itself. Absent: the policy declares none. */
    readonly device?: Readonly<Record<string, AttributeDeclaration>>;
  };
  readonly audiences: Readonly<Record<string, AudienceDeclaration>>;
  /** Whether the segment rung may be taken without any consent signal. */
  readonly contextualWithoutSignal: boolean;
  readonly consent: ConsentSettings;
  readonly freshnessMaxMs: number;
  /** Special categories the policy switches on for S3; empty when S3 is off. */
  readonly sensitiveCategories: readonly string[];
  readonly deadline: { readonly defaultMs: number; readonly minMs: number; readonly maxMs: number };
  readonly dependencies: Readonly<Record<Dependency, DependencySettings>>;
  readonly pages: Readonly<Record<string, Page>>;
  readonly zones: Readonly<Record<string, Zone>>;
  readonly variants: Readonly<Record<string, Variant>>;
  readonly offers: Readonly<Record<string, Offer>>;
  /** What devices are given to decide by. Absent: as `deviceDefaults` says. */
  readonly device?: DeviceSettings;
}

export interface DeviceSettings {
  /** False: no device is given anything, and those that ask are told to forget what they have. */
  readonly enabled: boolean;
  /** How long what a device was given may be used without asking again. */
  readonly maxAgeHours: number;
}

export const deviceDefaults: DeviceSettings = { enabled: true, maxAgeHours: 24 };

export type AttributeType = 'string' | 'int' | 'bool' | 'timestamp' | 'strings';

export interface AttributeDeclaration {
  readonly type: AttributeType;
  /** Of `request`: what the TCF calls a special feature (1 precise geolocation, 2 scanning the device); it is read only by who opted in to it. */
  readonly specialFeature?: number;
  /** The only values allowed, for `string` and `strings`; null when any is. */
  readonly values: readonly string[] | null;
  readonly sensitivity: Sensitivity;
  /** For `profile`: how long it is kept once it is written. Absent: as long as its record. */
  readonly retentionDays?: number;
}

export interface AudienceDeclaration {
  readonly sensitivity: Sensitivity;
  /** Whether a caller may name it in `context.audiences`. */
  readonly edge: boolean;
  /** How long a membership is kept once it is written with a profile. Absent: as long as its record. */
  readonly retentionDays?: number;
}

/** How sensitive something is, computed by data flow over all it reads and declares. */
export interface Sensitivity {
  readonly class: Class;
  /** For S3: each special category that must be enabled and explicitly granted. Sorted, without repeats. */
  readonly categories: readonly string[];
  /** True when something S3 in it names no category: never eligible. */
  readonly uncategorised: boolean;
}

export interface ConsentSettings {
  readonly path: 'vendor' | 'publisher';
  readonly vendorId: number | null;
  /** A stored grant older than this says nothing; a stored denial does not age. */
  readonly maxAgeDays: number;
  /** Regime by `request.country`; a country that is not here is opt-in. */
  readonly regimes: Readonly<Record<string, string>>;
  readonly purposeOneCountries: readonly string[];
}

export interface DependencySettings {
  /** Null: as long as the zone's own budget and the deadline allow. */
  readonly budgetMs: number | null;
  readonly retries: number;
  /** While the dependency is late or failed, no zone goes above this tier. Null: no cap. */
  readonly onFailure: Tier | null;
  /** What a zone does at least that stepped down because of this dependency. Null: what the zone itself says. */
  readonly late: LateMode | null;
  /** Null: the store is asked, or nobody where no store has it. */
  readonly source: HttpSourceSettings | null;
}

/** A service that is asked over HTTP. The core never asks; whoever does finds here all that the policy says about it. */
export interface HttpSourceSettings {
  /** Absolute. `{deviceId}` (identity) or `{subject}` (the others) stand in path segments and query values only. */
  readonly url: string;
  readonly method: 'GET' | 'POST';
  /** By name, in lower case. */
  readonly headers: Readonly<Record<string, HeaderValue>>;
  /** Names of the `request` attributes that a POST carries, sorted. */
  readonly send: readonly string[];
  readonly map: SourceMapping;
  readonly maxBytes: number;
  /** As many asks may be under way at once. */
  readonly connections: number;
}

/** `env` names a variable of the environment: a secret never stands in a policy. */
export type HeaderValue = { readonly text: string } | { readonly env: string };

/** CEL over `response`, as written, by what it yields. What the dependency does not have is null, or has no members. */
export interface SourceMapping {
  /** Of `profile`: by the name of a declared profile attribute. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Of `profile` and `audience`. */
  readonly audiences: string | null;
  /** Of `model`: a map from offer id to a whole number. */
  readonly propensityPpm: string | null;
  /** Of `identity`. */
  readonly subject: string | null;
  readonly method: string | null;
  readonly confidencePpm: string | null;
}

export interface Page {
  /** Null: the policy's default. */
  readonly deadlineMs: number | null;
  readonly zones: readonly string[];
}

export interface Zone {
  readonly kind: Kind;
  /** Higher chooses first on a page. */
  readonly criticality: number;
  readonly budgetMs: number | null;
  readonly late: LateMode;
  /** What the zone itself declares (S0 when it declares nothing): every rung above anonymous asks for it. */
  readonly sensitivity: Sensitivity;
  /** Null: the default of the scope. */
  readonly maxAgeSeconds: number | null;
  /** Descending tiers, none twice, ending in `anonymous` with a fixed variant. */
  readonly ladder: readonly Rung[];
}

export interface Rung {
  readonly tier: Tier;
  /** A fixed variant is a `choose` of one rule without a condition; `arbitrate` names candidate offers, by id, in the policy's order. */
  readonly select:
    | { readonly by: 'choose'; readonly rules: readonly Rule[] }
    | { readonly by: 'arbitrate'; readonly offers: readonly string[] };
  readonly approved: Approval | null;
}

export interface Approval {
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly onMs: number;
  readonly untilMs: number;
}

/** What a rule or an offer reads, as written. */
export interface Reads {
  /** Names of `request` attributes, sorted. */
  readonly request: readonly string[];
  readonly session: boolean;
  /** True for any `profile.*`; and, where audiences have no source of their own, for any that is not `edge` (only the profile can name it). */
  readonly profile: boolean;
  /** True for any audience that is not `edge`, where audiences have a source of their own. */
  readonly audience: boolean;
  /** True where the propensity is the model's to say. */
  readonly model: boolean;
  /** True for any use of `audiences`. */
  readonly audiences: boolean;
  readonly now: boolean;
  /** It reads `device.*`, which no server knows: there it never applies, and counts for nothing. */
  readonly device?: true;
}

export interface Rule {
  /** Null: unconditional. */
  readonly when: Expression | null;
  readonly variant: string;
  /** The highest of what it reads, what it declares and what its variant declares. */
  readonly sensitivity: Sensitivity;
  readonly reads: Reads;
  /** It may go to a visitor's device. */
  readonly device?: true;
}

export interface Variant {
  readonly content: Json;
}

export interface Offer {
  readonly variant: string;
  readonly when: Expression | null;
  /** Whether the model says the propensity; `propensityPpm` then stands where it says nothing of this offer. */
  readonly fromModel: boolean;
  /** 0…1,000,000. */
  readonly propensityPpm: number;
  /** 0…1,000,000. */
  readonly value: number;
  /** In declared order. `perMille` is 0…100,000. */
  readonly context: readonly { readonly when: Expression; readonly perMille: number }[];
  /** The sum of the declared levers, per mille; clamped when it is used. */
  readonly leversPerMille: number;
  /** Exclusion group, or null. */
  readonly group: string | null;
  /** Inclusive, milliseconds since the epoch; null: open. */
  readonly fromMs: number | null;
  /** Exclusive. */
  readonly untilMs: number | null;
  readonly sensitivity: Sensitivity;
  readonly reads: Reads;
  /** The lowest tier whose rung may read all that it reads: below it the offer is no candidate. */
  readonly lowestTier: Tier;
  /** It may go to a visitor's device. */
  readonly device?: true;
}
