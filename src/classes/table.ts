/**
 * The table of equivalence classes, as it goes over the wire: which differences between visitors the zones of a page can tell apart at the
 * segment tier, and for each outcome one query that brings it. Format 1.
 */

export interface ClassTable {
  readonly format: 1;
  readonly policy: { readonly id: string; readonly revision: string };
  readonly page: string | null;
  /** As they were asked for; null: those of the page. */
  readonly zones: readonly string[] | null;
  /** When an answer may become another for the same visitor, RFC 3339; null: never, while this revision is in force. */
  readonly validUntil: string | null;
  /**
   * `answers`: as many queries as different answers. `attributes`: as few values of each attribute as the zones can tell apart, because
   * telling what they come to together was impossible or too much work.
   */
  readonly merging: 'answers' | 'attributes';
  readonly because: Reason | null;
  /** What every query begins with. */
  readonly query: string;
  /** Those that can make a difference, by name; the others are left out of every query. */
  readonly attributes: readonly AttributeTable[];
  /** Of `answers`; else null. */
  readonly decision: DecisionGraph | null;
}

/**
 * Why not `answers`: a condition needs an attribute itself; a condition may take more steps than it is given; an attribute is held against
 * more values than are told apart; conditions turn on the time in a way that no table tells; there are more answers than a table names; to
 * find out which there are is too much work.
 */
export const mergingReasons = ['reads_raw', 'too_long', 'too_many_values', 'reads_the_time', 'too_many_answers', 'too_much_work'] as const;
export type Reason = (typeof mergingReasons)[number];

/**
 * A target below zero is a query, −1 the first of them; any other is a node: the place of its attribute in `attributes`, then a target
 * for each class of that attribute.
 */
export interface DecisionGraph {
  readonly start: number;
  readonly nodes: readonly (readonly number[])[];
  readonly queries: readonly string[];
}

/**
 * How one attribute's value becomes a class, a whole number from 0. A visitor of whom nothing is known is in class `absent`. A list of which
 * many items matter may be told by several of these, each of one item, all with its name.
 */
export type AttributeTable = { readonly name: string } & (Classified | Raw);

/** What stands in the query as it is. */
interface Raw {
  readonly type: AttributeType;
  readonly raw: true;
  /** Of a list: what of it stands in the query. Absent: all of it. */
  readonly cut?: Cut;
}

export interface Cut {
  /** Only these do. */
  readonly items: readonly string[];
  /** As of `strings`. */
  readonly among: readonly string[] | null;
  /** What stands there of a list that holds something, and none of them; null: nothing, as if there were no list. */
  readonly other: string | null;
}

/** Of `attributes`: what stands in the query for each class. */
type Classified = Classes & { readonly absent: number; readonly written?: readonly string[] };

export type AttributeType = 'string' | 'int' | 'bool' | 'timestamp' | 'strings';

export type Classes =
  | { readonly type: 'bool'; readonly true: number; readonly false: number }
  | {
      readonly type: 'string';
      readonly values: Readonly<Record<string, number>>;
      /** The longest first. */
      readonly prefixes: readonly string[];
      readonly suffixes: readonly string[];
      /** For what is not among `values`: by the first prefix (or none) and, within it, by the first suffix (or none). */
      readonly classes: readonly number[];
    }
  /** By how many of the bounds are not above the value; a timestamp in milliseconds since the epoch. */
  | { readonly type: 'int' | 'timestamp'; readonly bounds: readonly number[]; readonly classes: readonly number[] }
  | {
      readonly type: 'strings';
      readonly items: readonly string[];
      /** All that a list may hold, where it matters that it holds something else; null: it may hold anything, or it does not matter. */
      readonly among: readonly string[] | null;
      /** By which of the items the list holds: the first counts 1, the second 2, the third 4, and so on. */
      readonly classes: readonly number[];
    };
