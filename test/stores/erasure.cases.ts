/** What an erasure promises, whichever store: nothing of the person is read or comes back, and nobody can tell that there was one. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { IdentityLink, StoredConsent } from '../../src/decision/facts.ts';
import { presence, tombstoneKey } from '../../src/records/keys.ts';
import { linksPerSubjectMax, tombstoneLifeMs } from '../../src/records/limits.ts';
import type { ReadPlan, Store } from '../../src/records/store.ts';
import { names } from '../support/key-names.ts';
import { daySeconds, goldProfile, noPlan, type OpenedStore, openPermission } from './store.cases.ts';

const consent: StoredConsent = { useCases: { offers: 'denied', content_personalization: 'granted' }, recordedAtMs: 5 };
const link = (subject: string): IdentityLink => ({ subject, method: 'deterministic', confidencePpm: 1_000_000 });
const asked = (atMs: number, requestId: string | null = null) => ({ atMs, requestId });

/** Everything that a decision may want to know of somebody. */
export const planFor = (subject: string, more: Partial<ReadPlan> = {}): ReadPlan => ({
  ...noPlan,
  subject,
  consent: true,
  profile: openPermission,
  ...more,
});

export async function writeAll(store: Store, subject: string): Promise<readonly string[]> {
  return [
    await store.putProfile(subject, goldProfile, daySeconds),
    await store.putConsent(subject, consent, daySeconds),
    await store.putIdentity('device', `device of ${subject}`, link(subject), daySeconds),
    await store.putIdentity('crm', `record of ${subject}`, link(subject), daySeconds),
    ...(await store.writeBatch([
      { kind: 'profile', subject, profile: goldProfile, ttlSeconds: daySeconds },
      { kind: 'consent', subject, consent, ttlSeconds: daySeconds },
      { kind: 'identity', namespace: 'crm', value: `other of ${subject}`, link: link(subject), ttlSeconds: daySeconds },
    ])),
  ];
}

