/**
 * Announcements to all processes that have the directory open. Each stands in the store for a minute; who listens looks for new ones twice
 * a second, and is told at once of those of its own process.
 */
import type { Database } from 'lmdb';
import { type Announcements, announcementIn, announcementText, type Hear } from '../records/announcements.ts';

export interface AnnouncementParts {
  /** `<number>` → `<instant><text>`. */
  readonly kept: Database<string, string>;
  readonly nowMs: () => number;
  /** Everything in it is committed or nothing is. */
  transaction<T>(work: () => T): Promise<T>;
  /** Before a look: what other processes have committed is to be seen. */
  refresh(): void;
  repeat(everyMs: number, callback: () => void): () => void;
}

export const announcementLifeMs = 60_000;
const lookEveryMs = 500;
/** In one go; the rest with the next one. */
const forgottenMax = 64;
const digits = 16;

export function createAnnouncements({ kept, nowMs, transaction, refresh, repeat }: AnnouncementParts): Announcements {
  const listeners = new Set<Hear>();
  let heardUpTo = 0;
  let stopLooking: (() => void) | null = null;

  const keyOf = (number: number): string => String(number).padStart(digits, '0');

  function lastNumber(): number {
    for (const key of kept.getKeys({ reverse: true, limit: 1 })) return Number(key);
    return 0;
  }

  /** Inside a transaction only. The last one always stays: numbers are never given twice. */
  function forget(last: number): void {
    for (const { key, value } of Array.from(kept.getRange({ limit: forgottenMax, end: keyOf(last) }))) {
      if (Number(value.slice(0, digits)) + announcementLifeMs > nowMs()) return;
      kept.remove(key);
    }
  }

  function look(): void {
    refresh();
    for (const { key, value } of Array.from(kept.getRange({ start: keyOf(heardUpTo + 1) }))) {
      const number = Number(key);
      const isMissing = number !== heardUpTo + 1;
      heardUpTo = number;
      for (const hear of listeners) {
        // Slept for longer than they stand.
        if (isMissing) hear(null);
        hear(announcementIn(value.slice(digits)));
      }
    }
  }

  return {
    async announce(words) {
      await transaction(() => {
        const last = lastNumber();
        kept.put(keyOf(last + 1), keyOf(nowMs()) + announcementText(words));
        forget(last + 1);
      });
      if (listeners.size > 0) look();
    },
    listen(given) {
      const hear: Hear = (announced) => given(announced);
      if (listeners.size === 0) {
        refresh();
        heardUpTo = lastNumber();
        stopLooking = repeat(lookEveryMs, look);
      }
      listeners.add(hear);
      return () => {
        listeners.delete(hear);
        if (listeners.size > 0) return;
        stopLooking?.();
        stopLooking = null;
      };
    },
    close() {
      listeners.clear();
      stopLooking?.();
      stopLooking = null;
    },
  };
}
