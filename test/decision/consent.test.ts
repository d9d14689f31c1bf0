/** What may be done with what is known of a person, piece by piece: which records count, how long, and what takes a grant away. */
import { describe, expect, test } from 'vitest';
import { type ConsentView, denies, supersedesBeforeMs, weighConsent } from '../../src/decision/consent.ts';
import { type ConsentSignal, type Evidence, noEvidence, type StoredConsent } from '../../src/decision/facts.ts';
import { weighIdentity } from '../../src/decision/identity.ts';

const dayMs = 86_400_000;
const nowMs = 20_000 * dayMs;
const settings = { path: 'vendor', vendorId: null, maxAgeDays: 180, regimes: {}, purposeOneCountries: [] } as const;
const record = (useCases: StoredConsent['useCases'], more: Partial<StoredConsent> = {}) =>
  ({ state: 'known', value: { useCases, recordedAtMs: nowMs, ...more } }) as const;
const said = (useCases: Extract<ConsentSignal, { state: 'valid' }>['useCases'], more: object = {}): ConsentSignal => ({
  state: 'valid',
  useCases,
  ...more,
});

const person: Evidence['identity'] = {
  token: {
    state: 'verified',
    subject: 'person-1',
    method: 'deterministic',
    expired: false,
    authTimeSeconds: null,
    generation: null,
    binding: 'none',
  },
  session: { state: 'verified', id: 'session-1' },
  device: { state: 'refused' },
  generation: { state: 'known', value: 0 },
  tokenRevoked: { state: 'known', value: false },
};
const other = { state: 'known', value: { subject: 'person-2', method: 'deterministic', confidencePpm: 1 } } as const;
const same = { state: 'known', value: { ...other.value, subject: 'person-1' } } as const;
const granted = record({ offers: 'granted', 'category:health': 'granted' });
const denied = record({ offers: 'denied', 'category:health': 'denied', 'category:debt': 'granted' });

function weighed(identity: object, consent: object): ConsentView {
  const evidence: Evidence = {
    ...noEvidence,
    identity: { ...person, ...identity } as Evidence['identity'],
    consent: { signals: [], gpc: false, stored: { state: 'absent' }, linked: { state: 'refused' }, ...consent } as Evidence['consent'],
  };
  return weighConsent(settings, evidence, weighIdentity(evidence.identity), nowMs);
}

const grant = said({ offers: 'granted' });
const nobody = { token: { state: 'none' } } as const;

