/**
 * How often a cache would have what it is asked for. An HTTP cache keeps an answer for a fixed time from when it was fetched, however often it
 * is asked for meanwhile, and here it is large enough for all of them: then for one key, asked for λ times a second at random instants and
 * fresh for T seconds, a fetch is followed by λT hits on average before the next one, so that hits are λT ÷ (1 + λT) of its requests (Jung,
 * Berger and Balakrishnan, "Modeling TTL-based Internet Caches", INFOCOM 2003). Che's approximation, 1 − e^(−λT), is for a cache that throws
 * away what was not asked for lately, which is not what freshness does.
 */

/** Floats: this is an estimate for people, and no decision. */
export function hitRatio(shares: Iterable<number>, requestsPerSecond: number, ttlSeconds: number): number {
  let hits = 0;
  for (const share of shares) {
    const asked = share * requestsPerSecond * ttlSeconds;
    hits += (share * asked) / (1 + asked);
  }
  return hits;
}

/** Each key's share of the requests where the n-th most wanted is asked for 1 ÷ n^skew as often as the first. */
export function* zipfShares(keys: number, skew: number): Generator<number> {
  let sum = 0;
  for (let rank = 1; rank <= keys; rank++) sum += rank ** -skew;
  for (let rank = 1; rank <= keys; rank++) yield rank ** -skew / sum;
}

/** Replays requests in the order of their time: a hit where the same key was fetched less than `ttlSeconds` before. */
export function replayedHitRatio(requests: Iterable<{ readonly key: string; readonly atMs: number }>, ttlSeconds: number): number | null {
  const fetchedMs = new Map<string, number>();
  let hits = 0;
  let count = 0;
  for (const { key, atMs } of requests) {
    count++;
    const lastMs = fetchedMs.get(key);
    if (lastMs !== undefined && atMs - lastMs < ttlSeconds * 1000) hits++;
    else fetchedMs.set(key, atMs);
  }
  return count === 0 ? null : hits / count;
}
