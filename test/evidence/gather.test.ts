import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { weighConsent } from '../../src/decision/consent.ts';
import type { Evidence, Fact } from '../../src/decision/facts.ts';
import { weighIdentity } from '../../src/decision/identity.ts';
import type { TokenFinding } from '../../src/evidence/gathering.ts';
import { StoreError } from '../../src/records/store-error.ts';
import { artefactWith, type Budgets, begin, everything, fullReading, nothing, person, type Scene, type Setting, settled } from './scene.ts';

/** The state of every fact, with why, by a name each. */
function statesOf({ identity, consent, profile, session }: Evidence) {
  const state = (fact: Fact<unknown>) => ('why' in fact && fact.why !== undefined ? fact.why : fact.state);
  return {
    token: identity.token.state,
    sessionId: identity.session.state,
    device: state(identity.device),
    generation: state(identity.generation),
    tokenRevoked: state(identity.tokenRevoked),
    stored: state(consent.stored),
    linked: state(consent.linked),
    visit: state(consent.session ?? { state: 'refused' }),
    profile: state(profile),
    session: state(session),
  };
}

type States = Readonly<Record<keyof ReturnType<typeof statesOf>, string>>;

function allStore(state: string): States {
  const identity = { token: 'verified', sessionId: 'verified', device: state, generation: state, tokenRevoked: state };
  return { ...identity, stored: state, linked: state, visit: state, profile: state, session: state };
}

function at({ gathering, startedAtMs }: Scene, ms: number): States {
  return statesOf(gathering.snapshot(startedAtMs + ms));
}

