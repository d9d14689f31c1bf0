/**
 * How many decisions may wait for others at once. Every turn of the event loop makes all that is read in it wait, and a decision that
 * asks waits for two or three of them; so the limit falls while no turn is short, and rises again while it is reached and turns are
 * short (additive increase and multiplicative decrease, with the least of a window as the signal, as CoDel has it: RFC 8289).
 *
 * Who is over the limit is answered at once with nobody asked, which costs less than half as much: so what is asked is answered in
 * time, and the rest is answered at all.
 */
export interface AskLimit {
  /** Whether one more must not ask now. */
  isReached(): boolean;
  begin(): void;
  end(): void;
  /** As the queue's gauge tells it. */
  turnEnded(endMs: number, durationMs: number): void;
  readonly limit: number;
}

/** What one connection to a Redis node takes: with more under way its line refuses anyway. */
const limitMax = 256;
/** Enough to find out that all is well again. */
const limitMin = 16;
/** Decisions that ask wait for up to three turns, and a page has 60 ms or so. */
const turnMaxMs = 15;
/** Long enough for a pause of the garbage collector to pass without notice. */
const windowMs = 50;
const decrease = 0.7;
const increase = 0.1;

export function createAskLimit(): AskLimit {
  let limit = limitMax;
  let underWay = 0;
  /** Of the window under way. */
  let mostUnderWay = 0;
  let wasReached = false;
  let shortestMs = Number.POSITIVE_INFINITY;
  let windowEndMs = Number.NEGATIVE_INFINITY;

  function adjust(): void {
    if (shortestMs > turnMaxMs) limit = Math.max(limitMin, Math.floor(Math.min(limit, mostUnderWay) * decrease));
    else if (wasReached) limit = Math.min(limitMax, Math.ceil(limit * (1 + increase)));
  }

  return {
    isReached() {
      if (underWay < limit) return false;
      wasReached = true;
      return true;
    },
    begin() {
      underWay += 1;
      if (underWay > mostUnderWay) mostUnderWay = underWay;
    },
    end() {
      underWay -= 1;
    },
    turnEnded(endMs, durationMs) {
      shortestMs = Math.min(shortestMs, durationMs);
      if (endMs < windowEndMs) return;
      const hasRested = endMs - durationMs > windowEndMs + windowMs;
      if (!hasRested) adjust();
      windowEndMs = endMs + windowMs;
      shortestMs = Number.POSITIVE_INFINITY;
      wasReached = false;
      mostUnderWay = underWay;
    },
    get limit() {
      return limit;
    },
  };
}
