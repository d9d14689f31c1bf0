/** What one decision asked of HTTP sources: when, and what came of it. */
import type { Fact } from '../decision/facts.ts';
import type { HttpSource, SourceAsk } from '../sources/http-source.ts';
import { askingFloorMs } from './store-reader.ts';

export interface AskedSource<T> {
  /** Null: it was not asked, and the fact stands by itself. */
  readonly askedAtMs: number | null;
  answer: { readonly fact: Fact<T>; readonly atMs: number } | null;
}

const failed = { state: 'failed' } as const;
const tooShort = { state: 'late', why: 'deadline_too_short' } as const;

/** What is known without asking, from `atMs` on. */
export function unasked<T>(fact: Fact<T>, atMs: number): AskedSource<T> {
  return { askedAtMs: null, answer: { fact, atMs } };
}

export interface Asks<T> {
  readonly source: HttpSource<T> | null | undefined;
  readonly ask: SourceAsk;
  readonly nowMs: number;
  /** Called once, with what came. */
  readonly onAnswer: (fact: Fact<T>) => void;
}

/** Asks where there is time; nothing that a source does is thrown. */
export function askSource<T>({ source, ask, nowMs, onAnswer }: Asks<T>): AskedSource<T> {
  if (ask.leftMs < askingFloorMs) return unasked<T>(tooShort, nowMs);
  // A policy's source that nobody opened.
  if (source === null || source === undefined) return unasked<T>(failed, nowMs);
  source.ask(ask).then(onAnswer, () => onAnswer(failed));
  return { askedAtMs: nowMs, answer: null };
}
