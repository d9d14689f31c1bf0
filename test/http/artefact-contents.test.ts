/** What leaves for devices, over generated policies: of what may not leave, not a content, not a condition, not a name, not a number. */

import fc from 'fast-check';
import { compactVerify, createLocalJWKSet } from 'jose';
import { describe, expect, it } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { createDeviceArtefacts } from '../../src/http/device-artefacts.ts';
import { artefactKeysOf, newArtefactKey } from '../../src/identity/artefact-keys.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const seed = process.env.FC_SEED === undefined ? Date.now() % 2 ** 31 : Number(process.env.FC_SEED);
console.log(`generated policies: seed ${seed}, replay with FC_SEED=${seed}`);

const clock = new VirtualClock();
const keys = artefactKeysOf(newArtefactKey());

interface Drawn {
  readonly isMarked: boolean;
  readonly reads: 'nothing' | 'request' | 'device' | 'session' | 'profile';
  readonly class: 'S0' | 'S1' | 'S2' | 'S3';
  readonly ofVariant: 'S0' | 'S1' | 'S2';
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  isMarked: fc.boolean(),
  reads: fc.constantFrom('nothing', 'request', 'request', 'device', 'device', 'session', 'profile'),
  class: fc.constantFrom('S0', 'S1', 'S1', 'S2', 'S3'),
  ofVariant: fc.constantFrom('S0', 'S0', 'S1', 'S2'),
});
const zone = fc.record({
  class: fc.constantFrom('S0', 'S0', 'S1', 'S2'),
  user: fc.array(drawn, { maxLength: 3 }),
  session: fc.array(drawn, { maxLength: 3 }),
  segment: fc.array(drawn, { maxLength: 3 }),
  offers: fc.array(drawn, { maxLength: 4 }),
  /** Which rung arbitrates, in place of its rules. */
  arbitrates: fc.constantFrom('user', 'session', 'segment', null),
});
const policies = fc.array(zone, { minLength: 1, maxLength: 3 });

type Zones = typeof policies extends fc.Arbitrary<infer T> ? T : never;

const height = { segment: 0, session: 1, user: 2 } as const;
type Tier = keyof typeof height;
const tierOf = { nothing: 'segment', request: 'segment', device: 'session', session: 'session', profile: 'user' } as const;

/** Whether an author may say so at all, as the decision page has it. */
function mayLeave(one: Drawn, tier: Tier, ofZone: string): boolean {
  const isOrdinary = [one.class, one.ofVariant, ofZone].every((of) => of === 'S0' || of === 'S1');
  return isOrdinary && tier !== 'user' && one.reads !== 'session' && one.reads !== 'profile' && height[tierOf[one.reads]] <= height[tier];
}

interface Written {
  readonly text: string;
  /** What stands for a thing that may leave, and for one that may not. */
  readonly allowed: ReadonlySet<string>;
  readonly forbidden: ReadonlySet<string>;
}

