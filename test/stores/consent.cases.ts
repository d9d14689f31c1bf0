/** What a stored consent promises, whichever store: who wrote it last, and that a no is heard at once and overtaken by nothing. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { StoredConsent } from '../../src/decision/facts.ts';
import { personalUseCases } from '../../src/decision/vocabulary.ts';
import { categoriesMax, type Withdrawal } from '../../src/records/consent-record.ts';
import { consentKey, presence, sessionConsentKey, tombstoneKey } from '../../src/records/keys.ts';
import type { ReadPlan, Store } from '../../src/records/store.ts';
import { names } from '../support/key-names.ts';
import { daySeconds, noPlan, type OpenedStore, openSession, sessionPlan } from './store.cases.ts';

const everything = Object.fromEntries(personalUseCases.map((useCase) => [useCase, 'granted'])) as StoredConsent['useCases'];
const nothing = Object.fromEntries(personalUseCases.map((useCase) => [useCase, 'denied'])) as StoredConsent['useCases'];
const said = (recordedAtMs: number, useCases: StoredConsent['useCases'] = everything): StoredConsent => ({ useCases, recordedAtMs });
const consentOf = (subject: string): ReadPlan => ({ ...noPlan, subject, consent: true });

export function consentCases(name: string, open: () => Promise<OpenedStore>): void {
  const opened = async (): Promise<OpenedStore & { withdrawing(useCases: Withdrawal['useCases'], atMs?: number): Withdrawal }> => {
    const store = await open();
    onTestFinished(() => store.dispose());
    const { nowMs } = store;
    return { ...store, withdrawing: (useCases, atMs = nowMs()) => ({ useCases, atMs, ttlSeconds: daySeconds }) };
  };

  describe(`${name}: a stored consent`, () => {
    it('comes back with who wrote it, how often it was written and when it ends', async () => {
      const { store, nowMs } = await opened();
      const before = nowMs();
      expect(await store.getConsent('anna')).toBeNull();
      expect(await store.putConsent('anna', { ...said(5), noticeVersion: 'n-1' }, daySeconds)).toBe('created');
      const held = await store.getConsent('anna');
      expect(held).toMatchObject({ ...said(5), generation: 1, withdrawnGeneration: 0, source: 'api', noticeVersion: 'n-1' });
      expect(held?.expiresAtMs).toBeGreaterThanOrEqual(before + daySeconds * 1000 - 1);
      expect(held?.expiresAtMs).toBeLessThanOrEqual(nowMs() + daySeconds * 1000);
      await store.writeBatch([{ kind: 'consent', subject: 'anna', consent: { ...said(6), source: 'load' }, ttlSeconds: daySeconds }]);
      const loaded = await store.getConsent('anna');
      expect(loaded).toMatchObject({ ...said(6), generation: 2, source: 'load' });
      expect(loaded).not.toHaveProperty('noticeVersion');
    });

    it('tells a decision nothing of that', async () => {
      const { store } = await opened();
      await store.putConsent('anna', { ...said(5), noticeVersion: 'n-1' }, daySeconds);
      expect((await store.read(consentOf('anna'))).consent).toEqual(said(5));
    });

    it('counts every write of a batch, in order, and the last one stays', async () => {
      const { store } = await opened();
      const consents = [said(1), said(2, nothing), said(3)];
      const writes = consents.map((consent) => ({ kind: 'consent' as const, subject: 'anna', consent, ttlSeconds: daySeconds }));
      expect(await store.writeBatch(writes)).toEqual(['created', 'replaced', 'replaced']);
      expect(await store.getConsent('anna')).toMatchObject({ ...said(3), generation: 3 });
    });

    it('that cannot be read is no record to look at, and is replaced like any other', async () => {
      const { store, plant } = await opened();
      await plant(consentKey(names.subject('anna')), 'junk');
      await expect(store.getConsent('anna')).rejects.toMatchObject({ code: 'unreadable' });
      expect(await store.consentGeneration('anna')).toBe(0);
      expect(await store.putConsent('anna', said(5), daySeconds, 0)).toBe('replaced');
      expect(await store.getConsent('anna')).toMatchObject({ ...said(5), generation: 1 });
    });
  });

  describe(`${name}: a withdrawal`, () => {
    it('denies all, also where nothing was stored, and the next read hears it', async () => {
      const { store, nowMs, withdrawing } = await opened();
      for (const subject of ['anna', 'bob']) {
        if (subject === 'anna') await store.putConsent('anna', said(5), daySeconds);
        await store.read(consentOf(subject));
        const atMs = nowMs();
        const record = await store.withdrawConsent(subject, withdrawing(null, atMs));
        expect(record).toMatchObject({ useCases: nothing, recordedAtMs: atMs, source: 'withdrawal' });
        expect((await store.read(consentOf(subject))).consent).toEqual(said(atMs, nothing));
      }
    });

    it('of one thing leaves the others as they were, and makes no grant younger', async () => {
      const { store, nowMs, withdrawing } = await opened();
      await store.putConsent('anna', said(5, { ...everything, 'category:health': 'granted', 'category:debt': 'granted' }), daySeconds);
      const atMs = nowMs();
      await store.withdrawConsent('anna', withdrawing(['offers', 'category:health'], atMs));
      const useCases = { ...everything, offers: 'denied', 'category:health': 'denied', 'category:debt': 'granted' } as const;
      expect((await store.read(consentOf('anna'))).consent).toEqual({ useCases, recordedAtMs: atMs, grantedAtMs: 5 });
      await store.withdrawConsent('anna', withdrawing(null, atMs + 1));
      const { consent } = await store.read(consentOf('anna'));
      expect(Object.values(consent?.useCases ?? {})).toEqual(Array(8).fill('denied'));
      expect(consent).toMatchObject({ recordedAtMs: atMs + 1 });
      expect(consent).not.toHaveProperty('grantedAtMs');
    });

    it('said again is the same, and counts again', async () => {
      const { store, withdrawing } = await opened();
      const generations = [];
      for (const atMs of [100, 300, 200]) generations.push(await store.withdrawConsent('anna', withdrawing(['offers'], atMs)));
      expect(generations.map((record) => [record?.generation, record?.withdrawnGeneration])).toEqual([1, 2, 3].map((n) => [n, n]));
      // A clock that was set back makes no denial older.
      expect(await store.getConsent('anna')).toMatchObject({ useCases: { offers: 'denied' }, recordedAtMs: 300 });
    });

    it('of many at once loses none', async () => {
      const { store, withdrawing } = await opened();
      await store.putConsent('anna', said(5), daySeconds);
      const useCases = Array.from({ length: 20 }, (_, index) => `category:c${index}` as const);
      const records = await Promise.all(useCases.map((useCase) => store.withdrawConsent('anna', withdrawing([useCase]))));
      expect(new Set(records.map((record) => record?.generation)).size).toBe(useCases.length);
      const held = await store.getConsent('anna');
      expect(held?.generation).toBe(21);
      for (const useCase of useCases) expect(held?.useCases[useCase]).toBe('denied');
    });

    it('from a record that cannot be read denies everything', async () => {
      const { store, plant, withdrawing } = await opened();
      await plant(consentKey(names.subject('anna')), 'junk');
      expect(await store.withdrawConsent('anna', withdrawing(['offers']))).toMatchObject({ useCases: nothing, generation: 1 });
    });

    it('for somebody erased writes nothing', async () => {
      const { store, plant, withdrawing } = await opened();
      await plant(tombstoneKey(names.subject('anna')), presence);
      expect(await store.withdrawConsent('anna', withdrawing(null))).toBeNull();
      expect(await store.putConsent('anna', said(5), daySeconds, 0)).toBe('erased');
      expect(await store.getConsent('anna')).toBeNull();
    });
  });

  describe(`${name}: a put that was on its way when somebody withdrew`, () => {
    /** Between the two steps of a put. */
    async function putAround(store: Store, meanwhile: () => Promise<unknown>, since?: number): Promise<string> {
      const generation = since ?? (await store.consentGeneration('anna'));
      await meanwhile();
      return store.putConsent('anna', said(9), daySeconds, generation);
    }

    it('writes nothing', async () => {
      const { store, withdrawing } = await opened();
      for (const _ of ['without a record before', 'with one']) {
        expect(await putAround(store, () => store.withdrawConsent('anna', withdrawing(['offers'])))).toBe('withdrawn');
        expect((await store.read(consentOf('anna'))).consent?.useCases.offers).toBe('denied');
      }
    });

    it('writes nothing either where others have written since', async () => {
      const { store, withdrawing } = await opened();
      const meanwhile = async () => {
        await store.withdrawConsent('anna', withdrawing(['offers']));
        await store.putConsent('anna', said(8, { offers: 'denied' }), daySeconds, await store.consentGeneration('anna'));
      };
      expect(await putAround(store, meanwhile)).toBe('withdrawn');
      expect(await store.getConsent('anna')).toMatchObject({ useCases: { offers: 'denied' }, source: 'api', generation: 2 });
    });

    it('writes where nothing was withdrawn, whoever else wrote', async () => {
      const { store, withdrawing } = await opened();
      await store.withdrawConsent('anna', withdrawing(null));
      expect(await putAround(store, () => store.putConsent('anna', said(8), daySeconds))).toBe('replaced');
      expect(await store.getConsent('anna')).toMatchObject({ ...said(9), generation: 3, withdrawnGeneration: 1 });
    });

    it('would undo the withdrawal without the fence, so that this test can fail', async () => {
      const { store, withdrawing } = await opened();
      expect(await putAround(store, () => store.withdrawConsent('anna', withdrawing(null)), Number.MAX_SAFE_INTEGER)).toBe('replaced');
      expect((await store.read(consentOf('anna'))).consent?.useCases.offers).toBe('granted');
    });
  });

  describe(`${name}: a withdrawal in a session`, () => {
    it('is told to every plan that names the session, and to no other', async () => {
      const { store, nowMs, withdrawing } = await opened();
      await store.putSession('s', { attributes: { last_category: 'shoes' } }, daySeconds);
      const atMs = nowMs();
      await store.withdrawSessionConsent('s', withdrawing(['offers'], atMs));
      const record = said(atMs, { offers: 'denied' });
      expect((await store.read({ ...consentOf('anna'), sessionId: 's' })).sessionConsent).toEqual(record);
      expect((await store.read({ ...noPlan, sessionId: 's', consent: true })).sessionConsent).toEqual(record);
      expect((await store.read(consentOf('anna'))).sessionConsent).toBeNull();
      expect((await store.read({ ...noPlan, sessionId: 'other', consent: true })).sessionConsent).toBeNull();
    });

    it('of offers leaves what the session has learned, and of content deletes it', async () => {
      const { store, withdrawing } = await opened();
      const offersOnly = {
        ...openSession,
        alternatives: [[{ useCase: 'analytics_content', granted: true, supersedesBeforeMs: null }]],
      } as const;
      const learned = async () => (await store.read({ ...sessionPlan('s'), session: offersOnly })).session.state;
      for (const [useCases, left] of [
        [['offers'], 'known'],
        [['content_personalization'], 'absent'],
        [['offers', 'content_personalization'], 'absent'],
        [null, 'refused'],
      ] as const) {
        await store.putSession('s', { attributes: { last_category: 'shoes' } }, daySeconds);
        await store.read({ ...sessionPlan('s'), session: offersOnly });
        await store.withdrawSessionConsent('s', withdrawing(useCases));
        expect([useCases, await learned()]).toEqual([useCases, left]);
        expect(await store.patchSession('s', { attributes: {} })).toBe(left === 'known');
      }
    });

    it('that cannot be read is never taken for none', async () => {
      const { store, plant } = await opened();
      await plant(sessionConsentKey(names.session('s')), 'junk');
      await expect(store.read({ ...noPlan, sessionId: 's', consent: true })).rejects.toMatchObject({ code: 'unreadable' });
      await expect(store.read(sessionPlan('s'))).rejects.toMatchObject({ code: 'unreadable' });
    });

    it('of more than a record holds denies everything, and stays small', async () => {
      const { store, withdrawing } = await opened();
      const many = (from: number) => Array.from({ length: categoriesMax }, (_, index) => `category:c${from + index}` as const);
      await store.withdrawSessionConsent('s', withdrawing(many(0)));
      const plan = { ...noPlan, sessionId: 's', consent: true };
      expect((await store.read(plan)).sessionConsent?.useCases.offers).toBeUndefined();
      await store.withdrawSessionConsent('s', withdrawing(many(categoriesMax)));
      const useCases = (await store.read(plan)).sessionConsent?.useCases ?? {};
      expect(useCases).toMatchObject(nothing);
      expect(Object.keys(useCases)).toHaveLength(personalUseCases.length + categoriesMax);
    });
  });
}