export function erasureCases(name: string, open: () => Promise<OpenedStore>): void {
  const opened = async (): Promise<OpenedStore> => {
    const store = await open();
    onTestFinished(() => store.dispose());
    return store;
  };

  describe(`${name}: an erasure`, () => {
    it('leaves a subject as one never seen, with all that named the subject', async () => {
      const { store, nowMs } = await opened();
      await writeAll(store, 'anna');
      expect(await store.linksOf('anna')).toHaveLength(3);
      const atMs = nowMs() - 5_000;
      const { id: _, ...receipt } = await store.erase('anna', asked(atMs));
      expect(receipt).toEqual({ requestedAtMs: atMs, completedAtMs: expect.any(Number), tombstoneUntilMs: atMs + tombstoneLifeMs });
      expect(receipt.completedAtMs, 'when it was done, not when it was asked for').toBeGreaterThanOrEqual(atMs + 5_000);
      const [erased, never] = await Promise.all(
        ['anna', 'nobody'].map((who) => store.read(planFor(who, { deviceId: `device of ${who}` }))),
      );
      expect({ ...erased, erased: false }).toEqual(never);
      expect(erased?.erased).toBe(true);
      expect([await store.getProfile('anna'), await store.getConsent('anna'), await store.linksOf('anna')]).toEqual([null, null, []]);
      expect(await store.deleteProfile('anna')).toBe(false);
    });

    it('touches nobody else, and no link that names somebody else by now', async () => {
      const { store, nowMs } = await opened();
      await writeAll(store, 'anna');
      await writeAll(store, 'bob');
      await store.putIdentity('crm', 'record of anna', link('bob'), daySeconds);
      await store.erase('anna', asked(nowMs()));
      expect(await store.getProfile('bob')).toMatchObject(goldProfile);
      expect((await store.read(planFor('bob', { deviceId: 'device of bob' }))).link).toEqual(link('bob'));
      expect(await store.linksOf('bob')).toHaveLength(4);
    });

    it('keeps every later write out, until it is lifted; then the subject begins anew', async () => {
      const { store, nowMs } = await opened();
      await writeAll(store, 'anna');
      const { id } = await store.erase('anna', asked(nowMs()));
      expect(new Set(await writeAll(store, 'anna'))).toEqual(new Set(['erased']));
      expect(await store.withdrawConsent('anna', { useCases: null, atMs: nowMs(), ttlSeconds: daySeconds })).toBeNull();
      expect(await store.linksOf('anna')).toEqual([]);
      expect(await store.liftErasure(id)).toBe('lifted');
      expect(await store.liftErasure(id)).toBe('absent');
      expect(await store.getErasure({ id })).toBeNull();
      expect(await store.read(planFor('anna', { deviceId: 'device of anna' }))).toMatchObject({
        erased: false,
        link: null,
        profile: { state: 'absent' },
      });
      expect(await store.putProfile('anna', goldProfile, daySeconds)).toBe('created');
      expect(await store.getProfile('anna')).toMatchObject(goldProfile);
    });

    it('does not bring a revoked token back: the generation stays', async () => {
      const { store, nowMs } = await opened();
      await store.raiseGeneration('anna');
      await store.raiseGeneration('anna');
      await store.erase('anna', asked(nowMs()));
      expect((await store.read(planFor('anna'))).generation).toBe(2);
      expect(await store.raiseGeneration('anna')).toBe(3);
    });

    it('answers the same receipt to the same request, and a new one to another', async () => {
      const { store, nowMs } = await opened();
      const atMs = nowMs();
      const first = await store.erase('anna', asked(atMs, 'request-1'));
      expect(await store.erase('anna', asked(atMs + 1000, 'request-1'))).toEqual(first);
      expect(await store.getErasure({ id: first.id })).toEqual(first);
      expect(await store.getErasure({ subject: 'anna' })).toEqual(first);
      const again = await store.erase('anna', asked(atMs + 2000, 'request-2'));
      expect(again).toMatchObject({ id: first.id, requestedAtMs: atMs + 2000, tombstoneUntilMs: atMs + 2000 + tombstoneLifeMs });
      expect(await store.erase('anna', asked(atMs + 3000))).toMatchObject({ requestedAtMs: atMs + 3000 });
    });

    it('is found by its id alone, which says nothing of the subject', async () => {
      const { store, nowMs } = await opened();
      const { id } = await store.erase('anna', asked(nowMs()));
      expect(id).toBe(names.subject('anna'));
      for (const strange of ['anna', '', 'x'.repeat(22), names.subject('bob'), `${id}:profile`, '*']) {
        expect(await store.getErasure({ id: strange })).toBeNull();
        expect(await store.liftErasure(strange)).toBe('absent');
      }
    });

    it('that somebody else set by hand hides all the same, and what it hid is back when it goes', async () => {
      const { store, plant, unplant, nowMs } = await opened();
      await writeAll(store, 'anna');
      const plan = planFor('anna', { deviceId: 'device of anna' });
      const before = await store.read(plan);
      const key = tombstoneKey(names.subject('anna'));
      await plant(key, presence);
      expect(await store.read(plan)).toMatchObject({ erased: true, link: null, consent: null, profile: { state: 'absent' } });
      expect([await store.getProfile('anna'), await store.getConsent('anna'), await store.linksOf('anna')]).toEqual([null, null, []]);
      expect(await store.getErasure({ subject: 'anna' })).toBeNull();
      await unplant(key);
      // One that proves the tombstone gone, and nothing of what it hid.
      expect((await store.read({ ...noPlan, subject: 'anna' })).erased).toBe(false);
      expect((await store.read(planFor('anna'))).profile).toEqual(before.profile);
      expect(await store.read(plan)).toEqual(before);
      await plant(key, presence);
      expect(await store.erase('anna', asked(nowMs()))).toMatchObject({ completedAtMs: expect.any(Number) });
      expect(await store.getErasure({ subject: 'anna' })).not.toBeNull();
    });

    it('may be asked for of somebody never seen', async () => {
      const { store, nowMs } = await opened();
      expect(await store.erase('anna', asked(nowMs()))).toMatchObject({ completedAtMs: expect.any(Number) });
      expect(await store.putProfile('anna', goldProfile, daySeconds)).toBe('erased');
    });

    it('finds every link there is: more than 256 there are not, and what is somebody else’s by now makes room', async () => {
      const { store, nowMs } = await opened();
      const numbers = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);
      const batch = (from: number, count: number, subject: string) =>
        store.writeBatch(
          numbers(from, count).map((n) => ({
            kind: 'identity',
            namespace: 'device',
            value: `d-${n}`,
            link: link(subject),
            ttlSeconds: 99,
          })),
        );
      const put = (n: number, subject: string) => store.putIdentity('device', `d-${n}`, link(subject), 99);
      expect(new Set(await batch(0, linksPerSubjectMax, 'anna'))).toEqual(new Set(['created']));
      expect(await put(1000, 'anna')).toBe('too_many_links');
      expect(await batch(1000, 2, 'anna')).toEqual(['too_many_links', 'too_many_links']);
      expect((await store.read({ ...noPlan, deviceId: 'd-1000' })).link).toBeNull();
      expect(await put(7, 'anna'), 'one that is linked already').toBe('replaced');
      expect(await put(1000, 'bob'), 'of somebody else').toBe('created');
      expect(await put(7, 'bob')).toBe('replaced');
      expect(await put(1001, 'anna')).toBe('created');
      expect(await put(1002, 'anna')).toBe('too_many_links');
      expect(await store.linksOf('anna')).toHaveLength(linksPerSubjectMax);
      // Links come and go at once, and each of them makes room for another.
      await Promise.all([
        ...numbers(0, 40).map((n) => put(n, 'bob')),
        ...numbers(2000, 60).map((n) => put(n, 'anna')),
        ...numbers(20, 40).map((n) => put(n, 'anna')),
      ]);
      await store.erase('anna', asked(nowMs()));
      const { id } = await store.erase('anna', asked(nowMs()));
      await store.liftErasure(id);
      for (const n of [...numbers(0, linksPerSubjectMax), 1000, 1001, ...numbers(2000, 60)]) {
        const { link: found } = await store.read({ ...noPlan, deviceId: `d-${n}` });
        expect(found?.subject, `d-${n}`).not.toBe('anna');
      }
    });

    it('wins over every write that races it: nothing comes back', async () => {
      const { store, nowMs } = await opened();
      for (let round = 0; round < 10; round += 1) {
        const subject = `anna-${round}`;
        const writing = Array.from({ length: 12 }, () => writeAll(store, subject));
        const erasing = store.erase(subject, asked(nowMs()));
        await Promise.all([...writing, erasing]);
        await writeAll(store, subject);
        const reading = await store.read(planFor(subject, { deviceId: `device of ${subject}` }));
        expect(reading).toMatchObject({ erased: true, link: null, consent: null, linkedConsent: null, profile: { state: 'absent' } });
      }
    });
  });
}
