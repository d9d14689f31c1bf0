/**
 * What one process says to all that share a store: that something changed which somebody may be waiting to hear of. Nobody decides by it,
 * and it may get lost; whoever hears that it may have looks for themselves.
 */

/** A few opaque words. They name nobody to whoever reads them on their way. */
export type Announcement = readonly string[];

/** Null: something may have been announced while nobody here could hear it. */
export type Hear = (announced: Announcement | null) => void;

/** A store's half of it. */
export interface Announcements {
  announce(words: Announcement): Promise<void>;
  listen(hear: Hear): () => void;
  close(): void;
}

export const announcedWordsMax = 16;
const announcedWordLengthMax = 128;

export function announcementText(words: Announcement): string {
  return JSON.stringify(words);
}

/** Null for what none of us wrote. */
export function announcementIn(text: string): Announcement | null {
  if (text.length > announcedWordsMax * (announcedWordLengthMax + 8)) return null;
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) && words.length <= announcedWordsMax && words.every(isWord) ? words : null;
  } catch {
    return null;
  }
}

function isWord(word: unknown): word is string {
  return typeof word === 'string' && word.length <= announcedWordLengthMax;
}
