/**
 * Policies made to measure the core by: one with as many offers as asked for, one with as many rungs. They go through the policy
 * compiler like any author's, so what is timed is what a deployment runs.
 */

export const rungCounts = [1, 2, 3, 4] as const;

const approved = { by: 'Bench', on: '2026-01-01', until: '2099-01-01' };
const categories = ['shoes', 'jackets', 'backpacks', 'running', 'kids', 'care'];
const countries = ['DE', 'AT', 'CH', 'FR', 'NL', 'BE', 'IT', 'ES', 'SE', 'NO'];

/**
 * One zone that arbitrates over every offer on the user rung. Each condition compares three to five attributes, and every offer has
 * one context factor and one lever; for the visitor of the bench about one offer in six is eligible.
 */
export function policyOfOffers(offerCount: number): string {
  const offers = Object.fromEntries(Array.from({ length: offerCount }, (_, index) => [`offer-${index}`, offerAt(index)]));
  return JSON.stringify({ ...head, zones: { rail: offerZone }, pages: { home: { zones: ['rail'] } }, variants, offers });
}

function offerAt(index: number): object {
  const category = categories[index % categories.length];
  const wanted = [countries[index % 10], countries[(index + 3) % 10], countries[(index + 7) % 10], 'DE'].filter(
    (country, at, all) => all.indexOf(country) === at,
  );
  const conditions = [
    `profile.favourite_category == "${category}"`,
    `profile.orders_count >= ${index % 9}`,
    `request.country in [${wanted.map((country) => `"${country}"`).join(', ')}]`,
    ...(index % 2 === 0 ? [`profile.days_since_order < ${20 + (index % 300)}`] : []),
    ...(index % 5 === 0 ? ['!("lapsed" in audiences)'] : []),
  ];
  return {
    tags: ['rail'],
    class: 'S1',
    variant: `offer-${index % 10}`,
    when: conditions.join(' && '),
    propensityPpm: 10_000 + ((index * 7919) % 200_000),
    value: 100 + ((index * 104_729) % 900),
    context: [{ when: 'request.device == "mobile"', perMille: 900 + (index % 400) }],
    levers: { margin: index % 200 },
  };
}

/** One content zone; each rung but the last has three rules. */
export function policyOfRungs(rungCount: (typeof rungCounts)[number]): string {
  const ladder = [...rungsAbove.slice(rungsAbove.length - (rungCount - 1)), { tier: 'anonymous', variant: 'offer-0', approved }];
  return JSON.stringify({
    ...head,
    zones: { hero: { kind: 'content', ladder } },
    pages: { home: { zones: ['hero'] } },
    variants: { 'offer-0': variants['offer-0'], 'offer-1': variants['offer-1'] },
    offers: {},
  });
}

const rule = (when: string): object => ({ when, variant: 'offer-1' });
const rungsAbove = [
  {
    tier: 'user',
    choose: [
      rule('profile.favourite_category == "care" && profile.orders_count > 20'),
      rule('"lapsed" in audiences && profile.days_since_order >= 180'),
      rule('profile.orders_count >= 5 && profile.days_since_order < 60 && request.campaign == "spring"'),
    ],
  },
  {
    tier: 'session',
    choose: [
      rule('session.cart_items > 3'),
      rule('session.last_category == "kids"'),
      rule('session.last_category in ["shoes", "running"] && request.campaign == "spring"'),
    ],
  },
  {
    tier: 'segment',
    choose: [
      rule('request.country in ["NO", "SE", "FI"]'),
      rule('request.device == "tablet" && request.country == "DE"'),
      rule('request.country in ["DE", "AT", "CH"] && request.campaign == "spring"'),
    ],
  },
];

const variants: Record<string, object> = Object.fromEntries(
  Array.from({ length: 10 }, (_, index) => [`offer-${index}`, { content: { title: `Title ${index}`, link: `/offers/${index}` } }]),
);

const offerZone = {
  kind: 'offer',
  ladder: [
    { tier: 'user', arbitrate: { tag: 'rail' } },
    { tier: 'anonymous', variant: 'offer-0', approved },
  ],
};

const head = {
  stepwell: 1,
  policy: 'bench',
  owner: 'bench',
  attributes: {
    request: {
      country: { type: 'string', class: 'S0' },
      device: { type: 'string', values: ['mobile', 'tablet', 'desktop'], class: 'S0' },
      campaign: { type: 'string', class: 'S0' },
    },
    session: {
      last_category: { type: 'string', values: categories, class: 'S1' },
      cart_items: { type: 'int', class: 'S1' },
    },
    profile: {
      favourite_category: { type: 'string', values: categories, class: 'S1' },
      orders_count: { type: 'int', class: 'S1' },
      days_since_order: { type: 'int', class: 'S1' },
    },
  },
  audiences: { lapsed: { class: 'S1' } },
  contextualWithoutSignal: true,
  consent: { path: 'vendor', vendorId: 1111, maxAgeDays: 180 },
  deadline: { defaultMs: 60, minMs: 5, maxMs: 500 },
};
