/**
 * What every store promises, as one suite. Each store's own test file calls it with a way to open the store and a way to plant
 * text behind its back; what only one store can promise stands in that file.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Fact, IdentityLink, Profile, Session, StoredConsent } from '../../src/decision/facts.ts';
import { personalUseCases } from '../../src/decision/vocabulary.ts';
import { encodeConsent, encodeIdentity, encodeProfile, encodeSession, versionLength } from '../../src/records/codec.ts';
import type { Withdrawal } from '../../src/records/consent-record.ts';
import {
  consentKey,
  generationKey,
  identityKey,
  presence,
  profileKey,
  revokedTokenKey,
  sessionKey,
  tombstoneKey,
} from '../../src/records/keys.ts';
import { batchChunkMax, recordCharsMax } from '../../src/records/limits.ts';
import { mayReadProfile, mayReadSession, type ReadingSoFar } from '../../src/records/permission.ts';
import {
  type AskedUseCase,
  type Permission,
  planAbout,
  type ReadPlan,
  type Store,
  type StoreReading,
  type StoreWrite,
} from '../../src/records/store.ts';
import { names } from '../support/key-names.ts';

export interface OpenedStore {
  readonly store: Store;
  nowMs(): number;
  /** Puts text under a key behind the store's back; it lives for a day. */
  plant(key: string, text: string): Promise<void>;
  /** Takes a key away behind the store's back. */
  unplant(key: string): Promise<void>;
  dispose(): Promise<void>;
}

export const casesPerProperty = process.env.STEPWELL_TEST_LONG === '1' ? 20_000 : 250;
export const daySeconds = 86_400;

export const noPlan: ReadPlan = { ...planAbout(''), subject: null };

/** Allow the profile, and the session, unless something stored forbids it. */
export const openPermission: Permission = {
  alternatives: [
    [
      { useCase: 'content_personalization', granted: true, supersedesBeforeMs: null },
      { useCase: 'profile_activation_content', granted: true, supersedesBeforeMs: null },
    ],
  ],
  grantsCountFromMs: 0,
  grantsCountUntilMs: Number.MAX_SAFE_INTEGER,
};
export const openSession: Permission = {
  ...openPermission,
  alternatives: [[{ useCase: 'content_personalization', granted: true, supersedesBeforeMs: null }]],
};

/** A session alone, which the request itself allows. */
export function sessionPlan(sessionId: string): ReadPlan {
  return { ...noPlan, sessionId, session: openSession };
}

export const goldProfile: Profile = { attributes: { loyalty: 'gold', orders: 3, vip: true, brands: ['a', 'b'] }, audiences: ['lapsed'] };

const certain = (subject: string): IdentityLink => ({ subject, method: 'deterministic', confidencePpm: 1_000_000 });

/** Everything about one subject, as it is to be stored before one read. */
export interface Situation {
  readonly profile: Profile | null;
  readonly consent: StoredConsent | null;
  readonly generation: number;
  readonly revoked: boolean;
  readonly erased: boolean;
  readonly link: 'none' | 'same' | 'other' | 'erased';
  /** Since when the device is this one's and no longer another's. */
  readonly handedOverMs: number | null;
  readonly linkedConsent: StoredConsent | null;
  /** What was withdrawn in the session. */
  readonly withdrawn: Withdrawal | null;
  readonly session: boolean;
  /** Ids are filled in per case. */
  readonly plan: Pick<ReadPlan, 'tokenGeneration' | 'provenUntilMs' | 'consent' | 'profile' | 'session'> & {
    readonly asksSubject: boolean;
    readonly asksDevice: boolean;
    /** The link is not looked up but given. */
    readonly knowsLink: boolean;
    readonly asksToken: boolean;
    readonly asksSession: boolean;
  };
}

const storedSession: Session = { attributes: { last_category: 'shoes' } };
const instantMs = fc.integer({ min: -2, max: 6 }).map((step) => step * 1000);

const consentRecord: fc.Arbitrary<StoredConsent> = fc
  .record({
    states: fc.tuple(...personalUseCases.map(() => fc.constantFrom('granted', 'granted', 'granted', 'denied', 'unavailable', null))),
    recordedAtMs: instantMs,
    grantedBeforeMs: fc.constantFrom(0, 0, 0, 1000, 3000),
  })
  .map(({ states, recordedAtMs, grantedBeforeMs }) => {
    const said = personalUseCases.map((useCase, index) => [useCase, states[index] ?? null] as const).filter(([, state]) => state !== null);
    const useCases = Object.fromEntries(said) as StoredConsent['useCases'];
    return grantedBeforeMs === 0 ? { useCases, recordedAtMs } : { useCases, recordedAtMs, grantedAtMs: recordedAtMs - grantedBeforeMs };
  });

