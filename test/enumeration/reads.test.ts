/**
 * What is read of a person is what the table lets be used, no more and no less, over the states of the state space in which every fact
 * comes: a profile only of who is proved and has granted both use cases of some zone, a session only where selecting is granted.
 */
import { describe, expect, it } from 'vitest';
import { type Needs, needs } from '../../src/decision/needs.ts';
import { readingFor } from '../../src/evidence/plan.ts';
import { mayReadProfile, mayReadSession, type ReadingSoFar } from '../../src/records/permission.ts';
import { evidenceOf, policyOf, questionFor } from './concrete.ts';
import { scattered } from './product.ts';
import { slices } from './slices.ts';
import { type RecordFact, type State, troubles } from './state.ts';
import { judge } from './table.ts';

const { zones, settings } = slices.whole;
const [setting = { contextualWithoutSignal: true, onlyProved: false, onFailure: {} }] = settings;
const artefact = policyOf(zones, setting);
const question = questionFor(zones, setting);
const needed = needs(artefact, question);
const neededOfTheProved = needs(artefact, questionFor(zones, { ...setting, onlyProved: true }));

type May = (state: State) => { readonly profile: boolean; readonly session: boolean };

const asBuilt: May = (state) => asAskedFor(state, needed);

function asAskedFor(state: State, needed: Needs): ReturnType<May> {
  const { identity, consent } = evidenceOf(state);
  const reading = readingFor({
    artefact,
    needs: needed,
    consent,
    token: identity.token,
    tokenId: state.token.is === 'verified' ? 'issuer\nt-1' : null,
    deviceId: state.device === 'none' ? null : 'd-1',
    resolved: null,
    sessionId: identity.session.state === 'verified' ? identity.session.id : null,
    nowMs: question.nowMs,
    hasTime: () => true,
  });
  const { plan } = reading;
  if (plan === null) return { profile: false, session: false };
  const stored = readingOf(state);
  return { profile: mayReadProfile(plan, stored), session: mayReadSession(plan, stored) };
}

/** What the store finds. */
function readingOf(state: State): ReadingSoFar {
  const { identity, consent } = evidenceOf(state);
  return {
    link: identity.device.state === 'known' ? identity.device.value : null,
    generation: identity.generation.state === 'known' ? identity.generation.value : 0,
    tokenRevoked: identity.tokenRevoked.state === 'known' && identity.tokenRevoked.value,
    consent: consent.stored.state === 'known' ? consent.stored.value : null,
    linkedConsent: state.token.is === 'verified' && state.device !== 'other' ? null : valueIn(consent.linked),
    sessionConsent: consent.session === undefined ? null : valueIn(consent.session),
  };
}

function valueIn<T>(fact: { readonly state: string; readonly value?: T }): T | null {
  return fact.value ?? null;
}

const asTheTableSays: May = (state) => {
  const { identity, consent } = judge(state);
  const content = consent.content_personalization === 'granted';
  const offers = consent.offers === 'granted';
  const activated =
    (content && consent.profile_activation_content === 'granted') || (offers && consent.profile_activation_offer === 'granted');
  return { profile: identity === 'high_confidence' && activated, session: state.sessionId === 'verified' && (content || offers) };
};

/** States in which the store answers all that it is asked. */
function* calmStates(): Generator<State> {
  for (const { size, at } of [slices.whole, slices.everyToken, slices.everyDate, slices.everyClass]) {
    const wanted = Math.min(size, 40_000);
    for (let number = 0; number < wanted; number += 1) {
      const state = at(scattered(number, size));
      if (isCalm(state)) yield state;
    }
  }
}

function isCalm({ token, device, stored, linked, ofSession }: State): boolean {
  const isThere = (record: RecordFact) => record.is === 'known' || record.is === 'absent';
  const ofToken = token.is === 'verified' ? [token.generation, token.revoked, token.binding] : [token.is];
  if ([...ofToken, device].some((fact) => (troubles as readonly string[]).includes(fact))) return false;
  const isLinked = device === 'same' || device === 'taken_over' || device === 'other';
  return (token.is !== 'verified' || isThere(stored)) && (!isLinked || isThere(linked)) && ofSession.is !== 'late';
}

/** States in which they differ. */
function differences(may: May): readonly string[] {
  const found: string[] = [];
  for (const state of calmStates()) {
    const [one, other] = [may(state), asTheTableSays(state)];
    if ((one.profile !== other.profile || one.session !== other.session) && found.length < 3)
      found.push(JSON.stringify({ one, other, state }));
  }
  return found;
}

describe('what the plan and the store’s permission open', () => {
  it('is what the table grants', () => {
    expect([...calmStates()].length).toBeGreaterThan(20_000);
    expect(differences(asBuilt)).toEqual([]);
  });

  it('is for nobody without a token where only the proved see more than the segment tier, and the same for who is proved', () => {
    const of = { proved: 0, withoutToken: 0 };
    for (const state of calmStates()) {
      const [only, all] = [asAskedFor(state, neededOfTheProved), asBuilt(state)];
      if (judge(state).identity === 'high_confidence') {
        of.proved += 1;
        expect(only, JSON.stringify(state)).toEqual(all);
      } else if (state.token.is !== 'verified' && all.session) {
        of.withoutToken += 1;
        expect(only, JSON.stringify(state)).toEqual({ profile: false, session: false });
      }
    }
    expect(Math.min(of.proved, of.withoutToken)).toBeGreaterThan(20);
  });

  it.each([
    ['a session’s withdrawals', (state: State): State => ({ ...state, ofSession: { is: 'absent' } })],
    ['the linked person’s denials', (state: State): State => (state.device === 'other' ? { ...state, linked: { is: 'absent' } } : state)],
    ['GPC', (state: State): State => ({ ...state, request: { ...state.request, gpc: false } })],
  ])('would be found to be more, if they overlooked %s', (_what, overlooking) => {
    expect(differences((state) => asBuilt(overlooking(state))).length).toBeGreaterThan(0);
  });
});
