/**
 * Asks again what failed quickly, within a budget that a dependency earns by being asked: however dead it is, it sees at most a
 * tenth more than what was asked of it. The loop is cockatiel's; a first attempt that succeeds never meets it.
 */

export interface Retrier {
  /**
   * The outcome of the first attempt that is not worth another. Each attempt may be followed by another, `retries` times, while
   * `hasTime` says so (asked before the wait and after it).
   */
  run<T>(retries: number, hasTime: () => boolean, attempt: () => Promise<T>): Promise<T>;
}

export interface RetrierOptions {
  readonly isWorthRetrying: (error: unknown) => boolean;
  /** In [0, 1); spreads retries. */
  readonly random?: () => number;
}

/** Loaded with the first ask that may be repeated: most policies allow no retries, and a start does not wait for what it may not use. */
const loadLoop = () => import('cockatiel');

/** In tenths of a retry, so that nothing is rounded. */
const earnedByAsk = 1;
const costOfRetry = 10;
const savedMax = 10 * costOfRetry;

/** Together they outlast a connection that was closed under us and a restart behind a balancer, not an outage. */
const waitMinMs = 1;
const waitSpreadMs = 3;

export function createRetrier({ isWorthRetrying, random = Math.random }: RetrierOptions): Retrier {
  /** The first retry is lent, so that a first failure need not be final; the first ten asks pay it back. */
  let saved = costOfRetry;
  let owed = costOfRetry;
  let loading: ReturnType<typeof loadLoop> | null = null;

  function earn(): void {
    if (owed > 0) owed -= earnedByAsk;
    else saved = Math.min(savedMax, saved + earnedByAsk);
  }

  function spend(): boolean {
    if (saved < costOfRetry) return false;
    saved -= costOfRetry;
    return true;
  }

  async function again<T>(firstError: unknown, retries: number, hasTime: () => boolean, attempt: () => Promise<T>): Promise<T> {
    let left = retries;
    let lastError = firstError;
    const mayRetry = (error: unknown) => left > 0 && isWorthRetrying(error) && hasTime() && spend();
    if (!mayRetry(firstError)) throw firstError;
    let isPaid = true;
    const { DelegateBackoff, handleWhen, retry } = await (loading ?? loadLoop());
    const policy = retry(
      handleWhen((error) => {
        lastError = error;
        const isDue = isPaid || mayRetry(error);
        isPaid = false;
        return isDue;
      }),
      { maxAttempts: retries, backoff: new DelegateBackoff(() => waitMinMs + random() * waitSpreadMs) },
    );
    return policy.execute(({ attempt: number }) => {
      if (number === 0) return Promise.reject(firstError);
      if (!hasTime()) {
        left = 0;
        return Promise.reject(lastError);
      }
      left -= 1;
      return attempt();
    });
  }

  return {
    run(retries, hasTime, attempt) {
      earn();
      if (retries > 0) loading ??= loadLoop();
      const first = attempt();
      return retries === 0 ? first : first.catch((error: unknown) => again(error, retries, hasTime, attempt));
    },
  };
}
