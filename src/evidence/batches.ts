/**
 * When which zone is decided. Every zone has its own instant: the request's deadline, or the end of its own budget where that
 * comes first. Pure: the route waits for each instant, or decides all that remain at once when gathering completes early.
 */

export interface ZoneBudget {
  readonly zone: string;
  /** Null: as long as the deadline allows. */
  readonly budgetMs: number | null;
}

export interface Batch {
  /** Monotonic milliseconds. */
  readonly atMs: number;
  /** In the order given. */
  readonly zones: readonly string[];
}

/** Earliest first; zones that share an instant are decided together, so that arbitration sees them as one page. */
export function batchesOf(
  zones: readonly ZoneBudget[],
  { startedAtMs, deadlineAtMs }: { startedAtMs: number; deadlineAtMs: number },
): readonly Batch[] {
  const byInstant = new Map<number, string[]>();
  for (const { zone, budgetMs } of zones) {
    const atMs = budgetMs === null ? deadlineAtMs : Math.min(deadlineAtMs, startedAtMs + budgetMs);
    const due = byInstant.get(atMs);
    if (due === undefined) byInstant.set(atMs, [zone]);
    else due.push(zone);
  }
  return [...byInstant].sort(([a], [b]) => a - b).map(([atMs, due]) => ({ atMs, zones: due }));
}
