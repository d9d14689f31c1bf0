/** What a zone may show: the approved words that the page is deployed with, and the checks that a decision must pass to replace them. */
import deployed from './fallbacks.json' with { type: 'json' };

export interface Shown {
  /** Null: nothing of this zone may be shown. */
  readonly variant: string | null;
  readonly content: unknown;
  readonly tier: string;
}

export type Zones = ReadonlyMap<string, Shown>;

export interface Pack {
  readonly zones: Readonly<Record<string, { readonly variant: string | null; readonly content: unknown; readonly render: string }>>;
}

/** Built in at deploy by `stepwell fallbacks`, so that no outage can take it away. */
export const pack: Pack = deployed;

export function approved(zone: string): Shown {
  const { variant = null, content = null, render = 'suppress' } = pack.zones[zone] ?? {};
  return { variant: render === 'suppress' ? null : variant, content, tier: 'approved' };
}

/** One zone of an answer, or null where it is not one: a service in trouble may send anything. */
export function readDecision(given: unknown): (Shown & { readonly zone: string }) | null {
  if (typeof given !== 'object' || given === null) return null;
  const { zone, variant, content, render, tier } = given as Readonly<Record<string, unknown>>;
  if (typeof zone !== 'string' || typeof tier !== 'string') return null;
  if (render === 'suppress') return { zone, variant: null, content: null, tier };
  if (typeof variant !== 'string' || content === null || content === undefined) return null;
  return { zone, variant, content, tier };
}