describe('of offers', () => {
  test.each<[string, object, object, ConsentView['states']['offers'], string | null]>([
    ['nothing said is nothing allowed', {}, {}, 'unavailable', null],
    ['a signal grants', {}, { signals: [grant] }, 'granted', null],
    ['a record grants', {}, { stored: granted }, 'granted', null],
    ['a record denies', {}, { stored: denied, signals: [grant] }, 'denied', null],
    ['a signal denies', {}, { stored: granted, signals: [said({ offers: 'denied' })] }, 'denied', null],
    ['what is invalid takes grants away', {}, { stored: granted, signals: [{ state: 'invalid' }, grant] }, 'unavailable', null],
    ['what is invalid says nothing itself', {}, { signals: [{ ...said({ offers: 'denied' }), state: 'invalid' }] }, 'unavailable', null],
    ['Global Privacy Control denies', {}, { gpc: true, stored: granted }, 'denied', null],
    ['a child is denied', {}, { signals: [said({}, { child: true })], stored: granted }, 'denied', null],
    ['a record that is late hides a denial', {}, { stored: { state: 'late' }, signals: [grant] }, 'unavailable', 'consent_timeout'],
    ['a record that failed hides a denial', {}, { stored: { state: 'failed' }, signals: [grant] }, 'unavailable', 'consent_failed'],
    ['a record that was not read hides a denial', {}, { stored: { state: 'refused' }, signals: [grant] }, 'unavailable', null],
    ['a record that only seems to have come', {}, { stored: { ...granted, state: 'absent' } }, 'unavailable', null],
    [
      'a late record is named before one that failed',
      { device: other },
      { stored: { state: 'failed' }, linked: { state: 'late' } },
      'unavailable',
      'consent_timeout',
    ],
    ['a partial person’s grants do not count', { device: other }, { stored: granted, linked: { state: 'absent' } }, 'unavailable', null],
    ['a partial person’s denials do', { device: other }, { stored: denied, linked: { state: 'absent' }, signals: [grant] }, 'denied', null],
    ['and those of whom the device is linked to', { device: other }, { linked: denied, signals: [grant] }, 'denied', null],
    ['whose grants never count', { device: other }, { linked: granted }, 'unavailable', null],
    ['of a link alone the denials count', { ...nobody, device: other }, { linked: denied, signals: [grant] }, 'denied', null],
    ['of a link alone no grant counts', { ...nobody, device: other }, { linked: granted }, 'unavailable', null],
    ['the same person’s record is read once', { device: same }, { stored: granted, linked: denied }, 'granted', null],
    [
      'a revoked token’s subject is asked where the device is linked to it',
      { tokenRevoked: { state: 'known', value: true }, device: same },
      { stored: denied, linked: { state: 'absent' }, signals: [grant] },
      'denied',
      null,
    ],
    [
      'a revoked token’s subject is not asked otherwise',
      { tokenRevoked: { state: 'known', value: true } },
      { stored: denied, signals: [grant] },
      'granted',
      null,
    ],
    [
      'a token that is none has no subject, whatever it says',
      { token: { state: 'invalid', subject: 'person-2' }, device: other },
      { stored: { state: 'absent' }, linked: denied, signals: [grant] },
      'denied',
      null,
    ],
    ['a token that is late hides whose record it is', { token: { state: 'late' } }, { signals: [grant] }, 'unavailable', 'consent_timeout'],
    ['a token that failed hides it too', { token: { state: 'failed' } }, { signals: [grant] }, 'unavailable', 'consent_failed'],
    ['a device that is late hides whose it is', { device: { state: 'late' } }, { signals: [grant] }, 'unavailable', 'consent_timeout'],
    [
      'a device that failed hides it too',
      { device: { state: 'failed' } },
      { signals: [grant], stored: granted },
      'unavailable',
      'consent_failed',
    ],
    ['a device nobody is linked to hides nothing', { device: { state: 'absent' } }, { signals: [grant] }, 'granted', null],
    ['a session’s denials count', {}, { session: denied, signals: [grant] }, 'denied', null],
    ['a session’s grants do not', {}, { session: granted }, 'unavailable', null],
    [
      'a session’s record that is late hides a denial',
      {},
      { session: { state: 'late' }, signals: [grant] },
      'unavailable',
      'consent_timeout',
    ],
    ['an ended session’s denials still count', { session: { state: 'invalid' } }, { session: denied, signals: [grant] }, 'denied', null],
    [
      'a grant counts to the last day',
      {},
      { stored: record({ offers: 'granted' }, { recordedAtMs: nowMs - 180 * dayMs }) },
      'granted',
      null,
    ],
    ['and no longer', {}, { stored: record({ offers: 'granted' }, { recordedAtMs: nowMs - 180 * dayMs - 1 }) }, 'unavailable', null],
    [
      'a grant may be five minutes ahead',
      {},
      { stored: record({ offers: 'granted' }, { recordedAtMs: nowMs + 300_000 }) },
      'granted',
      null,
    ],
    ['and no further', {}, { stored: record({ offers: 'granted' }, { recordedAtMs: nowMs + 300_001 }) }, 'unavailable', null],
    [
      'a grant is as old as it says',
      {},
      { stored: record({ offers: 'granted' }, { grantedAtMs: nowMs - 181 * dayMs }) },
      'unavailable',
      null,
    ],
    ['a denial does not age', {}, { stored: record({ offers: 'denied' }, { recordedAtMs: 0 }), signals: [grant] }, 'denied', null],
    [
      'a later day’s grant sets a denial aside',
      {},
      { stored: record({ offers: 'denied' }, { recordedAtMs: nowMs - 1 }), signals: [said({ offers: 'granted' }, { day: 20_000 })] },
      'granted',
      null,
    ],
    ['the same day’s does not', {}, { stored: denied, signals: [said({ offers: 'granted' }, { day: 20_000 })] }, 'denied', null],
    [
      'a grant without a day does not',
      {},
      {
        stored: record({ offers: 'denied' }, { recordedAtMs: 0 }),
        signals: [grant, said({ content_personalization: 'granted' }, { day: 20_000 })],
      },
      'denied',
      null,
    ],
  ])('%s', (_claim, identity, consent, expected, unread) => {
    const view = weighed(identity, consent);
    expect(view.states.offers).toBe(expected);
    expect(view.unread?.reason ?? null).toBe(unread);
  });
});

