/**
 * How processes share one rate: each is given what it needs, as long as there is enough for all; where there is not, those who need
 * most are cut to one level. INVARIANT: the shares of all who see the same demands come to the rate and no more.
 */

/** Nobody is left without anything: whoever has been idle must be able to begin. */
const idleDemandPart = 0.1;

/** `demands` are per second, one for each process; `own` is the place of ours among them. */
export function shareOf(rate: number, demands: readonly number[], own: number): number {
  const count = Math.max(1, demands.length);
  const least = (rate / count) * idleDemandPart;
  const needs = demands.map((demand) => Math.max(demand, least));
  const total = needs.reduce((sum, need) => sum + need, 0);
  const need = needs[own] ?? least;
  if (total <= rate) return need + (rate - total) / count;
  return Math.min(need, levelOf(rate, needs));
}

/** The highest level at which what each gets, never more than it needs, comes to the rate. */
function levelOf(rate: number, needs: readonly number[]): number {
  const ascending = needs.toSorted((a, b) => a - b);
  let left = rate;
  for (const [index, need] of ascending.entries()) {
    const level = left / (ascending.length - index);
    if (need >= level) return level;
    left -= need;
  }
  return rate;
}
