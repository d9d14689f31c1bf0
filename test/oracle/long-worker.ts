/** One of the long run's workers: tries every claim on its part of the documents, and tells how far it is. */
import { parentPort, workerData } from 'node:worker_threads';
import { claims } from './claims.ts';
import { longCasesPerDocument, shares, tryOn } from './runs.ts';

/** What a worker is given. */
export interface LongPart {
  readonly seed: number;
  /** By claim, in the order of `claims`. */
  readonly cases: readonly number[];
  /** This worker's number, and how many there are. */
  readonly worker: number;
  readonly workers: number;
}

/** What it says. */
export type LongNews =
  | { readonly is: 'tried'; readonly claim: number; readonly cases: number }
  | { readonly is: 'broken'; readonly claim: number; readonly report: string };

const { seed, cases, worker, workers } = workerData as LongPart;

for (const [number, claim] of claims.entries()) {
  for (const { index, cases: wanted } of shares(cases[number] ?? 0, longCasesPerDocument)) {
    if (index % workers !== worker) continue;
    const { broken } = tryOn(claim, { seed, index, cases: wanted });
    if (broken !== null) {
      say({ is: 'broken', claim: number, report: broken });
      // One example says enough of a claim; the other claims still want to be tried.
      break;
    }
    say({ is: 'tried', claim: number, cases: wanted });
  }
}

function say(news: LongNews): void {
  parentPort?.postMessage(news);
}