describe('a child', () => {
  test('is one of whom a signal that decodes says so', () => {
    expect(weighed({}, { signals: [grant, said({}, { child: true })] }).child).toBe(true);
    expect(weighed({}, { signals: [said({}, { child: false }), grant] }).child).toBe(false);
    expect(weighed({}, { signals: [{ state: 'invalid', child: true }] }).child).toBe(false);
  });

  test('is denied the contextual uses too, which what is invalid leaves open to a denial only', () => {
    const contextual = (signals: readonly object[]) => weighed({}, { signals }).states.contextual_offer;
    expect(contextual([said({ contextual_offer: 'granted' })])).toBe('granted');
    expect(contextual([said({ contextual_offer: 'granted' }), { state: 'invalid' }])).toBe('unavailable');
    expect(contextual([said({ contextual_offer: 'denied' }), { state: 'invalid' }])).toBe('denied');
    expect(contextual([said({ contextual_offer: 'granted' }, { child: true })])).toBe('denied');
  });
});

describe('what only an explicit grant opens', () => {
  const explicit = (identity: object, consent: object) => weighed(identity, consent).explicit?.useCases ?? null;

  test.each<[string, object, object, StoredConsent['useCases'] | null]>([
    ['is open by the record of a proved person', {}, { stored: granted }, granted.value.useCases],
    ['is open whatever else is said', {}, { stored: granted, signals: [grant], gpc: true }, granted.value.useCases],
    ['is closed without a record', {}, { signals: [grant] }, null],
    ['is closed to a partial person', { device: other }, { stored: granted, linked: granted }, null],
    ['is closed where sensitive data is refused', {}, { stored: granted, signals: [grant, said({}, { refusesSensitive: true })] }, null],
    [
      'is not closed by a signal that refuses nothing',
      {},
      { stored: granted, signals: [said({}, { refusesSensitive: false })] },
      granted.value.useCases,
    ],
    [
      'is not closed by what does not decode',
      {},
      { stored: granted, signals: [{ state: 'invalid', refusesSensitive: true }] },
      granted.value.useCases,
    ],
    ['is closed where a record is late', {}, { stored: granted, session: { state: 'late' } }, null],
    [
      'is closed by what the session denies, and by nothing else of it',
      {},
      { stored: granted, session: denied },
      { offers: 'granted', 'category:health': 'denied' },
    ],
    ['is not closed by what the session has not', {}, { stored: granted, session: { state: 'absent' } }, granted.value.useCases],
    [
      'is closed by each of its categories alone',
      {},
      { stored: record({ 'category:health': 'granted', 'category:debt': 'denied', 'category:union': 'unavailable' }), session: record({}) },
      { 'category:health': 'granted', 'category:debt': 'denied', 'category:union': 'unavailable' },
    ],
  ])('%s', (_claim, identity, consent, expected) => {
    expect(explicit(identity, consent)).toEqual(expected);
  });
});

describe('a no from before', () => {
  test('is set aside by the latest day on which the same was granted', () => {
    const of = (...signals: readonly ConsentSignal[]) => supersedesBeforeMs(signals, 'offers');
    const on = (day: number) => said({ offers: 'granted' }, { day });
    expect(of()).toBe(null);
    expect(of(grant, said({ offers: 'denied' }, { day: 9 }), { state: 'invalid' })).toBe(null);
    expect(of({ ...on(3), state: 'invalid' } as never)).toBe(null);
    expect(of(on(3))).toBe(3 * dayMs);
    expect(of(on(0))).toBe(0);
    expect(of(on(3), grant, on(7), on(5))).toBe(7 * dayMs);
    expect(of(on(7), on(3))).toBe(7 * dayMs);
    expect(of(on(-5))).toBe(-5 * dayMs);
  });

  test('stands from that day on, and always where nothing sets it aside', () => {
    const of = (recordedAtMs: number, beforeMs: number | null) =>
      denies({ useCases: { offers: 'denied' }, recordedAtMs }, 'offers', beforeMs);
    expect([of(9, 10), of(10, 10), of(11, 10), of(-1, null)]).toEqual([false, true, true, true]);
    expect(denies({ useCases: { offers: 'granted' }, recordedAtMs: 0 }, 'offers', null)).toBe(false);
    expect(denies({ useCases: { offers: 'denied' }, recordedAtMs: 0 }, 'content_personalization', null)).toBe(false);
  });
});
