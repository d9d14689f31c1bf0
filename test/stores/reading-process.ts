/** A process that reads until it is told to stop, and then says what it saw: `node reading-process.ts URL FRESHNESS_MAX_MS`. */

import { NearCache } from '../../src/redis/near-cache.ts';
import { openRedisStore } from '../../src/redis/redis-store.ts';
import { keySecret } from '../support/key-names.ts';
import { readOften } from './staleness.ts';

const [url = '', freshnessMaxMs = '0'] = process.argv.slice(2);
const store = openRedisStore({
  keySecret,
  url,
  nearCache: new NearCache({ bytesMax: 2 ** 20 }),
  commandTimeoutMs: 20_000,
  silenceMaxMs: 20_000,
});
await store.connected(20_000);
let isOver = false;
process.on('message', () => {
  isOver = true;
});
const reading = readOften(store, { freshnessMaxMs: Number(freshnessMaxMs), until: () => isOver });
process.send?.({ what: 'reading', values: [] });
process.send?.({ what: 'reads', values: await reading });
await store.close();