describe('gathering', () => {
  it('hands back what the store said, in one round trip', async () => {
    const scene = begin();
    scene.clock.advance(3);
    await scene.store.answer();
    expect(scene.gathering.complete).toBe(true);
    expect(scene.store.plans).toHaveLength(1);
    expect(scene.gathering.snapshot(scene.startedAtMs + 3)).toEqual({
      identity: {
        token: person,
        session: { state: 'verified', id: 'session' },
        device: { state: 'known', value: fullReading.link },
        generation: { state: 'known', value: 2 },
        tokenRevoked: { state: 'known', value: false },
      },
      consent: {
        signals: [],
        gpc: false,
        stored: { state: 'known', value: fullReading.consent },
        linked: { state: 'known', value: fullReading.linkedConsent },
        session: { state: 'known', value: fullReading.sessionConsent },
      },
      profile: fullReading.profile,
      session: fullReading.session,
      audience: { state: 'refused' },
      model: { state: 'refused' },
    });
  });

  it('hands back absence as absence', async () => {
    const scene = begin();
    const nothing = {
      erased: false,
      link: null,
      generation: 0,
      tokenRevoked: false,
      consent: null,
      linkedConsent: null,
      sessionConsent: null,
      profile: { state: 'absent' as const },
      session: { state: 'absent' as const },
    };
    await scene.store.answer(nothing);
    expect(at(scene, 1)).toMatchObject({
      device: 'absent',
      generation: 'known',
      stored: 'absent',
      linked: 'refused',
      profile: 'absent',
      session: 'absent',
    });
  });

  it('keeps the denials of a person whose token is revoked and whose device is linked to the same person', async () => {
    const scene = begin();
    const consent = { useCases: { content_personalization: 'denied' as const }, recordedAtMs: 1 };
    const link = { subject: 'person-1', method: 'deterministic' as const, confidencePpm: 1 };
    await scene.store.answer({ ...fullReading, tokenRevoked: true, link, consent, linkedConsent: null });
    const evidence = scene.gathering.snapshot(scene.startedAtMs + 1);
    expect(evidence.consent.linked).toEqual({ state: 'known', value: consent });
    const view = weighConsent(artefactWith({}).consent, evidence, weighIdentity(evidence.identity), scene.clock.nowMs());
    expect(view.states.content_personalization).toBe('denied');
  });

  it('leaves out of a profile what has ended by the time of the question', async () => {
    const scene = begin();
    const nowMs = scene.clock.nowMs();
    const value = {
      attributes: { loyalty: 'gold', basket: 'shoes', note: 'kept' },
      audiences: ['lapsed', 'new'],
      ends: { attributes: { loyalty: nowMs, basket: nowMs + 1 }, audiences: { lapsed: nowMs, new: nowMs + 1 } },
    };
    await scene.store.answer({ ...fullReading, profile: { state: 'known', value } });
    expect(scene.gathering.snapshot(scene.startedAtMs + 1).profile).toEqual({
      state: 'known',
      value: { attributes: { basket: 'shoes', note: 'kept' }, audiences: ['new'] },
    });
  });

  it('takes the id of a session that is over for none, and still counts what was withdrawn in it', async () => {
    const scene = begin();
    const sessionConsent = { useCases: { analytics_offer: 'denied' as const }, recordedAtMs: 3, ended: true as const };
    await scene.store.answer({ ...fullReading, sessionConsent });
    expect(at(scene, 1)).toEqual({ ...allStore('known'), sessionId: 'invalid' });
    expect(scene.gathering.snapshot(scene.startedAtMs + 1).consent.session).toEqual({ state: 'known', value: sessionConsent });
  });

  it('resolves at once, without the store, when nothing needs it', () => {
    const scene = begin({ request: { identity: {} } });
    expect(scene.gathering.complete).toBe(true);
    expect(scene.store.plans).toEqual([]);
    expect(at(scene, 0)).toEqual({
      token: 'none',
      sessionId: 'none',
      device: 'refused',
      generation: 'refused',
      tokenRevoked: 'refused',
      stored: 'refused',
      linked: 'refused',
      visit: 'refused',
      profile: 'refused',
      session: 'absent',
    });
  });

  it('looks at no identity when no rule of the zones can use one', () => {
    const verifier = {
      verify: () => {
        throw new Error('must not be asked');
      },
    };
    const scene = begin({ verifier, request: { needs: nothing } });
    expect(scene.gathering.complete).toBe(true);
    expect(at(scene, 0)).toMatchObject({ token: 'none', sessionId: 'none', device: 'refused', profile: 'refused', session: 'refused' });
  });

  it('takes empty strings for absent', () => {
    const scene = begin({ request: { identity: { token: '', sessionId: '', deviceId: '', proof: '' } } });
    expect(scene.store.plans).toEqual([]);
    expect(at(scene, 0)).toMatchObject({ token: 'none', sessionId: 'none', device: 'refused', session: 'absent' });
  });

  it('knows a bad session id without asking', async () => {
    const scene = begin({ request: { identity: { token: 'token', sessionId: 'forged' } } });
    await scene.store.answer();
    expect(scene.store.plans[0]?.sessionId).toBeNull();
    expect(at(scene, 1)).toMatchObject({ sessionId: 'invalid', session: 'absent' });
  });

  it('passes the proof and the time of the decision to the verifier', () => {
    const given: unknown[] = [];
    const verifier = {
      verify: (...asked: unknown[]): TokenFinding => {
        given.push(asked);
        return { evidence: { state: 'invalid' }, tokenId: null };
      },
    };
    begin({ verifier, request: { identity: { token: 't', proof: 'p' }, nowMs: 77 } });
    expect(given).toEqual([['t', { proof: 'p', nowMs: 77 }]]);
  });
});

