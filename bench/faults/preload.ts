/**
 * Preloaded into the service under test, so that things can be done to it that nobody can do from outside: its event loop is held
 * up, its wall clock stepped. Its monotonic clock stays as it is, as on a machine whose time is set.
 */
type Order = { readonly blockMs: number } | { readonly wallClockStepMs: number };

const realNow = Date.now;
let stepMs = 0;
Date.now = () => realNow() + stepMs;

process.on('message', (order: Order) => {
  if ('wallClockStepMs' in order) stepMs = order.wallClockStepMs;
  else block(order.blockMs);
});
process.channel?.unref();

function block(forMs: number): void {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs);
}
