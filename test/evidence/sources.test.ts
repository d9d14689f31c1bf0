/** Facts that come over HTTP: who is asked, when, under which permission, and what an instant knows of them. */
import { describe, expect, it } from 'vitest';
import type { Artefact, HttpSourceSettings } from '../../src/decision/artefact.ts';
import type { Fact, IdentityLink, Profile, Propensities } from '../../src/decision/facts.ts';
import type { GatherRequest } from '../../src/evidence/gathering.ts';
import { StoreError } from '../../src/records/store-error.ts';
import type { HttpSource, SourceAsk } from '../../src/sources/http-source.ts';
import type { SourceDependency, Sources } from '../../src/sources/sources.ts';
import { artefactWith, begin, everything, fullReading, person, type Scene, type Setting, settled } from './scene.ts';

/** A source that answers when told. */
class ToldSource<T> implements HttpSource<T> {
  readonly asks: SourceAsk[] = [];
  #resolve: (fact: Fact<T>) => void = () => {};

  ask(ask: SourceAsk): Promise<Fact<T>> {
    this.asks.push(ask);
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  answer(fact: Fact<T>): Promise<void> {
    this.#resolve(fact);
    return settled();
  }

  typicalMs = () => null;
  status = () => ({ state: 'unknown', sinceMs: null, lastGoodMs: null, breaker: 'closed', fault: null }) as const;
  counts = () => ({ asks: this.asks.length, calls: this.asks.length });
}

const settings = { url: 'https://x.example/', method: 'POST' } as HttpSourceSettings;

interface Sourced extends Scene {
  readonly sources: {
    readonly identity: ToldSource<IdentityLink>;
    readonly profile: ToldSource<Profile>;
    readonly audience: ToldSource<readonly string[]>;
    readonly model: ToldSource<Propensities>;
  };
}

interface SourcedSetting extends Omit<Setting, 'budgets' | 'request'> {
  readonly with: readonly SourceDependency[];
  readonly budgets?: Readonly<Partial<Record<keyof Artefact['dependencies'], number>>>;
  readonly request?: Partial<GatherRequest>;
}

function beginWith({ with: names, budgets = {}, request, ...setting }: SourcedSetting): Sourced {
  const plain = artefactWith({});
  const dependencies = Object.fromEntries(
    Object.entries(plain.dependencies).map(([name, own]) => [
      name,
      {
        ...own,
        budgetMs: budgets[name as SourceDependency] ?? null,
        source: names.includes(name as SourceDependency) ? settings : null,
      },
    ]),
  ) as unknown as Artefact['dependencies'];
  const sources = {
    identity: new ToldSource<IdentityLink>(),
    profile: new ToldSource<Profile>(),
    audience: new ToldSource<readonly string[]>(),
    model: new ToldSource<Propensities>(),
  };
  const scene = begin({
    ...setting,
    request: {
      artefact: { ...plain, dependencies },
      identity: { token: 'token', sessionId: 'good-session' },
      sources: sources satisfies Sources,
      attributes: { device: 'mobile' },
      ...request,
    },
  });
  return { ...scene, sources };
}

const everyUse = {
  content_personalization: 'granted',
  profile_activation_content: 'granted',
  offers: 'granted',
  profile_activation_offer: 'granted',
} as const;
const nowMs = Date.UTC(2026, 10, 21, 12);
/** Of somebody who allowed everything. */
const granted = {
  ...fullReading,
  link: null,
  linkedConsent: null,
  sessionConsent: null,
  consent: { useCases: everyUse, recordedAtMs: nowMs },
};
const profile: Fact<Profile> = { state: 'known', value: { attributes: { loyalty: 'gold' }, audiences: [] } };
const persons = ['profile', 'audience', 'model'] as const;
const now = ({ gathering, clock }: Scene) => gathering.snapshot(clock.monotonicMs());

describe('sources about a person', () => {
  it('are asked side by side once the store has answered, and the stored profile is left alone', async () => {
    const scene = beginWith({ with: persons });
    expect(scene.store.plans[0]).toMatchObject({ profile: null, subject: 'person-1', consent: true });
    expect(persons.map((name) => scene.sources[name].asks.length)).toEqual([0, 0, 0]);
    scene.clock.advance(3);
    await scene.store.answer(granted);
    const ask = { subject: 'person-1', deviceId: null, request: { device: 'mobile' }, leftMs: 47 };
    expect(persons.map((name) => scene.sources[name].asks)).toEqual([[ask], [ask], [ask]]);
    expect(now(scene)).toMatchObject({ profile: { state: 'late' }, audience: { state: 'late' }, model: { state: 'late' } });
    await scene.sources.profile.answer(profile);
    await scene.sources.audience.answer({ state: 'known', value: ['lapsed'] });
    expect(scene.gathering.complete).toBe(false);
    await scene.sources.model.answer({ state: 'known', value: { ring: 5 } });
    expect(scene.gathering.complete).toBe(true);
    expect(now(scene)).toMatchObject({
      profile,
      audience: { state: 'known', value: ['lapsed'] },
      model: { state: 'known', value: { ring: 5 } },
    });
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it('are not asked where no rule needs them, whatever else is', async () => {
    const needs = { ...everything, audienceKinds: [], modelKinds: [] };
    const scene = beginWith({ with: persons, request: { needs } });
    await scene.store.answer(granted);
    expect(persons.map((name) => scene.sources[name].asks.length)).toEqual([1, 0, 0]);
    expect(now(scene)).toMatchObject({ audience: { state: 'refused' }, model: { state: 'refused' } });
  });

  it('are not asked about zones of a kind that nobody consented to', async () => {
    const needs = { ...everything, profileKinds: ['content'], audienceKinds: ['offer'], modelKinds: ['offer'] } as const;
    const scene = beginWith({ with: persons, request: { needs } });
    const { offers: _offers, ...content } = everyUse;
    await scene.store.answer({ ...granted, consent: { useCases: content, recordedAtMs: nowMs } });
    expect(persons.map((name) => scene.sources[name].asks.length)).toEqual([1, 0, 0]);
    expect(now(scene)).toMatchObject({ audience: { state: 'refused' }, model: { state: 'refused' } });
  });

  it.each([
    ['a denial', { consent: { useCases: { ...everyUse, content_personalization: 'denied', offers: 'denied' }, recordedAtMs: nowMs } }],
    ['silence', { consent: null }],
    ['a generation behind', { generation: 3 }],
    ['a token that was revoked', { tokenRevoked: true }],
    ['a device of somebody else', { link: { subject: 'person-2', method: 'deterministic', confidencePpm: 0 } }],
  ] as const)('are not asked after %s', async (_, change) => {
    const scene = beginWith({ with: persons });
    await scene.store.answer({ ...granted, ...change });
    expect(persons.map((name) => scene.sources[name].asks.length)).toEqual([0, 0, 0]);
    expect(scene.gathering.complete).toBe(true);
    expect(now(scene)).toMatchObject({ profile: { state: 'refused' }, audience: { state: 'refused' }, model: { state: 'refused' } });
  });

  it('are not asked about somebody who was erased: nothing is there', async () => {
    const scene = beginWith({ with: persons, request: { consent: { signals: [{ state: 'valid', useCases: everyUse }], gpc: false } } });
    await scene.store.answer({ ...granted, erased: true, consent: null, profile: { state: 'absent' } });
    expect(persons.map((name) => scene.sources[name].asks.length)).toEqual([0, 0, 0]);
    expect(now(scene)).toMatchObject({ profile: { state: 'absent' }, audience: { state: 'absent' }, model: { state: 'absent' } });
  });

  it('count from when they are asked, each with its own budget', async () => {
    const scene = beginWith({ with: persons, budgets: { profile: 10, audience: 20 } });
    const { startedAtMs } = scene;
    scene.clock.advance(15);
    await scene.store.answer(granted);
    expect(persons.map((name) => scene.sources[name].asks[0]?.leftMs)).toEqual([10, 20, 35]);
    scene.clock.advance(10.25);
    await scene.sources.profile.answer(profile);
    await scene.sources.audience.answer({ state: 'known', value: [] });
    expect(now(scene)).toMatchObject({ profile: { state: 'late' }, audience: { state: 'known' } });
    expect(scene.gathering.snapshot(startedAtMs + 25)).toMatchObject({ audience: { state: 'late' } });
    scene.clock.advance(24.75);
    expect(now(scene)).toMatchObject({ model: { state: 'late' } });
    await scene.gathering.until(startedAtMs + 50);
    expect(scene.gathering.complete).toBe(true);
    await scene.sources.model.answer({ state: 'known', value: {} });
    expect(scene.abandoned).toEqual([{ from: 'model', outcome: 'answered', durationMs: 35 }]);
    expect(now(scene)).toMatchObject({ model: { state: 'late' } });
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it('are given up at the last of their budgets, not at the deadline', async () => {
    const scene = beginWith({ with: ['model'], budgets: { model: 5 } });
    await scene.store.answer(granted);
    let isOver = false;
    const over = scene.gathering.until(scene.startedAtMs + 50).then(() => {
      isOver = true;
    });
    scene.clock.advance(4.75);
    await settled();
    expect(isOver).toBe(false);
    scene.clock.advance(0.25);
    await over;
    expect(scene.gathering.complete).toBe(true);
    // A source that says so itself says nothing new.
    await scene.sources.model.answer({ state: 'late' });
    expect(scene.abandoned).toEqual([]);
  });

  it('are too short of time where less than a millisecond is left', async () => {
    const scene = beginWith({ with: persons });
    scene.clock.advance(49.5);
    await scene.store.answer(granted);
    expect(persons.map((name) => scene.sources[name].asks.length)).toEqual([0, 0, 0]);
    expect(now(scene)).toMatchObject({ profile: { state: 'late', why: 'deadline_too_short' }, model: { why: 'deadline_too_short' } });
  });

  it('are late with the store, and failed with it', async () => {
    const silent = beginWith({ with: persons, budgets: { identity: 5, consent: 5, session: 5 } });
    silent.clock.advance(6);
    await silent.store.answer(granted);
    expect(now(silent)).toMatchObject({ profile: { state: 'late' }, audience: { state: 'late' }, model: { state: 'late' } });
    const broken = beginWith({ with: persons });
    await broken.store.fail(new StoreError('circuit_open', 'left alone'));
    const failed = { state: 'failed', why: 'circuit_open' };
    expect(now(broken)).toMatchObject({ profile: failed, audience: failed, model: failed });
    const unreadable = beginWith({ with: persons });
    await unreadable.store.fail(new StoreError('unreadable', 'not what was written'));
    expect(now(unreadable)).toMatchObject({ profile: { state: 'refused' }, model: { state: 'refused' } });
  });

  it('are not asked when consent came too late to be used, however early the session is in time', async () => {
    const scene = beginWith({ with: persons, budgets: { identity: 5, consent: 5 } });
    scene.clock.advance(6);
    await scene.store.answer(granted);
    expect(persons.map((name) => scene.sources[name].asks.length)).toEqual([0, 0, 0]);
    expect(now(scene)).toMatchObject({ consent: { stored: { state: 'late' } }, session: { state: 'known' }, profile: { state: 'late' } });
  });

  it.each(['identity', 'consent'])('are not asked when %s alone came too late to be used', async (late) => {
    const scene = beginWith({ with: persons, budgets: { [late]: 5 } });
    scene.clock.advance(6);
    await scene.store.answer(granted);
    expect(persons.map((name) => scene.sources[name].asks.length)).toEqual([0, 0, 0]);
    const intime = beginWith({ with: persons, budgets: { [late]: 5 } });
    intime.clock.advance(5);
    await intime.store.answer(granted);
    expect(persons.map((name) => intime.sources[name].asks.length)).toEqual([1, 1, 1]);
  });

  it('are not asked once the last zone is decided', async () => {
    const scene = beginWith({ with: persons });
    scene.gathering.close();
    await scene.store.answer(granted);
    expect(persons.map((name) => scene.sources[name].asks.length)).toEqual([0, 0, 0]);
  });

  it('that answer after the last zone is decided are counted, but for those that gave up', async () => {
    const scene = beginWith({ with: persons });
    await scene.store.answer(granted);
    scene.clock.advance(3);
    scene.gathering.close();
    scene.clock.advance(4);
    await scene.sources.profile.answer(profile);
    await scene.sources.audience.answer({ state: 'failed' });
    await scene.sources.model.answer({ state: 'late' });
    expect(scene.abandoned).toEqual([
      { from: 'profile', outcome: 'answered', durationMs: 7 },
      { from: 'audience', outcome: 'failed', durationMs: 7 },
    ]);
  });

  it('have failed where nobody opened them, and under overload nobody is asked', async () => {
    const closed = beginWith({ with: persons, request: { sources: { identity: null, profile: null, audience: null, model: null } } });
    await closed.store.answer(granted);
    expect(now(closed)).toMatchObject({ profile: { state: 'failed' }, audience: { state: 'failed' }, model: { state: 'failed' } });
    const overloaded = beginWith({
      with: [...persons, 'identity'],
      request: { overloaded: true, identity: { token: 't', deviceId: 'device' } },
    });
    expect(now(overloaded)).toMatchObject({ identity: { device: { state: 'failed', why: 'overload' } } });
    expect(overloaded.sources.identity.asks).toEqual([]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
  ])('has failed where it %s, against its word', async (_, ask) => {
    const broken = { ask, typicalMs: () => null } as unknown as HttpSource<Propensities>;
    const scene = beginWith({ with: ['model'], request: { sources: { identity: null, profile: null, audience: null, model: broken } } });
    await scene.store.answer(granted);
    expect(now(scene).model).toEqual({ state: 'failed' });
  });

  it('say when they were asked and when they answered', async () => {
    const scene = beginWith({ with: ['identity', 'model'], request: { identity: { token: 'token', deviceId: 'device' } } });
    scene.clock.advance(2);
    await scene.sources.identity.answer({ state: 'absent' });
    scene.clock.advance(1);
    await scene.store.answer(granted);
    const { startedAtMs } = scene;
    expect(scene.gathering.timing().sources).toEqual([
      { dependency: 'identity', startMs: startedAtMs, endMs: startedAtMs + 2 },
      { dependency: 'model', startMs: startedAtMs + 3, endMs: null },
    ]);
  });
});

describe('a device link of a source', () => {
  const identity = { token: 'token', sessionId: 'good-session', deviceId: 'device' };
  const link: IdentityLink = { subject: 'person-1', method: 'deterministic', confidencePpm: 900_000 };
  const linked = { ...granted, link };

  it('is asked for before the store, which then is told of it', async () => {
    const scene = beginWith({ with: ['identity'], budgets: { identity: 20 }, request: { identity } });
    expect(scene.sources.identity.asks).toEqual([{ subject: null, deviceId: 'device', request: { device: 'mobile' }, leftMs: 20 }]);
    expect(scene.store.plans).toEqual([]);
    expect(now(scene).identity).toMatchObject({ token: person, device: { state: 'late' }, generation: { state: 'late' } });
    scene.clock.advance(5);
    await scene.sources.identity.answer({ state: 'known', value: link });
    expect(scene.store.plans).toMatchObject([{ deviceId: null, resolvedLink: link, subject: 'person-1', consent: true }]);
    expect(now(scene).identity.device).toEqual({ state: 'late' });
    await scene.store.answer(linked);
    expect(now(scene).identity.device).toEqual({ state: 'known', value: link });
  });

  it('waits for the token and the token for it', async () => {
    const told = Promise.withResolvers<{ evidence: typeof person; tokenId: null }>();
    const scene = beginWith({ with: ['identity'], request: { identity }, verifier: { verify: () => told.promise } });
    await scene.sources.identity.answer({ state: 'known', value: link });
    expect(scene.store.plans).toEqual([]);
    told.resolve({ evidence: person, tokenId: null });
    await settled();
    expect(scene.store.plans).toMatchObject([{ subject: 'person-1', resolvedLink: link }]);
  });

  it('whose person the store has forgotten is nobody', async () => {
    const scene = beginWith({ with: ['identity'], request: { identity } });
    await scene.sources.identity.answer({ state: 'known', value: link });
    await scene.store.answer({ ...granted, link: null });
    expect(now(scene).identity.device).toEqual({ state: 'absent' });
  });

  it('that is not there leaves the rest as it is', async () => {
    const scene = beginWith({ with: ['identity'], request: { identity } });
    await scene.sources.identity.answer({ state: 'absent' });
    expect(scene.store.plans).toMatchObject([{ deviceId: null, resolvedLink: null, profile: {}, session: {} }]);
    await scene.store.answer(granted);
    expect(now(scene)).toMatchObject({
      identity: { device: { state: 'absent' } },
      consent: { linked: { state: 'refused' } },
      profile: { state: 'known' },
    });
  });

  it.each([{ state: 'late' }, { state: 'failed', why: 'circuit_open' }, { state: 'refused' }] as const)(
    'that is %o may hide a denial: nothing about the person is touched',
    async (fact) => {
      const scene = beginWith({ with: ['identity', 'audience'], request: { identity } });
      await scene.sources.identity.answer(fact);
      expect(scene.store.plans).toMatchObject([{ deviceId: null, resolvedLink: null, consent: true, profile: null, session: null }]);
      await scene.store.answer(granted);
      expect(scene.sources.audience.asks).toEqual([]);
      expect(now(scene)).toMatchObject({
        identity: { device: fact },
        consent: { stored: { state: 'known' } },
        profile: { state: 'refused' },
      });
    },
  );

  it('that came after its budget is late', async () => {
    const scene = beginWith({ with: ['identity'], budgets: { identity: 5 }, request: { identity } });
    scene.clock.advance(6);
    await scene.sources.identity.answer({ state: 'known', value: link });
    expect(now(scene).identity.device).toEqual({ state: 'late' });
    expect(scene.store.plans).toMatchObject([{ resolvedLink: null, profile: null }]);
  });

  it('is not asked for where no device was given, or nobody needs one', () => {
    for (const request of [
      { identity: { token: 'token' } },
      { identity, needs: { ...everything, identity: false } },
      { identity: { deviceId: 'null' } },
    ]) {
      expect(beginWith({ with: ['identity'], request }).sources.identity.asks).toEqual([]);
    }
  });
});
