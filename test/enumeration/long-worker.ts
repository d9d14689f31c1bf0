/** Enumerates the shares of the state space that `long.ts` hands out, one after another, and tells what came of each. */
import { parentPort } from 'node:worker_threads';
import { decide } from '../../src/decision/decide.ts';
import { emptyTally, enumerate, type Prepared, prepare, type Range, type Tally } from './enumerate.ts';
import { findRises, type Rises } from './monotone.ts';
import { slices } from './slices.ts';

export interface Share {
  readonly slice: keyof typeof slices;
  readonly what: 'table' | 'monotone';
  readonly range: Range;
}

export interface Outcome {
  readonly share: Share;
  readonly tally: Tally;
  readonly rises: Rises;
}

const prepared = new Map<string, Prepared>();

parentPort?.on('message', (share: Share) => {
  const one = prepared.get(share.slice) ?? prepare(slices[share.slice]);
  prepared.set(share.slice, one);
  const outcome: Outcome = { share, tally: emptyTally(), rises: { compared: 0, found: [] } };
  if (share.what === 'table') enumerate(one, decide, share.range, outcome.tally);
  else findRises(one, decide, share.range, outcome.rises);
  parentPort?.postMessage(outcome);
});
