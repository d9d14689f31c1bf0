/**
 * Preloaded into the service under test, so that things can be done to it that nobody can do from outside: its event loop is held
 * up, its wall clock stepped. Its monotonic clock stays as it is, as on a machine whose time is set. It can also be watched from
 * within: how long its event loop and its garbage collection kept others waiting.
 */
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';

export type Order = { readonly blockMs: number } | { readonly wallClockStepMs: number } | { readonly watch: 'begin' | 'end' };

export interface Watched {
  readonly loopP999Ms: number;
  readonly loopMaxMs: number;
  readonly collections: number;
  readonly collectionMaxMs: number;
  /** Of the process, while it was watched. */
  readonly busyShare: number;
}

const realNow = Date.now;
let stepMs = 0;
Date.now = () => realNow() + stepMs;

process.on('message', (order: Order) => {
  if ('wallClockStepMs' in order) stepMs = order.wallClockStepMs;
  else if ('blockMs' in order) block(order.blockMs);
  else watch(order.watch);
});
process.channel?.unref();

function block(forMs: number): void {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs);
}

const loop = monitorEventLoopDelay({ resolution: 1 });
const collections: number[] = [];
const observer = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) collections.push(duration);
});
let began = { atMs: 0, cpu: process.cpuUsage() };

function watch(what: 'begin' | 'end'): void {
  if (what === 'begin') {
    collections.length = 0;
    began = { atMs: performance.now(), cpu: process.cpuUsage() };
    observer.observe({ entryTypes: ['gc'] });
    loop.reset();
    loop.enable();
    return;
  }
  loop.disable();
  observer.disconnect();
  const { user, system } = process.cpuUsage(began.cpu);
  const watched: Watched = {
    loopP999Ms: loop.percentile(99.9) / 1e6,
    loopMaxMs: loop.max / 1e6,
    collections: collections.length,
    collectionMaxMs: Math.max(0, ...collections),
    busyShare: (user + system) / 1000 / (performance.now() - began.atMs),
  };
  process.send?.(watched);
}