describe('lateness', () => {
  it('is what has not come at the instant, and stays so for that instant', async () => {
    const scene = begin();
    scene.clock.advance(10);
    const early = scene.gathering.snapshot(scene.startedAtMs + 10);
    expect(statesOf(early)).toEqual(allStore('late'));
    scene.clock.advance(5);
    await scene.store.answer();
    expect(scene.gathering.snapshot(scene.startedAtMs + 10)).toEqual(early);
    expect(at(scene, 14.9)).toEqual(allStore('late'));
    expect(at(scene, 15)).toEqual(allStore('known'));
  });

  const budgets: Budgets = { identity: 20, consent: 25, profile: 30, session: 10 };
  it.each([
    { replyMs: 10, late: [] },
    { replyMs: 10.5, late: ['session'] },
    { replyMs: 20.5, late: ['session', 'device', 'generation', 'tokenRevoked'] },
    { replyMs: 25.5, late: ['session', 'device', 'generation', 'tokenRevoked', 'stored', 'linked', 'visit'] },
  ])('has its own instant per dependency: a reply after $replyMs ms is late for $late', async ({ replyMs, late }) => {
    const scene = begin({ budgets });
    scene.clock.advance(replyMs);
    await scene.store.answer();
    const expected = Object.fromEntries(late.map((name) => [name, 'late']));
    expect(at(scene, 50)).toEqual({ ...allStore('known'), ...expected });
  });

  it('ends the waiting when every budget of what was asked has run out', async () => {
    const scene = begin({ budgets });
    let resolved = false;
    const waiting = scene.gathering.until(scene.startedAtMs + 50).then(() => {
      resolved = true;
    });
    scene.clock.advance(29.9);
    await settled();
    expect([resolved, scene.gathering.complete]).toEqual([false, false]);
    scene.clock.advance(0.1);
    await waiting;
    expect(scene.gathering.complete).toBe(true);
    expect(at(scene, 50)).toEqual(allStore('late'));
    await scene.store.answer();
    expect(at(scene, 50)).toEqual(allStore('late'));
    expect(scene.abandoned).toEqual([{ from: 'store', outcome: 'answered', durationMs: 30 }]);
  });

  it('counts from asking: what a request waited for us is no fault of the store', async () => {
    const scene = begin({ budgets: { session: 12 }, queuedMs: 12 });
    scene.clock.advance(11);
    await scene.store.answer();
    expect(at(scene, 50)).toEqual(allStore('known'));
  });

  it('leaves the deadline where it was, however long a request waited for us', async () => {
    const scene = begin({ budgets: { session: 12 }, queuedMs: 49.5 });
    expect(at(scene, 50).session).toBe('deadline_too_short');
    expect(scene.store.plans).toEqual([]);
  });

  const lateTimers: Setting = {
    gathererClock: (clock) => ({
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (wait, then) => clock.after(wait + 8, then),
    }),
  };

  it('is not the store’s where we looked late ourselves: the budget is longer by our own delay', async () => {
    const budgets = { identity: 20, consent: 20, profile: 20, session: 20 };
    for (const [setting, expected] of [
      [{}, 'late'],
      [lateTimers, 'known'],
    ] as const) {
      const scene = begin({ budgets, ...setting });
      void scene.gathering.until(scene.startedAtMs + 50);
      scene.clock.advance(30);
      await scene.store.answer();
      expect(at(scene, 50).profile).toBe(expected);
      scene.gathering.close();
    }
  });

  it('is never longer than the deadline for that, and longer only once', async () => {
    const scene = begin({ budgets: { identity: 20, consent: 20, profile: 20, session: 20 }, ...lateTimers });
    const waiting = scene.gathering.until(scene.startedAtMs + 50);
    scene.clock.advance(20 + 16 + 16);
    await waiting;
    expect(scene.gathering.complete).toBe(true);
    expect(at(scene, 50).profile).toBe('late');
  });

  it('is granted once, however late we are to look again', async () => {
    const lateness = [8, 20];
    const scene = begin({
      budgets: { identity: 20, consent: 20, profile: 20, session: 20 },
      deadlineMs: 200,
      gathererClock: (clock) => ({
        nowMs: () => clock.nowMs(),
        monotonicMs: () => clock.monotonicMs(),
        after: (wait, then) => clock.after(wait + (lateness.shift() ?? 0), then),
      }),
    });
    void scene.gathering.until(scene.startedAtMs + 200);
    scene.clock.advance(20 + 8);
    expect(scene.gathering.complete).toBe(false);
    scene.clock.advance(8 + 20);
    expect(scene.gathering.complete).toBe(true);
    scene.clock.advance(2);
    await scene.store.answer();
    expect(at(scene, 200).profile).toBe('late');
  });

  it('does not ask when less than a millisecond is left, and says so', () => {
    const scene = begin({ queuedMs: 49.5 });
    expect(scene.store.plans).toEqual([]);
    expect(scene.gathering.complete).toBe(true);
    expect(at(scene, 50)).toEqual(allStore('deadline_too_short'));
  });
});

