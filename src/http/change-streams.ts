/**
 * The streams on which pages hear that they should ask again, never why: a new policy is in force, or something about their visitor changed
 * in whichever process. They are bounded, they end with their tokens, and what one does not take in time is not kept for it.
 */

import { type VisitorNames, visitorTokenWindowMs } from '../identity/visitor-token.ts';
import type { Announcement } from '../records/announcements.ts';
import type { Store } from '../records/store.ts';
import type { Clock } from '../time/clock.ts';
import { heardChange, isTakenBack } from './visitor-changes.ts';

export interface ChangeStreams {
  open(stream: NewStream): OpenStream | NotOpened;
  /** Whether there is some for who has these marks: a page that is told of a stream and finds it full asks again every second. */
  hasRoom(marks: readonly string[]): boolean;
  /** Ends them all, and opens no more. */
  close(): void;
}

/**
 * `token_ends`: the stream would have to end at any moment. `visitor_has_many`: as many as one visitor may have. `full`: there is no room for
 * anybody, or the service is closing.
 */
export type NotOpened = 'token_ends' | 'visitor_has_many' | 'full';

export interface NewStream {
  readonly marks: readonly string[];
  readonly standings: readonly string[];
  readonly tokenExpiresAtMs: number;
  readonly output: StreamOutput;
}

export interface StreamOutput {
  write(text: string): unknown;
  end(): unknown;
  destroy(): unknown;
  /** What was written and nobody has taken. */
  readonly writableLength: number;
}

export interface OpenStream {
  /** The page is gone. */
  gone(): void;
}

export interface ChangeStreamParts {
  readonly store: Pick<Store, 'listen' | 'read'>;
  readonly names: VisitorNames;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'after'>;
  /** Of the policy that answers now; null: none does. */
  readonly revision: () => string | null;
  /** In [0, 1). */
  readonly random: () => number;
  /** Where it is told how many are open. */
  readonly count?: StreamCount | undefined;
}

/** How many streams are open in this process, for whoever asks. */
export interface StreamCount {
  open: number;
}

export const changeStreamsMax = 2_048;
/** Of one visitor, in one process: tabs, and a few that have not noticed yet that they are gone. */
export const changeStreamsPerMarkMax = 16;
/**
 * All tokens of a window end together, and those who hold them should not come back together: streams end at random within so long before
 * their tokens do. None is opened then any more, or a page that comes back with the same token would be sent away again and again.
 */
export const streamsEndWithinMs = visitorTokenWindowMs / 2;
/** Below what proxies wait for a byte. */
export const heartbeatMs = 15_000;
const lookEveryMs = 1_000;
/** Beyond this somebody does not read. */
const unreadCharsMax = 16_384;
/** So many hear of a new policy at once, and then as many more: pages that all ask in one moment would be the load. */
const toldAtOnce = 64;
const toldEveryMs = 25;
const recheckedAtOnce = 64;

const refetchNotice = 'event: message\ndata: {"type":"refetchEvaluation"}\n\n';
const heartbeat = ':\n\n';

interface Stream extends NewStream {
  readonly endsAtMs: number;
  /** Monotonic. */
  writtenAtMs: number;
}

export function createChangeStreams({ store, names, clock, revision, random, count = { open: 0 } }: ChangeStreamParts): ChangeStreams {
  const streams = new Set<Stream>();
  const byMark = new Map<string, Set<Stream>>();
  let known = revision();
  let isClosed = false;
  let stopLooking: (() => void) | null = null;
  let stopListening: (() => void) | null = null;

  function forget(stream: Stream): void {
    if (!streams.delete(stream)) return;
    count.open = streams.size;
    for (const mark of stream.marks) {
      const others = byMark.get(mark);
      others?.delete(stream);
      if (others?.size === 0) byMark.delete(mark);
    }
    if (streams.size === 0) rest();
  }

  function begin(): void {
    known = revision();
    stopListening = store.listen(hear);
    lookSoon();
  }

  /** Nobody is there to be told anything. */
  function rest(): void {
    stopLooking?.();
    stopListening?.();
    stopLooking = stopListening = null;
  }

  function write(stream: Stream, text: string): void {
    if (!streams.has(stream)) return;
    if (stream.output.writableLength > unreadCharsMax) {
      forget(stream);
      stream.output.destroy();
      return;
    }
    stream.writtenAtMs = clock.monotonicMs();
    stream.output.write(text);
  }

  /** The page asks again, and with the answer it gets a token that is good. */
  function end(stream: Stream): void {
    write(stream, refetchNotice);
    forget(stream);
    stream.output.end();
  }

  function tellAll(): void {
    const waiting = [...streams];
    const tellSome = (): void => {
      for (const stream of waiting.splice(0, toldAtOnce)) write(stream, refetchNotice);
      if (waiting.length > 0 && !isClosed) clock.after(toldEveryMs, tellSome);
    };
    tellSome();
  }

  function hear(announced: Announcement | null): void {
    if (announced === null) {
      tellAll();
      void recheckAll();
      return;
    }
    for (const word of announced) {
      const change = heardChange(word);
      if (change === null) continue;
      for (const { mark } of names.marksOf(change.name, clock.nowMs())) {
        for (const stream of [...(byMark.get(mark) ?? [])]) {
          if (change.isEnd) end(stream);
          else write(stream, refetchNotice);
        }
      }
    }
  }

  /** An end may have been announced while nobody here could hear it. */
  async function recheckAll(): Promise<void> {
    const named = [...streams].filter(({ standings }) => standings.length > 0);
    while (named.length > 0) {
      await Promise.all(
        named.splice(0, recheckedAtOnce).map(async (stream) => {
          if (await isTakenBack(store, stream.standings).catch(() => false)) end(stream);
        }),
      );
    }
  }

  function lookSoon(): void {
    stopLooking = clock.after(lookEveryMs, () => {
      look();
      if (streams.size > 0) lookSoon();
    });
  }

  function look(): void {
    const current = revision();
    if (current !== known) tellAll();
    known = current;
    const [nowMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
    for (const stream of [...streams]) {
      if (nowMs >= stream.endsAtMs) end(stream);
      else if (monotonicMs - stream.writtenAtMs >= heartbeatMs) write(stream, heartbeat);
    }
  }

  const isFull = (): boolean => isClosed || streams.size >= changeStreamsMax;
  const isCrowded = (marks: readonly string[]): boolean => marks.some((mark) => (byMark.get(mark)?.size ?? 0) >= changeStreamsPerMarkMax);

  return {
    hasRoom: (marks) => !isFull() && !isCrowded(marks),
    open(given) {
      if (given.tokenExpiresAtMs - clock.nowMs() <= streamsEndWithinMs) return 'token_ends';
      if (isFull()) return 'full';
      if (isCrowded(given.marks)) return 'visitor_has_many';
      const endsAtMs = given.tokenExpiresAtMs - Math.floor(random() * streamsEndWithinMs);
      const stream: Stream = { ...given, endsAtMs, writtenAtMs: clock.monotonicMs() };
      streams.add(stream);
      count.open = streams.size;
      for (const mark of stream.marks) {
        const others = byMark.get(mark);
        if (others === undefined) byMark.set(mark, new Set([stream]));
        else others.add(stream);
      }
      if (streams.size === 1) begin();
      return { gone: () => forget(stream) };
    },
    close() {
      isClosed = true;
      for (const stream of [...streams]) {
        forget(stream);
        stream.output.end();
      }
    },
  };
}
