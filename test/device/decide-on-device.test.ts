/** The core on a device against the whole core: every question that a device can put has one answer. */
import { describe, expect, test } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { type DeviceDecision, type DeviceQuestion, decideOnDevice } from '../../src/device/decide-on-device.ts';
import type { DevicePolicy } from '../../src/device/device-artefact.ts';
import { trim } from '../../src/device/trim.ts';
import { chanceFrom } from '../attacks/chance.ts';
import { baseNowMs, drawArtefact, drawQuestion } from './generate.ts';
import { referenceArtefact, referenceDecisions } from './reference.ts';

const seed = process.env.FC_SEED === undefined ? Date.now() % 2 ** 31 : Number(process.env.FC_SEED);
const isLong = process.env.STEPWELL_TEST_LONG === '1';
const cases = isLong ? 3_000_000 : 20_000;
const limitMs = isLong ? 900_000 : 60_000;
const casesPerPolicy = 25;
console.log(`decisions on a device: seed ${seed}, ${cases} cases, replay with FC_SEED=${seed}`);

type Decide = (artefact: DevicePolicy, question: DeviceQuestion) => readonly DeviceDecision[];

interface Tried {
  readonly difference: { readonly device: unknown; readonly core: unknown; readonly question: unknown } | null;
  readonly seen: ReadonlyMap<string, number>;
}

function tried(decideHere: Decide, of: number, from: number, change: (artefact: Artefact) => Artefact = (same) => same): Tried {
  const chance = chanceFrom(from);
  const seen = new Map<string, number>();
  const see = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
  for (let done = 0; done < of; done += casesPerPolicy) {
    const artefact = drawArtefact(chance);
    const trimmed = trim(change(artefact), baseNowMs - 120_000);
    for (const { why } of trimmed.leftOut) see(`left out: ${why}`);
    // Through the wire, as it comes to a device.
    const onDevice = JSON.parse(JSON.stringify(trimmed.artefact)) as DevicePolicy;
    const reference = referenceArtefact(artefact, trimmed.leftOut);
    for (let index = 0; index < casesPerPolicy; index++) {
      const question = drawQuestion(chance);
      const device = decideHere(onDevice, question);
      // The group of an offer that stays at home is not known on a device.
      const shownOffers = question.shownOffers.filter((id) => Object.hasOwn(onDevice.offers, id));
      const core = referenceDecisions(reference, { ...question, shownOffers });
      if (JSON.stringify(device) !== JSON.stringify(core)) return { difference: { device, core, question }, seen };
      for (const { tier, offer, downgrade } of device) {
        see(tier);
        if (offer !== null) see('an offer');
        if (downgrade !== null) see(downgrade.reason);
      }
    }
  }
  return { difference: null, seen };
}

describe('a device', () => {
  test(
    'decides what the whole core decides, for every question that it can put',
    () => {
      const { difference, seen } = tried(decideOnDevice, cases, seed);
      console.log([...seen].map(([what, often]) => `${what} ${often}`).join(', '));
      expect(difference).toBeNull();
      const tiers = ['session', 'segment', 'anonymous', 'an offer'];
      const consents = ['gpc', 'consent_denied', 'activation_denied', 'consent_unavailable', 'activation_unavailable'];
      const others = ['identity_anonymous', 'session_absent', 'no_eligible_offer'];
      const left = ['rung', 'not_marked', 'class', 'special_feature', 'instant', 'text_order', 'too_costly', 'too_many_factors'];
      for (const what of [...tiers, ...consents, ...others, ...left.map((why) => `left out: ${why}`)])
        expect(seen.get(what) ?? 0, what).toBeGreaterThan(50);
    },
    limitMs,
  );

  test('says nothing of a zone that its policy does not have, and takes no name for a place in an object', () => {
    const artefact = trim(drawArtefact(chanceFrom(1)), baseNowMs).artefact;
    const question = { ...drawQuestion(chanceFrom(1)), page: 'constructor', zones: ['toString', '__proto__', 'nowhere'] };
    expect(decideOnDevice(artefact, question)).toEqual([]);
  });
});

