/** A progress bar on standard error, where somebody is watching; silence where nobody is. */
import { SingleBar } from 'cli-progress';

export interface Progress {
  reach(done: number, total: number): void;
  stop(): void;
}

export function startProgress(what: string): Progress {
  if (!process.stderr.isTTY) return { reach() {}, stop() {} };
  const bar = new SingleBar({ format: `${what} {bar} {percentage}%`, stream: process.stderr, hideCursor: true, clearOnComplete: true });
  let started = false;
  return {
    reach(done, total) {
      if (!started) bar.start(total, 0);
      started = true;
      bar.update(done);
    },
    stop() {
      if (started) bar.stop();
    },
  };
}
