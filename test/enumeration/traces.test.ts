/**
 * What is too sensitive for a visitor leaves no trace: the same decision, to the last member, as under a policy that never heard of it,
 * whatever the profile says of the person.
 */
import { describe, expect, it } from 'vitest';
import { decide } from '../../src/decision/decide.ts';
import type { Decision } from '../../src/decision/decision.ts';
import { noEvidence, type Profile } from '../../src/decision/facts.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { policyOf as enumerationPolicyOf, evidenceOf, questionFor } from './concrete.ts';
import { scattered } from './product.ts';
import { slices } from './slices.ts';
import type { State } from './state.ts';
import { judge } from './table.ts';

/** Every offer but the last is worth more than the plain one: where it may compete, it wins. */
const offers = {
  elevated: { tags: ['rail'], class: 'S2', variant: 'loan', when: 'profile.elevated', propensityPpm: 900_000, value: 50 },
  illness: {
    tags: ['rail'],
    class: 'S3',
    category: 'health',
    variant: 'inhaler',
    when: 'profile.illness',
    propensityPpm: 900_000,
    value: 90,
  },
  debts: { tags: ['rail'], class: 'S3', category: 'finance', variant: 'loan', when: 'profile.debts', propensityPpm: 900_000, value: 99 },
  unlabelled: { tags: ['rail'], variant: 'loan', when: 'profile.ordinary', propensityPpm: 900_000, value: 99 },
  plain: { tags: ['rail'], class: 'S1', variant: 'socks', when: 'profile.ordinary', propensityPpm: 1000, value: 1 },
} as const;
type OfferId = keyof typeof offers;

function policyWith(ids: readonly OfferId[]) {
  const approved = { by: 'Brand lead', on: '2026-11-01', until: '2027-11-01' };
  const zone = (kind: string) => ({
    kind,
    ladder: [
      { tier: 'user', arbitrate: { tag: 'rail' } },
      { tier: 'anonymous', variant: 'standard', approved },
    ],
  });
  const document = {
    stepwell: 1,
    policy: 'traces',
    attributes: {
      profile: {
        ordinary: { type: 'bool', class: 'S1' },
        elevated: { type: 'bool', class: 'S2' },
        illness: { type: 'bool', class: 'S3', category: 'health' },
        debts: { type: 'bool', class: 'S3', category: 'finance' },
      },
    },
    contextualWithoutSignal: true,
    sensitive: { S3: { enabled: true, categories: ['health'] } },
    zones: { content: zone('content'), offer: zone('offer') },
    variants: Object.fromEntries(['loan', 'inhaler', 'socks', 'standard'].map((id) => [id, { content: id }])),
    offers: Object.fromEntries(ids.map((id) => [id, offers[id]])),
  };
  const { artefact, problems } = compilePolicy(JSON.stringify(document), { file: 'traces.json', nowMs: Date.UTC(2026, 10, 20) });
  if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
  return artefact;
}

const question = questionFor([], { contextualWithoutSignal: true, onlyProved: false, onFailure: {} });

function decideWith(ids: readonly OfferId[], state: State, attributes?: Profile['attributes']): readonly Decision[] {
  const evidence = evidenceOf(state);
  const profile = attributes === undefined ? evidence.profile : ({ state: 'known', value: { attributes, audiences: [] } } as const);
  // Each zone alone: on one page an offer is shown once.
  return ['content', 'offer'].map((zone) => decide(policyOf(ids), { ...question, zones: [zone] }, { ...evidence, profile }));
}

const policies = new Map<string, ReturnType<typeof policyWith>>();
function policyOf(ids: readonly OfferId[]) {
  const known = policies.get(ids.join()) ?? policyWith(ids);
  policies.set(ids.join(), known);
  return known;
}

const neverEligible = ['debts', 'unlabelled', 'plain'] as const;
const withElevated = ['elevated', ...neverEligible] as const;
const withIllness = ['elevated', 'illness', ...neverEligible] as const;

