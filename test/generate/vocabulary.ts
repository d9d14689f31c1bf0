/** Small alphabets, so that what is generated collides: names that meet, values that match, windows that are open. */

/** Now of every generated question, give or take the windows below. A whole second. */
export const baseNowMs = Date.UTC(2026, 10, 21, 12, 0, 0);

export const subjects = ['subject-one', 'subject-two'] as const;
export const categories = ['health', 'faith'] as const;
/** The first two may be named at the edge, the others only by a profile or an audience service. */
export const edgeAudiences = ['newsletter', 'app'] as const;
export const profileAudiences = ['lapsed', 'loyal'] as const;
export const offerIds = ['o1', 'o2', 'o3', 'o4', 'o5', 'o6', 'o7'] as const;
export const texts = ['', 'a', 'ab', 'shoes', 'é', '😀', '__proto__'] as const;
export const integers = [-2, -1, 0, 1, 2, 3, 7, 30, 1000, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER] as const;
/** Offsets from now, in seconds. */
export const offsets = [-86_400 * 30, -86_400, -3600, -1, 0, 1, 3600, 86_400] as const;

type Typed = { readonly type: 'string' | 'int' | 'bool' | 'timestamp' | 'strings'; readonly values?: readonly string[] };

export const attributes = {
  request: {
    country: { type: 'string', values: ['DE', 'AT', 'US'] },
    campaign: { type: 'string' },
    visits: { type: 'int' },
    mobile: { type: 'bool' },
    arrived: { type: 'timestamp' },
    topics: { type: 'strings' },
  },
  session: {
    last_category: { type: 'string' },
    views: { type: 'int' },
    returning: { type: 'bool' },
    seen: { type: 'strings' },
  },
  profile: {
    loyalty: { type: 'string', values: ['none', 'silver', 'gold'] },
    orders: { type: 'int' },
    vip: { type: 'bool' },
    since: { type: 'timestamp' },
    interests: { type: 'strings' },
    city: { type: 'string' },
  },
} as const satisfies Record<'request' | 'session' | 'profile', Record<string, Typed>>;

export type Source = keyof typeof attributes;

/** Every declared attribute of some sources and one type. */
export function attributesOf(
  sources: readonly Source[],
  type: Typed['type'],
): readonly { source: Source; name: string; values: readonly string[] | null }[] {
  return sources.flatMap((source) =>
    Object.entries(attributes[source] as Record<string, Typed>)
      .filter(([, declared]) => declared.type === type)
      .map(([name, declared]) => ({ source, name, values: declared.values ?? null })),
  );
}
