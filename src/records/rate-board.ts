/**
 * A board that processes share, on which each says how much its callers ask, so that they keep to one rate together. It carries numbers
 * and short names, and nothing about a person. Whoever posts MUST NOT hold up a request for it.
 */
export interface RateBoard {
  /**
   * Puts our words in place of those we posted last, and answers the words of every process that posted lately, ours among them. Words
   * hold no white space. Rejects where the board cannot be reached.
   */
  post(process: string, words: string): Promise<readonly Posted[]>;
  close(): void;
}

export interface Posted {
  readonly process: string;
  readonly words: string;
}

/** Of one process. */
export const postedCharsMax = 8_192;
/** Of which a process says something: more would not fit, and everybody would go by the whole rate. A short name and nine digits for each. */
export const limitedKeysMax = 300;
