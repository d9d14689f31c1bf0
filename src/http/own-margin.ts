/**
 * What is kept back of a deadline for ourselves: for writing the answer, and for a timer that fires late because the event loop is busy
 * with others. A loop that had a long turn a moment ago will have another, so the longest of the last second or two is kept back.
 */
export interface OwnMargin {
  /** Of a budget, in milliseconds. */
  of(budgetMs: number): number;
  /** As the queue's gauge tells it. */
  turnEnded(endMs: number, durationMs: number): void;
}

const marginMinMs = 2;
/** More than this, and too little would be left to ask anybody. */
const shareMax = 1 / 3;
const windowMs = 1_000;

export function createOwnMargin(): OwnMargin {
  let windowEndMs = Number.NEGATIVE_INFINITY;
  let longestMs = 0;
  let longestBeforeMs = 0;
  return {
    of: (budgetMs) => Math.max(marginMinMs, Math.min(budgetMs * shareMax, Math.max(longestMs, longestBeforeMs))),
    turnEnded(endMs, durationMs) {
      if (endMs >= windowEndMs) {
        longestBeforeMs = endMs < windowEndMs + windowMs ? longestMs : 0;
        longestMs = 0;
        windowEndMs = endMs + windowMs;
      }
      longestMs = Math.max(longestMs, durationMs);
    },
  };
}
