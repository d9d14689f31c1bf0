import type { Attributes } from './value.ts';

/** What is asked: everything the caller said that is not evidence about a person, and the time. */
export interface Question {
  /** Wall clock at the start of the decision, milliseconds since the epoch: windows, ages and `now` all use this one. */
  readonly nowMs: number;
  /**
   * `personal` is a POST: every rung is open. `shared` is a GET: ladders are cut at segment and only rules of class S0 apply,
   * so that the answer is a function of this question alone.
   */
  readonly audience: 'personal' | 'shared';
  readonly page: string | null;
  /** Zone ids in the order of the answer; every one exists in the artefact. */
  readonly zones: readonly string[];
  /** Offers already shown on this page, by zones decided at an earlier instant. */
  readonly shownOffers: readonly string[];
  /** `request.*`: declared attributes with declared types. Timestamps are integers of milliseconds. */
  readonly request: Attributes;
  /** `context.audiences`; null when the caller gave none. */
  readonly audiences: readonly string[] | null;
  readonly explain: boolean;
  /**
   * The caller may be anybody, as whoever has read a key out of a web page: nothing above segment then, except for a person who is
   * proved. Absent: the caller is somebody we know.
   */
  readonly onlyProved?: true;
  /** Breaks ties where no verified subject or session does, and nothing else: it proves nobody. Absent: everybody's ties fall alike. */
  readonly tieBreak?: string;
}
