/**
 * Draws one plausible customer. What belongs together hangs together: who orders often is loyal, has the app and a high
 * value; who has not ordered for half a year is lapsed; who buys for children may be a new parent.
 */
import type { Attributes } from '../decision/value.ts';
import { dayAfter, everyUseCase, type Person, type PersonConsent } from './person.ts';
import type { RandomSource } from './random.ts';

const lapsedAfterDays = 180;

export function shopper(subject: string, random: RandomSource, nowMs: number): Person {
  const habits = drawHabits(random);
  return {
    subject,
    attributes: attributesOf(habits, random, nowMs),
    audiences: audiencesOf(habits, random),
    consent: drawConsent(habits, random),
    devices: drawDevices(subject, habits, random),
  };
}

/** What the rest is drawn from. */
interface Habits {
  /** 0…999: how closely this person follows the shop. */
  readonly engagement: number;
  readonly ordersCount: number;
  readonly daysSinceOrder: number;
  readonly category: string;
  readonly hasApp: boolean;
  readonly orthopaedicFit: boolean;
}

function drawHabits(random: RandomSource): Habits {
  // The lesser of two draws: most customers follow a shop loosely, few closely.
  const engagement = Math.min(random.between(0, 999), random.between(0, 999));
  return {
    engagement,
    ordersCount: 1 + random.between(0, 1 + Math.floor(engagement / 60)),
    daysSinceOrder: random.between(0, 30 + Math.floor(((1000 - engagement) * 2) / 5)),
    category: random.weighted([
      ['shoes', 34],
      ['jackets', 20],
      ['running', 18],
      ['backpacks', 12],
      ['kids', 10],
      ['care', 6],
    ]),
    hasApp: random.chance(150 + Math.floor(engagement / 2)),
    orthopaedicFit: random.chance(40),
  };
}

function attributesOf(habits: Habits, random: RandomSource, nowMs: number): Attributes {
  const averageOrderCents = random.between(4_500, 16_000);
  return {
    loyalty: loyaltyOf(habits.ordersCount),
    days_since_order: habits.daysSinceOrder,
    orders_count: habits.ordersCount,
    favourite_category: habits.category,
    favourite_brands: drawBrands(habits.category, random),
    has_app: habits.hasApp,
    lifetime_value_cents: habits.ordersCount * averageOrderCents,
    a_11: random.chance(120) ? random.between(1, 5) : 0,
    ...(random.chance(150) ? { voucher_expires: dayAfter(nowMs, random.between(-20, 60)) } : {}),
    ...(habits.orthopaedicFit ? { a_12: true } : {}),
  };
}

function loyaltyOf(ordersCount: number): string {
  if (ordersCount >= 9) return 'gold';
  return ordersCount >= 4 ? 'silver' : 'none';
}

function drawBrands(category: string, random: RandomSource): readonly string[] {
  const nordkapPerMille = category === 'jackets' ? 450 : 120;
  const brands: string[] = [];
  if (random.chance(nordkapPerMille)) brands.push('Nordkap');
  if (random.chance(250)) brands.push('Halden');
  if (random.chance(category === 'backpacks' ? 500 : 100)) brands.push('Tarn');
  return brands;
}

function audiencesOf(habits: Habits, random: RandomSource): readonly string[] {
  const audiences: string[] = [];
  if (random.chance(250 + Math.floor(habits.engagement / 2))) audiences.push('newsletter');
  if (habits.daysSinceOrder >= lapsedAfterDays) audiences.push('lapsed');
  if (habits.ordersCount > 2 && random.chance(90)) audiences.push('high_returns');
  if (random.chance(habits.category === 'running' ? 600 : 50)) audiences.push('trail_runners');
  if (random.chance(habits.category === 'kids' ? 300 : 10)) audiences.push('g-11');
  return audiences;
}

function drawConsent(habits: Habits, random: RandomSource): PersonConsent | null {
  const answer = random.weighted<'all' | 'content' | 'none' | 'never asked'>([
    ['all', 450 + Math.floor(habits.engagement / 5)],
    ['content', 150],
    ['none', 180],
    ['never asked', 160],
  ]);
  // Some grants are older than the policy lets them count, as in any real record.
  const ageDays = random.between(0, 240);
  switch (answer) {
    case 'all':
      return { useCases: { ...everyUseCase('granted'), ...healthConsent(habits, random) }, ageDays };
    case 'content':
      return { useCases: { content_personalization: 'granted', profile_activation_content: 'granted', offers: 'denied' }, ageDays };
    case 'none':
      return { useCases: everyUseCase('denied'), ageDays };
    case 'never asked':
      return null;
  }
}

function healthConsent(habits: Habits, random: RandomSource): { readonly 'category:health'?: 'granted' } {
  return habits.orthopaedicFit && random.chance(500) ? { 'category:health': 'granted' } : {};
}

function drawDevices(subject: string, habits: Habits, random: RandomSource): Person['devices'] {
  const devices: Person['devices'][number][] = [];
  if (habits.hasApp) devices.push({ id: `d-${subject}-app`, method: 'deterministic', confidencePpm: 1_000_000 });
  if (random.chance(300)) {
    devices.push({ id: `d-${subject}-web`, method: 'probabilistic', confidencePpm: random.between(550_000, 950_000) });
  }
  return devices;
}