/** What somebody may get wrong in the core for devices, or in what is handed to it: each must be found. */
const planted: readonly { readonly fault: string; readonly decide?: Decide; readonly change?: (artefact: Artefact) => Artefact }[] = [
  { fault: 'asks nobody for consent', decide: (artefact, question) => decideOnDevice(artefact, { ...question, consent: granted }) },
  { fault: 'does not hear Sec-GPC', decide: (artefact, question) => decideOnDevice(artefact, { ...question, gpc: false }) },
  {
    fault: 'takes missing signals for empty ones',
    decide: (artefact, question) => decideOnDevice(artefact, { ...question, signals: question.signals ?? {} }),
  },
  {
    fault: 'has no windows',
    decide: (artefact, question) =>
      decideOnDevice(
        withOffers(artefact, ({ fromMs: _from, untilMs: _until, ...offer }) => offer),
        question,
      ),
  },
  {
    fault: 'ends a window a moment late',
    decide: (artefact, question) => decideOnDevice(artefact, { ...question, nowMs: question.nowMs - 1 }),
  },
  {
    fault: 'has no exclusion groups',
    decide: (artefact, question) =>
      decideOnDevice(
        withOffers(artefact, ({ group: _group, ...offer }) => offer),
        question,
      ),
  },
  {
    fault: 'lets zones choose in the order of asking',
    decide: (artefact, question) => decideOnDevice(artefact, { ...question, page: null }),
  },
  { fault: 'has no criticality', decide: (artefact, question) => decideOnDevice(withZones(artefact, { criticality: 0 }), question) },
  { fault: 'breaks ties without the session', decide: (artefact, question) => decideOnDevice(artefact, { ...question, seed: '' }) },
  {
    fault: 'has no levers',
    decide: (artefact, question) =>
      decideOnDevice(
        withOffers(artefact, ({ levers: _levers, ...offer }) => offer),
        question,
      ),
  },
  {
    fault: 'has no context factors',
    decide: (artefact, question) =>
      decideOnDevice(
        withOffers(artefact, ({ context: _context, ...offer }) => offer),
        question,
      ),
  },
  { fault: 'forgets classes', decide: (artefact, question) => decideOnDevice(withoutClasses(artefact), question) },
  {
    fault: 'takes an unknown audience list for an empty one',
    decide: (artefact, question) => decideOnDevice(artefact, { ...question, audiences: question.audiences ?? [] }),
  },
  {
    fault: 'never waits for a signal',
    decide: (artefact, question) => decideOnDevice(withOpenRungs(artefact), question),
  },
  { fault: 'is handed one more factor', change: (artefact) => withFirstOffers(artefact, { leversPerMille: 1 }) },
];

describe('the comparison finds a core for devices that', () => {
  test.each(planted)('$fault', ({ decide = decideOnDevice, change }) => {
    expect(tried(decide, 20_000, 20_261_121, change).difference).not.toBeNull();
  });
});

const granted: DeviceQuestion['consent'] = {
  contextual_content: 'granted',
  contextual_offer: 'granted',
  content_personalization: 'granted',
  offers: 'granted',
  profile_activation_content: 'granted',
  profile_activation_offer: 'granted',
};

type Offers = DevicePolicy['offers'];

function withOffers(artefact: DevicePolicy, change: (offer: Offers[string]) => Offers[string]): DevicePolicy {
  return { ...artefact, offers: Object.fromEntries(Object.entries(artefact.offers).map(([id, offer]) => [id, change(offer)])) };
}

function withOpenRungs(artefact: DevicePolicy): DevicePolicy {
  const open = (ladder: Ladder): Ladder => ladder.map((rung) => ({ ...rung, open: true }));
  const zones = Object.entries(artefact.zones).map(([id, zone]) => [id, { ...zone, ladder: open(zone.ladder) }]);
  return { ...artefact, zones: Object.fromEntries(zones) };
}

type Ladder = DevicePolicy['zones'][string]['ladder'];

function withZones(artefact: DevicePolicy, change: Partial<DevicePolicy['zones'][string]>): DevicePolicy {
  return { ...artefact, zones: Object.fromEntries(Object.entries(artefact.zones).map(([id, zone]) => [id, { ...zone, ...change }])) };
}

function withoutClasses(artefact: DevicePolicy): DevicePolicy {
  return JSON.parse(JSON.stringify(artefact, (key, value) => (key === 's1' ? undefined : value))) as DevicePolicy;
}

function withFirstOffers(artefact: Artefact, change: Partial<Artefact['offers'][string]>): Artefact {
  return { ...artefact, offers: Object.fromEntries(Object.entries(artefact.offers).map(([id, offer]) => [id, { ...offer, ...change }])) };
}
