/** The demo's records: the same for everybody who asks alike, and shaped like the customers of a real shop. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { demoDefaults, demoWrites } from '../../src/demo/demo-writes.ts';
import type { StoreWrite } from '../../src/records/store.ts';

const nowMs = Date.UTC(2026, 10, 21);
const { seed } = demoDefaults;
const shop = [...demoWrites({ seed, count: 10_000, nowMs })];

type Write<Kind extends StoreWrite['kind']> = Extract<StoreWrite, { kind: Kind }>;

function only<Kind extends StoreWrite['kind']>(kind: Kind, writes: readonly StoreWrite[] = shop): readonly Write<Kind>[] {
  return writes.filter((write): write is Write<Kind> => write.kind === kind);
}

const profiles = only('profile');
const consents = new Map(only('consent').map((write) => [write.subject, write.consent]));

function sharePerMille(part: number, whole: number): number {
  return Math.round((part * 1000) / whole);
}

describe('demo records', () => {
  it('are the same for the same seed', () => {
    expect([...demoWrites({ seed: 7, count: 300, nowMs })]).toEqual([...demoWrites({ seed: 7, count: 300, nowMs })]);
  });

  it('are other people for another seed', () => {
    expect([...demoWrites({ seed: 7, count: 300, nowMs })]).not.toEqual([...demoWrites({ seed: 8, count: 300, nowMs })]);
  });

  it('begin with the shorter list when more are asked for', () => {
    const few = [...demoWrites({ seed, count: 50, nowMs })];
    expect(shop.slice(0, few.length)).toEqual(few);
  });

  it('hold one profile for each person asked for, and for each with a name', () => {
    expect(profiles).toHaveLength(10_000 + 6);
    expect(new Set(profiles.map((write) => write.subject)).size).toBe(profiles.length);
  });

  it('all end by themselves', () => {
    expect(shop.every((write) => Number.isInteger(write.ttlSeconds) && write.ttlSeconds > 0)).toBe(true);
  });

  it('use only attributes, values and audiences that the retail policy declares', () => {
    const policy = parse(readFileSync('examples/retail.yaml', 'utf8'));
    const undeclared = profiles.flatMap(({ profile }) => [
      ...Object.entries(profile.attributes)
        .filter(([name, value]) => !isDeclared(policy.attributes.profile[name], value))
        .map(([name]) => name),
      ...profile.audiences.filter((name) => !(name in policy.audiences)),
    ]);
    expect(new Set(undeclared)).toEqual(new Set());
  });
});

describe('demo people', () => {
  it('include a gold member who granted everything, a silver one, and one who denied', () => {
    const loyaltyAndOffers = ['demo-ada', 'demo-grace', 'demo-alan'].map((subject) => [
      profiles.find((write) => write.subject === subject)?.profile.attributes.loyalty,
      consents.get(subject)?.useCases.offers,
    ]);
    expect(loyaltyAndOffers).toEqual([
      ['gold', 'granted'],
      ['silver', 'granted'],
      ['gold', 'denied'],
    ]);
  });

  it('include one whom nobody ever asked for consent', () => {
    expect(profiles.some((write) => write.subject === 'demo-katherine')).toBe(true);
    expect(consents.has('demo-katherine')).toBe(false);
  });

  it('have consent recent enough to count under the retail policy', () => {
    expect(nowMs - (consents.get('demo-ada')?.recordedAtMs ?? 0)).toBeLessThan(180 * 86_400_000);
  });
});

describe('demo shoppers', () => {
  it('are mostly without loyalty status, fewer silver, fewest gold', () => {
    const counts = ['none', 'silver', 'gold'].map(
      (status) => profiles.filter(({ profile }) => profile.attributes.loyalty === status).length,
    );
    const [none, silver, gold] = counts as [number, number, number];
    expect(none).toBeGreaterThan(silver);
    expect(silver).toBeGreaterThan(gold);
    expect(sharePerMille(gold, profiles.length)).toBeGreaterThan(20);
  });

  it('are lapsed exactly when they have not ordered for half a year', () => {
    const wrong = profiles.filter(
      ({ profile }) => profile.audiences.includes('lapsed') !== Number(profile.attributes.days_since_order) >= 180,
    );
    expect(wrong).toEqual([]);
  });

  it('have the app more often when they order more often', () => {
    const appShare = (wanted: (orders: number) => boolean) => {
      const group = profiles.filter(({ profile }) => wanted(Number(profile.attributes.orders_count)));
      return sharePerMille(group.filter(({ profile }) => profile.attributes.has_app === true).length, group.length);
    };
    expect(appShare((orders) => orders >= 9)).toBeGreaterThan(appShare((orders) => orders <= 2) + 100);
  });

  it('have granted, denied, and never been asked, each in a fair number', () => {
    const granted = [...consents.values()].filter((consent) => consent.useCases.offers === 'granted').length;
    const denied = [...consents.values()].filter((consent) => consent.useCases.offers === 'denied').length;
    const absent = profiles.length - consents.size;
    for (const group of [granted, denied, absent]) expect(sharePerMille(group, profiles.length)).toBeGreaterThan(100);
  });

  it('carry devices of both methods, each linked to one person', () => {
    const links = only('identity');
    expect(new Set(links.map((write) => write.link.method))).toEqual(new Set(['deterministic', 'probabilistic']));
    expect(new Set(links.map((write) => write.value)).size).toBe(links.length);
    expect(links.every((write) => write.link.confidencePpm > 0 && write.link.confidencePpm <= 1_000_000)).toBe(true);
  });
});

/** Knows the types of attributes that the retail policy uses. */
function isDeclared(declaration: { type: string; values?: string[] } | undefined, value: unknown): boolean {
  if (declaration === undefined) return false;
  const { type, values } = declaration;
  if (type === 'int') return Number.isSafeInteger(value);
  if (type === 'bool') return typeof value === 'boolean';
  if (type === 'timestamp') return typeof value === 'string' && !Number.isNaN(Date.parse(value));
  if (type === 'strings') return Array.isArray(value) && value.every((item) => typeof item === 'string');
  return typeof value === 'string' && (values === undefined || values.includes(value));
}
