/**
 * What every store promises, as one suite. Each store's own test file calls it with a way to open the store and a way to plant
 * text behind its back; what only one store can promise stands in that file.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IdentityLink, Profile, StoredConsent } from '../../src/decision/facts.ts';
import { personalUseCases } from '../../src/decision/vocabulary.ts';
import { encodeConsent, encodeIdentity, encodeProfile, encodeSession } from '../../src/records/codec.ts';
import {
  consentKey,
  generationKey,
  identityKey,
  identityTag,
  presence,
  profileKey,
  revokedTokenKey,
  sessionKey,
  tagOf,
  tombstoneKey,
} from '../../src/records/keys.ts';
import { batchChunkMax, recordCharsMax } from '../../src/records/limits.ts';
import { mayReadProfile } from '../../src/records/permission.ts';
import type { ReadPlan, Store, StoreReading, StoreWrite } from '../../src/records/store.ts';

export interface OpenedStore {
  readonly store: Store;
  nowMs(): number;
  /** Puts text under a key behind the store's back; it lives for a day. */
  plant(key: string, text: string): Promise<void>;
  dispose(): Promise<void>;
}

export const casesPerProperty = process.env.STEPWELL_TEST_LONG === '1' ? 20_000 : 250;
export const daySeconds = 86_400;

export const noPlan: ReadPlan = {
  subject: null,
  tokenId: null,
  tokenGeneration: 0,
  deviceId: null,
  sessionId: null,
  consent: false,
  profile: null,
};

export const contentAlternative = {
  select: 'content_personalization',
  activation: 'profile_activation_content',
  selectGranted: true,
  activationGranted: true,
} as const;

/** Allows the profile unless something stored forbids it. */
export const openPermission = { alternatives: [contentAlternative], grantsCountFromMs: 0 } as const;

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
  readonly linkedConsent: StoredConsent | null;
  readonly session: boolean;
  /** Ids are filled in per case. */
  readonly plan: Pick<ReadPlan, 'tokenGeneration' | 'consent' | 'profile'> & {
    readonly asksSubject: boolean;
    readonly asksDevice: boolean;
    readonly asksToken: boolean;
    readonly asksSession: boolean;
  };
}

const consentRecord: fc.Arbitrary<StoredConsent> = fc.record({
  useCases: fc
    .uniqueArray(fc.tuple(fc.constantFrom(...personalUseCases), fc.constantFrom('granted', 'denied', 'unavailable')), {
      selector: ([useCase]) => useCase,
    })
    .map((entries) => Object.fromEntries(entries) as StoredConsent['useCases']),
  recordedAtMs: fc.integer({ min: -2, max: 6 }).map((step) => step * 1000),
});

