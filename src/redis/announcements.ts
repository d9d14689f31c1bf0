/**
 * Announcements to all that share a Redis, on one channel. Whoever listens has a connection for it, made when the first one begins to and
 * kept for a while after the last one stopped; a fleet that nobody listens to has none.
 */
import { type Announcement, type Announcements, announcementIn, announcementText, type Hear } from '../records/announcements.ts';
import type { Clock } from '../time/clock.ts';
import type { Connection } from './connection.ts';
import { subscribe } from './subscriber.ts';

export const announcementChannel = 'sw:changes';

export interface AnnouncementParts {
  readonly url: string;
  readonly writing: Pick<Connection, 'command'>;
  /** Nothing can be heard: a short code of the server's. Told once. */
  readonly onRefused: (code: string) => void;
  /** In place of a timer of the process's own, which does not keep it alive. */
  readonly after?: Clock['after'] | undefined;
}

/** Pages come one at a time where there are few: each would have a connection made and given up again. */
export const unheardForMs = 30_000;

export function createAnnouncements({ url, writing, onRefused, after = afterUnheld }: AnnouncementParts): Announcements {
  const listeners = new Set<Hear>();
  let unsubscribe: (() => void) | null = null;
  let stopWaiting: (() => void) | null = null;
  let isRefused = false;
  let isClosed = false;

  function tell(announced: Announcement | null): void {
    for (const hear of listeners) hear(announced);
  }

  function refused(code: string): void {
    if (!isRefused) onRefused(code);
    isRefused = true;
  }

  function leave(): void {
    stopWaiting?.();
    unsubscribe?.();
    stopWaiting = unsubscribe = null;
  }

  return {
    async announce(words) {
      await writing.command('PUBLISH', announcementChannel, [announcementText(words)]);
    },
    listen(given) {
      // One of its own, so that the same function may listen twice.
      const hear: Hear = (announced) => given(announced);
      listeners.add(hear);
      stopWaiting?.();
      stopWaiting = null;
      if (!isClosed) {
        unsubscribe ??= subscribe({
          url,
          channel: announcementChannel,
          name: 'stepwell-changes',
          // What none of us wrote may stand for something that one of us did.
          onMessage: (text) => tell(announcementIn(text)),
          onSubscribed: () => tell(null),
          onRefused: refused,
        });
      }
      return () => {
        if (listeners.delete(hear) && listeners.size === 0 && !isClosed) stopWaiting = after(unheardForMs, leave);
      };
    },
    close() {
      isClosed = true;
      listeners.clear();
      leave();
    },
  };
}

function afterUnheld(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms).unref();
  return () => clearTimeout(timer);
}
