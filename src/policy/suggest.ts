/** "Did you mean": the nearest of some known names by edit distance, or nothing when none is near. */
import { inFull } from './excerpt.ts';

/** Longer lists are not searched: a suggestion is a courtesy and must not make a large policy slow to reject. */
const candidatesMax = 5_000;
/** Longer names than this nobody copies from a message. */
const shownMax = 256;

/** Ends a sentence about an unknown name: ``; did you mean `hero`?`` or the whole list where it is short, or nothing. */
export function didYouMean(written: string, known: Iterable<string>): string {
  const candidates = [...known];
  if (candidates.length === 0) return '; none is declared';
  const nearest = nearestName(written, candidates);
  if (nearest !== null) return `; did you mean \`${inFull(nearest)}\`?`;
  return candidates.length <= 12 ? `; write one of ${names(candidates)}` : '';
}

/** Each whole, to be copied, or not at all. */
export function names(list: readonly string[]): string {
  const shown = list.filter((name) => name.length <= shownMax).map((name) => `\`${inFull(name)}\``);
  const others = list.length - shown.length;
  return [...shown, ...(others > 0 ? [`${others} too long to show`] : [])].join(', ');
}

export function nearestName(written: string, candidates: readonly string[]): string | null {
  if (candidates.length > candidatesMax || written.length > 64) return null;
  let nearest: string | null = null;
  // Near is a third of the letters, and never half of them: `S5` is no slip for `S0`.
  let least = Math.min(Math.ceil(written.length / 3) + 1, Math.ceil(written.length / 2));
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - written.length) >= least) continue;
    const distance = editDistance(written.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Insertions, deletions, replacements, and swaps of neighbours: the four slips of a hand on a keyboard. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, at(beforeLast, column - 2) + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? 0;
}
