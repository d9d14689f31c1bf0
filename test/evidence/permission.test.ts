/**
 * What is read of a person is what may be used: the plan and the store's permission together open a session or a profile exactly
 * where the core, which weighs the same evidence, grants what a rung that reads it asks for. So nothing is read in vain, and no
 * decision is another for what was not read.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { weighConsent } from '../../src/decision/consent.ts';
import type { Evidence, Fact, StoredConsent } from '../../src/decision/facts.ts';
import { weighIdentity } from '../../src/decision/identity.ts';
import type { Needs } from '../../src/decision/needs.ts';
import { type ConsentState, kinds, type PersonalUseCase, personalUseCases, useCasesOfKind } from '../../src/decision/vocabulary.ts';
import { mayReadProfile, mayReadSession, type ReadingSoFar } from '../../src/records/permission.ts';
import { type Permission, planAbout, type ReadPlan, type StoreReading } from '../../src/records/store.ts';
import { evidence } from '../generate/evidence.ts';
import { baseNowMs } from '../generate/vocabulary.ts';
import { artefactWith, begin, everything, fullReading, settled } from './scene.ts';

const runs = process.env.STEPWELL_TEST_LONG === '1' ? 200_000 : 3_000;

interface Visit {
  /** What is true of the visitor; of trouble the store has none. */
  readonly truth: Evidence;
  readonly needs: Needs;
}

const kindsRead = fc.subarray([...kinds]);
const minuteMs = 60_000;
const later = fc.constantFrom(0, 0, 0, 5 * minuteMs, 5 * minuteMs + 1, 90 * minuteMs);

/** The device is often somebody else's who denied something. */
const denier = fc.option(fc.constantFrom(...personalUseCases), { freq: 2 });

const visits: fc.Arbitrary<Visit> = fc
  .record({ truth: denier.chain(visitorBeside), sessionKinds: kindsRead, profileKinds: kindsRead, laterMs: later })
  .map(({ truth, sessionKinds, profileKinds, laterMs }) => ({
    truth: {
      ...truth,
      // No verifier answers that it is late.
      identity: { ...truth.identity, token: truth.identity.token.state === 'late' ? { state: 'failed' } : truth.identity.token },
      consent: { ...truth.consent, stored: recordedLater(truth.consent.stored, laterMs) },
    },
    needs: { ...everything, sessionKinds, profileKinds },
  }));

function visitorBeside(denied: PersonalUseCase | null): fc.Arbitrary<Evidence> {
  if (denied === null) return evidence;
  const device = { state: 'known', value: { subject: 'denier', method: 'deterministic', confidencePpm: 1_000_000 } } as const;
  const linked = { state: 'known', value: { useCases: { [denied]: 'denied' }, recordedAtMs: 1 } } as const;
  return evidence.map((drawn) => ({ ...drawn, identity: { ...drawn.identity, device }, consent: { ...drawn.consent, linked } }));
}

function recordedLater(fact: Fact<StoredConsent>, ms: number): Fact<StoredConsent> {
  return fact.state === 'known' ? { state: 'known', value: { ...fact.value, recordedAtMs: fact.value.recordedAtMs + ms } } : fact;
}

type Judges = (plan: ReadPlan, reading: ReadingSoFar) => { readonly profile: boolean; readonly session: boolean };

const asWritten: Judges = (plan, reading) => ({ profile: mayReadProfile(plan, reading), session: mayReadSession(plan, reading) });

function storeOf({ identity, consent }: Evidence, judges: Judges): { read(plan: ReadPlan): Promise<StoreReading> } {
  const known = <T>(fact: Fact<T>): T | null => (fact.state === 'known' ? fact.value : null);
  return {
    async read(plan) {
      const link = plan.deviceId === null ? null : known(identity.device);
      const reading = {
        link,
        generation: known(identity.generation) ?? 0,
        tokenRevoked: known(identity.tokenRevoked) ?? false,
        consent: plan.subject === null ? null : known(consent.stored),
        linkedConsent: link === null || link.subject === plan.subject ? null : known(consent.linked),
        sessionConsent: plan.sessionId === null ? null : known(consent.session ?? { state: 'absent' }),
      };
      const allowed = judges(plan, reading);
      const refused = { state: 'refused' } as const;
      return {
        ...reading,
        erased: false,
        profile: allowed.profile ? fullReading.profile : refused,
        session: allowed.session ? fullReading.session : refused,
      };
    },
  };
}

