/**
 * The streams on which pages hear that they should ask again, never why: a new policy is in force, or something about their visitor changed
 * in whichever process. They are bounded, they end with their tokens, and what one does not take in time is not kept for it. A page that comes
 * back says which policy it last heard of, and is told to ask again where that is another one, or where something about its visitor may have
 * been said meanwhile.
 */

import { type VisitorNames, visitorTokenWindowMs } from '../identity/visitor-token.ts';
import type { Announcement } from '../records/announcements.ts';
import type { Store } from '../records/store.ts';
import type { Clock } from '../time/clock.ts';
import { placeOf } from './place-of.ts';
import { heardChange, isTakenBack } from './visitor-changes.ts';

export interface ChangeStreams {
  open(stream: NewStream): OpenStream | NotOpened;
  /** Whether there is some for who has these marks: a page that is told of a stream and finds it full asks again every second. */
  hasRoom(marks: readonly string[]): boolean;
  /** Ends them all, and opens no more. */
  close(): void;
}

/**
 * `token_ends`: the stream would have to end at any moment. `visitor_has_many`: as many as one visitor may have, or one address of nobody's.
 * `full`: there is no room for anybody, or for nobody in particular, or the service is closing.
 */
export type NotOpened = 'token_ends' | 'visitor_has_many' | 'full';

