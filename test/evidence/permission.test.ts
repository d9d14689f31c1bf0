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
import { kinds, type PersonalUseCase, personalUseCases, useCasesOfKind } from '../../src/decision/vocabulary.ts';
import { mayReadProfile, mayReadSession, type ReadingSoFar } from '../../src/records/permission.ts';
import type { ReadPlan, StoreReading } from '../../src/records/store.ts';
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
