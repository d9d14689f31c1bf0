/**
 * What of a policy may leave for a visitor's device: rules and offers that are marked for it, every zone's approved fallback, and
 * the variants those name. It holds nothing about anybody, and it is the same for everybody who asks at one time.
 */
import type { Json } from '../decision/value.ts';
import type { Kind, Tier } from '../decision/vocabulary.ts';

/** What `trim` makes of a policy. Members that say nothing are left out, for it travels to every visitor. */
export interface DevicePolicy {
  readonly format: 1;
  /** The policy's id. */
  readonly policy: string;
  /** Of the whole policy, as answers of the service name it. */
  readonly revision: string;
  /** The zones of each page, in the page's order. */
  readonly pages: Readonly<Record<string, readonly string[]>>;
  readonly zones: Readonly<Record<string, DeviceZone>>;
  readonly offers: Readonly<Record<string, DeviceOffer>>;
  /** Content by the variant's id. */
  readonly variants: Readonly<Record<string, Json>>;
}

/** The payload of what is signed. Instants are seconds since the epoch, as in any JWS claim. */
export interface DeviceArtefact extends DevicePolicy {
  /** A device that has seen a later one takes no earlier one. */
  readonly iat: number;
  readonly nbf: number;
  /** At most seven days after `nbf`: a device that never comes back still stops. */
  readonly exp: number;
}

export interface DeviceZone {
  readonly kind: Kind;
  /** Higher chooses first on a page. */
  readonly criticality: number;
  /** Whether the zone declares class S1, so that request facts alone select nothing in it. */
  readonly s1?: true;
  /** Every rung of the policy's ladder, also those that have nothing on a device: an answer says why each was passed. */
  readonly ladder: readonly DeviceRung[];
}

/** Neither rules nor offers: nothing of it may leave for a device. */
export interface DeviceRung {
  readonly tier: Tier;
  /** Of a segment rung: it waits for no signal, by the policy's `contextualWithoutSignal`. */
  readonly open?: true;
  readonly rules?: readonly DeviceRule[];
  /** Ids. */
  readonly offers?: readonly string[];
}

export interface DeviceRule {
  /** Absent: unconditional. */
  readonly when?: Condition;
  readonly variant: string;
  /** Whether it is of class S1: more than request facts. */
  readonly s1?: true;
}

export interface DeviceOffer {
  readonly variant: string;
  readonly when?: Condition;
  /** propensityPpm × value: at most 10^12. */
  readonly worth: number;
  /** Condition and per mille, in declared order; at most `factorsMax`. */
  readonly context?: readonly (readonly [Condition, number])[];
  /** 1…10,000 per mille, clamped already. Absent: 1000. */
  readonly levers?: number;
  readonly group?: string;
  /** Inclusive, milliseconds since the epoch. */
  readonly fromMs?: number;
  /** Exclusive. */
  readonly untilMs?: number;
  readonly s1?: true;
}

/** Six factors of at most 100,000 per mille stay below 2^53; more would ask for arithmetic that a device does not carry. */
export const factorsMax = 6;

/**
 * A condition: a scalar is itself, anything else a list whose first member names the operation. There are only as many operations as
 * it takes to write all of the policy's with:
 *
 * `['.', 'r' | 'd', name, [type, …values], isMany?]` an attribute of the request, a local signal, and what is declared of it: the type of
 * a text, number or truth, the values it may have where not any, true where it is a list of those · `['h', …the same]` whether it is there · `['c', name]`:
 * `now`, `audiences`, or a variable after a `$` · `['[', …]` a list · `['|', …]` or · `['?', if, then, else]` · `['E', list, variable, condition]`
 * exists · `['#', x]` size · and `[operator, left, right]` for `in == < + * / % startsWith endsWith includes`. Not x is `['==', x, false]`.
 */
export type Condition = string | number | boolean | readonly [string, ...Condition[]];

/** Of the signed form, in UTF-16 units: a device reads no more of any answer. */
export const artefactCharactersMax = 524_288;