const withdrawal: fc.Arbitrary<Withdrawal> = fc.record({
  useCases: fc.subarray([...personalUseCases], { minLength: 1, maxLength: 2 }),
  atMs: instantMs.map((ms) => ms + daySeconds * 1000),
  ttlSeconds: fc.constant(daySeconds),
});

const askedUseCase: fc.Arbitrary<AskedUseCase> = fc
  .record({
    useCase: fc.constantFrom(...personalUseCases),
    granted: fc.boolean(),
    supersedesBeforeMs: fc.constantFrom(null, null, 0, daySeconds * 1000),
  })
  .map((asked) => (asked.granted ? asked : { ...asked, supersedesBeforeMs: null }));
const alternative = fc.oneof(
  { weight: 12, arbitrary: fc.array(askedUseCase, { minLength: 1, maxLength: 2 }) },
  { weight: 1, arbitrary: fc.array(askedUseCase, { maxLength: 4 }) },
);
const permission: fc.Arbitrary<Permission> = fc.record({
  alternatives: fc.oneof(
    { weight: 5, arbitrary: alternative.map((only) => [only]) },
    { weight: 1, arbitrary: fc.array(alternative, { maxLength: 3 }) },
  ),
  grantsCountFromMs: fc.oneof(instantMs, fc.constant(-2000)),
  grantsCountUntilMs: fc.oneof(instantMs, fc.constant(6000)),
});

export const situations: fc.Arbitrary<Situation> = fc.record({
  profile: fc.option(fc.constant(goldProfile), { freq: 5 }),
  consent: fc.option(consentRecord, { freq: 5 }),
  generation: fc.nat(2),
  revoked: rarely(),
  erased: rarely(),
  link: fc.constantFrom('none', 'none', 'same', 'other', 'erased'),
  handedOverMs: fc.constantFrom(null, null, 1000, 2000),
  linkedConsent: fc.option(consentRecord),
  withdrawn: fc.option(withdrawal, { freq: 2 }),
  session: fc.boolean(),
  plan: fc.record({
    tokenGeneration: fc.constantFrom(0, 1, 2, 3),
    provenUntilMs: fc.constantFrom(0, 999, 1000, 2000, 2000),
    consent: fc.boolean(),
    profile: fc.option(permission, { freq: 6 }),
    session: fc.option(permission, { freq: 6 }),
    asksSubject: usually(),
    asksDevice: fc.boolean(),
    knowsLink: rarely(),
    asksToken: usually(),
    asksSession: usually(),
  }),
});

function rarely(): fc.Arbitrary<boolean> {
  return fc.integer({ min: 0, max: 6 }).map((value) => value === 0);
}

function usually(): fc.Arbitrary<boolean> {
  return rarely().map((value) => !value);
}

let situationsMade = 0;

export interface Staged {
  readonly plan: ReadPlan;
  readonly expected: StoreReading;
  /** Everything that is stored and may speak, whether or not the plan asks to be told of it. */
  readonly heard: ReadingSoFar;
  readonly profileKey: string;
  readonly sessionKey: string;
}

/** Stores a situation under ids nobody has used, and says what a store must answer: worked out here from the pure permission alone. */
export async function stage({ store, plant, nowMs }: OpenedStore, situation: Situation): Promise<Staged> {
  situationsMade += 1;
  const id = `${process.pid}-${situationsMade}`;
  const [subject, other, gone, device, sessionId, tokenId] = ['anna', 'bob', 'gone', 'd', 's', 't'].map((name) => `${name}-${id}`) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const linkSubject = { none: null, same: subject, other, erased: gone }[situation.link];
  if (situation.profile !== null) await store.putProfile(subject, situation.profile, daySeconds);
  if (situation.consent !== null) await store.putConsent(subject, situation.consent, daySeconds);
  if (situation.linkedConsent !== null) await store.putConsent(other, situation.linkedConsent, daySeconds);
  if (linkSubject !== null) await store.putIdentity('device', device, certain(linkSubject), daySeconds);
  const handedOver = situation.handedOverMs === null ? {} : { sharedSinceMs: situation.handedOverMs };
  if (linkSubject !== null && situation.handedOverMs !== null) {
    const tag = names.identity('device', device);
    await plant(identityKey(tag), encodeIdentity(tag, { ...certain(linkSubject), ...handedOver }, names));
  }
  for (let raised = 0; raised < situation.generation; raised += 1) await store.raiseGeneration(subject);
  if (situation.revoked) await store.revokeToken(tokenId, nowMs() + daySeconds * 1000);
  if (situation.withdrawn !== null) await store.withdrawSessionConsent(sessionId, situation.withdrawn);
  if (situation.session) await store.putSession(sessionId, storedSession, daySeconds);
  if (situation.erased) await plant(tombstoneKey(names.subject(subject)), presence);
  if (situation.link === 'erased') await plant(tombstoneKey(names.subject(gone)), presence);

  const { asksSubject, asksDevice, knowsLink, asksToken, asksSession, ...asked } = situation.plan;
  const plan: ReadPlan = {
    ...asked,
    subject: asksSubject ? subject : null,
    deviceId: asksDevice && !knowsLink ? device : null,
    resolvedLink: knowsLink && linkSubject !== null ? certain(linkSubject) : null,
    tokenId: asksToken ? tokenId : null,
    sessionId: asksSession ? sessionId : null,
    freshnessMaxMs: 0,
  };
  return {
    plan,
    ...expectedReading(situation, plan, linkSubject, { subject, gone }),
    profileKey: profileKey(names.subject(subject)),
    sessionKey: sessionKey(names.session(sessionId)),
  };
}

