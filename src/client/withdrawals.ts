/** Withdrawals that the service has not heard yet: kept until it has, in the order in which they were made, for a day at most. */
import type { Keep } from './keep.ts';
import type { Reply } from './network.ts';

export type Withdrawal = readonly [sessionId: string, useCases: readonly string[]];

const withdrawalsMax = 16;

/** Says what can be said, one at a time, after this one is put behind the others. Never rejects. */
export function createWithdrawals(keep: Keep, tell: (withdrawal: Withdrawal) => Promise<Reply>): (withdrawal?: Withdrawal) => void {
  let isTelling = false;
  const queue = (): readonly Withdrawal[] => keep.read<readonly Withdrawal[]>('queue', []);
  return async (withdrawal) => {
    if (withdrawal) keep.write('queue', [...queue(), withdrawal].slice(-withdrawalsMax));
    if (isTelling) return;
    isTelling = true;
    while (queue().length) {
      const told = String(queue()[0]);
      // What cannot be sent, and what was refused for good, is not said again: the session has ended, or never was. The rest is said another time.
      const { status } = await tell(queue()[0] as Withdrawal).catch(() => ({ status: 400 }));
      if (!/204|4(00|04|1|31)/.test(`${status}`)) break;
      // Other tabs tell as well, and everything may have been forgotten meanwhile.
      keep.write(
        'queue',
        queue().filter((one) => String(one) !== told),
      );
    }
    isTelling = false;
  };
}
