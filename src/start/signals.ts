/** What a person or the system tells the process by signals: to stop, to stop at once, or to read the policy again. */
import { closeSync, openSync } from 'node:fs';
import type { Clock } from '../time/clock.ts';

/** One Ctrl-C may arrive twice, from the terminal and from npm; a second one after this is meant. */
const sameSignalMs = 500;
const stopping = ['SIGINT', 'SIGTERM'] as const;

/**
 * A hangup means two things: read the policy again, or the terminal is gone. A service that a person started in a terminal ends
 * with it; any other reloads. One that comes before the service serves is kept.
 */
export function listenToHangups(): { toldTo(reload: () => void): void } {
  const isAtTerminal = process.stdin.isTTY === true;
  let reload: (() => void) | null = null;
  let isDue = false;
  process.on('SIGHUP', () => {
    if (isAtTerminal && !hasTerminal()) process.kill(process.pid, 'SIGTERM');
    else if (reload === null) isDue = true;
    else reload();
  });
  return {
    toldTo(given) {
      reload = given;
      if (isDue) reload();
    },
  };
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

export interface Stopping {
  stop(signal: NodeJS.Signals): void;
  /** Somebody has lost patience. */
  stopAtOnce(signal: NodeJS.Signals): void;
}

export function listenToStopping(clock: Pick<Clock, 'monotonicMs'>, { stop, stopAtOnce }: Stopping): void {
  let firstAtMs: number | null = null;
  for (const signal of stopping) {
    process.on(signal, () => {
      if (firstAtMs === null) {
        firstAtMs = clock.monotonicMs();
        stop(signal);
      } else if (clock.monotonicMs() - firstAtMs > sameSignalMs) {
        stopAtOnce(signal);
      }
    });
  }
}

/** A terminal and a service manager tell a whole group: one of several processes, which obeys another, does not listen. */
export function ignoreSignals(): void {
  for (const signal of [...stopping, 'SIGHUP'] as const) process.on(signal, () => {});
}
