/**
 * What is kept back of a deadline for ourselves: for writing the answer, and for a timer that fires late because the event loop is busy
 * with others. A loop that had a long turn a moment ago will have another, so the longest of the last second or two is kept back.
 */
export interface OwnMargin {
  /** Of a budget, in milliseconds, at an instant. */
  of(budgetMs: number, nowMs: number): number;
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

  /** A loop that has rested since is not busy any more. */
  function longestAt(nowMs: number): number {
    if (nowMs < windowEndMs) return Math.max(longestMs, longestBeforeMs);
    return nowMs < windowEndMs + windowMs ? longestMs : 0;
  }

  return {
    of: (budgetMs, nowMs) => Math.max(marginMinMs, Math.min(budgetMs * shareMax, longestAt(nowMs))),
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
