/** What the figures were measured on, and whether anything else was running there. */
import { cpus, release, totalmem } from 'node:os';

export interface Machine {
  readonly processor: string;
  readonly processors: number;
  readonly memoryGib: number;
  readonly system: string;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    processor: all[0]?.model.trim() ?? 'unknown',
    processors: all.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()} ${process.arch}`,
  };
}

const watchMs = 1_000;

/** How busy all CPUs together are while we do nothing, from 0 to 1. */
export async function busyBeforehand(): Promise<number> {
  const before = timesOf();
  await new Promise((resolve) => setTimeout(resolve, watchMs));
  const after = timesOf();
  return 1 - (after.idle - before.idle) / (after.all - before.all);
}

function timesOf(): { idle: number; all: number } {
  const times = cpus().map((cpu) => cpu.times);
  return {
    idle: times.reduce((sum, { idle }) => sum + idle, 0),
    all: times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0),
  };
}
