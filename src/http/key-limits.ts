/**
 * How often each API key may ask. Processes that share a board share each key's rate: in the background each says how much it is asked
 * and works out its share of the rate, so no request waits for anybody. Where there is no board, or it is not answered, each process
 * goes by the whole rate: a limit that cannot be agreed on must not refuse what it should let through.
 */
import { hash } from 'node:crypto';
import type { ApiKey } from '../contract/key-scopes.ts';
import type { Posted, RateBoard } from '../records/rate-board.ts';
import type { Clock } from '../time/clock.ts';
import { shareOf } from './rate-shares.ts';
import { type BucketSize, fullBucket, type TokenBucket, takeToken } from './token-bucket.ts';

export interface KeyLimits {
  /** Null where the key may ask once more; else after how many seconds it may. */
  take(key: ApiKey): number | null;
  /** From now on the board is asked. Returns its `dispose`. */
  share(): () => void;
}

export interface KeyLimitsParts {
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
  /** What this process is called on the board: another name for each. */
  readonly process: string;
  /** The keys of this moment. */
  readonly keys: () => readonly ApiKey[];
  /** Opened once some key has a limit. Null: there is none. */
  readonly openBoard: (() => Promise<RateBoard>) | null;
}

interface Limited {
  readonly bucket: TokenBucket;
  /** Asked since the last beat, refused or not. */
  asked: number;
  demandPerSecond: number;
  /** Null until the board has been answered. */
  share: number | null;
  shareUntilMs: number;
}

export const beatMs = 500;
const demandMax = 999_999_999;
/** A share that nobody confirms any more lapses. */
export const shareLastsMs = 3_000;

export function createKeyLimits({ clock, process, keys, openBoard }: KeyLimitsParts): KeyLimits {
  const limited = new Map<string, Limited>();
  let lastBeatMs = clock.monotonicMs();

  function limitedOf({ id, requestsPerSecond = 0 }: ApiKey): Limited {
    const known = limited.get(id);
    if (known !== undefined) return known;
    const bucket = fullBucket(sizeOf(requestsPerSecond), clock.monotonicMs());
    const made = { bucket, asked: 0, demandPerSecond: 0, share: null, shareUntilMs: 0 };
    limited.set(id, made);
    return made;
  }

  function limitedKeys(): readonly ApiKey[] {
    return keys().filter(({ requestsPerSecond }) => requestsPerSecond !== undefined);
  }

  /** What we say of each key: its short name and what we are asked of it in a second. */
  function words(asking: readonly ApiKey[], nowMs: number): string {
    const seconds = Math.max(1, nowMs - lastBeatMs) / 1000;
    lastBeatMs = nowMs;
    const said = asking.flatMap((key) => {
      const state = limitedOf(key);
      const demand = state.asked / seconds;
      state.asked = 0;
      // Up at once, down slowly: a caller's pauses are no reason to give its share away.
      state.demandPerSecond = demand > state.demandPerSecond ? demand : (demand + state.demandPerSecond) / 2;
      const told = Math.min(demandMax, Math.round(state.demandPerSecond));
      // Of whom nothing is asked nothing need be said: there are many keys, and few that are busy everywhere.
      return told === 0 ? [] : [`${nameOf(key)}:${told}`];
    });
    return said.join(',') || '-';
  }

  function takeShares(asking: readonly ApiKey[], posted: readonly Posted[], nowMs: number): void {
    const own = posted.findIndex((other) => other.process === process);
    if (own < 0) return;
    const demands = posted.map(({ words }) => demandsIn(words));
    for (const key of asking) {
      const state = limitedOf(key);
      const name = nameOf(key);
      state.share = shareOf(
        key.requestsPerSecond ?? 0,
        demands.map((of) => of.get(name) ?? 0),
        own,
      );
      state.shareUntilMs = nowMs + shareLastsMs;
    }
  }

  return {
    take(key) {
      if (key.requestsPerSecond === undefined) return null;
      const state = limitedOf(key);
      const nowMs = clock.monotonicMs();
      state.asked += 1;
      const perSecond = state.share === null || nowMs > state.shareUntilMs ? key.requestsPerSecond : state.share;
      const waitMs = takeToken(state.bucket, sizeOf(perSecond), nowMs);
      return waitMs === null ? null : Math.max(1, Math.ceil(waitMs / 1000));
    },
    share() {
      if (openBoard === null) return () => {};
      let board: RateBoard | null = null;
      let hasEnded = false;
      let stop = (): void => {};
      const beat = async (): Promise<void> => {
        const asking = limitedKeys();
        if (asking.length > 0) {
          try {
            board ??= await openBoard();
            if (!hasEnded) takeShares(asking, await board.post(process, words(asking, clock.monotonicMs())), clock.monotonicMs());
          } catch {
            // The shares lapse.
          }
        }
        if (hasEnded) board?.close();
        else stop = clock.after(beatMs, () => void beat());
      };
      void beat();
      return () => {
        hasEnded = true;
        stop();
        board?.close();
      };
    },
  };
}

/** A second's worth at once, and always one. */
function sizeOf(perSecond: number): BucketSize {
  return { perSecond, tokensMax: Math.max(1, perSecond) };
}

function nameOf({ id }: ApiKey): string {
  return hash('sha256', id, 'base64url').slice(0, 16);
}

/** Whoever else may write to the board makes no number of ours bad. */
function demandsIn(words: string): ReadonlyMap<string, number> {
  const said = words.split(',').flatMap((word): [string, number][] => {
    const [, name, demand] = /^([\w-]{16}):(\d{1,9})$/.exec(word) ?? [];
    return name === undefined ? [] : [[name, Number(demand)]];
  });
  return new Map(said);
}