describe('overload', () => {
  const consent = { signals: [{ state: 'valid', useCases: { offers: 'granted' } }], gpc: false } as const;
  const mayBeAsked = { device: 'overload', linked: 'overload', visit: 'overload' };
  const notAsked = { generation: 'refused', tokenRevoked: 'refused', stored: 'refused', profile: 'refused' };

  it('is a failure of all that would have been asked, and nobody is asked', () => {
    const scene = begin({ request: { overloaded: true, consent } });
    expect(scene.gathering.complete).toBe(true);
    expect(scene.store.plans).toEqual([]);
    expect(scene.gathering.snapshot(scene.startedAtMs).identity.token).toEqual({ state: 'failed', why: 'overload' });
    // Whose the token is nobody knows, so nobody would have been asked about that person, nor for a session that they may have closed.
    expect(at(scene, 0)).toEqual({ ...mayBeAsked, ...notAsked, token: 'failed', sessionId: 'verified', session: 'refused' });
  });

  it('is a failure of the session that the request alone would have opened', () => {
    const scene = begin({ request: { overloaded: true, consent, identity: { sessionId: 'good-session', deviceId: 'device' } } });
    expect(at(scene, 0)).toEqual({ ...mayBeAsked, ...notAsked, token: 'none', sessionId: 'verified', session: 'overload' });
  });
});

describe('failure', () => {
  it.each([
    { what: 'any error', error: new Error('connection lost'), state: 'failed' },
    { what: 'no error at all', error: undefined, state: 'failed' },
    { what: 'a store with too much under way', error: new StoreError('overloaded', 'busy'), state: 'overload' },
    { what: 'a store that is being left alone', error: new StoreError('circuit_open', 'open'), state: 'circuit_open' },
  ])('is a state of every fact that was asked: $what', async ({ error, state }) => {
    const scene = begin();
    await scene.store.fail(error);
    expect(scene.gathering.complete).toBe(true);
    expect(at(scene, 1)).toEqual(allStore(state));
  });

  it('of a record that has to allow the profile and the session leaves both unread, and blames neither', async () => {
    const scene = begin();
    await scene.store.fail(new StoreError('unreadable', 'a stored consent record is not what was written'));
    expect(at(scene, 1)).toEqual({ ...allStore('failed'), profile: 'refused', session: 'refused' });
  });

  it('to answer within the store’s own bound is lateness', async () => {
    const scene = begin();
    scene.clock.advance(20);
    await scene.store.fail(new StoreError('timed_out', 'Redis did not answer in time'));
    expect(scene.gathering.complete).toBe(true);
    expect(at(scene, 50)).toEqual(allStore('late'));
  });

  it('may come as an exception before any promise', async () => {
    const store = {
      read() {
        throw new Error('not connected');
      },
    };
    const scene = begin({ store });
    await settled();
    expect(at(scene, 1)).toEqual(allStore('failed'));
  });

  it('that comes too late is lateness', async () => {
    const scene = begin({ budgets: { session: 5 } });
    scene.clock.advance(6);
    await scene.store.fail(new Error('reset'));
    expect(at(scene, 50)).toEqual({ ...allStore('failed'), session: 'late' });
  });

  it('of verification fails the token and asks nothing in its name', async () => {
    for (const verify of [
      () => Promise.reject(new Error('broken')),
      () => {
        throw new Error('broken');
      },
    ]) {
      const scene = begin({ verifier: { verify } });
      await settled();
      expect(scene.store.plans[0]).toMatchObject({ subject: null, tokenId: null, profile: null, deviceId: 'device' });
      await scene.store.answer();
      expect(at(scene, 1)).toMatchObject({
        token: 'failed',
        generation: 'refused',
        stored: 'refused',
        profile: 'refused',
        linked: 'known',
      });
    }
  });
});