export interface NewStream {
  readonly marks: readonly string[];
  readonly revocationMarks: readonly string[];
  readonly tokenExpiresAtMs: number;
  readonly output: StreamOutput;
  /** From where it is opened: counted for streams of nobody, which have no marks to be counted by. */
  readonly address?: string | undefined;
  /** By its own word the policy's revision that a page which comes back last heard of; null: it says none. */
  readonly heardOf?: string | null;
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
 * Of those a token opens that is made out to nobody. Anybody may have one, and one opens as many as there may be: who has a session or is
 * signed in must find room beside them.
 */
export const changeStreamsOfNobodyMax = changeStreamsMax / 2;
/** Beyond so many of them an address that has its own share opens no more. Below it does, because all who come by one proxy have one address. */
export const changeStreamsOfNobodyFreeMax = changeStreamsOfNobodyMax / 2;
export const changeStreamsOfNobodyPerAddressMax = 64;
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
/** What a page says when it comes back, without a line of its own. */
const idOf = (revision: string | null): string => (revision === null ? '' : `id: ${revision}\n`);
const heartbeat = ':\n\n';

interface Stream extends NewStream {
  /** Of a stream of nobody where it was opened; null: it is counted by its marks. */
  readonly place: string | null;
  readonly endsAtMs: number;
  /** Monotonic. */
  writtenAtMs: number;
}

export function createChangeStreams({ store, names, clock, revision, random, count = { open: 0 } }: ChangeStreamParts): ChangeStreams {
  const streams = new Set<Stream>();
  const byMark = new Map<string, Set<Stream>>();
  /** Streams of nobody. */
  const ofPlace = new Map<string, number>();
  let ofNobody = 0;
  /** Of whom an end may have been missed. */
  const unchecked = new Set<Stream>();
  let isRechecking = false;
  let known = revision();
  let isClosed = false;
  let stopLooking: (() => void) | null = null;
  let stopListening: (() => void) | null = null;

  function forget(stream: Stream): void {
    if (!streams.delete(stream)) return;
    count.open = streams.size;
    unchecked.delete(stream);
    countOfNobody(stream, -1);
    for (const mark of stream.marks) {
      const others = byMark.get(mark);
      others?.delete(stream);
      if (others?.size === 0) byMark.delete(mark);
    }
    if (streams.size === 0) rest();
  }

  function countOfNobody({ place }: Stream, more: 1 | -1): void {
    if (place === null) return;
    ofNobody += more;
    const there = (ofPlace.get(place) ?? 0) + more;
    if (there === 0) ofPlace.delete(place);
    else ofPlace.set(place, there);
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

  /**
   * Before anything else. Who says nothing of a policy has asked a moment ago. Of nobody nothing but the policy is ever said, so whoever comes
   * back to the same one without a visitor has missed nothing.
   */
  function greet(stream: Stream): void {
    const current = revision();
    const { heardOf = null } = stream;
    if (heardOf !== null && (stream.marks.length > 0 || (current !== null && heardOf !== current))) notify(stream);
    else if (current !== null) write(stream, `${idOf(current)}\n`);
  }

  function notify(stream: Stream): void {
    write(stream, idOf(revision()) + refetchNotice);
  }

  /** The page asks again, and with the answer it gets a token that is good. */
  function end(stream: Stream): void {
    notify(stream);
    forget(stream);
    stream.output.end();
  }

  function tellAll(): void {
    const waiting = [...streams];
    const tellSome = (): void => {
      for (const stream of waiting.splice(0, toldAtOnce)) notify(stream);
      if (waiting.length > 0 && !isClosed) clock.after(toldEveryMs, tellSome);
    };
    tellSome();
  }

  function hear(announced: Announcement | null): void {
    if (announced === null) {
      tellAll();
      for (const stream of streams) if (stream.revocationMarks.length > 0) unchecked.add(stream);
      void recheck();
      return;
    }
    for (const word of announced) {
      const change = heardChange(word);
      if (change === null) continue;
      for (const { mark } of names.marksOf(change.name, clock.nowMs())) {
        for (const stream of [...(byMark.get(mark) ?? [])]) {
          if (change.isEnd) end(stream);
          else notify(stream);
        }
      }
    }
  }

  /**
   * An end may have been announced while nobody here could hear it. Where the store does not say, whoever is left is asked for again with
   * the next look, and so until it does: it is not asked for all of them while it is away.
   */
  async function recheck(): Promise<void> {
    if (isRechecking || unchecked.size === 0) return;
    isRechecking = true;
    let isAnswering = true;
    while (isAnswering && unchecked.size > 0) {
      const some = [...unchecked].slice(0, recheckedAtOnce);
      isAnswering = (await Promise.all(some.map(recheckOne))).every(Boolean);
    }
    isRechecking = false;
  }

  /** False where the store does not say. */
  async function recheckOne(stream: Stream): Promise<boolean> {
    // Before it is asked: what may have been missed meanwhile is asked for once more.
    unchecked.delete(stream);
    try {
      if (await isTakenBack(store, stream.revocationMarks)) end(stream);
      return true;
    } catch {
      if (streams.has(stream)) unchecked.add(stream);
      return false;
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
    void recheck();
    const [nowMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
    for (const stream of [...streams]) {
      if (nowMs >= stream.endsAtMs) end(stream);
      else if (monotonicMs - stream.writtenAtMs >= heartbeatMs) write(stream, heartbeat);
    }
  }

  function hasNobodyManyAt(place: string): boolean {
    return ofNobody >= changeStreamsOfNobodyFreeMax && (ofPlace.get(place) ?? 0) >= changeStreamsOfNobodyPerAddressMax;
  }

  const isFull = (): boolean => isClosed || streams.size >= changeStreamsMax;
  const isFullFor = (marks: readonly string[]): boolean => isFull() || (marks.length === 0 && ofNobody >= changeStreamsOfNobodyMax);
  const isCrowded = (marks: readonly string[]): boolean => marks.some((mark) => (byMark.get(mark)?.size ?? 0) >= changeStreamsPerMarkMax);

  return {
    hasRoom: (marks) => !isFullFor(marks) && !isCrowded(marks),
    open(given) {
      if (given.tokenExpiresAtMs - clock.nowMs() <= streamsEndWithinMs) return 'token_ends';
      if (isFullFor(given.marks)) return 'full';
      const place = given.marks.length === 0 ? placeOf(given.address) : null;
      if (place === null ? isCrowded(given.marks) : hasNobodyManyAt(place)) return 'visitor_has_many';
      const endsAtMs = given.tokenExpiresAtMs - Math.floor(random() * streamsEndWithinMs);
      const stream: Stream = { ...given, place, endsAtMs, writtenAtMs: clock.monotonicMs() };
      streams.add(stream);
      countOfNobody(stream, 1);
      count.open = streams.size;
      for (const mark of stream.marks) {
        const others = byMark.get(mark);
        if (others === undefined) byMark.set(mark, new Set([stream]));
        else others.add(stream);
      }
      if (streams.size === 1) begin();
      greet(stream);
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
