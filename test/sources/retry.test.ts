/** Asking again: only what may be gone the next time, only while there is time, and never much more than was asked. */
import { describe, expect, it } from 'vitest';
import { createRetrier } from '../../src/sources/retry.ts';

class Quick extends Error {}

const isWorthRetrying = (error: unknown) => error instanceof Quick;
const forever = () => true;
const atOnce = () => 0;

/** Fails so often, then answers. */
function failing(times: number, error: () => Error = () => new Quick('quick')) {
  const attempts = { count: 0 };
  const attempt = () => {
    attempts.count += 1;
    return attempts.count <= times ? Promise.reject(error()) : Promise.resolve(attempts.count);
  };
  return { attempts, attempt };
}

/** A retrier that has been asked so often, without trouble. */
async function afterAsks(asks: number) {
  const retrier = createRetrier({ isWorthRetrying, random: atOnce });
  for (let ask = 0; ask < asks; ask++) await retrier.run(1, forever, () => Promise.resolve());
  return retrier;
}

describe('a retrier', () => {
  it('hands on the very promise of an ask that allows no retries, so that it costs no turn', () => {
    const retrier = createRetrier({ isWorthRetrying });
    const answer = Promise.resolve(1);
    expect(retrier.run(0, forever, () => answer)).toBe(answer);
  });

  it('asks again until it is answered', async () => {
    const retrier = await afterAsks(200);
    const { attempts, attempt } = failing(3);
    expect(await retrier.run(3, forever, attempt)).toBe(4);
    expect(attempts.count).toBe(4);
  });

  it('asks again no more often than it may, and tells of the last failure', async () => {
    const retrier = await afterAsks(200);
    let count = 0;
    const attempt = () => Promise.reject(new Quick(String(++count)));
    await expect(retrier.run(2, forever, attempt)).rejects.toThrow('3');
    expect(count).toBe(3);
  });

  it('may ask again for the very first ask', async () => {
    const { attempts, attempt } = failing(1);
    await createRetrier({ isWorthRetrying, random: atOnce }).run(1, forever, attempt);
    expect(attempts.count).toBe(2);
  });

  it('does not ask again for what would fail again', async () => {
    const retrier = await afterAsks(200);
    const { attempts, attempt } = failing(1, () => new Error('a timeout'));
    await expect(retrier.run(2, forever, attempt)).rejects.toThrow('a timeout');
    expect(attempts.count).toBe(1);
  });

  it('stops at a failure of another kind', async () => {
    const retrier = await afterAsks(200);
    let count = 0;
    const attempt = () => Promise.reject(++count === 1 ? new Quick('quick') : new Error('slow'));
    await expect(retrier.run(5, forever, attempt)).rejects.toThrow('slow');
    expect(count).toBe(2);
  });

  it('does not ask again when there is no time, also where it ran out while waiting to ask', async () => {
    const retrier = await afterAsks(200);
    const never = failing(1);
    await expect(retrier.run(2, () => false, never.attempt)).rejects.toThrow(Quick);
    expect(never.attempts.count).toBe(1);
    let looks = 0;
    const once = failing(1);
    await expect(retrier.run(2, () => ++looks === 1, once.attempt)).rejects.toThrow(Quick);
    expect(once.attempts.count).toBe(1);
  });

  it.each([1, 2, 5])('makes at most a tenth more of 2,000 asks with %i retries when everything fails', async (retries) => {
    const retrier = createRetrier({ isWorthRetrying, random: atOnce });
    let attempts = 0;
    for (let ask = 0; ask < 2_000; ask++) {
      await retrier
        .run(retries, forever, () => {
          attempts += 1;
          return Promise.reject(new Quick('dead'));
        })
        .catch(() => {});
    }
    expect(attempts / 2_000).toBeLessThanOrEqual(1.1);
    expect(attempts).toBeGreaterThan(2_100);
  });

  it('saves up no more than ten retries while all is well', async () => {
    const retrier = await afterAsks(10_000);
    let attempts = 0;
    const asks = Array.from({ length: 15 }, () =>
      retrier
        .run(1, forever, () => {
          attempts += 1;
          return Promise.reject(new Quick('dead'));
        })
        .catch(() => {}),
    );
    await Promise.all(asks);
    expect(attempts).toBe(15 + 10);
  });
});
