/**
 * One of several processes that serve one port. It obeys its primary and no signal, and stops when the primary is gone: nobody
 * would hand it requests any more.
 */
import cluster from 'node:cluster';
import type { Door } from './drain.ts';
import type { Asked, Serving, ToPrimary, ToWorker } from './serving.ts';
import { ignoreSignals } from './signals.ts';

export interface WorkerDuties {
  reload(): void;
  stop(): void;
  tell(about: Asked): Promise<unknown>;
}

export interface Primary {
  /** From now on the worker does what it is told. */
  serves(serving: Serving, duties: WorkerDuties): void;
  /** Resolves when it has been heard. */
  cannotRun(sentence: string): Promise<void>;
  /** The port is everybody's: the primary says who closes it when. */
  readonly door: Door;
}

/** The primary deals a few at a time, and hundreds may be waiting there. */
const doorLooksMax = 100;

/** `giveUp` is for whoever is told to stop before it serves. */
export function obeyPrimary(giveUp: () => void): Primary {
  let duties: WorkerDuties | null = null;
  const mayShut = Promise.withResolvers<void>();
  let looked = Promise.withResolvers<void>();
  ignoreSignals();
  const stop = (): void => (duties === null ? giveUp() : duties.stop());
  process.on('message', (word: ToWorker) => {
    if (word.say === 'stop') stop();
    else if (word.say === 'may_shut') mayShut.resolve();
    else if (word.say === 'looked') looked.resolve();
    else if (word.say === 'answer_me') say({ say: 'here' });
    else if (word.say === 'reload') duties?.reload();
    else if (word.say === 'tell') void answer(word.about, word.question);
  });
  process.prependListener('disconnect', () => {
    // Else Node would end a worker that has lost its primary on the spot, in the middle of its answers.
    if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
    mayShut.resolve();
    looked.resolve();
    stop();
  });

  async function answer(about: Asked, question: number): Promise<void> {
    // Whoever has no answer leaves the question open: it is not waited for long.
    const told = await duties?.tell(about).catch(() => undefined);
    if (told !== undefined) say({ say: 'told', question, answer: told });
  }

  function look(): Promise<void> {
    if (!process.connected) return Promise.resolve();
    looked = Promise.withResolvers();
    say({ say: 'look' });
    return looked.promise;
  }

  async function hasShut(): Promise<void> {
    await look();
    say({ say: 'has_shut' });
  }

  return {
    serves(serving, given) {
      duties = given;
      say({ say: 'serving', serving });
    },
    door: { mayShut: () => mayShut.promise, look, looksMax: doorLooksMax, hasShut },
    cannotRun: (sentence) => new Promise((resolve) => say({ say: 'cannot_run', sentence }, resolve)),
  };
}

function say(word: ToPrimary, heard: () => void = () => {}): void {
  if (process.send === undefined || !process.connected) heard();
  else process.send(word, undefined, {}, () => heard());
}
