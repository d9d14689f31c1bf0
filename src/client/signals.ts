/** What a device learns of its visitor for rules that decide on it. Kept while behaviour may be used, and never sent anywhere. */
import type { Attributes, Value } from '../decision/value.ts';
import type { Keep } from './keep.ts';
import type { Signals } from './types.ts';

const categoriesMax = 8;
const visitGapMs = 1_800_000;

type Learned = Attributes & { readonly visits: number; readonly recent_categories: readonly string[]; readonly seen_ms: number };

export function createSignals(keep: Keep, nowMs: () => number, isAllowed: () => boolean): Signals {
  const known = (): Learned => ({ visits: 0, seen_ms: 0, recent_categories: [], ...keep.read('signals', {}) });
  const learn = (change: Readonly<Record<string, Value | undefined>>): Attributes | null => {
    if (!isAllowed()) return null;
    const { visits, seen_ms: seenMs } = known();
    const learned = { ...known(), ...change, visits: visits + (nowMs() - seenMs > visitGapMs ? 1 : 0), seen_ms: nowMs() };
    keep.write('signals', learned);
    return learned as Attributes;
  };
  return {
    saw(category) {
      const recent = [...new Set([category, known().recent_categories].flat())];
      learn({ last_category: category, recent_categories: recent.slice(0, categoriesMax) });
    },
    set(name, value) {
      learn({ [name]: value });
    },
    all: () => learn({}),
  };
}
