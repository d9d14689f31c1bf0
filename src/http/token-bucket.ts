/** A bucket of tokens that fills at an even rate: each thing that may be done so often takes one. Plain data and two functions. */
export interface TokenBucket {
  tokens: number;
  /** Monotonic. */
  filledAtMs: number;
}

export interface BucketSize {
  readonly perSecond: number;
  /** What it holds when it is full: so much may be done at once. */
  readonly tokensMax: number;
}

export function fullBucket({ tokensMax }: BucketSize, nowMs: number): TokenBucket {
  return { tokens: tokensMax, filledAtMs: nowMs };
}

/** Null where a token was taken; else how long until there is one. Infinity where none will come. */
export function takeToken(bucket: TokenBucket, size: BucketSize, nowMs: number): number | null {
  fill(bucket, size, nowMs);
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return null;
  }
  return size.perSecond > 0 ? ((1 - bucket.tokens) / size.perSecond) * 1000 : Number.POSITIVE_INFINITY;
}

function fill(bucket: TokenBucket, { perSecond, tokensMax }: BucketSize, nowMs: number): void {
  bucket.tokens = Math.min(tokensMax, bucket.tokens + ((nowMs - bucket.filledAtMs) / 1000) * perSecond);
  bucket.filledAtMs = nowMs;
}
