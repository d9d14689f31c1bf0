/**
 * The record of all writes: a file that only ever grows, one JSON object a line, each with the hash of the line before, so that a line
 * that was taken out or changed shows. It holds who wrote what kind of thing when, and nothing about whom it was written.
 *
 * It holds up no answer: lines are written in order in the background. Where the file cannot be written, lines wait, up to a number;
 * beyond it they are counted and the count is written with the next line.
 */
import { hash } from 'node:crypto';
import { open } from 'node:fs/promises';

/** What is told of one write. INVARIANT: every member is a word of ours, a number, or an id of a request or of a key in the file of keys. */
export interface AuditEntry {
  readonly atMs: number;
  /** Null: nobody asked over HTTP. */
  readonly requestId: string | null;
  /** Null: somebody on this machine, or a visitor with no more than a session id. */
  readonly keyId: string | null;
  /** A method and a route as it is declared, or a verb of the command line. */
  readonly action: string;
  readonly outcome: AuditOutcome;
  /** How many records it was about. */
  readonly count: number;
}

export type AuditOutcome = 'done' | 'refused' | 'failed';

export interface AuditLog {
  tell(entry: AuditEntry): void;
  /** Resolves when all that was told is written, or cannot be. */
  flush(): Promise<void>;
  /** No more tries. */
  dispose(): void;
  /** Lines that were told and are not written yet. */
  readonly waiting: number;
  /** Since the beginning: lines that were told and are in no file. */
  readonly lost: number;
}

export interface AuditLogOptions {
  /** What this process is called in its lines: its chain is its own. */
  readonly process: string;
  readonly append: Append;
  /** Told once for each time that writing begins to fail, and with null once it works again. */
  readonly onTrouble: (error: unknown | null) => void;
  /** Calls back later, for another try. Returns its `dispose`. */
  readonly later: (callback: () => void) => () => void;
}

/** Writes all of the text. Rejects with `AppendStopped` where some of it is written. */
export type Append = (text: string) => Promise<void>;

/** A disk is full, say, in the middle of a text. */
export class AppendStopped extends Error {
  override readonly name = 'AppendStopped';
  /** In UTF-8. */
  readonly bytesWritten: number;

  constructor(bytesWritten: number, cause: unknown) {
    super('a part of the text is written', { cause });
    this.bytesWritten = bytesWritten;
  }
}

/** Some half a megabyte. */
export const waitingLinesMax = 2_000;
const beginning = '0'.repeat(64);

export function createAuditLog({ process, append, onTrouble, later }: AuditLogOptions): AuditLog {
  let waiting: string[] = [];
  let previous = beginning;
  let sequence = 0;
  let lost = 0;
  let lostUntold = 0;
  let writing: Promise<void> | null = null;
  let isTroubled = false;
  let stopWaiting: (() => void) | null = null;
  let hasEnded = false;

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const lines = waiting;
      waiting = [];
      try {
        // A line that was written by half ends here, and breaks no other.
        await append(`${isTroubled ? '\n' : ''}${lines.join('')}`);
      } catch (error) {
        waiting = [...notYetIn(lines, error, isTroubled), ...waiting];
        if (!isTroubled) onTrouble(error instanceof AppendStopped ? error.cause : error);
        isTroubled = true;
        if (!hasEnded)
          stopWaiting ??= later(() => {
            stopWaiting = null;
            begin();
          });
        return;
      }
      if (isTroubled) onTrouble(null);
      isTroubled = false;
    }
  }

  function begin(): void {
    if (writing !== null || waiting.length === 0) return;
    writing = writeAll().finally(() => {
      writing = null;
      if (!isTroubled) begin();
    });
  }

  return {
    tell({ atMs, requestId, keyId, action, outcome, count }) {
      if (waiting.length >= waitingLinesMax) {
        lost += 1;
        lostUntold += 1;
        return;
      }
      sequence += 1;
      const missing = lostUntold === 0 ? {} : { lost: lostUntold };
      lostUntold = 0;
      const time = new Date(atMs).toISOString();
      const line = JSON.stringify({ time, process, sequence, requestId, keyId, action, outcome, count, ...missing, previous });
      previous = hash('sha256', line);
      waiting.push(`${line}\n`);
      if (stopWaiting === null) begin();
    },
    async flush() {
      stopWaiting?.();
      stopWaiting = null;
      if (writing === null) begin();
      await writing;
    },
    dispose() {
      hasEnded = true;
      stopWaiting?.();
      stopWaiting = null;
    },
    get waiting() {
      return waiting.length;
    },
    get lost() {
      return lost;
    },
  };
}

/** The lines that are not whole in the file. Those that are must not be written once more: that would look like somebody's doing. */
function notYetIn(lines: readonly string[], error: unknown, isAfterLineEnd: boolean): readonly string[] {
  let left = error instanceof AppendStopped ? error.bytesWritten - (isAfterLineEnd ? 1 : 0) : 0;
  const first = lines.findIndex((line) => {
    left -= Buffer.byteLength(line);
    // One that lacks only its end is whole: what is written next begins with a line's end.
    return left < -1;
  });
  return first < 0 ? [] : lines.slice(first);
}

/** The file is opened for each piece, so that it may be moved away and begun anew at any time. Only its owner may read it. */
export function appendTo(path: string): Append {
  return async (text) => {
    const bytes = Buffer.from(text);
    const file = await open(path, 'a', 0o600);
    let written = 0;
    try {
      while (written < bytes.length) written += (await file.write(bytes, written)).bytesWritten;
    } catch (error) {
      throw written === 0 ? error : new AppendStopped(written, error);
    } finally {
      await file.close();
    }
  };
}

/** Asked of each line in turn: whether it follows the last one of its process. A file that was begun anew begins in the middle of a chain. */
export function createChainCheck(): (line: string) => boolean {
  const last = new Map<string, { readonly sequence: number; readonly hash: string }>();
  return (line) => {
    const read = readLine(line);
    if (read === null) return false;
    const { process, sequence, previous } = read;
    const before = last.get(process);
    last.set(process, { sequence, hash: hash('sha256', line) });
    return before === undefined || (sequence === before.sequence + 1 && previous === before.hash);
  };
}

function readLine(line: string): { readonly process: string; readonly sequence: number; readonly previous: string } | null {
  try {
    const { process, sequence, previous } = JSON.parse(line);
    const isOurs = typeof process === 'string' && Number.isSafeInteger(sequence) && typeof previous === 'string';
    return isOurs ? { process, sequence, previous } : null;
  } catch {
    return null;
  }
}
