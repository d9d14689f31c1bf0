/**
 * How many decisions may wait for others at once. Every turn of the event loop makes all that is read in it wait, and a decision that
 * asks waits for two or three of them. So the limit falls while decisions that asked use up most of their time though no turn is short,
 * and rises again while it is reached and they do not (additive increase and multiplicative decrease, with the least of a window as the
 * signal of a busy loop, as CoDel has it: RFC 8289). A store that is slow by itself makes no turn long, and changes nothing here.
 *
 * Who is over the limit is answered at once with nobody asked, which costs less: so what is asked is answered in time, and the rest is
 * answered at all.
 */
import { createTurnWindow } from './turn-window.ts';

export interface AskLimit {
  /** Whether one more must not ask now. */
  isReached(): boolean;
  begin(): void;
  /** `usedShare`: how much of its time had passed when it was answered. */
  end(usedShare: number): void;
  /** As the queue's gauge tells it. */
  turnEnded(endMs: number, durationMs: number): void;
  readonly limit: number;
}

/** What one connection to a Redis node takes: with more under way its line refuses anyway. */
const limitMax = 256;
/** Enough to find out that all is well again. */
const limitMin = 16;
/** A loop with shorter turns is not what makes anybody wait. */
const busyTurnMs = 5;
/** With more of its time used up, a decision comes too near to its deadline. */
const usedShareMax = 0.75;
/** Of the decisions of a window; a pause makes a few of them slow. */
const slowShareMax = 0.1;
const decrease = 0.7;
const increase = 0.1;

export function createAskLimit(): AskLimit {
  let limit = limitMax;
  let underWay = 0;
  /** Of the window under way. */
  let mostUnderWay = 0;
  let wasReached = false;
  let ended = 0;
  let slow = 0;
  const window = createTurnWindow();

  function adjust(shortestMs: number): void {
    if (shortestMs > busyTurnMs && slow > ended * slowShareMax)
      limit = Math.max(limitMin, Math.floor(Math.min(limit, mostUnderWay) * decrease));
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
    end(usedShare) {
      underWay -= 1;
      ended += 1;
      if (usedShare > usedShareMax) slow += 1;
    },
    turnEnded(endMs, durationMs) {
      const finished = window.turnEnded(endMs, durationMs);
      if (finished === null) return;
      if (!finished.hasRested) adjust(finished.shortestMs);
      wasReached = false;
      ended = 0;
      slow = 0;
      mostUnderWay = underWay;
    },
    get limit() {
      return limit;
    },
  };
}
