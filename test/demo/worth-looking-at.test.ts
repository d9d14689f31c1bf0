/** The demo policy and the demo people together: no offer and no variant is there for nobody. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { decide } from '../../src/decision/decide.ts';
import type { ZoneDecision } from '../../src/decision/decision.ts';
import type { Evidence, Profile } from '../../src/decision/facts.ts';
import type { Attributes } from '../../src/decision/value.ts';
import { demoDefaults, demoWrites } from '../../src/demo/demo-writes.ts';
import { everyUseCase } from '../../src/demo/person.ts';
import { compilePolicy } from '../../src/policy/compile.ts';

const nowMs = Date.UTC(2026, 10, 21);
const { artefact } = compilePolicy(readFileSync('examples/retail.yaml', 'utf8'), { file: 'retail.yaml', nowMs });
const retail = artefact as Artefact;

const requests: readonly { readonly request: Attributes; readonly audiences: readonly string[] | null }[] = [
  ...['DE', 'CH', 'FR', 'NO', 'ES', 'NL'].map((country) => ({ request: { country, device: 'desktop' }, audiences: null })),
  { request: { device: 'mobile', referrer: 'social' }, audiences: null },
  { request: { campaign: 'spring', referrer: 'email' }, audiences: ['newsletter'] },
  { request: { campaign: 'outlet-42', device: 'tablet' }, audiences: ['store_visitor'] },
];
const sessions: readonly Attributes[] = [
  { cart_items: 2, last_category: 'shoes', viewed_products: ['trail-mid-2'] },
  ...['shoes', 'jackets', 'backpacks', 'running', 'kids'].map((last_category) => ({ last_category, cart_items: 0 })),
  { viewed_products: ['city-pack-18', 'trail-mid-2', 'rain-shell-1'], chosen_size: '42' },
  { wants_sustainable: true },
];

/** What a freshly signed-in person with a proof has: enough for every class. */
function evidenceOf(profile: Profile | null, session: Attributes | null): Evidence {
  const useCases = { ...everyUseCase('granted'), 'category:health': 'granted' } as const;
  return {
    identity: {
      token:
        profile === null
          ? { state: 'none' }
          : {
              state: 'verified',
              subject: 'someone',
              method: 'deterministic',
              expired: false,
              authTimeSeconds: nowMs / 1000 - 60,
              generation: 0,
              binding: 'proved',
            },
      session: session === null ? { state: 'none' } : { state: 'verified', id: 'a-session' },
      device: { state: 'refused' },
      generation: { state: 'known', value: 0 },
      tokenRevoked: { state: 'known', value: false },
    },
    consent: {
      signals: [{ state: 'valid', useCases: { content_personalization: 'granted', offers: 'granted' } }],
      gpc: false,
      stored: profile === null ? { state: 'refused' } : { state: 'known', value: { useCases, recordedAtMs: nowMs } },
      linked: { state: 'refused' },
    },
    profile: profile === null ? { state: 'refused' } : { state: 'known', value: profile },
    session: session === null ? { state: 'refused' } : { state: 'known', value: { attributes: session } },
    audience: { state: 'refused' },
    model: { state: 'refused' },
  };
}

/** Inside facts a timestamp is an integer of milliseconds. */
function asFact({ attributes, audiences }: Profile): Profile {
  const { voucher_expires: expires, ...others } = attributes;
  return { attributes: typeof expires === 'string' ? { ...others, voucher_expires: Date.parse(expires) } : attributes, audiences };
}

function decideFor(page: string, visitor: (typeof requests)[number], evidence: Evidence): readonly ZoneDecision[] {
  const zones = retail.pages[page]?.zones ?? [];
  const question = { nowMs, audience: 'personal', page, zones, shownOffers: [], explain: false, ...visitor } as const;
  return decide(retail, question, evidence).zones;
}

function* everythingShown(): Iterable<ZoneDecision> {
  const people = [...demoWrites({ ...demoDefaults, count: 2000, nowMs })].flatMap((write) =>
    write.kind === 'profile' ? [asFact(write.profile)] : [],
  );
  const desk = { request: { country: 'NL', device: 'desktop' }, audiences: null };
  for (const page of Object.keys(retail.pages)) {
    yield* decideFor(page, { request: {}, audiences: null }, evidenceOf(null, null));
    for (const visitor of requests) yield* decideFor(page, visitor, evidenceOf(null, null));
    for (const session of sessions) yield* decideFor(page, desk, evidenceOf(null, session));
    for (const person of people) yield* decideFor(page, desk, evidenceOf(person, null));
  }
}

describe('the retail policy and the demo people', () => {
  const shown = [...everythingShown()];

  it('show every variant to somebody', () => {
    const seen = new Set(shown.map((zone) => zone.variant));
    expect(Object.keys(retail.variants).filter((variant) => !seen.has(variant))).toEqual([]);
  });

  it('let every offer win somewhere', () => {
    const seen = new Set(shown.map((zone) => zone.offer));
    expect(Object.keys(retail.offers).filter((offer) => !seen.has(offer))).toEqual([]);
  });
});