/** What was read on a visit, and what the core would let rungs use. */
async function readAndUsable({ truth, needs }: Visit, judges: Judges) {
  const { gathering, startedAtMs } = begin({
    store: storeOf(truth, judges),
    token: truth.identity.token,
    request: {
      needs,
      nowMs: baseNowMs,
      identity: {
        token: truth.identity.token.state === 'none' ? undefined : 'token',
        sessionId: truth.identity.session.state === 'verified' ? 'good-session' : undefined,
        deviceId: truth.identity.device.state === 'refused' ? undefined : 'device',
      },
      consent: { signals: truth.consent.signals, gpc: truth.consent.gpc },
    },
  });
  await settled();
  const gathered = gathering.snapshot(startedAtMs + 1);
  gathering.close();
  const identity = weighIdentity(gathered.identity);
  const { states } = weighConsent(artefactWith({}).consent, gathered, identity, baseNowMs);
  const isGranted = (kind: (typeof kinds)[number], what: 'select' | 'activation') => states[useCasesOfKind[kind][what]] === 'granted';
  return {
    read: { session: gathered.session.state === 'known', profile: gathered.profile.state === 'known' },
    usable: {
      session: identity.sessionId !== null && needs.sessionKinds.some((kind) => isGranted(kind, 'select')),
      profile:
        identity.state === 'high_confidence' &&
        needs.profileKinds.some((kind) => isGranted(kind, 'select') && isGranted(kind, 'activation')),
    },
  };
}

async function held(judges: Judges): Promise<{ readonly failed: boolean; readonly sessionsRead: number; readonly profilesRead: number }> {
  let sessionsRead = 0;
  let profilesRead = 0;
  const { failed, seed, counterexample } = await fc.check(
    fc.asyncProperty(visits, async (visit) => {
      const { read, usable } = await readAndUsable(visit, judges);
      expect(read).toEqual(usable);
      if (read.session) sessionsRead += 1;
      if (read.profile) profilesRead += 1;
    }),
    { numRuns: runs },
  );
  if (failed && judges === asWritten) console.log(`seed ${seed}: ${JSON.stringify(counterexample)}`);
  return { failed, sessionsRead, profilesRead };
}

