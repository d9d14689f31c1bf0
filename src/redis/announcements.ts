/**
 * Announcements to all that share a Redis, on one channel. Whoever listens has a connection for it, made when the first one begins to; a
 * fleet that nobody listens to has none.
 */
import { type Announcement, announcementIn, announcementText, type Hear } from '../records/announcements.ts';
import type { Connection } from './connection.ts';
import { subscribe } from './subscriber.ts';

export const announcementChannel = 'sw:changes';

export interface Announcements {
  announce(words: Announcement): Promise<void>;
  listen(hear: Hear): () => void;
  close(): void;
}

export interface AnnouncementParts {
  readonly url: string;
  readonly writing: Pick<Connection, 'command'>;
  /** Nothing can be heard: a short code of the server's. Told once. */
  readonly onRefused: (code: string) => void;
}

export function createAnnouncements({ url, writing, onRefused }: AnnouncementParts): Announcements {
  const listeners = new Set<Hear>();
  let unsubscribe: (() => void) | null = null;
  let isRefused = false;
  let isClosed = false;

  function tell(announced: Announcement | null): void {
    for (const hear of listeners) hear(announced);
  }

  function refused(code: string): void {
    if (!isRefused) onRefused(code);
    isRefused = true;
  }

  return {
    async announce(words) {
      await writing.command('PUBLISH', announcementChannel, [announcementText(words)]);
    },
    listen(given) {
      // One of its own, so that the same function may listen twice.
      const hear: Hear = (announced) => given(announced);
      listeners.add(hear);
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
        listeners.delete(hear);
        if (listeners.size > 0) return;
        unsubscribe?.();
        unsubscribe = null;
      };
    },
    close() {
      isClosed = true;
      listeners.clear();
      unsubscribe?.();
      unsubscribe = null;
    },
  };
}
