/**
 * Where more is asked than can even be refused, connections are left alone for a while: who was refused is not read again until there
 * is room, a second at most, which is what the refusal said (`Retry-After: 1`). So the service works for as many connections as it can
 * answer in time, and the others cost it nothing: the system holds their bytes.
 *
 * The connection that was parked last is read first, because what waits there has waited least. All of it follows from how long turns of
 * the event loop are.
 */
import type { Clock } from '../time/clock.ts';
import { createTurnWindow } from './turn-window.ts';

/** A connection that can be left unread. */
export interface Parkable {
  pause(): unknown;
  resume(): unknown;
  readonly destroyed: boolean;
}

export interface Parking {
  /** Whether this one is to be refused for what the turn under way has taken so far. */
  isFull(turnMs: number): boolean;
  /** Where the loop is overrun; elsewhere who was refused is read on. */
  park(connection: Parkable): void;
  /** For how long a request may have waited that is read from this connection now, because nobody read it. */
  unreadMs(connection: Parkable): number;
  /** As the queue's gauge tells it. */
  turnEnded(endMs: number, durationMs: number): void;
  /** Reads everybody again, and parks nobody any more. */
  end(): void;
  readonly parked: number;
}

/** What is read so late in a turn, where no turn is short, is refused. Decisions that ask wait for up to three turns. */
const turnMaxMs = 25;
/** A turn shorter than this has room for more. */
const roomyTurnMs = 18;
/** As many as are answered in three milliseconds or so: the turn that follows says whether there is room for more. */
const readAgainAtOnce = 64;
const lookEveryMs = 10;
const parkedMaxMs = 1_000;

/** `afterTurn` calls back when all that is ready has been read. */
export function createParking(clock: Clock, afterTurn: (callback: () => void) => unknown = setImmediate): Parking {
  /** The earliest first. */
  const parked = new Map<Parkable, number>();
  /** Read again in the turn that comes now: what is read there may have waited since the instant. */
  const resumed = new Map<Parkable, number>();
  const window = createTurnWindow();
  let lastTurnEndMs = Number.NEGATIVE_INFINITY;
  let isOverrun = false;
  let hasEnded = false;
  let stopLooking: (() => void) | null = null;

  function readAgain(connection: Parkable, sinceMs: number): void {
    parked.delete(connection);
    if (connection.destroyed) return;
    if (resumed.size === 0) afterTurn(() => resumed.clear());
    resumed.set(connection, sinceMs);
    connection.resume();
  }

  function readSomeAgain(): void {
    const latest = [...parked].slice(-readAgainAtOnce).reverse();
    for (const [connection, sinceMs] of latest) readAgain(connection, sinceMs);
  }

  /** For those whose time is up, and for a loop that has nothing else to do. */
  function look(): void {
    stopLooking = null;
    const nowMs = clock.monotonicMs();
    for (const [connection, sinceMs] of parked) {
      if (nowMs - sinceMs < parkedMaxMs) break;
      readAgain(connection, sinceMs);
    }
    if (nowMs - lastTurnEndMs >= lookEveryMs) readSomeAgain();
    lookAgain();
  }

  function lookAgain(): void {
    if (parked.size > 0) stopLooking ??= clock.after(lookEveryMs, look);
  }

  return {
    isFull: (turnMs) => isOverrun && turnMs >= turnMaxMs,
    park(connection) {
      if (!isOverrun || hasEnded || connection.destroyed || parked.has(connection)) return;
      connection.pause();
      parked.set(connection, clock.monotonicMs());
      lookAgain();
    },
    unreadMs(connection) {
      if (resumed.size === 0) return 0;
      const sinceMs = resumed.get(connection);
      if (sinceMs === undefined) return 0;
      resumed.delete(connection);
      return clock.monotonicMs() - sinceMs;
    },
    turnEnded(endMs, durationMs) {
      lastTurnEndMs = endMs;
      const finished = window.turnEnded(endMs, durationMs);
      if (finished !== null) isOverrun = (!finished.hasRested && finished.shortestMs > turnMaxMs) || (isOverrun && parked.size > 0);
      if (parked.size > 0 && durationMs < roomyTurnMs) readSomeAgain();
    },
    end() {
      hasEnded = true;
      stopLooking?.();
      for (const [connection, sinceMs] of parked) readAgain(connection, sinceMs);
    },
    get parked() {
      return parked.size;
    },
  };
}
