/** Traffic in a process of its own, so that the clock it reads and the answers it judges wait for nobody else's work. */
import type { Target } from './exchange.ts';
import type { Tier } from './people.ts';
import { startTraffic, type Traffic, type TrafficOptions } from './traffic.ts';

export type TrafficOrder =
  | { readonly order: 'start'; readonly options: TrafficOptions }
  | { readonly order: 'aim'; readonly targets: readonly Target[] }
  | { readonly order: 'cap'; readonly at: Tier | null }
  | { readonly order: 'user tier'; readonly sinceMs: number }
  | { readonly order: 'stop' };

let traffic: Traffic | null = null;

process.on('message', async (order: TrafficOrder) => {
  if (order.order === 'start') traffic = startTraffic(order.options);
  else if (order.order === 'aim') traffic?.aim(order.targets);
  else if (order.order === 'cap') traffic?.cap(order.at);
  else if (order.order === 'user tier') {
    process.send?.({ atMs: traffic?.userTierSince(order.sinceMs) ?? null });
    return;
  } else {
    // Who asked lets go of the channel once this has arrived, and with that we end.
    process.send?.(await traffic?.stop());
    return;
  }
  process.send?.('done');
});