function written(zones: Zones): Written {
  let count = 0;
  const [allowed, forbidden] = [new Set<string>(), new Set<string>()];
  const variants: Record<string, object> = {};
  const offers: Record<string, object> = {};
  /** Each with a content, a condition, a name and numbers that nothing else has. */
  const mint = (one: Drawn, canLeave: boolean) => {
    count += 1;
    const [id, word] = [`v${count}x`, `word-${count}x`];
    variants[id] = { content: { text: `content-${count}x` }, class: one.ofVariant };
    const mark = canLeave && one.isMarked;
    const set = mark ? allowed : forbidden;
    for (const canary of [id, `content-${count}x`]) set.add(canary);
    if (one.reads !== 'nothing') set.add(word);
    return { ...conditionOf(one, word), class: one.class, variant: id, ...(mark ? { device: true } : {}) };
  };
  const ladderOf = (given: Zones[number], index: number) => {
    const rungs: object[] = [];
    for (const tier of ['user', 'session', 'segment'] as const) {
      if (given.arbitrates === tier) {
        rungs.push({ tier, arbitrate: { tag: `t${index}` } });
        continue;
      }
      const rules = given[tier]
        .filter(
          (one) => one.reads !== 'nothing' && height[tierOf[one.reads]] <= height[tier] && !(one.reads === 'device' && tier !== 'session'),
        )
        // What reads a device's signals and is not marked would not load.
        .map((one) => (one.reads === 'device' ? { ...one, isMarked: true } : one))
        .filter((one) => one.reads !== 'device' || mayLeave(one, tier, given.class));
      if (rules.length > 0) rungs.push({ tier, choose: rules.map((one) => mint(one, mayLeave(one, tier, given.class))) });
    }
    count += 1;
    variants[`v${count}x`] = { content: { text: `content-${count}x` } };
    allowed.add(`v${count}x`).add(`content-${count}x`);
    return [...rungs, { tier: 'anonymous', variant: `v${count}x`, approved: { by: 'B', on: '2026-01-01', until: '2027-11-01' } }];
  };
  const zonesOf = Object.fromEntries(
    zones.map((given, index) => [`z${index}`, { kind: 'content', class: given.class, ladder: ladderOf(given, index) }]),
  );
  for (const [index, given] of zones.entries()) {
    for (const one of given.offers) {
      const tier = given.arbitrates;
      const canLeave = tier !== null && mayLeave(one, tier, given.class);
      if (one.reads === 'device' && (!canLeave || tier !== 'session')) continue;
      if (tier !== null && height[tierOf[one.reads]] > height[tier]) continue;
      const body = mint(one.reads === 'device' ? { ...one, isMarked: true } : one, canLeave);
      const [value, propensityPpm] = [600_000 + count, 700_000 + count];
      const set = 'device' in body ? allowed : forbidden;
      set.add(`o${count}x`);
      if (!('device' in body)) for (const number of [value, propensityPpm, value * propensityPpm]) set.add(String(number));
      offers[`o${count}x`] = { ...body, tags: [`t${index}`], value, propensityPpm };
    }
  }
  const text = JSON.stringify({
    stepwell: 1,
    policy: 'p',
    contextualWithoutSignal: true,
    attributes: {
      request: { r: { type: 'string', class: 'S0' } },
      session: { s: { type: 'string', class: 'S1' } },
      profile: { p: { type: 'string', class: 'S1' } },
      device: { d: { type: 'string', class: 'S1' } },
    },
    pages: { home: { zones: Object.keys(zonesOf) } },
    zones: zonesOf,
    variants,
    offers,
  });
  return { text, allowed, forbidden };
}

function conditionOf({ reads }: Drawn, word: string): { readonly when?: string } {
  return reads === 'nothing' ? {} : { when: `${reads}.${reads[0]} == "${word}"` };
}

function compiled(text: string): Artefact {
  const { artefact, problems } = compilePolicy(text, { file: 'p.json', nowMs: clock.nowMs() });
  if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
  return artefact;
}

const has = (text: string, canary: string): boolean => new RegExp(`(?<![\\w-])${canary}(?![\\w-])`).test(text);

async function jwsOf(artefact: Artefact): Promise<string> {
  const signed = await createDeviceArtefacts({ keys: () => keys, clock }).current(artefact);
  return typeof signed === 'string' ? '' : signed.jws;
}

async function payloadOf(artefact: Artefact): Promise<string> {
  const jws = await jwsOf(artefact);
  return Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString();
}

describe('the artefact of devices', () => {
  it('holds nothing that is not marked or may not leave, but approved fallbacks, and it holds those', async () => {
    let [left, stayed] = [0, 0];
    await fc.assert(
      fc.asyncProperty(policies, async (zones) => {
        const { text, allowed, forbidden } = written(zones);
        const payload = await payloadOf(compiled(text));
        for (const canary of forbidden) expect(has(payload, canary), canary).toBe(false);
        for (const canary of allowed) expect(has(payload, canary), canary).toBe(true);
        left += allowed.size;
        stayed += forbidden.size;
      }),
      { seed, numRuns: 300 },
    );
    expect(Math.min(left, stayed)).toBeGreaterThan(1000);
  });

  it('would be seen to hold more, were marks not looked at', () => {
    const zones = fc.sample(policies, { seed, numRuns: 50 });
    const isSeen = zones.some((given) => {
      const { text, forbidden } = written(given);
      const whole = JSON.stringify(compiled(text));
      return [...forbidden].some((canary) => has(whole, canary));
    });
    expect(isSeen).toBe(true);
  });

  it('verifies with the published key', async () => {
    const artefact = compiled(written(fc.sample(policies, { seed, numRuns: 1 })[0] ?? []).text);
    const jws = await jwsOf(artefact);
    const { protectedHeader } = await compactVerify(jws, createLocalJWKSet(structuredClone(keys.jwks) as never));
    expect(protectedHeader.typ).toBe('stepwell-artefact+jws');
  });
});
