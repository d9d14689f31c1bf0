/** How busy the event loop is: the shortest turn of a window, so that one long turn, or a garbage collection, says nothing. */

export interface TurnWindow {
  /** Null while a window is under way. */
  turnEnded(endMs: number, durationMs: number): FinishedWindow | null;
}

export interface FinishedWindow {
  readonly shortestMs: number;
  /** The window began after a pause, so it is of the turn that ended it alone, or of that and turns long before. */
  readonly hasRested: boolean;
}

/** Long enough for a pause of the garbage collector to pass without notice. */
const windowMs = 50;

export function createTurnWindow(): TurnWindow {
  let shortestMs = Number.POSITIVE_INFINITY;
  let windowEndMs = Number.NEGATIVE_INFINITY;
  return {
    turnEnded(endMs, durationMs) {
      shortestMs = Math.min(shortestMs, durationMs);
      if (endMs < windowEndMs) return null;
      const finished = { shortestMs, hasRested: endMs - durationMs > windowEndMs + windowMs };
      windowEndMs = endMs + windowMs;
      shortestMs = Number.POSITIVE_INFINITY;
      return finished;
    },
  };
}