function expectedReading(
  situation: Situation,
  plan: ReadPlan,
  linkSubject: string | null,
  { subject, gone }: { subject: string; gone: string },
): Pick<Staged, 'expected' | 'heard'> {
  const linkErased = linkSubject === gone || (linkSubject === subject && situation.erased);
  const isNamed = plan.deviceId !== null || plan.resolvedLink !== null;
  const isStored = plan.resolvedLink === null && situation.handedOverMs !== null;
  const handedOver = isStored ? { sharedSinceMs: situation.handedOverMs } : {};
  const link = !isNamed || linkSubject === null || linkErased ? null : { ...certain(linkSubject), ...handedOver };
  const consent = plan.subject === null || situation.erased ? null : situation.consent;
  const linkedIsAnother = link !== null && link.subject !== plan.subject;
  const linkedRecord = link?.subject === subject ? situation.consent : situation.linkedConsent;
  const reading = {
    link,
    generation: plan.subject === null ? 0 : situation.generation,
    tokenRevoked: plan.tokenId !== null && situation.revoked,
    consent,
    linkedConsent: linkedIsAnother ? linkedRecord : null,
    sessionConsent: plan.sessionId === null || situation.withdrawn === null ? null : recordOf(situation.withdrawn),
  };
  const stored = situation.erased ? null : situation.profile;
  const expected = {
    ...reading,
    erased: plan.subject !== null && situation.erased,
    consent: plan.consent ? consent : null,
    linkedConsent: plan.consent ? reading.linkedConsent : null,
    sessionConsent: plan.consent ? reading.sessionConsent : null,
    profile: readIf(mayReadProfile(plan, reading), stored),
    session: readIf(mayReadSession(plan, reading), situation.session ? storedSession : null),
  };
  return { expected, heard: reading };
}

/** The same permission, but for which denials it sets aside. */
function supersedingBefore(
  permission: Permission | null,
  changed: (beforeMs: number | null) => number | null,
): Pick<Permission, 'alternatives'> {
  const alternatives = permission?.alternatives ?? [];
  return {
    alternatives: alternatives.map((alternative) =>
      alternative.map((asked) => (asked.granted ? { ...asked, supersedesBeforeMs: changed(asked.supersedesBeforeMs) } : asked)),
    ),
  };
}

function recordOf({ useCases, atMs }: Withdrawal): StoredConsent {
  const denied = (useCases ?? personalUseCases).map((useCase) => [useCase, 'denied']);
  return { useCases: Object.fromEntries(denied) as StoredConsent['useCases'], recordedAtMs: atMs };
}

function readIf<T>(isAllowed: boolean, stored: T | null): Fact<T> {
  if (!isAllowed) return { state: 'refused' };
  return stored === null ? { state: 'absent' } : { state: 'known', value: stored };
}

/** Reads every situation and names the first difference; null when the store answers what it must. */
async function differenceOver(opened: OpenedStore, cases: readonly Situation[]): Promise<string | null> {
  for (const situation of cases) {
    const { plan, expected } = await stage(opened, situation);
    const answered = await opened.store.read(plan);
    if (plainJson(answered) !== plainJson(expected)) {
      return `asked ${plainJson(plan)}\nanswered ${plainJson(answered)}\nexpected ${plainJson(expected)}`;
    }
  }
  return null;
}

/** Sorted, so that the order in which names were written does not count. */
function plainJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

/** A store that is wrong in one way: the suite must notice. */
function withReading(
  opened: OpenedStore,
  change: (reading: StoreReading, plan: ReadPlan) => StoreReading | Promise<StoreReading>,
): OpenedStore {
  const store: Store = { ...opened.store, read: async (plan) => change(await opened.store.read(plan), plan) };
  return { ...opened, store };
}

