/** The near cache by itself: never more than its bound, never a proof that a change may have overtaken. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Profile } from '../../src/decision/facts.ts';
import { keyParts, profileKey } from '../../src/records/keys.ts';
import { entryBytes, idleMaxMs, NearCache } from '../../src/redis/near-cache.ts';
import { names } from '../support/key-names.ts';

const runs = process.env.STEPWELL_TEST_LONG === '1' ? 20_000 : 500;
const tags = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(names.subject);
const [tag = ''] = tags;

const profileOf = (n: number): Profile => ({ attributes: { n }, audiences: [] });

/** A cache and the hands of its clock. */
function cacheAt(bytesMax: number) {
  const clock = { nowMs: 1_000 };
  return { clock, cache: new NearCache({ bytesMax, now: () => clock.nowMs }) };
}

interface Step {
  readonly do: 'keep' | 'get' | 'change';
  readonly tag: string;
  readonly chars: number;
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    do: fc.constantFrom('keep' as const, 'keep' as const, 'get' as const, 'change' as const),
    tag: fc.constantFrom(...tags),
    chars: fc.nat(1_000),
  }),
  { maxLength: 60 },
);

const bound = 16 * (entryBytes + 1_000);

/** What must be held after the steps, the least lately used first, kept in the simplest way. */
function heldByModel(taken: readonly Step[]): ReadonlyMap<string, number> {
  const held = new Map<string, number>();
  const sizeOf = (chars: number): number => entryBytes + 2 * chars;
  for (const step of taken) {
    const before = held.get(step.tag);
    if (step.do !== 'get' || before !== undefined) held.delete(step.tag);
    if (step.do === 'get' && before !== undefined) held.set(step.tag, before);
    if (step.do !== 'keep' || sizeOf(step.chars) > bound / 16) continue;
    held.set(step.tag, sizeOf(step.chars));
    while ([...held.values()].reduce((sum, bytes) => sum + bytes, 0) > bound) held.delete(held.keys().next().value ?? '');
  }
  return held;
}

/** Whether a cache of so many bytes does what one of `bound` must, whatever it is asked. */
function keepsItsBound(bytesMax: number) {
  return fc.check(
    fc.property(steps, (taken) => {
      const { cache } = cacheAt(bytesMax);
      for (const step of taken) {
        if (step.do === 'keep') cache.profiles.keep(step.tag, { value: profileOf(1), version: 'v', chars: step.chars, sentAtMs: null });
        else if (step.do === 'get') cache.profiles.get(step.tag);
        else cache.changed(profileKey(step.tag));
        expect(cache.figures().bytes).toBeLessThanOrEqual(bound);
      }
      const model = heldByModel(taken);
      expect(cache.figures().bytes).toBe([...model.values()].reduce((sum, bytes) => sum + bytes, 0));
      for (const each of tags) expect([each, cache.profiles.get(each) !== null]).toEqual([each, model.has(each)]);
    }),
    { numRuns: runs },
  );
}

describe('the bound', () => {
  it('is never passed, and what was used longest ago goes first', () => {
    const { failed, seed, counterexample } = keepsItsBound(bound);
    if (failed) console.log(`seed ${seed}: ${JSON.stringify(counterexample)}`);
    expect(failed).toBe(false);
  });

  it.each([
    ['holds more', bound * 4],
    ['holds less', bound / 2],
  ])('of a cache that %s is noticed', (_, bytesMax) => {
    expect(keepsItsBound(bytesMax).failed).toBe(true);
  });

  it('counts what it pushes out, and takes nothing that is larger than a sixteenth', () => {
    const { cache } = cacheAt(16 * entryBytes);
    for (const each of tags) for (const shelf of [cache.generations, cache.tombstones, cache.revocations]) put(shelf, each);
    expect(cache.figures()).toMatchObject({ bytes: 16 * entryBytes, evictions: 8 });
    cache.profiles.keep(tag, { value: profileOf(1), version: 'v', chars: 1, sentAtMs: null });
    expect(cache.profiles.get(tag)).toBeNull();
  });

  it('of nothing holds nothing', () => {
    const { cache } = cacheAt(0);
    put(cache.generations, tag);
    expect([cache.isOn, cache.generations.get(tag), cache.figures().bytes]).toEqual([false, null, 0]);
  });
});

function put(shelf: NearCache['generations'] | NearCache['tombstones'], each: string): void {
  (shelf as NearCache['generations']).keep(each, { value: 1, sentAtMs: 1_000 });
}

