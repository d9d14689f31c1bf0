/** Work that comes in pieces, with a turn of the event loop between one piece and the next: whoever is served here waits for one of them at most. */
import { setImmediate as nextTurn } from 'node:timers/promises';

export async function inTurns<T>(work: Generator<undefined, T>): Promise<T> {
  let step = work.next();
  while (step.done !== true) {
    await nextTurn();
    step = work.next();
  }
  return step.value;
}