describe('a token seen for the first time', () => {
  function firstSight(setting: Setting = {}) {
    const told = Promise.withResolvers<TokenFinding>();
    const scene = begin({ ...setting, verifier: { verify: () => told.promise } });
    const verified = () => {
      told.resolve({ evidence: person, tokenId: 'issuer\njti' });
      return settled();
    };
    return { ...scene, verified };
  }

  it('is waited for before the store is asked, because what to ask depends on whose it is', async () => {
    const scene = firstSight();
    await settled();
    expect(scene.store.plans).toEqual([]);
    expect(at(scene, 1)).toMatchObject({ token: 'late', sessionId: 'verified', device: 'late', profile: 'refused' });
    scene.clock.advance(1);
    await scene.verified();
    await scene.store.answer();
    expect(at(scene, 1)).toEqual(allStore('known'));
    expect(at(scene, 0.5).token).toBe('late');
  });

  it('is late after the budget of identity, and nothing is asked of its subject', async () => {
    const scene = firstSight({ budgets: { identity: 5 } });
    scene.clock.advance(6);
    await scene.verified();
    await scene.store.answer();
    expect(at(scene, 50)).toMatchObject({
      token: 'late',
      generation: 'refused',
      profile: 'refused',
      session: 'refused',
    });
    expect(scene.store.plans).toMatchObject([{ subject: null, tokenId: null, profile: null }]);
  });

  it('that never verifies is late at the deadline; its late verification asks nothing', async () => {
    const scene = firstSight();
    const waiting = scene.gathering.until(scene.startedAtMs + 50);
    scene.clock.advance(50);
    await waiting;
    expect(scene.gathering.complete).toBe(true);
    await scene.verified();
    expect(scene.store.plans).toEqual([]);
    expect(at(scene, 50).token).toBe('late');
  });

  it('starts no timer again for a zone whose instant has passed', async () => {
    const scene = firstSight();
    const waiting = scene.gathering.until(scene.startedAtMs + 10);
    scene.clock.advance(10);
    await waiting;
    await scene.verified();
    expect([scene.store.plans.length, scene.clock.pendingTimers]).toEqual([1, 0]);
  });

  it('does not hold those who wait beyond what the plan can still bring', async () => {
    const scene = firstSight({ budgets: { identity: 20, consent: 20, profile: 20, session: 20 } });
    const waiting = scene.gathering.until(scene.startedAtMs + 50);
    scene.clock.advance(1);
    await scene.verified();
    scene.clock.advance(20);
    await waiting;
    expect(scene.clock.pendingTimers).toBe(0);
    expect(at(scene, 50)).toEqual({ ...allStore('late'), token: 'verified' });
  });
});