describe('a store may read', () => {
  const useCases = ['content_personalization', 'profile_activation_content'] as const;
  const permission = (granted: boolean, supersedesBeforeMs: number | null = null): Permission => ({
    alternatives: [useCases.map((useCase) => ({ useCase, granted, supersedesBeforeMs }))],
    grantsCountFromMs: 100,
    grantsCountUntilMs: 200,
  });
  const says = (state: ConsentState, atMs: number, more: Partial<StoredConsent> = {}): StoredConsent => ({
    useCases: { content_personalization: state, profile_activation_content: state },
    recordedAtMs: atMs,
    ...more,
  });
  const plan: ReadPlan = {
    ...planAbout('ada'),
    tokenGeneration: 2,
    provenUntilMs: 1_000,
    sessionId: 'visit',
    profile: permission(false),
    session: permission(false),
  };
  const byRequest = { profile: permission(true), session: permission(true) };
  const reading: ReadingSoFar = {
    link: null,
    generation: 2,
    tokenRevoked: false,
    consent: says('granted', 150),
    linkedConsent: null,
    sessionConsent: null,
  };
  const linkTo = (subject: string, sharedSinceMs?: number) => ({
    link: { subject, method: 'deterministic' as const, confidencePpm: 1, ...(sharedSinceMs === undefined ? {} : { sharedSinceMs }) },
  });
  const both = { profile: true, session: true };
  const neither = { profile: false, session: false };
  const sessionAlone = { profile: false, session: true };

  const cases: readonly (readonly [says: string, allowed: typeof both, heard: Partial<ReadingSoFar>, asked?: Partial<ReadPlan>])[] = [
    ['what somebody who is proved has granted', both, {}],
    ['nothing that is not asked for', neither, {}, { profile: null, session: null }],
    ['no session that has no id', { profile: true, session: false }, {}, { sessionId: null }],
    ['nothing of nobody by a stored grant', neither, {}, { subject: null }],
    ['the session of nobody that the request opens', sessionAlone, {}, { subject: null, ...byRequest }],
    ['nothing by the grant of a token that is revoked', neither, { tokenRevoked: true }],
    ['the session alone with a token that is revoked, where the request opens it', sessionAlone, { tokenRevoked: true }, byRequest],
    [
      'it against the denial of the record of a token that is revoked',
      sessionAlone,
      { tokenRevoked: true, consent: says('denied', 150) },
      byRequest,
    ],
    [
      'but not where the device names the same person',
      neither,
      { tokenRevoked: true, consent: says('denied', 150), ...linkTo('ada') },
      byRequest,
    ],
    ['it where the device names another', sessionAlone, { tokenRevoked: true, consent: says('denied', 150), ...linkTo('bob') }, byRequest],
    ['what a token of a later generation grants', both, { generation: 1 }],
    ['nothing by a token of an earlier generation', neither, { generation: 3 }],
    ['what is granted on a device of the same person', both, linkTo('ada')],
    ['what is granted on one that was theirs when they were proved', both, linkTo('ada', 1_000)],
    ['nothing on one that became theirs later', neither, linkTo('ada', 1_001)],
    ['nothing on one that ever became theirs, by a token that proves no instant', neither, linkTo('ada', 1), { provenUntilMs: 0 }],
    ['nothing by a grant on a device of another', neither, linkTo('bob')],
    ['the session that the request opens on a device of another', sessionAlone, linkTo('bob'), byRequest],
    ['but not against their denial', neither, { ...linkTo('bob'), linkedConsent: says('denied', 0) }, byRequest],
    ['whatever is said of another than the device names', both, { ...linkTo('ada'), linkedConsent: says('denied', 150) }, byRequest],
    ['by the oldest grant that counts', both, { consent: says('granted', 100) }],
    ['by none that is older', neither, { consent: says('granted', 99) }],
    ['by the latest grant that counts', both, { consent: says('granted', 200) }],
    ['by none that is later', neither, { consent: says('granted', 201) }],
    ['by a grant that is younger than the record', neither, { consent: says('granted', 150, { grantedAtMs: 99 }) }],
    ['by a grant that counts in a record that is later', both, { consent: says('granted', 900, { grantedAtMs: 150 }) }],
    ['by no record', neither, { consent: null }],
    ['by no record that says nothing', neither, { consent: says('unavailable', 150) }],
    ['what the request grants, whatever the age of the record', both, { consent: says('granted', 1) }, byRequest],
    ['nothing against a denial, however old', neither, { consent: says('denied', 0) }, byRequest],
    ['nothing against what was withdrawn in the session', neither, { sessionConsent: says('denied', 0) }, byRequest],
    ['nothing by what was granted in the session', neither, { consent: null, sessionConsent: says('granted', 150) }],
    [
      'what the request grants later than it was denied',
      both,
      { consent: says('denied', 149) },
      { profile: permission(true, 150), session: permission(true, 150) },
    ],
    [
      'nothing that was denied as late as it was granted',
      neither,
      { consent: says('denied', 150) },
      { profile: permission(true, 150), session: permission(true, 150) },
    ],
  ];
  it.each(cases.map(([what, allowed, heard, asked]) => ({ what, allowed, heard, asked })))('$what', ({ allowed, heard, asked }) => {
    expect(asWritten({ ...plan, ...asked } as ReadPlan, { ...reading, ...heard })).toEqual(allowed);
  });

  it('one kind where the other is denied, and none where each lacks something', () => {
    const asked = (useCase: PersonalUseCase, granted: boolean) => ({ useCase, granted, supersedesBeforeMs: null });
    const offers = [asked('offers', true), asked('profile_activation_offer', true)];
    const content = useCases.map((useCase) => asked(useCase, true));
    const either = { ...plan, profile: { ...permission(true), alternatives: [content, offers] } };
    expect(mayReadProfile(either, { ...reading, consent: says('denied', 1) })).toBe(true);
    const lacking = { useCases: { content_personalization: 'denied', offers: 'denied' }, recordedAtMs: 1 } as const;
    expect(mayReadProfile(either, { ...reading, consent: lacking })).toBe(false);
    expect(mayReadProfile({ ...plan, profile: { ...permission(true), alternatives: [] } }, reading)).toBe(false);
  });
});

describe('what is read of a person', () => {
  it('is what the core lets some rung use, and all of it', async () => {
    const { failed, sessionsRead, profilesRead } = await held(asWritten);
    expect(failed).toBe(false);
    expect(Math.min(sessionsRead, profilesRead)).toBeGreaterThan(runs / 100);
  });

  const forGood = (plan: ReadPlan): ReadPlan => ({
    ...plan,
    profile: plan.profile && { ...plan.profile, grantsCountUntilMs: Number.MAX_SAFE_INTEGER },
    session: plan.session && { ...plan.session, grantsCountUntilMs: Number.MAX_SAFE_INTEGER },
  });
  it.each<[string, Judges]>([
    ['every session that is asked for', (plan, reading) => ({ ...asWritten(plan, reading), session: plan.session !== null })],
    ['no session', (plan, reading) => ({ ...asWritten(plan, reading), session: false })],
    [
      'sessions against the denials of whom the device is linked to',
      (plan, reading) => asWritten(plan, { ...reading, linkedConsent: null }),
    ],
    ['against what was withdrawn in the session', (plan, reading) => asWritten(plan, { ...reading, sessionConsent: null })],
    ['on the record of a revoked token', (plan, reading) => asWritten(plan, { ...reading, tokenRevoked: false })],
    ['for a generation that is behind', (plan, reading) => asWritten(plan, { ...reading, generation: 0 })],
    ['on a grant from the future', (plan, reading) => asWritten(forGood(plan), reading)],
  ])('would be seen to be wrong, were a store to read %s', async (_, judges) => {
    expect((await held(judges)).failed).toBe(true);
  });
});
