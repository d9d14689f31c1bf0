/** What was withdrawn in a session, weighed: its denials count for whoever carries the session id, and its grants for nobody. */
import { describe, expect, it } from 'vitest';
import { grantsCategory, weighConsent } from '../../src/decision/consent.ts';
import { type Evidence, type Fact, noEvidence, type StoredConsent } from '../../src/decision/facts.ts';
import { weighIdentity } from '../../src/decision/identity.ts';
import { personalUseCases } from '../../src/decision/vocabulary.ts';
import { identityOf } from './asked.ts';

const nowMs = 1_795_262_400_000;
const dayMs = 86_400_000;
const settings = { path: 'vendor', vendorId: null, maxAgeDays: 180, regimes: {}, purposeOneCountries: [] } as const;
const all = (state: 'granted' | 'denied') => Object.fromEntries(personalUseCases.map((useCase) => [useCase, state]));
const known = (useCases: StoredConsent['useCases'], more: Partial<StoredConsent> = {}): Fact<StoredConsent> => ({
  state: 'known',
  value: { useCases, recordedAtMs: nowMs, ...more },
});

const verified: Evidence['identity']['session'] = { state: 'verified', id: 's' };

function weighed(
  session: Fact<StoredConsent> | undefined,
  more: { id?: Evidence['identity']['session']; stored?: Fact<StoredConsent> } = {},
) {
  const { id = verified, stored } = more;
  const evidence: Evidence = {
    ...noEvidence,
    identity: { ...(stored === undefined ? noEvidence.identity : identityOf('anna')), session: id },
    consent: {
      ...noEvidence.consent,
      signals: stored === undefined ? [{ state: 'valid', useCases: all('granted') }] : [],
      stored: stored ?? { state: 'refused' },
      ...(session === undefined ? {} : { session }),
    },
  };
  if (session === undefined) delete (evidence.consent as { session?: unknown }).session;
  return weighConsent(settings, evidence, weighIdentity(evidence.identity), nowMs);
}

describe('the record of a session', () => {
  it('denies what it denies, and leaves the rest', () => {
    const { states } = weighed(known({ offers: 'denied', 'category:health': 'denied' }));
    expect([states.offers, states.content_personalization]).toEqual(['denied', 'granted']);
  });

  it('grants nothing', () => {
    const { states } = weighed(known({ offers: 'granted' } as StoredConsent['useCases']), { stored: { state: 'absent' } });
    expect(states.offers).toBe('unavailable');
  });

  it('denies also where the session has ended and its id proves nothing any more', () => {
    expect(weighed(known({ offers: 'denied' }), { id: { state: 'invalid' } }).states.offers).toBe('denied');
  });

  it.each(['late', 'failed', 'absent', 'refused'] as const)('that is %s hides nothing where no session id verified', (state) => {
    expect(weighed({ state }, { id: { state: 'none' } }).states.offers).toBe('granted');
  });

  it.each([
    [{ state: 'late' }, 'consent_timeout'],
    [{ state: 'failed' }, 'consent_failed'],
    [{ state: 'refused' }, undefined],
  ] as const)('that did not come (%o) may hold a denial, so nothing is granted', (fact, reason) => {
    const { states, unread } = weighed(fact);
    expect(Object.values(states).slice(2)).toEqual(Array(6).fill('unavailable'));
    expect(unread?.reason).toBe(reason);
  });

  it('that is absent, or of which nobody knows, takes nothing away', () => {
    for (const fact of [{ state: 'absent' } as const, undefined]) expect(weighed(fact).states.offers).toBe('granted');
  });

  it('takes back a special category that the person has granted, and no other', () => {
    const stored = known({ 'category:health': 'granted', 'category:debt': 'granted' });
    const { explicit } = weighed(known({ 'category:health': 'denied', 'category:debt': 'granted', offers: 'denied' }), { stored });
    expect(['health', 'debt'].map((category) => explicit !== null && grantsCategory(explicit, category))).toEqual([false, true]);
  });

  it('gives no special category that the person has not granted', () => {
    const { explicit } = weighed(known({ 'category:health': 'granted' }), { stored: known({}) });
    expect(explicit !== null && grantsCategory(explicit, 'health')).toBe(false);
  });
});

describe('a grant that a later withdrawal of something else has left standing', () => {
  const grantOf = (days: number) => ({ stored: known({ offers: 'granted' }, { grantedAtMs: nowMs - days * dayMs }) });

  it('is as old as it was', () => {
    expect(weighed({ state: 'absent' }, grantOf(180)).states.offers).toBe('granted');
    expect(
      weighed({ state: 'absent' }, { stored: known({ offers: 'granted' }, { grantedAtMs: nowMs - 180 * dayMs - 1 }) }).states.offers,
    ).toBe('unavailable');
  });

  it('says nothing from the future', () => {
    expect(weighed({ state: 'absent' }, grantOf(-1)).states.offers).toBe('unavailable');
  });
});
