/** Whether a holder's proof is new is asked beside the one read: what is known of it at an instant, and what waits for it. */
import { describe, expect, it } from 'vitest';
import type { HttpSourceSettings } from '../../src/decision/artefact.ts';
import type { Fact, Profile } from '../../src/decision/facts.ts';
import { createGatherer } from '../../src/evidence/gather.ts';
import type { SourceAsk } from '../../src/sources/http-source.ts';
import { noSources } from '../../src/sources/sources.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { artefactWith, type Budgets, everything, fullReading, person, settled, ToldStore } from './scene.ts';

const everyUse = {
  content_personalization: 'granted',
  profile_activation_content: 'granted',
  offers: 'granted',
  profile_activation_offer: 'granted',
} as const;

interface Setting {
  readonly budgets?: Budgets;
  readonly hasProof?: boolean;
  readonly canClaim?: boolean;
  readonly isSourced?: boolean;
}

/** A bound token whose proof verified, a store and a claim that answer when told. */
function begin({ budgets = {}, hasProof = true, canClaim = true, isSourced = false }: Setting = {}) {
  const clock = new VirtualClock();
  const store = new ToldStore();
  const claims: { readonly id: string; readonly lifeMs: number }[] = [];
  const claim = Promise.withResolvers<boolean>();
  claim.promise.catch(() => {});
  const asks: SourceAsk[] = [];
  const profileSource = {
    ask: (ask: SourceAsk): Promise<Fact<Profile>> => {
      asks.push(ask);
      return Promise.resolve({ state: 'absent' });
    },
    typicalMs: () => null,
    status: () => ({ state: 'up', sinceMs: null, lastGoodMs: null, breaker: 'closed', fault: null }) as const,
    counts: () => ({ asks: asks.length, calls: asks.length }),
  };
  const plain = artefactWith(budgets);
  const source = { url: 'https://x.example/', method: 'POST' } as HttpSourceSettings;
  const artefact = isSourced
    ? { ...plain, dependencies: { ...plain.dependencies, profile: { ...plain.dependencies.profile, source } } }
    : plain;
  const proof = hasProof ? { id: 'holder\nproof', lifeMs: 60_000 } : null;
  const gatherer = createGatherer({
    store,
    verifier: { verify: () => ({ evidence: { ...person, binding: 'unproved' }, tokenId: 'issuer\njti', proof }) },
    ...(canClaim
      ? {
          claimProof: (id: string, lifeMs: number) => {
            claims.push({ id, lifeMs });
            return claim.promise;
          },
        }
      : {}),
    sessionIds: { verify: () => ({ state: 'invalid' }) },
    clock,
  });
  const gathering = gatherer.gather({
    artefact,
    sources: { ...noSources, profile: profileSource },
    needs: everything,
    identity: { token: 'token', proof: 'proof' },
    consent: { signals: [], gpc: false },
    nowMs: clock.nowMs(),
    deadlineAtMs: clock.monotonicMs() + 50,
  });
  const reading = {
    ...fullReading,
    link: null,
    linkedConsent: null,
    sessionConsent: null,
    consent: { useCases: everyUse, recordedAtMs: clock.nowMs() },
  };
  return { clock, store, claims, asks, gathering, reading, claim, binding: () => bindingIn(gathering.snapshot(clock.monotonicMs())) };
}

function bindingIn({ identity }: { readonly identity: { readonly token: object } }): unknown {
  return 'binding' in identity.token ? identity.token.binding : null;
}

describe('a proof', () => {
  it('is claimed in the turn of the read, once, for its life', async () => {
    const { store, claims } = begin();
    expect(store.plans).toHaveLength(1);
    expect(claims).toEqual([{ id: 'holder\nproof', lifeMs: 60_000 }]);
  });

  it('lets the profile be read meanwhile: what is read of a person who turns out unproved, the core does not use', () => {
    expect(begin().store.plans[0]?.profile).not.toBeNull();
    expect(begin({ hasProof: false }).store.plans[0]?.profile).toBeNull();
    expect(begin({ hasProof: false }).claims).toEqual([]);
  });

  it.each([
    [true, 'proved'],
    [false, 'unproved'],
  ])('of which it is %s that it is new leaves its token %s', async (isNew, binding) => {
    const { claim, binding: now } = begin();
    expect(now()).toBe('late');
    claim.resolve(isNew);
    await settled();
    expect(now()).toBe(binding);
  });

  it('that nobody can claim, or whose claim fails, is no proof', async () => {
    expect(begin({ canClaim: false }).binding()).toBe('failed');
    const { claim, binding } = begin();
    claim.reject(new Error('gone'));
    await settled();
    expect(binding()).toBe('failed');
  });

  it('counts as late beyond the budget of identity, and then for good', async () => {
    const { clock, claim, gathering, binding } = begin({ budgets: { identity: 20 } });
    clock.advance(20);
    expect(binding()).toBe('late');
    clock.advance(1);
    claim.resolve(true);
    await settled();
    expect(binding()).toBe('late');
    gathering.close();
  });

  it('that is known later changes nothing that was known earlier', async () => {
    const { clock, claim, gathering } = begin();
    const atMs = clock.monotonicMs();
    clock.advance(5);
    claim.resolve(true);
    await settled();
    expect(bindingIn(gathering.snapshot(atMs))).toBe('late');
    expect(bindingIn(gathering.snapshot(atMs + 5))).toBe('proved');
  });
});

describe('gathering is complete', () => {
  it('when both the read and the claim have ended, whichever is first', async () => {
    for (const first of ['read', 'claim'] as const) {
      const { store, claim, gathering, reading, clock } = begin();
      const steps = { read: () => store.answer(reading), claim: async () => claim.resolve(true) };
      await steps[first]();
      await settled();
      expect(gathering.complete, first).toBe(false);
      await steps[first === 'read' ? 'claim' : 'read']();
      await settled();
      expect(gathering.complete, first).toBe(true);
      expect(clock.pendingTimers).toBe(0);
    }
  });

  it('at the deadline, if the claim never ends', async () => {
    const { store, gathering, reading, clock, binding } = begin();
    const waiting = gathering.until(clock.monotonicMs() + 50);
    await store.answer(reading);
    clock.advance(50);
    await waiting;
    expect([gathering.complete, binding(), clock.pendingTimers]).toEqual([true, 'late', 0]);
  });
});

describe('a source is asked about a person', () => {
  it('once the proof is known to be new, and not before', async () => {
    const { store, claim, reading, asks } = begin({ isSourced: true });
    await store.answer(reading);
    expect(asks).toEqual([]);
    claim.resolve(true);
    await settled();
    expect(asks).toMatchObject([{ subject: 'person-1' }]);
  });

  it('not at all where the proof was replayed or nobody could tell, and that is no lateness of the source', async () => {
    for (const [isNew, state] of [
      [false, 'refused'],
      [null, 'late'],
    ] as const) {
      const { store, claim, reading, asks, gathering, clock } = begin({ isSourced: true });
      await store.answer(reading);
      if (isNew === null) claim.reject(new Error('gone'));
      else claim.resolve(isNew);
      await settled();
      expect(asks).toEqual([]);
      expect(gathering.snapshot(clock.monotonicMs()).profile.state).toBe(state);
    }
  });
});
