/** What a device learns of its visitor for rules that decide on it. Kept while behaviour may be used, and never sent anywhere. */
import type { Attributes } from '../decision/value.ts';
import type { Keep } from './keep.ts';
import type { Signals } from './types.ts';

const categoriesMax = 8;
const visitGapMs = 1_800_000;

type Learned = Attributes & { readonly visits: number; readonly recent_categories: readonly string[]; readonly seen_ms: number };

export function createSignals(keep: Keep, nowMs: () => number, isAllowed: () => boolean): Signals {
  const learn = (change: (known: Learned) => object): Attributes | null => {
    if (!isAllowed()) return null;
    const known: Learned = { visits: 0, seen_ms: 0, recent_categories: [], ...keep.read('signals', {}) };
    const visits = known.visits + (nowMs() - known.seen_ms > visitGapMs ? 1 : 0);
    const learned = { ...known, ...change(known), visits, seen_ms: nowMs() };
    keep.write('signals', learned);
    return learned;
  };
  return {
    saw(category) {
      learn(({ recent_categories: recent }) => ({
        recent_categories: [category, ...recent.filter((one) => one !== category)].slice(0, categoriesMax),
        last_category: category,
      }));
    },
    set(name, value) {
      learn(() => ({ [name]: value }));
    },
    all: () => learn(() => ({})),
  };
}