describe('waiting', () => {
  it('ends for all zones at once when gathering completes early, and leaves no timer', async () => {
    const scene = begin();
    const all = Promise.all([20, 30, 50].map((ms) => scene.gathering.until(scene.startedAtMs + ms)));
    expect(scene.clock.pendingTimers).toBe(3);
    await scene.store.answer();
    await all;
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it('ends for each zone at its own instant otherwise', async () => {
    const scene = begin();
    const ended: number[] = [];
    for (const ms of [20, 50, 30]) void scene.gathering.until(scene.startedAtMs + ms).then(() => ended.push(ms));
    for (const [advanceMs, expected] of [
      [19, []],
      [1, [20]],
      [10, [20, 30]],
      [20, [20, 30, 50]],
    ] as const) {
      scene.clock.advance(advanceMs);
      await settled();
      expect(ended).toEqual(expected);
    }
    expect([scene.gathering.complete, scene.clock.pendingTimers]).toEqual([true, 0]);
  });

  it('is over for an instant that has passed', async () => {
    const scene = begin({ queuedMs: 10 });
    await scene.gathering.until(scene.startedAtMs + 10);
    expect(scene.clock.pendingTimers).toBe(0);
  });

  it('ends with close, and what comes after that is dropped and counted', async () => {
    const scene = begin();
    const waiting = scene.gathering.until(scene.startedAtMs + 40);
    scene.clock.advance(4);
    scene.gathering.close();
    await waiting;
    expect(scene.clock.pendingTimers).toBe(0);
    await scene.store.fail(new Error('reset'));
    expect(scene.abandoned).toEqual([{ from: 'store', outcome: 'failed', durationMs: 4 }]);
    expect(at(scene, 40)).toEqual(allStore('late'));
  });

  it('drops and counts a reply that comes after every budget, even where nobody waited for one', async () => {
    const scene = begin();
    scene.clock.advance(51);
    await scene.store.answer();
    expect(scene.abandoned).toEqual([{ from: 'store', outcome: 'answered', durationMs: 51 }]);
    expect([scene.gathering.complete, scene.gathering.timing().store?.endMs]).toEqual([true, null]);
  });

  it('says when its stages began and ended', async () => {
    const scene = begin();
    const asked = ['identity', 'consent', 'profile', 'session'];
    expect(scene.gathering.timing().store).toEqual({ startMs: scene.startedAtMs, endMs: null, asked });
    scene.clock.advance(7);
    await scene.store.answer();
    expect(scene.gathering.timing()).toEqual({
      token: { startMs: scene.startedAtMs, endMs: scene.startedAtMs },
      store: { startMs: scene.startedAtMs, endMs: scene.startedAtMs + 7, asked },
      sources: [],
    });
    expect(begin({ request: { identity: {} } }).gathering.timing()).toEqual({ token: null, store: null, sources: [] });
  });
});

/** One request's fate: what takes how long, and when zones are decided. Null: it never happens. */
interface Fate {
  readonly budgets: Budgets;
  readonly deadlineMs: number;
  readonly tokenMs: number | null;
  readonly replyMs: number | null;
  readonly fails: boolean;
  readonly instantsMs: readonly number[];
}

const ms = fc.integer({ min: 0, max: 240 }).map((quarters) => quarters / 4);
const budget = fc.option(ms, { nil: undefined });
const fate: fc.Arbitrary<Fate> = fc.record({
  budgets: fc
    .record({ identity: budget, consent: budget, profile: budget, session: budget })
    .map((drawn) => Object.fromEntries(Object.entries(drawn).filter(([, value]) => value !== undefined))),
  deadlineMs: ms,
  tokenMs: fc.option(ms, { freq: 6 }),
  replyMs: fc.option(ms, { freq: 4 }),
  fails: fc.boolean(),
  instantsMs: fc.array(ms, { minLength: 1, maxLength: 4 }).map((drawn) => drawn.toSorted((a, b) => a - b)),
});

/** What the profile's fact must be at an instant, said without looking at how gathering works. */
function expectedProfile({ budgets, deadlineMs, tokenMs, replyMs, fails }: Fate, instantMs: number): string {
  const limitOf = (name: keyof Budgets, askedAtMs: number) => Math.min(deadlineMs, askedAtMs + (budgets[name] ?? Number.POSITIVE_INFINITY));
  if (tokenMs === null || tokenMs > limitOf('identity', 0)) return 'refused';
  const asked = (['identity', 'consent', 'profile'] as const).every((name) => limitOf(name, tokenMs) - tokenMs >= 1);
  if (!asked) return 'deadline_too_short';
  const repliedAtMs = replyMs === null ? Number.POSITIVE_INFINITY : tokenMs + replyMs;
  if (repliedAtMs > Math.min(instantMs, limitOf('profile', tokenMs))) return 'late';
  return fails ? 'failed' : 'known';
}

/** Lives through a fate a quarter of a millisecond at a time, and checks every instant as it comes. */
async function liveThrough(drawn: Fate, setting: Setting = {}): Promise<void> {
  const told = Promise.withResolvers<TokenFinding>();
  const scene = begin({ budgets: drawn.budgets, deadlineMs: drawn.deadlineMs, verifier: { verify: () => told.promise }, ...setting });
  const { clock, gathering, startedAtMs, store } = scene;
  const instantsMs = drawn.instantsMs.map((instantMs) => Math.min(instantMs, drawn.deadlineMs));
  const resolvedAtMs: number[] = [];
  instantsMs.forEach((instantMs, index) => {
    void gathering.until(startedAtMs + instantMs).then(() => {
      resolvedAtMs[index] = clock.monotonicMs() - startedAtMs;
    });
  });
  const events = new Set([...instantsMs, drawn.deadlineMs, drawn.tokenMs ?? 0, (drawn.tokenMs ?? 0) + (drawn.replyMs ?? 0)]);
  for (const eventMs of [...events].sort((a, b) => a - b)) {
    clock.advance(startedAtMs + eventMs - clock.monotonicMs());
    if (eventMs === drawn.tokenMs) told.resolve({ evidence: person, tokenId: 'issuer\njti' });
    await settled();
    if (drawn.tokenMs !== null && drawn.replyMs !== null && eventMs === drawn.tokenMs + drawn.replyMs) {
      await (drawn.fails ? store.fail(new Error('reset')) : store.answer());
    }
    for (const instantMs of instantsMs.filter((due) => due === eventMs)) checkInstant(scene, drawn, instantMs);
  }
  instantsMs.forEach((instantMs, index) => {
    expect(resolvedAtMs[index], 'no zone waits beyond its instant').toBeLessThanOrEqual(instantMs);
  });
  gathering.close();
  expect(clock.pendingTimers).toBe(0);
}

function checkInstant(scene: Scene, drawn: Fate, instantMs: number): void {
  // What arrives in the very quarter in which waiting ended may count or not.
  const isTie =
    drawn.tokenMs === instantMs ||
    drawn.tokenMs === drawn.deadlineMs ||
    (drawn.tokenMs ?? 0) + (drawn.replyMs ?? 0) === lastUsefulMs(drawn);
  if (isTie) return;
  const expected = drawn.tokenMs !== null && drawn.tokenMs > instantMs ? 'refused' : expectedProfile(drawn, instantMs);
  expect(at(scene, instantMs).profile).toBe(expected);
}

function lastUsefulMs({ budgets, deadlineMs, tokenMs }: Fate): number {
  const { identity = deadlineMs, consent = deadlineMs, profile = deadlineMs, session = deadlineMs } = budgets;
  return Math.min(deadlineMs, (tokenMs ?? 0) + Math.max(identity, consent, profile, session));
}

describe('every interleaving', () => {
  it('keeps its instants, rejects nothing, leaves no timer, and calls late what came late', async () => {
    await fc.assert(
      fc.asyncProperty(fate, (drawn) => liveThrough(drawn)),
      { numRuns: 1000 },
    );
  });

  it('would be seen to fail, were a reply after its instant taken for one in time', async () => {
    const standingStill: Setting = {
      gathererClock: (clock) => ({
        nowMs: () => clock.nowMs(),
        monotonicMs: () => 1000.25,
        after: (wait, then) => clock.after(wait, then),
      }),
    };
    const result = await fc.check(
      fc.asyncProperty(fate, (drawn) => liveThrough(drawn, standingStill)),
      { numRuns: 1000 },
    );
    expect(result.failed).toBe(true);
  });

  it('is independent of what the store says where that is not read', async () => {
    const needs = { ...everything, profileKinds: [], sessionKinds: [] };
    const [one, other] = [begin({ request: { needs } }), begin({ request: { needs } })];
    await one.store.answer(fullReading);
    await other.store.answer({ ...fullReading, profile: { state: 'absent' }, session: { state: 'absent' } });
    expect(one.gathering.snapshot(one.startedAtMs + 1)).toEqual(other.gathering.snapshot(other.startedAtMs + 1));
  });
});

describe('that the store was asked', () => {
  const asksOf = async (end: (store: Scene['store']) => Promise<void>): Promise<number> => {
    let asks = 0;
    const { store } = begin({
      onStoreAsked: () => {
        asks += 1;
      },
    });
    await end(store);
    return asks;
  };

  it('is told once where it answered or failed, and not of what was answered from memory', async () => {
    expect(await asksOf((store) => store.answer())).toBe(1);
    expect(await asksOf((store) => store.fail(new StoreError('disconnected', 'as told')))).toBe(1);
    expect(await asksOf((store) => store.answer({ ...fullReading, fromMemory: true }))).toBe(0);
  });
});