function isSteppedUp({ token }: State): boolean {
  return token.is === 'verified' && token.binding === 'proved' && (token.authenticated === 'now' || token.authenticated === 'edge');
}

/** A sample of the slices in which tokens, records and profiles differ. */
function* states(): Generator<State> {
  for (const { size, at } of [slices.everyClass, slices.whole, slices.everyDate]) {
    const wanted = Math.min(size, 2000);
    for (let number = 0; number < wanted; number += 1) yield at(scattered(number, size));
  }
}

describe('what is too sensitive for a visitor', () => {
  it('changes no member of the decision, where the person is not proved enough or has not consented', () => {
    let compared = 0;
    for (const state of states()) {
      const plain = decideWith(['plain'], state);
      const name = JSON.stringify(state);
      expect(decideWith(neverEligible, state), name).toEqual(plain);
      if (!isSteppedUp(state)) expect(decideWith(withIllness, state), name).toEqual(plain);
      if (!judge(state).categoryGranted) expect(decideWith(withIllness, state), name).toEqual(decideWith(withElevated, state));
      compared += 1;
    }
    expect(compared).toBe(6000);
  });

  it('is told by nothing in the answer, whatever the profile says that nobody may use', () => {
    for (const state of states()) {
      const may = isSteppedUp(state);
      if (may || state.profile !== 'matching') continue;
      const decided = (told: boolean) => decideWith(withIllness, state, { ordinary: true, elevated: told, illness: told, debts: told });
      expect(decided(true), JSON.stringify(state)).toEqual(decided(false));
    }
  });

  it('wins where it may compete, so that the comparison would see it', () => {
    const seen = new Set<string>();
    for (const state of states()) {
      for (const { zones } of decideWith(withIllness, state)) seen.add(String(zones[0]?.offer));
    }
    expect([...seen].sort()).toEqual(['elevated', 'illness', 'null', 'plain']);
  });
});

describe('a question that a cache may answer', () => {
  it('is answered alike, whatever is known of whoever asks', () => {
    const { zones, settings } = slices.whole;
    for (const one of settings) {
      const artefact = enumerationPolicyOf(zones, one);
      const asked = { ...questionFor(zones, one), audience: 'shared' } as const;
      const first = JSON.stringify(decide(artefact, asked, noEvidence));
      for (const state of states()) expect(JSON.stringify(decide(artefact, asked, evidenceOf(state)))).toBe(first);
    }
  });
});

describe('what is shown to everybody', () => {
  it('is chosen by no personal fact, at segment and below', () => {
    const approved = { by: 'Brand lead', on: '2026-11-01', until: '2027-11-01' };
    const ladder = [
      { tier: 'segment', choose: [{ when: 'request.country == "DE"', variant: 'notice' }] },
      { tier: 'anonymous', variant: 'standard', approved },
    ];
    const document = {
      stepwell: 1,
      policy: 'notices',
      attributes: { request: { country: { type: 'string', class: 'S0' } } },
      contextualWithoutSignal: true,
      zones: { notice: { kind: 'content', ladder } },
      variants: { notice: { content: 'about an illness' }, standard: { content: 'standard' } },
    };
    const { artefact } = compilePolicy(JSON.stringify(document), { file: 'notices.json', nowMs: Date.UTC(2026, 10, 20) });
    if (artefact === null) throw new Error('the policy does not compile');
    const asked = { ...question, zones: ['notice'], request: { country: 'DE' } };
    for (const state of states()) {
      const told = (fact: 'matching' | 'absent') => decide(artefact, asked, evidenceOf({ ...state, profile: fact, session: fact })).zones;
      expect(told('matching'), JSON.stringify(state)).toEqual(told('absent'));
      // Only the request's own word about the contextual use case counts.
      const isOpen = state.request.contextual !== 'denied' && state.request.also !== 'child';
      expect(told('matching')[0]?.variant, JSON.stringify(state)).toBe(isOpen ? 'notice' : 'standard');
    }
  });
});