export function storeCases(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name}: what every store promises`, () => {
    let opened: OpenedStore;
    let store: Store;

    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });

    afterEach(() => opened.dispose());

    const personPlan = (subject: string): ReadPlan => ({ ...noPlan, subject, consent: true, profile: openPermission });

    it('tells whether a token is revoked also where nobody is asked about', async () => {
      await store.revokeToken('visitor token', opened.nowMs() + 60_000);
      expect(await store.read({ ...noPlan, tokenId: 'visitor token' })).toMatchObject({ tokenRevoked: true });
      expect(await store.read({ ...noPlan, tokenId: 'another' })).toMatchObject({ tokenRevoked: false });
    });

    it('reads everything a plan names at once', async () => {
      const consent: StoredConsent = {
        useCases: { offers: 'granted', analytics_offer: 'denied', analytics_content: 'unavailable', 'category:health': 'granted' },
        recordedAtMs: 1_700_000_000_123,
      };
      await store.putProfile('anna', goldProfile, daySeconds);
      await store.putConsent('anna', consent, daySeconds);
      await store.putConsent('bob', { useCases: { offers: 'denied' }, recordedAtMs: 5 }, daySeconds);
      await store.putIdentity('device', 'd-1', { subject: 'bob', method: 'probabilistic', confidencePpm: 700_000 }, daySeconds);
      await store.putSession('s-1', { attributes: { last_category: 'shoes' } }, daySeconds);
      await store.raiseGeneration('anna');
      const plan: ReadPlan = { ...personPlan('anna'), tokenGeneration: 1, tokenId: 'iss\njti', sessionId: 's-1', session: openSession };
      expect(await store.read(plan)).toEqual({
        erased: false,
        link: null,
        generation: 1,
        tokenRevoked: false,
        consent,
        linkedConsent: null,
        sessionConsent: null,
        profile: { state: 'known', value: goldProfile },
        session: { state: 'known', value: { attributes: { last_category: 'shoes' } } },
      });
      expect(await store.read({ ...plan, deviceId: 'd-1' })).toMatchObject({
        link: { subject: 'bob', method: 'probabilistic', confidencePpm: 700_000 },
        linkedConsent: { useCases: { offers: 'denied' }, recordedAtMs: 5 },
        profile: { state: 'refused' },
      });
    });

    it('says of somebody never seen that nothing is there', async () => {
      const plan: ReadPlan = { ...personPlan('nobody'), tokenId: 't', deviceId: 'd', sessionId: 's', session: openSession };
      expect(await store.read(plan)).toEqual({
        erased: false,
        link: null,
        generation: 0,
        tokenRevoked: false,
        consent: null,
        linkedConsent: null,
        sessionConsent: null,
        profile: { state: 'absent' },
        session: { state: 'absent' },
      });
    });

    it('answers a plan that names nothing, and one that names only a session', async () => {
      await store.putSession('s-1', { attributes: {} }, daySeconds);
      expect(await store.read(noPlan)).toMatchObject({ profile: { state: 'refused' }, session: { state: 'refused' } });
      expect(await store.read(sessionPlan('s-1'))).toMatchObject({ session: { state: 'known', value: { attributes: {} } } });
      expect(await store.read(sessionPlan('s-2'))).toMatchObject({ session: { state: 'absent' } });
      expect(await store.read({ ...noPlan, sessionId: 's-1' })).toMatchObject({ session: { state: 'refused' } });
      const onStoredGrant: Permission = {
        ...openSession,
        alternatives: [[{ useCase: 'offers', granted: false, supersedesBeforeMs: null }]],
      };
      expect(await store.read({ ...sessionPlan('s-1'), session: onStoredGrant })).toMatchObject({ session: { state: 'refused' } });
    });

    it('hears a denial of the day on which the request was granted or later, and none from before', async () => {
      const startOfDayMs = 20_000 * daySeconds * 1000;
      const asked: readonly AskedUseCase[] = [{ useCase: 'content_personalization', granted: true, supersedesBeforeMs: startOfDayMs }];
      const plan: ReadPlan = { ...personPlan('anna'), profile: { ...openPermission, alternatives: [asked] } };
      await store.putProfile('anna', goldProfile, daySeconds);
      for (const [recordedAtMs, state] of [
        [startOfDayMs - 1, 'known'],
        [startOfDayMs, 'refused'],
      ] as const) {
        await store.putConsent('anna', { useCases: { content_personalization: 'denied' }, recordedAtMs }, daySeconds);
        expect((await store.read(plan)).profile.state).toBe(state);
      }
    });

    it('answers as the pure permission says, in every situation', async () => {
      await fc.assert(
        fc.asyncProperty(situations, async (situation) => {
          expect(await differenceOver(opened, [situation])).toBeNull();
        }),
        { numRuns: casesPerProperty },
      );
    });

    describe('the guard of that answer', () => {
      const sample = fc.sample(situations, { seed: 7, numRuns: 400 });
      const reallyRead = async (plan: ReadPlan): Promise<StoreReading['profile']> => {
        const profile = plan.subject === null ? null : await store.getProfile(plan.subject);
        return profile === null
          ? { state: 'absent' }
          : { state: 'known', value: { attributes: profile.attributes, audiences: profile.audiences } };
      };
      const reallyReadSession = async ({ sessionId }: ReadPlan): Promise<StoreReading['session']> =>
        sessionId === null ? { state: 'absent' } : (await store.read(sessionPlan(sessionId))).session;
      /** The session as a store answers that judges by another permission, or by less than is stored. */
      const judgingBy = async (
        plan: ReadPlan,
        changed: { readonly permission?: Partial<Permission>; readonly reading?: Partial<StoreReading> },
      ): Promise<StoreReading['session']> => {
        const session = plan.session === null ? null : { ...plan.session, ...changed.permission };
        const stored = await store.read({ ...plan, consent: true });
        const isAllowed = mayReadSession({ ...plan, session }, { ...stored, ...changed.reading });
        return isAllowed ? reallyReadSession(plan) : { state: 'refused' };
      };
      const always = { grantsCountFromMs: Number.MIN_SAFE_INTEGER, grantsCountUntilMs: Number.MAX_SAFE_INTEGER };
      const faults: Readonly<Record<string, (reading: StoreReading, plan: ReadPlan) => StoreReading | Promise<StoreReading>>> = {
        'reads the profile whatever the permission says': async (reading, plan) =>
          plan.profile === null ? reading : { ...reading, profile: await reallyRead(plan) },
        'reads the session whatever the permission says': async (reading, plan) =>
          plan.session === null ? reading : { ...reading, session: await reallyReadSession(plan) },
        'judges the session without the denials of the linked subject': async (reading, plan) => ({
          ...reading,
          session: await judgingBy(plan, { reading: { linkedConsent: null } }),
        }),
        'judges the session without what was withdrawn in it': async (reading, plan) => ({
          ...reading,
          session: await judgingBy(plan, { reading: { sessionConsent: null } }),
        }),
        'judges the session without the record of the subject': async (reading, plan) => ({
          ...reading,
          session: await judgingBy(plan, { reading: { consent: null } }),
        }),
        'lets a stored grant open the session of somebody unproved': async (reading, plan) => ({
          ...reading,
          session: await judgingBy({ ...plan, tokenGeneration: Number.MAX_SAFE_INTEGER }, {}),
        }),
        'lets the record of a revoked token speak': async (reading, plan) => ({
          ...reading,
          session: await judgingBy(plan, { reading: { tokenRevoked: false } }),
        }),
        'lets a grant too old open the session': async (reading, plan) => ({
          ...reading,
          session: await judgingBy(plan, { permission: { grantsCountFromMs: always.grantsCountFromMs } }),
        }),
        'lets a grant from the future open the session': async (reading, plan) => ({
          ...reading,
          session: await judgingBy(plan, { permission: { grantsCountUntilMs: always.grantsCountUntilMs } }),
        }),
        'lets a grant from the future open the profile': async (reading, plan) => {
          if (plan.profile === null) return reading;
          const profile = { ...plan.profile, grantsCountUntilMs: always.grantsCountUntilMs };
          return { ...reading, profile: (await store.read({ ...plan, profile })).profile };
        },
        'sets no denial aside, however old': async (reading, plan) => ({
          ...reading,
          session: await judgingBy(plan, { permission: supersedingBefore(plan.session, () => null) }),
        }),
        'sets aside what was denied on the same day': async (reading, plan) => ({
          ...reading,
          session: await judgingBy(plan, {
            permission: supersedingBefore(plan.session, (beforeMs) => (beforeMs ?? 0) + daySeconds * 1000),
          }),
        }),
        'takes a refused session for an absent one': (reading) => ({
          ...reading,
          session: reading.session.state === 'refused' ? { state: 'absent' } : reading.session,
        }),
        'forgets that generations are raised': (reading) => ({ ...reading, generation: 0 }),
        'forgets revoked tokens': (reading) => ({ ...reading, tokenRevoked: false }),
        'forgets that a subject is erased': (reading) => ({ ...reading, erased: false }),
        'takes a link that is given for one that always stands': (reading, plan) => ({
          ...reading,
          link: plan.resolvedLink ?? reading.link,
        }),
        'looks at no link that is given': (reading, plan) => (plan.resolvedLink === null ? reading : { ...reading, link: null }),
        'forgets whom the device is linked to': (reading) => ({ ...reading, link: null }),
        'forgets what was withdrawn in the session': (reading) => ({ ...reading, sessionConsent: null }),
        'forgets the denials of the linked subject': (reading) => ({ ...reading, linkedConsent: null }),
        'takes a refused profile for an absent one': (reading) => ({
          ...reading,
          profile: reading.profile.state === 'refused' ? { state: 'absent' } : reading.profile,
        }),
      };

      it('passes the store itself', async () => {
        expect(await differenceOver(opened, sample)).toBeNull();
      });

      it.each(Object.entries(faults))('notices a store that %s', async (_, change) => {
        expect(await differenceOver(withReading(opened, change), sample)).not.toBeNull();
      });
    });

    it('says whether a write made something or replaced it', async () => {
      expect(await store.putProfile('anna', goldProfile, daySeconds)).toBe('created');
      expect(await store.putProfile('anna', { attributes: { loyalty: 'none' }, audiences: [] }, daySeconds)).toBe('replaced');
      expect(await store.putConsent('anna', { useCases: {}, recordedAtMs: 0 }, daySeconds)).toBe('created');
      expect(await store.putIdentity('device', 'd', certain('anna'), daySeconds)).toBe('created');
      expect(await store.putIdentity('device', 'd', certain('bob'), daySeconds)).toBe('replaced');
      expect(await store.getProfile('anna')).toMatchObject({ attributes: { loyalty: 'none' }, audiences: [] });
    });

    it('tells when a profile expires, and deletes it once', async () => {
      const beforeMs = opened.nowMs();
      await store.putProfile('anna', goldProfile, 100);
      const profile = await store.getProfile('anna');
      expect(profile).toMatchObject(goldProfile);
      expect(profile?.expiresAtMs).toBeGreaterThanOrEqual(beforeMs + 100_000 - 2);
      expect(profile?.expiresAtMs).toBeLessThanOrEqual(opened.nowMs() + 100_000 + 2);
      expect(await store.deleteProfile('anna')).toBe(true);
      expect(await store.deleteProfile('anna')).toBe(false);
      expect(await store.getProfile('anna')).toBeNull();
    });

    it('shows an erased subject as one never seen, and writes nothing for it', async () => {
      await store.putProfile('anna', goldProfile, daySeconds);
      await store.putConsent('anna', { useCases: { offers: 'granted' }, recordedAtMs: 1 }, daySeconds);
      await store.putIdentity('device', 'd', certain('anna'), daySeconds);
      const neverSeen = await store.read({ ...personPlan('nobody'), deviceId: 'd-none' });
      await opened.plant(tombstoneKey(names.subject('anna')), presence);
      expect(await store.read({ ...personPlan('anna'), deviceId: 'd' })).toEqual({ ...neverSeen, erased: true });
      expect(await store.read({ ...noPlan, deviceId: 'd', consent: true })).toMatchObject({ link: null, linkedConsent: null });
      expect(await store.getProfile('anna')).toBeNull();
      expect(await store.putProfile('anna', goldProfile, daySeconds)).toBe('erased');
      expect(await store.putConsent('anna', { useCases: {}, recordedAtMs: 1 }, daySeconds)).toBe('erased');
      expect(await store.putIdentity('device', 'd-2', certain('anna'), daySeconds)).toBe('erased');
      expect(await store.read({ ...noPlan, deviceId: 'd-2' })).toMatchObject({ link: null });
      const outcomes = await store.writeBatch([
        { kind: 'profile', subject: 'anna', profile: goldProfile, ttlSeconds: 10 },
        { kind: 'profile', subject: 'bob', profile: goldProfile, ttlSeconds: 10 },
      ]);
      expect(outcomes).toEqual(['erased', 'created']);
    });

    it('raises a generation by one each time, also when two do so at once', async () => {
      expect(await store.raiseGeneration('anna')).toBe(1);
      expect([...(await Promise.all([store.raiseGeneration('anna'), store.raiseGeneration('anna')]))].sort()).toEqual([2, 3]);
      expect(await store.read({ ...noPlan, subject: 'anna' })).toMatchObject({ generation: 3 });
      expect(await store.read({ ...noPlan, subject: 'bob' })).toMatchObject({ generation: 0 });
    });

    it('keeps a revocation until its end, and none that has ended already', async () => {
      await store.revokeToken('iss\na', opened.nowMs() + 60_000);
      await store.revokeToken('iss\nb', opened.nowMs() - 60_000);
      // Saying it again, for a shorter time or for none, takes nothing back.
      await store.revokeToken('iss\na', opened.nowMs() - 1_000);
      await store.revokeToken('iss\nc', -1);
      expect(await store.read({ ...noPlan, tokenId: 'iss\na' })).toMatchObject({ tokenRevoked: true });
      expect(await store.read({ ...noPlan, tokenId: 'iss\nb' })).toMatchObject({ tokenRevoked: false });
      expect(await store.read({ ...noPlan, tokenId: 'iss\nc' })).toMatchObject({ tokenRevoked: false });
      await expect(store.revokeToken('iss\nd', Number.NaN)).rejects.toMatchObject({ code: 'invalid' });
    });

    it('merges patches into a session, loses none of those made at once, and patches no session that is not there', async () => {
      await store.putSession('s', { attributes: { a: 1, b: 'old' } }, daySeconds);
      const patches = [{ b: 'new' }, { c: 3 }, { d: ['x'] }, { e: true }].map((attributes) => store.patchSession('s', { attributes }));
      expect(await Promise.all(patches)).toEqual([true, true, true, true]);
      expect((await store.read(sessionPlan('s'))).session).toEqual({
        state: 'known',
        value: { attributes: { a: 1, b: 'new', c: 3, d: ['x'], e: true } },
      });
      expect(await store.patchSession('s-none', { attributes: { a: 1 } })).toBe(false);
      expect((await store.read(sessionPlan('s-none'))).session).toEqual({ state: 'absent' });
    });

    it('writes many at once and answers for each in order, over the edges of its chunks', async () => {
      const writes: StoreWrite[] = Array.from({ length: batchChunkMax * 2 + 7 }, (_, index) => ({
        kind: 'profile',
        subject: `s-${index}`,
        profile: { attributes: { index }, audiences: [] },
        ttlSeconds: daySeconds,
      }));
      const mixed: StoreWrite[] = [
        { kind: 'identity', namespace: 'device', value: 'd', link: certain('s-1'), ttlSeconds: daySeconds },
        { kind: 'consent', subject: 's-1', consent: { useCases: { offers: 'denied' }, recordedAtMs: 1 }, ttlSeconds: daySeconds },
        { kind: 'session', sessionId: 's', session: { attributes: { a: 1 } }, ttlSeconds: daySeconds },
        { kind: 'session', sessionId: 's', session: { attributes: { a: 2 } }, ttlSeconds: daySeconds },
      ];
      const outcomes = await store.writeBatch([...writes, ...mixed]);
      expect(outcomes).toEqual([...writes.map(() => 'created'), 'created', 'created', 'created', 'replaced']);
      const last = writes.length - 1;
      expect(await store.getProfile(`s-${last}`)).toMatchObject({ attributes: { index: last } });
      expect(await store.read({ ...sessionPlan('s'), subject: 's-1', deviceId: 'd', consent: true })).toMatchObject({
        link: { subject: 's-1' },
        consent: { useCases: { offers: 'denied' } },
        linkedConsent: null,
        session: { state: 'known', value: { attributes: { a: 2 } } },
      });
      expect(await store.writeBatch([])).toEqual([]);
    });

    it('refuses what could not be read back, and writes nothing of a batch that holds it', async () => {
      const refused = [
        store.putProfile('anna', { attributes: { half: 0.5 }, audiences: [] }, daySeconds),
        store.putProfile('anna', { attributes: { long: 'x'.repeat(recordCharsMax) }, audiences: [] }, daySeconds),
        store.putProfile('anna', goldProfile, 0),
        store.putProfile('anna', goldProfile, 1.5),
        store.putProfile('anna', goldProfile, Number.POSITIVE_INFINITY),
        store.putConsent('anna', { useCases: {}, recordedAtMs: Number.NaN }, daySeconds),
        store.putIdentity('device', 'd', { ...certain('anna'), confidencePpm: -1 }, daySeconds),
        store.writeBatch([
          { kind: 'profile', subject: 'anna', profile: goldProfile, ttlSeconds: daySeconds },
          { kind: 'profile', subject: 'anna', profile: goldProfile, ttlSeconds: -1 },
        ]),
      ];
      for (const write of refused) await expect(write).rejects.toMatchObject({ name: 'StoreError', code: 'invalid' });
      expect(await store.getProfile('anna')).toBeNull();
      await store.putSession('s', { attributes: { a: 'x'.repeat(recordCharsMax / 2) } }, daySeconds);
      const patch = store.patchSession('s', { attributes: { b: 'x'.repeat(recordCharsMax / 2) } });
      await expect(patch).rejects.toMatchObject({ code: 'invalid' });
      expect((await store.read(sessionPlan('s'))).session).toMatchObject({
        state: 'known',
        value: { attributes: { a: expect.any(String) } },
      });
      expect(JSON.stringify((await store.read(sessionPlan('s'))).session)).not.toContain('"b"');
    });

    it('keeps ids apart that look alike, and attributes with the names of object members', async () => {
      const ids = [
        'a',
        'a\n',
        'a}',
        '{a}',
        'a:profile',
        'ä',
        'a\u0308',
        '\ud800',
        '\udbff',
        '\ufffd',
        '',
        'x'.repeat(5_000),
        `${'x'.repeat(5_000)}y`,
      ];
      for (const [index, id] of ids.entries()) await store.putProfile(id, { attributes: { index }, audiences: [] }, daySeconds);
      for (const [index, id] of ids.entries()) expect(await store.getProfile(id)).toMatchObject({ attributes: { index } });
      await store.putIdentity('device', 'de', certain('one'), daySeconds);
      await store.putIdentity('devic', 'ede', certain('two'), daySeconds);
      expect(await store.read({ ...noPlan, deviceId: 'de' })).toMatchObject({ link: { subject: 'one' } });
      const attributes = Object.assign(Object.create(null), { ['__proto__']: 'x', constructor: 'y', toString: 'z' });
      await store.putSession('s', { attributes }, daySeconds);
      const { session } = await store.read(sessionPlan('s'));
      const read = session.state === 'known' ? session.value.attributes : {};
      expect(Object.entries(read)).toEqual(Object.entries(attributes));
      expect(Object.getPrototypeOf(read)).toBeNull();
    });

    describe('what is stored but was not written by us', () => {
      const annaTag = names.subject('anna');
      const bobTag = names.subject('bob');
      const version = 'v'.repeat(versionLength);
      const garbage = [
        '',
        'x',
        '{}',
        '[]',
        'null',
        '=',
        '1',
        'p2',
        `p1${annaTag}[{},[]]`,
        `p2${annaTag}[{},[]]`,
        `p2${annaTag}${version}[{}`,
        `p3${annaTag}${version}[{},[]]`,
        `c1${annaTag}ggg`,
        '\u0000',
        'x'.repeat(recordCharsMax * 5),
      ];

      it('is a failed profile', async () => {
        const profile = { ...personPlan('anna'), consent: false };
        const cases = [
          ...garbage,
          encodeProfile(bobTag, goldProfile),
          `p2${annaTag}${version}[{"a":null},[]]`,
          `p2${annaTag}${version}[{"a":1.5},[]]`,
          `p2${annaTag}${version}[{},[1]]`,
        ];
        for (const text of cases) {
          await opened.plant(profileKey(annaTag), text);
          expect((await store.read(profile)).profile).toEqual({ state: 'failed' });
          expect(await store.getProfile('anna')).toBeNull();
        }
        await opened.plant(profileKey(annaTag), encodeProfile(annaTag, goldProfile));
        expect((await store.read(profile)).profile).toEqual({ state: 'known', value: goldProfile });
      });

      it('is no session', async () => {
        const session = encodeSession(names.session('other'), { attributes: {} });
        for (const text of [...garbage, session]) {
          await opened.plant(sessionKey(names.session('s')), text);
          expect((await store.read(sessionPlan('s'))).session).toEqual({ state: 'absent' });
          expect((await store.read({ ...sessionPlan('s'), subject: 'anna' })).session).toEqual({ state: 'absent' });
          expect(await store.patchSession('s', { attributes: { a: 1 } })).toBe(false);
        }
      });

      it('is never taken for a consent that denies nothing', async () => {
        const others = encodeConsent(bobTag, { useCases: { offers: 'granted' }, recordedAtMs: 9 });
        for (const text of [...garbage, others, `c1${annaTag}gggggg|9|[`, `c1${annaTag}gggggg|99999999999999999|`]) {
          await opened.plant(consentKey(annaTag), text);
          await expect(store.read(personPlan('anna'))).rejects.toMatchObject({ code: 'unreadable' });
        }
        await opened.plant(
          identityKey(names.identity('device', 'd')),
          encodeIdentity(names.identity('device', 'd'), certain('anna'), names),
        );
        await expect(store.read({ ...noPlan, subject: 'bob', deviceId: 'd', consent: true })).rejects.toMatchObject({ code: 'unreadable' });
      });

      it('is never taken for a generation that nobody raised', async () => {
        for (const text of ['', 'x', '-1', '1.5', '01', '99999999999999999', ' 1']) {
          await opened.plant(generationKey(annaTag), text);
          await expect(store.read(personPlan('anna'))).rejects.toMatchObject({ code: 'unreadable' });
        }
      });

      it('is never taken for a device that is linked to nobody', async () => {
        const tag = names.identity('device', 'd');
        const forged = encodeIdentity(tag, certain('bob'), names).replace(bobTag, annaTag);
        for (const text of [...garbage, encodeIdentity(names.identity('device', 'e'), certain('anna'), names), forged]) {
          await opened.plant(identityKey(tag), text);
          await expect(store.read({ ...personPlan('anna'), deviceId: 'd' })).rejects.toMatchObject({ code: 'unreadable' });
        }
      });

      it('still revokes and still erases', async () => {
        await opened.plant(revokedTokenKey(names.token('t')), 'whatever');
        await opened.plant(tombstoneKey(annaTag), 'whatever');
        expect(await store.read({ ...personPlan('anna'), tokenId: 't' })).toMatchObject({ tokenRevoked: true });
        expect(await store.putProfile('anna', goldProfile, daySeconds)).toBe('erased');
      });
    });

    it('answers a ping, and after closing answers nothing', async () => {
      await store.ping();
      await store.close();
      await store.close();
      await expect(store.read(sessionPlan('s'))).rejects.toMatchObject({ code: 'closed' });
      await expect(store.putProfile('anna', goldProfile, daySeconds)).rejects.toMatchObject({ code: 'closed' });
      await expect(store.ping()).rejects.toMatchObject({ code: 'closed' });
    });
  });
}