export const situations: fc.Arbitrary<Situation> = fc.record({
  profile: fc.option(fc.constant(goldProfile), { freq: 5 }),
  consent: fc.option(consentRecord, { freq: 5 }),
  generation: fc.nat(2),
  revoked: rarely(),
  erased: rarely(),
  link: fc.constantFrom('none', 'none', 'same', 'other', 'erased'),
  linkedConsent: fc.option(consentRecord),
  session: fc.boolean(),
  plan: fc.record({
    tokenGeneration: fc.constantFrom(0, 1, 2, 3),
    consent: fc.boolean(),
    profile: fc.option(
      fc.record({
        alternatives: fc.array(
          fc.record({
            select: fc.constantFrom(...personalUseCases),
            activation: fc.constantFrom(...personalUseCases),
            selectGranted: fc.boolean(),
            activationGranted: fc.boolean(),
          }),
          { maxLength: 4 },
        ),
        grantsCountFromMs: fc.integer({ min: -2, max: 6 }).map((step) => step * 1000),
      }),
      { freq: 6 },
    ),
    asksSubject: usually(),
    asksDevice: fc.boolean(),
    asksToken: usually(),
    asksSession: fc.boolean(),
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
  readonly profileKey: string;
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
  for (let raised = 0; raised < situation.generation; raised += 1) await store.raiseGeneration(subject);
  if (situation.revoked) await store.revokeToken(tokenId, nowMs() + daySeconds * 1000);
  if (situation.session) await store.putSession(sessionId, { attributes: { last_category: 'shoes' } }, daySeconds);
  if (situation.erased) await plant(tombstoneKey(tagOf(subject)), presence);
  if (situation.link === 'erased') await plant(tombstoneKey(tagOf(gone)), presence);

  const { asksSubject, asksDevice, asksToken, asksSession, ...asked } = situation.plan;
  const plan: ReadPlan = {
    ...asked,
    subject: asksSubject ? subject : null,
    deviceId: asksDevice ? device : null,
    tokenId: asksToken ? tokenId : null,
    sessionId: asksSession ? sessionId : null,
  };
  return { plan, expected: expectedReading(situation, plan, linkSubject, { subject, gone }), profileKey: profileKey(tagOf(subject)) };
}

function expectedReading(
  situation: Situation,
  plan: ReadPlan,
  linkSubject: string | null,
  { subject, gone }: { subject: string; gone: string },
): StoreReading {
  const linkErased = linkSubject === gone || (linkSubject === subject && situation.erased);
  const link = plan.deviceId === null || linkSubject === null || linkErased ? null : certain(linkSubject);
  const consent = plan.subject === null || situation.erased ? null : situation.consent;
  const linkedIsAnother = link !== null && link.subject !== plan.subject;
  const linkedRecord = link?.subject === subject ? situation.consent : situation.linkedConsent;
  const reading = {
    link,
    generation: plan.subject === null ? 0 : situation.generation,
    tokenRevoked: plan.tokenId !== null && situation.revoked,
    consent,
  };
  const stored = situation.erased ? null : situation.profile;
  return {
    ...reading,
    consent: plan.consent ? consent : null,
    linkedConsent: plan.consent && linkedIsAnother ? linkedRecord : null,
    profile: !mayReadProfile(plan, reading)
      ? { state: 'refused' }
      : stored === null
        ? { state: 'absent' }
        : { state: 'known', value: stored },
    session: plan.sessionId !== null && situation.session ? { attributes: { last_category: 'shoes' } } : null,
  };
}

/** Reads every situation and names the first difference; null when the store answers what it must. */
export async function differenceOver(opened: OpenedStore, cases: readonly Situation[]): Promise<string | null> {
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
export function withReading(
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
      const plan: ReadPlan = { ...personPlan('anna'), tokenGeneration: 1, tokenId: 'iss\njti', sessionId: 's-1' };
      expect(await store.read(plan)).toEqual({
        link: null,
        generation: 1,
        tokenRevoked: false,
        consent,
        linkedConsent: null,
        profile: { state: 'known', value: goldProfile },
        session: { attributes: { last_category: 'shoes' } },
      });
      expect(await store.read({ ...plan, deviceId: 'd-1' })).toMatchObject({
        link: { subject: 'bob', method: 'probabilistic', confidencePpm: 700_000 },
        linkedConsent: { useCases: { offers: 'denied' }, recordedAtMs: 5 },
        profile: { state: 'refused' },
      });
    });

    it('says of somebody never seen that nothing is there', async () => {
      const plan: ReadPlan = { ...personPlan('nobody'), tokenId: 't', deviceId: 'd', sessionId: 's' };
      expect(await store.read(plan)).toEqual({
        link: null,
        generation: 0,
        tokenRevoked: false,
        consent: null,
        linkedConsent: null,
        profile: { state: 'absent' },
        session: null,
      });
    });

    it('answers a plan that names nothing, and one that names only a session', async () => {
      await store.putSession('s-1', { attributes: {} }, daySeconds);
      expect(await store.read(noPlan)).toMatchObject({ profile: { state: 'refused' }, session: null });
      expect(await store.read({ ...noPlan, sessionId: 's-1' })).toMatchObject({ session: { attributes: {} } });
      expect(await store.read({ ...noPlan, sessionId: 's-2' })).toMatchObject({ session: null });
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
      const sample = fc.sample(situations, { seed: 7, numRuns: 200 });
      const reallyRead = async (plan: ReadPlan): Promise<StoreReading['profile']> => {
        const profile = plan.subject === null ? null : await store.getProfile(plan.subject);
        return profile === null
          ? { state: 'absent' }
          : { state: 'known', value: { attributes: profile.attributes, audiences: profile.audiences } };
      };
      const faults: Readonly<Record<string, (reading: StoreReading, plan: ReadPlan) => StoreReading | Promise<StoreReading>>> = {
        'reads the profile whatever the permission says': async (reading, plan) =>
          plan.profile === null ? reading : { ...reading, profile: await reallyRead(plan) },
        'forgets that generations are raised': (reading) => ({ ...reading, generation: 0 }),
        'forgets revoked tokens': (reading) => ({ ...reading, tokenRevoked: false }),
        'forgets whom the device is linked to': (reading) => ({ ...reading, link: null }),
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
      await opened.plant(tombstoneKey(tagOf('anna')), presence);
      expect(await store.read({ ...personPlan('anna'), deviceId: 'd' })).toEqual(neverSeen);
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
      expect((await store.read({ ...noPlan, sessionId: 's' })).session).toEqual({
        attributes: { a: 1, b: 'new', c: 3, d: ['x'], e: true },
      });
      expect(await store.patchSession('s-none', { attributes: { a: 1 } })).toBe(false);
      expect((await store.read({ ...noPlan, sessionId: 's-none' })).session).toBeNull();
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
      expect(await store.read({ ...noPlan, subject: 's-1', deviceId: 'd', sessionId: 's', consent: true })).toMatchObject({
        link: { subject: 's-1' },
        consent: { useCases: { offers: 'denied' } },
        linkedConsent: null,
        session: { attributes: { a: 2 } },
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
      expect(Object.keys((await store.read({ ...noPlan, sessionId: 's' })).session?.attributes ?? {})).toEqual(['a']);
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
      const session = (await store.read({ ...noPlan, sessionId: 's' })).session;
      expect(Object.entries(session?.attributes ?? {})).toEqual(Object.entries(attributes));
      expect(Object.getPrototypeOf(session?.attributes)).toBeNull();
    });

    describe('what is stored but was not written by us', () => {
      const annaTag = tagOf('anna');
      const bobTag = tagOf('bob');
      const garbage = [
        '',
        'x',
        '{}',
        '[]',
        'null',
        'p1',
        `p2${annaTag}[{},[]]`,
        `p1${annaTag}[{}`,
        `c1${annaTag}ggg`,
        '\u0000',
        'x'.repeat(recordCharsMax * 5),
      ];

      it('is a failed profile', async () => {
        const profile = { ...personPlan('anna'), consent: false };
        const cases = [
          ...garbage,
          encodeProfile(bobTag, goldProfile),
          `p1${annaTag}[{"a":null},[]]`,
          `p1${annaTag}[{"a":1.5},[]]`,
          `p1${annaTag}[{},[1]]`,
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
        const session = encodeSession(tagOf('other'), { attributes: {} });
        for (const text of [...garbage, session]) {
          await opened.plant(sessionKey(tagOf('s')), text);
          expect((await store.read({ ...noPlan, sessionId: 's' })).session).toBeNull();
          expect((await store.read({ ...noPlan, sessionId: 's', subject: 'anna' })).session).toBeNull();
          expect(await store.patchSession('s', { attributes: { a: 1 } })).toBe(false);
        }
      });

      it('is never taken for a consent that denies nothing', async () => {
        const others = encodeConsent(bobTag, { useCases: { offers: 'granted' }, recordedAtMs: 9 });
        for (const text of [...garbage, others, `c1${annaTag}gggggg|9|[`, `c1${annaTag}gggggg|99999999999999999|`]) {
          await opened.plant(consentKey(annaTag), text);
          await expect(store.read(personPlan('anna'))).rejects.toMatchObject({ code: 'unreadable' });
        }
        await opened.plant(identityKey(identityTag('device', 'd')), encodeIdentity(identityTag('device', 'd'), certain('anna')));
        await expect(store.read({ ...noPlan, subject: 'bob', deviceId: 'd', consent: true })).rejects.toMatchObject({ code: 'unreadable' });
      });

      it('is never taken for a generation that nobody raised', async () => {
        for (const text of ['', 'x', '-1', '1.5', '01', '99999999999999999', ' 1']) {
          await opened.plant(generationKey(annaTag), text);
          await expect(store.read(personPlan('anna'))).rejects.toMatchObject({ code: 'unreadable' });
        }
      });

      it('is never taken for a device that is linked to nobody', async () => {
        const tag = identityTag('device', 'd');
        const forged = encodeIdentity(tag, certain('bob')).replace(bobTag, annaTag);
        for (const text of [...garbage, encodeIdentity(identityTag('device', 'e'), certain('anna')), forged]) {
          await opened.plant(identityKey(tag), text);
          await expect(store.read({ ...personPlan('anna'), deviceId: 'd' })).rejects.toMatchObject({ code: 'unreadable' });
        }
      });

      it('still revokes and still erases', async () => {
        await opened.plant(revokedTokenKey(tagOf('t')), 'whatever');
        await opened.plant(tombstoneKey(annaTag), 'whatever');
        expect(await store.read({ ...personPlan('anna'), tokenId: 't' })).toMatchObject({ tokenRevoked: true });
        expect(await store.putProfile('anna', goldProfile, daySeconds)).toBe('erased');
      });
    });

    it('answers a ping, and after closing answers nothing', async () => {
      await store.ping();
      await store.close();
      await store.close();
      await expect(store.read({ ...noPlan, sessionId: 's' })).rejects.toMatchObject({ code: 'closed' });
      await expect(store.putProfile('anna', goldProfile, daySeconds)).rejects.toMatchObject({ code: 'closed' });
      await expect(store.ping()).rejects.toMatchObject({ code: 'closed' });
    });
  });
}