describe('a proof', () => {
  const provedAt = (cache: NearCache): number | undefined => cache.generations.get(tag)?.provedAtMs;
  const find = (cache: NearCache, sentAtMs: number): void => cache.generations.keep(tag, { value: 1, sentAtMs });
  const generationKey = `sw:{${tag}}:generation`;

  it('dates from when the read was sent', () => {
    const { cache, clock } = cacheAt(2 ** 20);
    clock.nowMs = 1_500;
    find(cache, 1_000);
    expect(provedAt(cache)).toBe(1_000);
  });

  it('is gone with a change, and cannot come from a read that was under way then', () => {
    const { cache, clock } = cacheAt(2 ** 20);
    find(cache, 1_000);
    clock.nowMs = 1_010;
    cache.changed(generationKey);
    expect(provedAt(cache)).toBeUndefined();
    for (const sentAtMs of [1_009, 1_010]) {
      find(cache, sentAtMs);
      expect(provedAt(cache)).toBeUndefined();
    }
    find(cache, 1_011);
    expect(provedAt(cache)).toBe(1_011);
  });

  it('of a record that has a version leaves the record, to be asked about', () => {
    const { cache } = cacheAt(2 ** 20);
    cache.changed(profileKey(tag));
    cache.profiles.keep(tag, { value: profileOf(1), version: 'v', sentAtMs: 1_000 });
    const held = cache.profiles.get(tag);
    expect(held).toMatchObject({ value: profileOf(1), version: 'v', provedAtMs: Number.NEGATIVE_INFINITY });
    if (held !== null) cache.profiles.renew(tag, held, 1_000);
    expect(held?.provedAtMs).toBe(Number.NEGATIVE_INFINITY);
    if (held !== null) cache.profiles.renew(tag, held, 1_001);
    expect(held?.provedAtMs).toBe(1_001);
  });

  it('is not taken from a read that began before changes that are forgotten', () => {
    const { cache, clock } = cacheAt(2 ** 20);
    for (let other = 0; other <= 4_096; other += 1) {
      clock.nowMs = 2_000 + other;
      cache.changed(profileKey(names.subject(`other ${other}`)));
    }
    find(cache, 2_000);
    expect(provedAt(cache)).toBeUndefined();
    find(cache, 2_001);
    expect(provedAt(cache)).toBe(2_001);
  });

  it('by a read that was sent before another is not put in its place', () => {
    const { cache } = cacheAt(2 ** 20);
    cache.generations.keep(tag, { value: 2, sentAtMs: 1_002 });
    cache.generations.keep(tag, { value: 1, sentAtMs: 1_001 });
    expect(cache.generations.get(tag)).toMatchObject({ value: 2, provedAtMs: 1_002 });
  });
});

describe('what is held', () => {
  it('is let go of when nobody asks about it any more, and for that it is enough that somebody looks at the figures', () => {
    const { cache, clock } = cacheAt(2 ** 20);
    for (const each of tags) cache.profiles.keep(each, { value: profileOf(1), version: 'v', sentAtMs: null });
    clock.nowMs += idleMaxMs;
    cache.profiles.get(tag);
    clock.nowMs += 1;
    expect(cache.figures()).toMatchObject({ bytes: entryBytes, evictions: 0 });
    expect(cache.profiles.get(tag)?.value).toEqual(profileOf(1));
  });

  it('can be changed by nobody', () => {
    const { cache } = cacheAt(2 ** 20);
    const value = { attributes: { brands: ['a'] }, audiences: ['b'] };
    cache.profiles.keep(tag, { value, version: 'v', sentAtMs: null });
    expect(() => value.audiences.push('c')).toThrow(TypeError);
    expect(() => value.attributes.brands.push('c')).toThrow(TypeError);
    expect(() => Object.assign(value.attributes, { vip: true })).toThrow(TypeError);
  });

  it('is found by the name of its key, and a name of another shape is nobody’s', () => {
    const { cache } = cacheAt(2 ** 20);
    for (const shelf of [
      cache.profiles,
      cache.sessions,
      cache.links,
      cache.consents,
      cache.sessionConsents,
      cache.generations,
      cache.tombstones,
      cache.revocations,
    ]) {
      put(shelf as NearCache['generations'], tag);
      expect(shelf.get(tag)).not.toBeNull();
      expect(keyParts(shelf.keyOf(tag))?.tag).toBe(tag);
      cache.changed(shelf.keyOf(tag));
      expect(shelf.get(tag)).toBeNull();
    }
    for (const name of ['', 'sw:-', `sw:{${tag}}:else`, `sw:${tag}`, `x${profileKey(tag)}`, `${profileKey(tag)}x`, 'sw:policy:published'])
      expect([name, keyParts(name)]).toEqual([name, null]);
  });
});
