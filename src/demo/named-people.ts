/** The few demo people that the README calls by name: fixed, whatever the seed. */
import { dayAfter, everyUseCase, type Person } from './person.ts';

export function namedPeople(nowMs: number): readonly Person[] {
  return [ada, grace, alan, edith(nowMs), katherine, hedy];
}

/** Gold, everything granted: sees the user tier. */
const ada: Person = {
  subject: 'demo-ada',
  attributes: {
    loyalty: 'gold',
    days_since_order: 75,
    orders_count: 14,
    favourite_category: 'shoes',
    favourite_brands: ['Nordkap', 'Halden'],
    has_app: true,
    lifetime_value_cents: 214_300,
    // Instalments still open. In the policy, what is sensitive has an id that tells nothing.
    a_11: 0,
  },
  audiences: ['newsletter'],
  consent: { useCases: everyUseCase('granted'), ageDays: 20 },
  devices: [{ id: 'd-demo-ada', method: 'deterministic', confidencePpm: 1_000_000 }],
};

/** Silver and two orders from gold, everything granted. */
const grace: Person = {
  subject: 'demo-grace',
  attributes: {
    loyalty: 'silver',
    days_since_order: 12,
    orders_count: 7,
    favourite_category: 'jackets',
    favourite_brands: ['Halden'],
    has_app: false,
    lifetime_value_cents: 61_900,
    a_11: 1,
  },
  audiences: ['newsletter', 'trail_runners'],
  consent: { useCases: everyUseCase('granted'), ageDays: 45 },
  devices: [{ id: 'd-demo-grace', method: 'deterministic', confidencePpm: 1_000_000 }],
};

/** Gold as well, and has said no to everything: known, and treated as a stranger. */
const alan: Person = {
  subject: 'demo-alan',
  attributes: {
    loyalty: 'gold',
    days_since_order: 30,
    orders_count: 9,
    favourite_category: 'running',
    favourite_brands: [],
    has_app: true,
    lifetime_value_cents: 130_000,
    a_11: 0,
  },
  audiences: ['trail_runners'],
  consent: { useCases: everyUseCase('denied'), ageDays: 300 },
  devices: [{ id: 'd-demo-alan', method: 'deterministic', confidencePpm: 1_000_000 }],
};

/** Personal content yes, personal offers no; a voucher that ends soon. */
function edith(nowMs: number): Person {
  return {
    subject: 'demo-edith',
    attributes: {
      loyalty: 'none',
      days_since_order: 210,
      orders_count: 2,
      favourite_category: 'backpacks',
      favourite_brands: ['Tarn'],
      has_app: false,
      voucher_expires: dayAfter(nowMs, 10),
      lifetime_value_cents: 18_400,
      a_11: 0,
    },
    audiences: ['lapsed'],
    consent: {
      useCases: {
        content_personalization: 'granted',
        profile_activation_content: 'granted',
        analytics_content: 'granted',
        offers: 'denied',
        profile_activation_offer: 'denied',
        analytics_offer: 'denied',
      },
      ageDays: 5,
    },
    devices: [],
  };
}

/** A customer whom nobody ever asked: nothing on record, so nothing is allowed. */
const katherine: Person = {
  subject: 'demo-katherine',
  attributes: {
    loyalty: 'silver',
    days_since_order: 40,
    orders_count: 6,
    favourite_category: 'shoes',
    favourite_brands: ['Nordkap'],
    has_app: true,
    lifetime_value_cents: 88_000,
    a_11: 0,
  },
  audiences: [],
  consent: null,
  devices: [{ id: 'd-demo-katherine', method: 'probabilistic', confidencePpm: 720_000 }],
};

/** Said yes to health too, in so many words. */
const hedy: Person = {
  subject: 'demo-hedy',
  attributes: {
    loyalty: 'silver',
    days_since_order: 22,
    orders_count: 5,
    favourite_category: 'shoes',
    favourite_brands: [],
    has_app: true,
    lifetime_value_cents: 72_500,
    a_11: 2,
    // Needs an orthopaedic fit.
    a_12: true,
  },
  audiences: ['newsletter'],
  consent: { useCases: { ...everyUseCase('granted'), 'category:health': 'granted' }, ageDays: 3 },
  devices: [{ id: 'd-demo-hedy', method: 'deterministic', confidencePpm: 1_000_000 }],
};
