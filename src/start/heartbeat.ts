/**
 * Whether another process still turns: it is asked every second and has to answer. It is judged by the questions it left open and not
 * by the time that went by, since whoever was stopped itself must not take its own absence for the silence of others.
 */
import type { Clock } from '../time/clock.ts';

export interface HeartbeatParts {
  readonly clock: Pick<Clock, 'after'>;
  ask(): void;
  /** It left open what it was asked for `silentAfterMs`. */
  fellSilent(): void;
  /** It had fallen silent. */
  answersAgain(): void;
  /** It left open what it was asked for `goneAfterMs`, and is not asked any more. */
  isGone(): void;
}

export interface Heartbeat {
  /** Any word of its own is a sign of life. */
  heard(): void;
  dispose(): void;
}

const everyMs = 1000;
export const silentAfterMs = 3000;
export const goneAfterMs = 10_000;

export function listenTo({ clock, ask, fellSilent, answersAgain, isGone }: HeartbeatParts): Heartbeat {
  let open = 0;
  let forget = beatLater();

  function beatLater(): () => void {
    ask();
    open += 1;
    return clock.after(everyMs, judge);
  }

  function judge(): void {
    const silentMs = open * everyMs;
    if (silentMs === silentAfterMs) fellSilent();
    if (silentMs >= goneAfterMs) isGone();
    else forget = beatLater();
  }

  return {
    heard() {
      const wasSilent = open * everyMs > silentAfterMs;
      open = 0;
      if (wasSilent) answersAgain();
    },
    dispose: () => forget(),
  };
}
